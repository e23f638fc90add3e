"""Half-space energies of all layers of a model, projected at random or not, in few steps.

What `random_projection.RandomProjection` and `base.HalfSpace` do layer by layer, to
rounding the same. All numbers are one draw, [projections * pd, most inputs of a layer]: a
layer of d inputs takes the first d of each row, which are a Gaussian projection as well.
So layers depend on each other's draws, each by itself has the law of its own, and far
fewer numbers are drawn. The energies of layers of different shapes are taken side by side
(`padded`). With many small layers the number of operations is what costs.
"""
import collections

import tensorflow.compat.v1 as tf

from comhe_tf1.keras import neurons
from comhe_tf1.regularizers import padded
from comhe_tf1.regularizers import roles

# From a method to what its term is over the projections.
METHODS = {'half_mhe': tf.reduce_mean, 'random': tf.reduce_mean,
           'random_max': tf.reduce_max}


def sums(regularizer, kernels):
  """The terms of all kernels but those of output layers.

  Args:
    regularizer: `base.Regularizer` of one of METHODS.
    kernels: list of `finding.Found`.

  Returns:
    The kernels that are left, and a list of weighted sums, scalar tensors.
  """
  pd = regularizer.settings.get('pd')
  left, by_dtype = [], collections.OrderedDict()
  for kernel in kernels:
    if neurons.role_of(kernel, pd) == roles.OUTPUT:
      left.append(kernel)
    else:
      by_dtype.setdefault(neurons.dtype_of(kernel), []).append(kernel)
  return left, [regularizer.weights[roles.HIDDEN] * _sum(regularizer, chosen, pd)
                for chosen in by_dtype.values()]


def _sum(regularizer, kernels, pd):
  """The sum of the terms of kernels of one type."""
  energies = padded.half_space_energies(_projected(regularizer, kernels, pd),
                                        regularizer.power)
  by_pn = collections.OrderedDict()
  for kernel, values in zip(kernels, energies):
    pn = values.shape.as_list()[0] // kernel.layout.shape[0]
    by_pn.setdefault(pn, []).append(values)
  return tf.add_n([tf.reduce_sum(METHODS[regularizer.name](
      tf.reshape(tf.concat(values, 0), [-1, pn]), axis=-1)) for pn, values in by_pn.items()])


def _projected(regularizer, kernels, pd):
  """P W [sets * projections, pd, N] of hidden kernels, the others' W [sets, d, N]."""
  sizes = {place: (regularizer.projections(kernel.layout.shape[2]), kernel.layout.shape[1])
           for place, kernel in enumerate(kernels)
           if pd is not None and neurons.role_of(kernel, pd) == roles.HIDDEN}
  sets = [neurons.neurons_of(kernel) for kernel in kernels]
  if not sizes:
    return sets
  pn, d = (max(each) for each in zip(*sizes.values()))
  drawn, = regularizer.normal([pn * pd, d], sets[0].dtype, [None])
  # Rows of all projections, as many numbers of each as there are inputs.
  projections = {(pn, d): drawn[:pn * pd, :d] for pn, d in set(sizes.values())}
  for place, (pn, d) in sizes.items():
    count, _, width = kernels[place].layout.shape
    sets[place] = tf.concat([
        tf.reshape(tf.matmul(projections[pn, d], each), [pn, pd, width])
        for each in tf.unstack(sets[place], count)], 0)
  return sets
