"""CoMHE regularisers: from the kernels of any network to per-layer energies.

Each class is configured once and then called with kernels. The role of a kernel
decides its term, as the original:

  first   half-space energy of the neurons themselves    weight 1
  hidden  half-space energy of the projected neurons     weight 1
  output  full-space energy of the neurons themselves    weight 10
"""
import collections
import numbers

import tensorflow.compat.v1 as tf

from comhe_tf1 import energy
from comhe_tf1 import kernels as roles
from comhe_tf1 import projection

OUTPUT_WEIGHT = 10.
# Weight decay of a trainable projection, and its weight in the descended sum.
PROJECTION_DECAY = 1e-3 * 5e-4

Terms = collections.namedtuple('Terms', 'energies thom thomf before_step draws')
Terms.__doc__ = """What a regulariser adds to a network's loss.

energies: ordered dict, layer name -> energy (scalar tensor, without weight).
thom: weighted sum over the first and hidden layers, scalar tensor.
thomf: weighted sum over the output layers, scalar tensor.
before_step: operation to run before every training step, or None.
draws: operation that makes the draws of one training step and nothing else, which
  brings a new session's streams to a later step; or None.
"""


def _terms(kernels, hidden_energy, before_step=None):
  """Gathers `Terms` without draws; `hidden_energy` is of one hidden kernel."""
  energies = collections.OrderedDict()
  thom, thomf = [], []
  for kernel in kernels:
    if kernel.role == roles.OUTPUT:
      value = energy.full_space_energy(kernel.tensor)
      thomf.append(value)
    else:
      value = (energy.half_space_energy(kernel.tensor)
               if kernel.role == roles.FIRST else hidden_energy(kernel))
      thom.append(value)
    energies[kernel.name] = value
  nothing = tf.zeros([], kernels[0].tensor.dtype if kernels else tf.float32)
  return Terms(energies, tf.add_n(thom) if thom else nothing,
               OUTPUT_WEIGHT * tf.add_n(thomf) if thomf else nothing,
               before_step, None)


def _checked(kernels):
  """The kernels as a list, their tensors as tensors.

  Raises:
    ValueError: a role is unknown, a name comes twice, or a hidden kernel has no
      static shape of at least two axes.
  """
  kernels = [kernel._replace(tensor=tf.convert_to_tensor(kernel.tensor))
             for kernel in kernels]
  names = [kernel.name for kernel in kernels]
  for kernel in kernels:
    if kernel.role not in roles.ROLES:
      raise ValueError('the role of kernel %r must be one of %s, got %r'
                       % (kernel.name, ', '.join(roles.ROLES), kernel.role))
    if names.count(kernel.name) > 1:
      raise ValueError('two kernels have the name %r' % kernel.name)
    shape = kernel.tensor.shape
    if kernel.role == roles.HIDDEN and (
        not shape.is_fully_defined() or shape.ndims < 2):
      raise ValueError('the shape of kernel %r must be known, with at least two axes, '
                       'got %s' % (kernel.name, shape))
  return kernels


class RandomProjection(object):
  """Random-projection CoMHE: E_h averaged over pn fresh Gaussian projections.

  The op seed of projection i of a layer is c_in + i, as the original: layers of
  equal c_in and d draw identical matrices at every step, and draw them once here.

  Args:
    pd: dimension projected to, at least 1.
    pn: number of projections of each layer, at least 1.
    pnd: if positive, a layer of c_out neurons has c_out // pnd projections
      instead of pn.

  Raises:
    ValueError: a number is out of range.
  """
  name = 'random'

  def __init__(self, pd=40, pn=20, pnd=0):
    _require(pd=(pd, 1), pn=(pn, 1), pnd=(pnd, 0))
    self.pd, self.pn, self.pnd = pd, pn, pnd

  def projections(self, neurons):
    """Number of projections of a layer of `neurons` neurons.

    Raises:
      ValueError: pnd exceeds the number of neurons, which leaves none.
    """
    if not self.pnd:
      return self.pn
    if self.pnd > neurons:
      raise ValueError('pnd must be at most %d, the neurons of the smallest '
                       'projected layer, got %d' % (neurons, self.pnd))
    return neurons // self.pnd

  def __call__(self, kernels, learning_rate=None, op_seeds=None):
    """Returns the `Terms` of `kernels`, a sequence of `kernels.Kernel`.

    `learning_rate` and `op_seeds` belong to the trainable projections and are
    not used. Reproducible draws want the graph's seed set before.

    Raises:
      TypeError, ValueError: a kernel cannot be used.
    """
    del learning_rate, op_seeds
    kernels = _checked(kernels)
    draws, stacks = {}, {}

    def draw(*key):
      if key not in draws:
        draws[key] = projection.gaussian_projection(self.pd, *key)
      return draws[key]

    def hidden_energy(kernel):
      shape = kernel.tensor.shape.as_list()
      c_in, neurons = shape[-2:]
      d = kernel.tensor.shape.num_elements() // neurons
      key = c_in, d, kernel.tensor.dtype, self.projections(neurons)
      if key not in stacks:
        stacks[key] = tf.stack([draw(d, c_in + i, kernel.tensor.dtype)
                                for i in range(key[-1])])
      return projection.random_projection_energy(kernel.tensor, stacks[key])

    with tf.name_scope('random_projection'):
      terms = _terms(kernels, hidden_energy)
    return terms._replace(draws=tf.group(*draws.values()) if draws else None)


class _TrainableProjection(object):
  """A projection P per hidden layer that takes gradient steps of its own.

  Before every training step P takes `iters` steps of gradient descent, at the
  network's learning rate, on the sum over layers of sign * p_loss(P, W) plus
  1e-3 * sum(5e-4 |P|^2 / 2). The term is E_h(P' W) where
  P' = P - learning rate * d (sign * p_loss) / dP is one more step that lives in
  the graph: the network's gradient flows through it into W (second order),
  while P is constant to the network's optimiser.

  Args:
    pd: dimension projected to, at least 1.
    iters: steps of P before a training step, at least 0.
    pn: not used but for the name of the log folder, as the original.

  Raises:
    ValueError: a number is out of range.
  """
  name = None
  sign = None

  def __init__(self, pd=30, iters=1, pn=1):
    _require(pd=(pd, 1), iters=(iters, 0), pn=(pn, 1))
    self.pd, self.iters, self.pn = pd, iters, pn

  def _loss(self, neurons):
    """Returns p_loss as a function of P; what depends on W alone is shared."""
    raise NotImplementedError

  def projections(self, neurons):
    """Number of projections of a layer of `neurons` neurons: one."""
    del neurons
    return 1

  def __call__(self, kernels, learning_rate, op_seeds=None):
    """Returns the `Terms` of `kernels` and creates `<layer>/project` variables.

    Args:
      kernels: sequence of `kernels.Kernel`.
      learning_rate: the network's current one, scalar tensor or number.
      op_seeds: dict from `<layer>/project` to the op seed of its initial value;
        without it TensorFlow chooses.

    Raises:
      TypeError, ValueError: a kernel cannot be used.
      RuntimeError: called eagerly; trained projections need a graph.
    """
    if tf.executing_eagerly():
      raise RuntimeError('%s needs a graph: call it within tf.Graph().as_default()'
                         % type(self).__name__)
    kernels = _checked(kernels)
    op_seeds = op_seeds or {}
    hidden = [kernel for kernel in kernels if kernel.role == roles.HIDDEN]
    neurons = {kernel.name: energy.as_neurons(kernel.tensor) for kernel in hidden}
    variables = [self._variable(kernel.name, neurons[kernel.name],
                                op_seeds.get(kernel.name + '/project'))
                 for kernel in hidden]
    with tf.name_scope(self.name + '_projection'):
      signed_rate = self.sign * tf.cast(
          learning_rate, hidden[0].tensor.dtype if hidden else tf.float32)
      losses = {name: self._loss(value) for name, value in neurons.items()}
      before_step = self._before_step(
          variables, [losses[kernel.name] for kernel in hidden], signed_rate)
      # Read once: P is a constant of the network's step.
      current = {kernel.name: variable.read_value()
                 for kernel, variable in zip(hidden, variables)}

      def hidden_energy(kernel):
        stepped = projection.gradient_step(
            losses[kernel.name], current[kernel.name], signed_rate)
        return projection.projected_half_space_energy(
            stepped, neurons[kernel.name])

      return _terms(kernels, hidden_energy, before_step)

  def _variable(self, name, neurons, op_seed):
    with tf.variable_scope(name):
      return tf.get_variable(
          'project', [self.pd, neurons.shape.as_list()[0]], neurons.dtype,
          initializer=tf.random_normal_initializer(seed=op_seed),
          trainable=False, use_resource=True)

  def _before_step(self, variables, losses, signed_rate):
    """All steps of all projections in one operation, or None if there are none."""
    if not variables or not self.iters:
      return None
    decay = PROJECTION_DECAY * self.sign  # the sign of the rate undoes it

    def body(step, *projections):
      return [step + 1] + [
          projection.gradient_step(loss, value, signed_rate, decay)
          for loss, value in zip(losses, projections)]

    stepped = tf.while_loop(
        lambda step, *_: step < self.iters, body,
        [tf.constant(0)] + [variable.read_value() for variable in variables],
        parallel_iterations=1, back_prop=False)
    return tf.group(*[variable.assign(value)
                      for variable, value in zip(variables, stepped[1:])])


class AngleProjection(_TrainableProjection):
  __doc__ = _TrainableProjection.__doc__.replace(
      _TrainableProjection.__doc__.splitlines()[0],
      'Angle-preserving CoMHE: p_loss = ||cos(P W) - cos(W)||_F, sign = 1.')
  name = 'angle'
  sign = 1.

  def _loss(self, neurons):
    cosine = energy.cosines(neurons)
    return lambda value: projection.angle_distortion(value, neurons, cosine)


class AdversarialProjection(_TrainableProjection):
  __doc__ = _TrainableProjection.__doc__.replace(
      _TrainableProjection.__doc__.splitlines()[0],
      'Adversarial-projection CoMHE: p_loss = E(P W) in full space, sign = -1.')
  name = 'adversarial'
  sign = -1.

  def __init__(self, pd=30, iters=10, pn=1):
    super(AdversarialProjection, self).__init__(pd, iters, pn)

  def _loss(self, neurons):
    return lambda value: projection.projected_energy(value, neurons)


def _require(**settings):
  """Raises ValueError unless all `name=(value, least)` are whole and large enough."""
  for name, (value, least) in sorted(settings.items()):
    if not isinstance(value, numbers.Integral) or value < least:
      raise ValueError('%s must be a whole number of at least %d, got %r'
                       % (name, least, value))


REGULARIZERS = collections.OrderedDict(
    (cls.name, cls)
    for cls in (RandomProjection, AngleProjection, AdversarialProjection))
