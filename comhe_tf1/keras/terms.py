"""The terms of all kernels of a model, by one call of a regularizer.

Half-space energies, projected at random or not, are taken of all layers in few steps, what
`random_projection.RandomProjection` and `base.HalfSpace` do layer by layer, to rounding the
same. All numbers are one draw, [projections * pd, most inputs of a layer]: a layer of d
inputs takes the first d of each row, which are a Gaussian projection as well. So layers
depend on each other's draws, each by itself has the law of its own, and far fewer numbers
are drawn. The energies of layers of different shapes are taken side by side (`padded`).
With many small layers the number of operations is what costs.
"""
import collections

import tensorflow.compat.v1 as tf

from comhe_tf1.regularizers import padded
from comhe_tf1.regularizers import roles

# From a method to what its term is over the projections.
METHODS = {'half_mhe': tf.reduce_mean, 'random': tf.reduce_mean,
           'random_max': tf.reduce_max}


def total(regularizer, kernels, learning_rate, dtype):
  """The sum of the terms of all kernels, each with the weight of its role.

  Args:
    regularizer: `base.Regularizer`.
    kernels: list of `finding.Found`.
    learning_rate: the network's, where projections are trained.
    dtype: that all is computed in, float32 or float64.

  Returns:
    Scalar tensor of this type.
  """
  pd, together = regularizer.settings.get('pd'), []
  if regularizer.name in METHODS and regularizer.settings.get('draw') != 'reduced':
    together = [each for each in kernels if each.role_with(pd) != roles.OUTPUT]
    kernels = [each for each in kernels if each.role_with(pd) == roles.OUTPUT]
  found = as_kernels(kernels, dtype, pd, by_channels=regularizer.name == 'group')
  value = tf.cast(regularizer(found, learning_rate).loss, dtype)   # of none it is float32
  if together:
    with tf.name_scope(regularizer.name):
      value += regularizer.weights[roles.HIDDEN] * _sum(regularizer, together, pd, dtype)
  return value


def as_kernels(kernels, dtype, pd=None, by_channels=False):
  """List of `roles.Kernel`, one for each set of neurons, [d, N].

  Args:
    kernels: list of `finding.Found`.
    dtype: of the tensors.
    pd: as `finding.Found.role_with`.
    by_channels: whether they are [..., c_in, N], for what asks for the input channels.
  """
  found = []
  for kernel in kernels:
    neurons, (sets, d, count) = kernel.neurons(dtype), kernel.layout.shape
    if by_channels and kernel.layout.channels < d:
      neurons = tf.reshape(neurons, [sets, -1, kernel.layout.channels, count])
    found += [roles.Kernel(name, each, kernel.role_with(pd))
              for name, each in zip(kernel.names, tf.unstack(neurons, sets))]
  return found


def _sum(regularizer, kernels, pd, dtype):
  """The sum of the terms of kernels of METHODS, but of output layers."""
  energies = padded.half_space_energies(_projected(regularizer, kernels, pd, dtype),
                                        regularizer.power)
  by_pn = collections.OrderedDict()
  for kernel, values in zip(kernels, energies):
    pn = values.shape.as_list()[0] // kernel.layout.shape[0]
    by_pn.setdefault(pn, []).append(values)
  return tf.add_n([tf.reduce_sum(METHODS[regularizer.name](
      tf.reshape(tf.concat(values, 0), [-1, pn]), axis=-1)) for pn, values in by_pn.items()])


def _projected(regularizer, kernels, pd, dtype):
  """P W [sets * projections, pd, N] of hidden kernels, the others' W [sets, d, N]."""
  sizes = {place: (regularizer.projections(kernel.layout.shape[2]), kernel.layout.shape[1])
           for place, kernel in enumerate(kernels)
           if pd is not None and kernel.role_with(pd) == roles.HIDDEN}
  sets = [kernel.neurons(dtype) for kernel in kernels]
  if not sizes:
    return sets
  pn, d = (max(each) for each in zip(*sizes.values()))
  drawn, = regularizer.normal([pn * pd, d], dtype, [None])
  # Rows of all projections, as many numbers of each as there are inputs.
  projections = {(pn, d): drawn[:pn * pd, :d] for pn, d in set(sizes.values())}
  for place, (pn, d) in sizes.items():
    count, _, width = kernels[place].layout.shape
    sets[place] = tf.concat([
        tf.reshape(tf.matmul(projections[pn, d], each), [pn, pd, width])
        for each in tf.unstack(sets[place], count)], 0)
  return sets
