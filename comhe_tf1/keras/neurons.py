"""The neurons of a kernel that was found in a model, and the role they are taken in."""
import tensorflow.compat.v1 as tf

from comhe_tf1.regularizers import roles
from comhe_tf1.regularizers import tensors


def role_of(kernel, pd):
  """The role by which a kernel's term is taken.

  Neurons of no more than pd inputs are not projected, as those of the first layer are
  not; unless the user has called the kernel hidden. pd is None where nothing is projected.
  """
  few = pd is not None and kernel.layout.shape[1] <= pd
  return (roles.FIRST if kernel.role == roles.HIDDEN and not kernel.given and few
          else kernel.role)


def dtype_of(kernel):
  """The type that a kernel's neurons are taken in: half precision is raised."""
  name = getattr(kernel.variable.dtype, 'name', kernel.variable.dtype)
  return tf.float64 if 'float64' in name else tf.float32


def neurons_of(kernel):
  """The neurons of a `finding.Found` as they are now, tensor [sets, d, N]."""
  tensor = tensors.as_tensor(kernel.variable)
  if tensor.dtype.base_dtype != dtype_of(kernel):
    tensor = tf.cast(tensor, dtype_of(kernel))
  layout = kernel.layout
  if tuple(tensor.shape.as_list()) != layout.view:
    tensor = tf.reshape(tensor, layout.view)
  if layout.order != tuple(range(len(layout.view))):
    tensor = tf.transpose(tensor, layout.order)
  return tf.reshape(tensor, layout.shape)
