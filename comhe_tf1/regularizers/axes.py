"""Which axes of a kernel count its neurons, in the layouts that layers have."""
import tensorflow.compat.v1 as tf

from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import tensors

BOTH = (-2, -1)   # of depthwise convolutions


def inputs_and_neurons(axis, shape):
  """The axes of a neuron's inputs, the input channels last, and those that count neurons.

  Args:
    axis: that counts the neurons, whole number, or several together, a tuple or list. Of a
      first axis the input channels are the second, as PyTorch orders them.
    shape: of the kernel, numbers.

  Returns:
    Two tuples of axes, none negative.

  Raises:
    methods.SettingError: there is no such axis, it comes twice, or none is left for the
      inputs.
  """
  chosen = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
  count = len(shape)
  if not chosen or not all(hasattr(each, '__index__') and -count <= each < count
                           for each in chosen):
    raise methods.SettingError(
        'axis must be one or several whole numbers from %d to %d for a kernel of shape %s, '
        'got %r' % (-count, count - 1, tuple(shape), axis))
  neurons = tuple(each % count for each in chosen)
  inputs = tuple(each for each in range(count) if each not in neurons)
  if len(set(neurons)) < len(neurons) or not inputs:
    raise methods.SettingError(
        'axes of a kernel of shape %s must differ and leave one for the inputs '
        '(biases and scales have no neurons), got %r' % (tuple(shape), axis))
  return (inputs[1:] + inputs[:1] if neurons == (0,) else inputs), neurons


def neurons_last(kernel, axis):
  """A kernel with its neurons on the last axis and its input channels on the one before.

  Args:
    kernel: tensor or array of known shape.
    axis: that counts the neurons, see `layer.kernel_regularizer` for which layer has which;
      as `inputs_and_neurons`.

  Returns:
    Tensor [..., c_in, N]; with (-2, -1), whose neurons have no input channels of their
    own, [..., N].

  Raises:
    TypeError: as `tensors.as_tensor`.
    methods.SettingError: as `inputs_and_neurons`.
    ValueError: the shape is unknown.

  >>> comhe_tf1.neurons_last(np.ones([3, 3, 32, 64]), axis=-2).shape.as_list()
  [3, 3, 64, 32]
  """
  kernel = tensors.as_tensor(kernel)
  if not kernel.shape.is_fully_defined():
    raise ValueError(f'the shape of a kernel must be known, got {kernel.shape}')
  shape = kernel.shape.as_list()
  inputs, neurons = inputs_and_neurons(axis, shape)
  if inputs + neurons != tuple(range(len(shape))):
    kernel = tf.transpose(kernel, inputs + neurons)
  if len(neurons) > 1:
    kernel = tf.reshape(kernel, [shape[each] for each in inputs] + [-1])
  return kernel
