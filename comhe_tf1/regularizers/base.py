"""Regularizers: from the kernels of any network to per-layer terms of its loss.

A regularizer is configured once and then called with kernels. The role of a kernel
decides its term, as the original: first and hidden layers count together (logged
`thom`), output layers apart (`thomf`), each with its weight. Which method has which
terms says `methods`. Here are those that need no projection.
"""
import collections
import typing

import tensorflow.compat.v1 as tf

from comhe_tf1.regularizers import energy
from comhe_tf1.regularizers import grouping
from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import orthogonality
from comhe_tf1.regularizers import roles
from comhe_tf1.regularizers import streams


class Terms(typing.NamedTuple):
  """What a regularizer adds to a network's loss.

  energies: ordered dict, layer name -> its term (scalar tensor, without weight).
  thom: weighted sum over the first and hidden layers, scalar tensor.
  thomf: weighted sum over the output layers, scalar tensor.
  update: operation to run with every training step, which keeps what the regularizer
    trains of its own; or None.

  >>> evaluate(comhe_tf1.Terms({}, thom=tf.constant(1.), thomf=tf.constant(2.),
  ...                          update=None).loss)
  3.0
  """
  energies: collections.OrderedDict
  thom: tf.Tensor
  thomf: tf.Tensor
  update: tf.Operation

  @property
  def loss(self):
    """thom + thomf, scalar tensor."""
    return self.thom + self.thomf


class Regularizer:
  """What all regularizers share: settings, weights, and the sums of the terms.

  Args:
    **settings: by name; which there are and their defaults says `methods`.

  Attributes:
    settings: ordered dict of all settings, resolved.
    weights: dict from role to the weight of its terms.

  Raises:
    TypeError: there is no such setting.
    methods.SettingError: a value is out of range.
  """
  name = None

  def __init__(self, **settings):
    self.settings = methods.resolve(self.name, settings)
    self.power = self.settings.get('power')
    weight, output_weight = (self.settings.get(name, 0.) for name in (
        'energy_weight', 'output_energy_weight'))
    self.weights = {roles.FIRST: weight, roles.HIDDEN: weight,
                    roles.OUTPUT: output_weight}

  def projections(self, neurons):
    """Number of projections of a layer of `neurons` neurons, for `op_seeds`."""
    return 1

  def normal(self, shape, dtype, op_seeds):
    """As `streams.normal`; what knows no op seeds may replace it."""
    return streams.normal(shape, dtype, op_seeds)

  def __call__(self, kernels, learning_rate=None, op_seed_of=None):
    """Returns the `Terms` of `kernels`.

    Args:
      kernels: sequence of `roles.Kernel`.
      learning_rate: the network's current one, scalar tensor or number; needed where
        projections are trained.
      op_seed_of: function from the name of what is drawn to its op seed or None;
        without it TensorFlow chooses.

    Raises:
      TypeError, ValueError: as `grouping.as_list` and `grouping.group_kernels`.
      methods.SettingError: a setting does not fit a kernel.
    """
    kernels = grouping.as_list(kernels)
    with tf.name_scope(self.name):
      # One operation serves all layers of a shape; their terms are taken apart again.
      stacks = grouping.group_kernels(kernels)
      energies, update = self.stack_terms(stacks, learning_rate,
                                          op_seed_of or (lambda name: None))
      values = {name: value for stack, of_stack in zip(stacks, energies)
                for name, value in zip(stack.names,
                                       tf.unstack(of_stack, len(stack.names)))}

      # In the order of the layers, whatever that of the stacks: sums round by it.
      def total(*counted):
        chosen = [values[kernel.name] for kernel in kernels if kernel.role in counted]
        return (self.weights[counted[0]] * tf.add_n(chosen) if chosen
                else tf.zeros([], stacks[0].neurons.dtype if stacks else tf.float32))

      return Terms(
          collections.OrderedDict((kernel.name, values[kernel.name])
                                  for kernel in kernels),
          total(roles.FIRST, roles.HIDDEN), total(roles.OUTPUT),
          update)

  def stack_terms(self, stacks, learning_rate, op_seed_of):
    """Terms of stacks of layers.

    Args:
      stacks: list of `grouping.Stack`.
      learning_rate, op_seed_of: as in a call.

    Returns:
      List of the terms, tensors [layers], one per stack; and an operation as
      `Terms.update`.
    """
    raise NotImplementedError


class Energy(Regularizer):
  """Half-space energy of first, full-space energy of output layers, as the original."""

  def stack_terms(self, stacks, learning_rate, op_seed_of):
    hidden = [stack for stack in stacks if stack.role == roles.HIDDEN]
    energies, update = self._hidden(hidden, learning_rate, op_seed_of)
    energies = iter(energies)
    unprojected = {roles.FIRST: self._first, roles.OUTPUT: self._output}
    return [next(energies) if stack.role == roles.HIDDEN
            else unprojected[stack.role](stack.neurons) for stack in stacks], update

  def _first(self, neurons):
    """Terms [layers] of first layers, from neurons [layers, d, N]."""
    return energy.energies(neurons, energy.half_space(self.power))

  def _output(self, neurons):
    """Terms [layers] of output layers, from neurons [layers, d, N]."""
    return energy.energies(neurons, energy.full_space(self.power))

  def _hidden(self, hidden, learning_rate, op_seed_of):
    """As `stack_terms`, of the stacks of hidden layers."""
    raise NotImplementedError


class Nothing(Regularizer):
  """No term at all: weight decay only.

  >>> evaluate(comhe_tf1.Nothing()([]).loss)
  0.0
  """
  name = 'none'

  def __call__(self, kernels, learning_rate=None, op_seed_of=None):
    """Returns `Terms` that are 0."""
    return Terms(collections.OrderedDict(), tf.zeros([]), tf.zeros([]), None)


class FullSpace(Energy):
  """MHE: the full-space energy of every layer.

  >>> kernel = comhe_tf1.Kernel('fc', np.eye(2), comhe_tf1.HIDDEN)
  >>> evaluate(comhe_tf1.FullSpace()([kernel]).loss)
  0.5
  """
  name = 'mhe'

  def _first(self, neurons):
    return self._output(neurons)

  def _hidden(self, hidden, learning_rate, op_seed_of):
    return [self._output(stack.neurons) for stack in hidden], None


class HalfSpace(Energy):
  """Half-space MHE: in half space but for output layers.

  >>> kernel = comhe_tf1.Kernel('fc', np.eye(2), comhe_tf1.HIDDEN)
  >>> evaluate(comhe_tf1.HalfSpace()([kernel]).loss)
  0.4167
  """
  name = 'half_mhe'

  def _hidden(self, hidden, learning_rate, op_seed_of):
    return [self._first(stack.neurons) for stack in hidden], None


class Group(Energy):
  """Group CoMHE: mean over groups of input channels of E_h of the sub-vectors.

  A channel of a 1x1 kernel has one coordinate, which has no angle: where groups would
  have a single coordinate, the layer is taken as one group.

  >>> kernel = comhe_tf1.Kernel('fc', np.eye(4), comhe_tf1.HIDDEN)
  >>> evaluate(comhe_tf1.Group(groups=2)([kernel]).loss)
  0.4821
  """
  name = 'group'

  def _hidden(self, hidden, learning_rate, op_seed_of):
    return [self._grouped(stack) for stack in hidden], None

  def _grouped(self, stack):
    layers, d, neurons = stack.neurons.shape.as_list()
    groups = self.settings['groups'] or stack.c_in
    if stack.c_in % groups:
      raise methods.SettingError(
          'groups must divide the input channels of every hidden layer, got %d, but %s '
          'has %d' % (groups, stack.names[0], stack.c_in))
    if d == groups:
      groups = 1
    # Rows of W run over height, width, channel: the channels split into groups.
    split = tf.reshape(stack.neurons, [layers, -1, groups, stack.c_in // groups, neurons])
    split = tf.reshape(tf.transpose(split, [0, 2, 1, 3, 4]),
                       [layers, groups, d // groups, neurons])
    # A layer at a time: groups times N x N cosines are many.
    return tf.stack([
        tf.reduce_mean(energy.energies(layer, energy.half_space(self.power)))
        for layer in tf.unstack(split, layers)])


class Orthogonal(Regularizer):
  """Orthogonality of the neurons of every layer.

  See `orthogonality.distance` and, for the setting gram, `smaller_distance`.

  >>> kernel = comhe_tf1.Kernel('fc', np.ones([2, 2]), comhe_tf1.HIDDEN)
  >>> evaluate(comhe_tf1.Orthogonal()([kernel]).energies['fc'])
  1.9998
  """
  name = 'orthogonal'

  def stack_terms(self, stacks, learning_rate, op_seed_of):
    distance = (orthogonality.smaller_distance if self.settings['gram'] == 'smaller'
                else orthogonality.distance)
    return [distance(stack.neurons) for stack in stacks], None


class SpectralIsometry(Regularizer):
  """SRIP of every layer, its power iterations started anew at every step.

  See `orthogonality.spectral_distance`; with gram='smaller' it is of W W^T - I where the
  neurons are more than their inputs.

  >>> kernel = comhe_tf1.Kernel('fc', 2. * np.eye(2), comhe_tf1.HIDDEN)
  >>> evaluate(comhe_tf1.SpectralIsometry()([kernel]).energies['fc'])
  3.0
  """
  name = 'srip'

  def stack_terms(self, stacks, learning_rate, op_seed_of):
    distances = []
    for stack in stacks:
      neurons = (orthogonality.fewer_first(stack.neurons)
                 if self.settings['gram'] == 'smaller' else stack.neurons)
      layers, _, count = neurons.shape.as_list()
      start, = self.normal([layers, count, 1], stack.neurons.dtype,
                           [op_seed_of(stack.names[0] + '/start')])
      distances.append(orthogonality.spectral_distance(neurons, start))
    return distances, None
