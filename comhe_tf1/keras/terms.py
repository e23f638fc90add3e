"""The terms of all kernels of a model at once, layers of equal shape in one product."""
import collections
import typing

import tensorflow.compat.v1 as tf

from comhe_tf1.regularizers import energy
from comhe_tf1.regularizers import kernels as roles
from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import stacks


def too_few_inputs(kernel, pd):
  """Whether a projection to pd dimensions would not compress a kernel's neurons."""
  return pd is not None and kernel.layout.shape[1] <= pd


def role_of(kernel, pd):
  """The role by which a kernel's term is taken.

  Neurons of no more than pd inputs are not projected, as those of the first layer are
  not; unless the user has called the kernel hidden.
  """
  return (roles.FIRST if kernel.role == roles.HIDDEN and not kernel.given
          and too_few_inputs(kernel, pd) else kernel.role)


def neurons_of(kernel):
  """The neurons of a `finding.Found` as they are now, tensor [sets, d, N]."""
  tensor = energy.as_tensor(kernel.variable)
  if tensor.dtype.base_dtype not in (tf.float32, tf.float64):
    tensor = tf.cast(tensor, tf.float32)
  layout = kernel.layout
  if tuple(tensor.shape.as_list()) != layout.view:
    tensor = tf.reshape(tensor, layout.view)
  if layout.order != tuple(range(len(layout.view))):
    tensor = tf.transpose(tensor, layout.order)
  return tf.reshape(tensor, layout.shape)


def stacked(kernels, pd=None, by_channels=False):
  """Kernels of equal role, inputs and neurons side by side.

  Args:
    kernels: list of `finding.Found`.
    pd: dimension projected to, or None.
    by_channels: whether the number of input channels matters too.

  Returns:
    List of `stacks.Stack`.
  """
  groups = collections.OrderedDict()
  for kernel in kernels:
    _, d, count = kernel.layout.shape
    channels = kernel.layout.channels if by_channels else d
    dtype = getattr(kernel.variable.dtype, 'name', kernel.variable.dtype)
    key = role_of(kernel, pd), d, count, channels, dtype
    groups.setdefault(key, []).append(kernel)
  return [stacks.Stack([name for kernel in group for name in kernel.names], key[0], key[3],
                       tf.concat([neurons_of(kernel) for kernel in group], 0))
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
    found = stacked(kernels, regularizer.settings.get('pd'), method == 'group')
    terms = regularizer.of_stacks(found, rate, lambda name: None).energies
    # The kernels of a model may be of several types.
    dtypes = {stack.neurons.dtype for stack in found}
    dtype = dtypes.pop() if len(dtypes) == 1 else tf.float32
    return tf.add_n([tf.cast(regularizer.weights[stack.role] * tf.reduce_sum(values), dtype)
                     for stack, values in zip(found, terms)] or [tf.zeros([], dtype)])


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
    values.update(zip(stack.names, tf.unstack(energy.of_cosines(stack.neurons, space),
                                              len(stack.names))))
  return collections.OrderedDict(
      (name, values[name]) for kernel in kernels for name in kernel.names)
