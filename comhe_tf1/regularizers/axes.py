"""Which axes of a kernel count its neurons, in the layouts that layers have."""
import tensorflow.compat.v1 as tf

from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import tensors

BOTH = (-2, -1)   # of depthwise convolutions


def checked(axis):
  """An axis as an int or `BOTH`, whatever kind of numbers it is given in.

  Raises:
    methods.SettingError: it is neither a whole number nor `BOTH`.
  """
  if hasattr(axis, '__index__') and not isinstance(axis, bool):
    return axis.__index__()
  if isinstance(axis, (list, tuple)) and tuple(axis) == BOTH:
    return BOTH
  raise methods.SettingError(
      'axis must be a whole number, or (-2, -1) for both of a depthwise convolution, got '
      '%r' % (axis,))


def neurons_last(kernel, axis):
  """A kernel with its neurons on the last axis and its input channels on the one before.

  Args:
    kernel: tensor or array of known shape.
    axis: that counts the neurons, as `layer.kernel_regularizer` has it: the last, the one
      before it, or the first; or (-2, -1) for those two together. Of a first axis the
      input channels are the second, as PyTorch orders them.

  Returns:
    Tensor [..., c_in, N]; with (-2, -1), whose neurons have no input channels of their
    own, [..., N].

  Raises:
    TypeError: as `tensors.as_tensor`.
    methods.SettingError: no layer has its neurons there.
    ValueError: the shape is unknown, or has fewer than two axes.

  >>> comhe_tf1.neurons_last(np.ones([3, 3, 32, 64]), axis=-2).shape.as_list()
  [3, 3, 64, 32]
  """
  axis = checked(axis)
  kernel = tensors.as_tensor(kernel)
  if not kernel.shape.is_fully_defined():
    raise ValueError(f'the shape of a kernel must be known, got {kernel.shape}')
  shape = kernel.shape.as_list()
  count = len(shape)
  if count < 2:
    raise ValueError('a kernel has at least two axes, got shape %s; biases and scales '
                     'have no neurons to spread' % shape)
  if axis == BOTH:
    if count < 3:
      raise _impossible(axis, shape)
    # Each channel has filters of its own: every pair of the two indices is a neuron.
    return tf.reshape(kernel, shape[:-2] + [shape[-2] * shape[-1]])
  place = axis + count if axis < 0 else axis
  # From the neurons' place to the order of all axes that puts them last. TensorFlow has
  # the input channels beside them; PyTorch has neurons, channels, height, width.
  orders = {0: list(range(2, count)) + [1, 0],
            count - 2: list(range(count - 2)) + [count - 1, count - 2],
            count - 1: list(range(count))}
  if place not in orders:
    raise _impossible(axis, shape)
  return kernel if place == count - 1 else tf.transpose(kernel, orders[place])


def _impossible(axis, shape):
  return methods.SettingError(
      'axis %s cannot count the neurons of a kernel of shape %s: it is -1 for dense layers '
      'and convolutions, -2 for transposed ones, (-2, -1) for depthwise ones (three axes '
      'or more), 0 for weights in PyTorch\'s order' % (axis, shape))
