"""CoMHE with a projection P per hidden layer that takes gradient steps of its own."""
import tensorflow.compat.v1 as tf

from comhe_tf1 import energy
from comhe_tf1 import projection
from comhe_tf1 import regularizer

# Weight decay of a trained projection, and its weight in the descended sum.
DECAY = 1e-3 * 5e-4


class TrainedProjection(regularizer.Energy):
  """What the variants share.

  Before every training step P takes `iters` steps of gradient descent, at the
  network's learning rate, on the sum over layers of sign * p_loss(P, W) plus
  1e-3 * sum(5e-4 |P|^2 / 2). The term is E_h(P' W) where
  P' = P - learning rate * d (sign * p_loss) / dP is one more step that lives in
  the graph: the network's gradient flows through it into W (second order),
  while P is constant to the network's optimiser.

  Variables `<layer>/project` [pd, d], standard normal at first.

  Args:
    pd: dimension projected to.
    iters: steps of P before a training step.
    pn: not used but for the name of the log folder, as the original.
    power, energy_weight, output_energy_weight: see `methods`.
  """
  sign = None

  def _loss(self, neurons):
    """p_loss as a function of P [layers, pd, d]; what depends on W alone is shared."""
    raise NotImplementedError

  def _hidden(self, hidden, learning_rate, op_seed_of):
    if tf.executing_eagerly():
      raise RuntimeError('%s needs a graph: call it within tf.Graph().as_default()'
                         % type(self).__name__)
    variables = [[self._variable(name, stack, op_seed_of) for name in stack.names]
                 for stack in hidden]
    if not hidden:
      return regularizer.Computed([], None, None)
    signed_rate = self.sign * tf.cast(learning_rate, hidden[0].neurons.dtype)
    losses = [self._loss(stack.neurons) for stack in hidden]

    def read():
      return [tf.stack([variable.read_value() for variable in each])
              for each in variables]

    before_step = self._before_step(variables, read(), losses, signed_rate)
    # Read once: P is a constant of the network's step.
    energies = [
        projection.projected_half_space_energy(
            self._used(loss, current, signed_rate), stack.neurons, self.power)
        for stack, loss, current in zip(hidden, losses, read())]
    return regularizer.Computed(energies, before_step, None)

  def _used(self, loss, current, signed_rate):
    """The projection that the term takes."""
    return projection.gradient_step(loss, current, signed_rate)

  def _variable(self, name, stack, op_seed_of):
    # The original's names, beside those of the layer; not below this scope's.
    with tf.variable_scope(name):
      return tf.get_variable(
          'project', [self.settings['pd'], stack.neurons.shape.as_list()[1]],
          stack.neurons.dtype,
          initializer=tf.random_normal_initializer(seed=op_seed_of(name + '/project')),
          trainable=False, use_resource=True)

  def _before_step(self, variables, projections, losses, signed_rate):
    """All steps of all projections in one operation, or None if there are none."""
    if not self.settings['iters']:
      return None
    decay = DECAY * self.sign  # the sign of the rate undoes it

    def body(step, *projections):
      return [step + 1] + [
          projection.gradient_step(loss, value, signed_rate, decay)
          for loss, value in zip(losses, projections)]

    stepped = tf.while_loop(
        lambda step, *_: step < self.settings['iters'], body,
        [tf.constant(0)] + projections, parallel_iterations=1, back_prop=False)
    return tf.group(*[
        variable.assign(value) for each, values in zip(variables, stepped[1:])
        for variable, value in zip(each, tf.unstack(values, len(each)))])


class AngleProjection(TrainedProjection):
  """Angle-preserving CoMHE: p_loss = ||cos(P W) - cos(W)||_F, sign = 1."""
  name = 'angle'
  sign = 1.

  def _loss(self, neurons):
    cosine = energy.cosines(neurons)
    return lambda value: projection.angle_distortion(value, neurons, cosine)


class AlternatingAngleProjection(TrainedProjection):
  """Alternating angle-preserving CoMHE: the term is E_h(P W), P held constant.

  p_loss = sum_{i<j} (theta(w_i, w_j) - theta(P w_i, P w_j))^2, sign = 1. Rate and
  decay of P are those of the angle-preserving projection.
  """
  name = 'angle_alternating'
  sign = 1.

  def _loss(self, neurons):
    cosine = energy.cosines(neurons)
    return lambda value: projection.squared_angle_distortion(value, neurons, cosine)

  def _used(self, loss, current, signed_rate):
    del loss, signed_rate
    return current


class AdversarialProjection(TrainedProjection):
  """Adversarial-projection CoMHE: p_loss = E(P W) in full space, sign = -1."""
  name = 'adversarial'
  sign = -1.

  def _loss(self, neurons):
    return lambda value: projection.projected_energy(value, neurons, self.power)
