"""The terms of all kernels of a model at once, layers of equal shape in one product."""
import collections
import typing

import tensorflow.compat.v1 as tf

from comhe_tf1.keras import batched
from comhe_tf1.keras import neurons
from comhe_tf1.regularizers import energy
from comhe_tf1.regularizers import grouping
from comhe_tf1.regularizers import methods


def stacked(kernels, pd=None, by_channels=False):
  """Kernels of equal role, inputs and neurons side by side.

  Args:
    kernels: list of `finding.Found`.
    pd: dimension projected to, or None.
    by_channels: whether the number of input channels matters too.

  Returns:
    List of `grouping.Stack`.
  """
  groups = collections.OrderedDict()
  for kernel in kernels:
    _, d, count = kernel.layout.shape
    channels = kernel.layout.channels if by_channels else d
    key = (neurons.role_of(kernel, pd), d, count, channels,
           neurons.dtype_of(kernel))
    groups.setdefault(key, []).append(kernel)
  return [grouping.Stack(
      [name for kernel in group for name in kernel.names], key[0], key[3],
      tf.concat([neurons.neurons_of(kernel) for kernel in group], 0))
          for key, group in groups.items()]


class Surroundings(typing.NamedTuple):
  """What a method is given where it is called.

  normal: as `base.Regularizer.normal`; variable, keep: as those of
  `trained_projection.TrainedProjection`; learning_rate: the network's.
  """
  normal: typing.Callable
  variable: typing.Callable
  keep: typing.Callable
  learning_rate: typing.Callable


def total(method, settings, kernels, surroundings):
  """The sum of the terms of all kernels, each with the weight of its role.

  Args:
    method: name in `methods.METHODS`.
    settings: of the method.
    kernels: list of `finding.Found`.
    surroundings: `Surroundings`.

  Returns:
    Scalar tensor.
  """
  regularizer = methods.create(method, **settings)
  regularizer.normal = surroundings.normal
  regularizer.variable, regularizer.keep = surroundings.variable, surroundings.keep
  rate = surroundings.learning_rate() if 'iters' in regularizer.settings else None
  with tf.name_scope(method):
    if method in batched.METHODS and settings.get('draw') != 'reduced':
      kernels, sums = batched.sums(regularizer, kernels)
    else:
      sums = []
    found = stacked(kernels, regularizer.settings.get('pd'), method == 'group')
    energies, _ = regularizer.stack_terms(found, rate, lambda name: None)
    sums += [regularizer.weights[stack.role] * tf.reduce_sum(values)
             for stack, values in zip(found, energies)]
    # The kernels of a model may be of several types.
    dtypes = {each.dtype for each in sums}
    dtype = dtypes.pop() if len(dtypes) == 1 else tf.float32
    return tf.add_n([tf.cast(each, dtype) for each in sums] or [tf.zeros([], dtype)])


def unprojected(kernels, space):
  """Energies of kernels as they are.

  Args:
    kernels: list of `finding.Found`.
    space: `energy.half_space` or `energy.full_space` of a power.

  Returns:
    Ordered dict from the name of a set of neurons to a scalar tensor.
  """
  values = {}
  for stack in stacked(kernels):
    values.update(zip(stack.names, tf.unstack(energy.energies(stack.neurons, space),
                                              len(stack.names))))
  return collections.OrderedDict(
      (name, values[name]) for kernel in kernels for name in kernel.names)
