"""CoMHE with a projection P per hidden layer that takes gradient steps of its own."""
import tensorflow.compat.v1 as tf

from comhe_tf1.regularizers import base
from comhe_tf1.regularizers import energy
from comhe_tf1.regularizers import projection
from comhe_tf1.regularizers import similarity

# Weight decay of a trained projection, and its weight in the descended sum.
DECAY = 1e-3 * 5e-4


class TrainedProjection(base.Energy):
  """What the variants share.

  At every training step P takes `iters` steps of gradient descent, at the network's
  learning rate, on the sum over layers of sign * p_loss(P W) plus
  1e-3 * sum(5e-4 |P|^2 / 2), which `Terms.update` keeps. The term is E_h(P' W) where
  P' = P - learning rate * d (sign * p_loss) / dP is one more step, which is not kept:
  the network's gradient flows through it into W (second order), while P is constant
  to the network's optimizer.

  The steps are taken on P W (`projection.descend`), from one W^T W per layer.

  Variables `<layer>/project` [pd, d], standard normal at first.

  Args:
    pd: dimension projected to.
    iters: steps of P before a training step.
    pn: not used but for the name of the log folder, as the original.
    power, energy_weight, output_energy_weight: see `methods`.
  """
  sign = None

  def _loss(self, cosine):
    """p_loss as a function of P W [layers, pd, N], given the cosines of W."""
    raise NotImplementedError

  def _hidden(self, hidden, learning_rate, op_seed_of):
    energies, kept = [], []
    for stack in hidden:
      rate = self.sign * tf.cast(learning_rate, stack.neurons.dtype)
      variables = [self.variable(name, stack, op_seed_of) for name in stack.names]
      current = tf.stack([variable.read_value() for variable in variables])
      # W^T W once: all steps, and the cosines of W, follow from it.
      gram = similarity.gram(stack.neurons)
      loss = self._loss(similarity.gram_cosines(gram))
      if self.settings['iters']:
        # The sign of the rate undoes that of the decay.
        current = projection.descend(
            loss, current, stack.neurons, gram, rate=rate, decay=self.sign * DECAY,
            steps=self.settings['iters'])
        kept += [self.keep(variable, value) for variable, value
                 in zip(variables, tf.unstack(current, len(variables)))]
      projected = self._used(loss, tf.matmul(current, stack.neurons), gram, rate)
      energies.append(energy.energies(projected, energy.half_space(self.power)))
    return energies, tf.group(*kept) if kept else None

  def _used(self, loss, projected, gram, rate):
    """P W as the term takes it."""
    return projection.projected_step(loss, projected, gram, rate)[0]

  def keep(self, variable, value):
    """Operation that keeps the projection after its steps; others may replace it."""
    return variable.assign(value)

  def variable(self, name, stack, op_seed_of):
    """The projection of a layer; what keeps its own variables may replace it.

    Raises:
      RuntimeError: there is no graph that could keep it.
    """
    if tf.executing_eagerly() or tf.get_default_graph().building_function:
      raise RuntimeError('%s needs a graph: call it within tf.Graph().as_default(), or '
                         'comhe_tf1.regularize on a model of Keras' % type(self).__name__)
    # The original's names, beside those of the layer; not below this scope's.
    with tf.variable_scope(name):
      return tf.get_variable(
          'project', [self.settings['pd'], stack.neurons.shape.as_list()[1]],
          stack.neurons.dtype,
          initializer=tf.random_normal_initializer(seed=op_seed_of(name + '/project')),
          trainable=False, use_resource=True)


class AngleProjection(TrainedProjection):
  """Angle-preserving CoMHE: p_loss = ||cos(P W) - cos(W)||_F, sign = 1.

  >>> kernel = comhe_tf1.Kernel('fc', np.eye(2), comhe_tf1.HIDDEN)
  >>> terms = comhe_tf1.AngleProjection(pd=1)([kernel], learning_rate=0.1)
  >>> terms.update is None, [variable.name for variable in tf.global_variables()]
  (False, ['fc/project:0'])
  """
  name = 'angle'
  sign = 1.

  def _loss(self, cosine):
    return lambda projected: projection.angle_distortion(projected, cosine)


class AlternatingAngleProjection(TrainedProjection):
  """Alternating angle-preserving CoMHE: the term is E_h(P W), P held constant.

  p_loss = sum_{i<j} (theta(w_i, w_j) - theta(P w_i, P w_j))^2, sign = 1. Rate and
  decay of P are those of the angle-preserving projection.

  >>> kernel = comhe_tf1.Kernel('fc', np.eye(2), comhe_tf1.HIDDEN)
  >>> terms = comhe_tf1.AlternatingAngleProjection(pd=1)([kernel], learning_rate=0.1)
  >>> list(terms.energies), terms.update is None
  (['fc'], False)
  """
  name = 'angle_alternating'
  sign = 1.

  def _loss(self, cosine):
    return lambda projected: projection.squared_angle_distortion(projected, cosine)

  def _used(self, loss, projected, gram, rate):
    return projected


class AdversarialProjection(TrainedProjection):
  """Adversarial-projection CoMHE: p_loss = E(P W) in full space, sign = -1.

  >>> kernel = comhe_tf1.Kernel('fc', np.eye(2), comhe_tf1.HIDDEN)
  >>> terms = comhe_tf1.AdversarialProjection(pd=1)([kernel], learning_rate=0.1)
  >>> list(terms.energies), terms.update is None
  (['fc'], False)
  """
  name = 'adversarial'
  sign = -1.

  def _loss(self, cosine):
    return lambda projected: energy.energies(projected, energy.full_space(self.power))
