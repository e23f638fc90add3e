"""Kernels of equal shape side by side, so that one operation serves all of them."""
import collections
import typing

import tensorflow.compat.v1 as tf

from comhe_tf1.regularizers import energy
from comhe_tf1.regularizers import roles
from comhe_tf1.regularizers import tensors


class Stack(typing.NamedTuple):
  """Layers of one role and shape.

  names: of the layers; c_in: their input channels; neurons: tensor [layers, d, N].
  """
  names: list
  role: str
  c_in: int
  neurons: tf.Tensor


def as_list(kernels):
  """A list of `roles.Kernel`.

  Raises:
    TypeError: the kernels are something else.
  """
  if tf.is_tensor(kernels) or hasattr(kernels, '__array__'):
    kernels = [kernels]   # tensors of a graph cannot be listed
  kernels = list(kernels)
  for kernel in kernels:
    if not isinstance(kernel, roles.Kernel):
      raise TypeError('kernels must be a sequence of Kernel(name, tensor, role), got one '
                      'of %s; for one kernel use kernel_regularizer'
                      % type(kernel).__name__)
  return kernels


def group_kernels(kernels):
  """Groups kernels by role, shape and type.

  Args:
    kernels: sequence of `roles.Kernel`.

  Returns:
    List of `Stack`, in the order of their first kernels.

  Raises:
    TypeError: a kernel is neither float32 nor float64, or as `tensors.as_tensor`.
    ValueError: a role is unknown, a name comes twice, or a kernel has no static shape
      of at least two axes.
  """
  groups = collections.OrderedDict()
  names = set()
  for kernel in kernels:
    tensor = tensors.as_tensor(kernel.tensor)
    if kernel.role not in roles.ROLES:
      raise ValueError('the role of kernel %r must be one of %s, got %r'
                       % (kernel.name, ', '.join(roles.ROLES), kernel.role))
    if kernel.name in names:
      raise ValueError(f'two kernels have the name {kernel.name!r}')
    names.add(kernel.name)
    if not tensor.shape.is_fully_defined() or tensor.shape.ndims < 2:
      raise ValueError('the shape of kernel %r must be known, with at least two axes, '
                       'got %s' % (kernel.name, tensor.shape))
    # Also by shape, not by d alone: c_in decides groups and op seeds.
    key = kernel.role, tuple(tensor.shape.as_list()), tensor.dtype.base_dtype
    groups.setdefault(key, []).append((kernel.name, energy.as_neurons(tensor)))
  return [Stack([name for name, _ in group], role, shape[-2],
                tf.stack([neurons for _, neurons in group]))
          for (role, shape, _), group in groups.items()]
