"""Kernels as tensors of TensorFlow, and the lengths of their axes."""
import numpy as np
import tensorflow.compat.v1 as tf


def as_tensor(kernel):
  """A kernel of TensorFlow or NumPy as a tensor.

  Raises:
    TypeError: it is another library's, which TensorFlow would copy as a constant: the
      term would have no gradient.
  """
  if (hasattr(kernel, '__array__') and not tf.is_tensor(kernel)
      and not hasattr(kernel, '__tf_tensor__')
      and not isinstance(kernel, (np.ndarray, np.generic))):
    raise TypeError(
        'kernel must be of TensorFlow or NumPy, got %s.%s: the gradient of its term would '
        'be lost. With Keras 3 set KERAS_BACKEND=tensorflow'
        % (type(kernel).__module__, type(kernel).__name__))
  return tf.convert_to_tensor(kernel)


def axis_length(tensor, axis):
  """Length of an axis: an int where the shape says so, else a scalar tensor."""
  length = tensor.shape.as_list()[axis]
  return tf.shape(tensor)[axis] if length is None else length
