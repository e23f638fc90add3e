"""Half-space energies of all layers of a model, projected at random or not, in few steps.

What `random_projection.RandomProjection` and `base.HalfSpace` do layer by layer, to
rounding the same: all numbers are one draw, the layers of equal inputs go through one
product, and the energies of layers of different shapes are taken side by side (`padded`).
With many small layers the number of operations is what costs.
"""
import collections

import tensorflow.compat.v1 as tf

from comhe_tf1.keras import neurons
from comhe_tf1.regularizers import kernels as roles
from comhe_tf1.regularizers import padded

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
  sets = [neurons.neurons_of(kernel) for kernel in kernels]
  projected = [pd is not None and neurons.role_of(kernel, pd) == roles.HIDDEN
               for kernel in kernels]
  if any(projected):
    _project(regularizer, sets, [place for place, chosen in enumerate(projected) if chosen])
  energies = padded.half_space_energies(sets, regularizer.power)
  terms = []
  for place, values in enumerate(energies):
    if projected[place]:
      values = METHODS[regularizer.name](tf.reshape(
          values, [kernels[place].layout.shape[0], -1]), axis=-1)
    terms.append(values)
  return tf.reduce_sum(tf.concat(terms, 0))


def _project(regularizer, sets, places):
  """Puts [sets * projections, pd, N] in the places of neurons [sets, d, N]."""
  pd, dtype = regularizer.settings['pd'], sets[places[0]].dtype
  groups = collections.OrderedDict()
  for place in places:
    _, d, count = sets[place].shape.as_list()
    groups.setdefault((d, regularizer.projections(count)), []).append(place)
  lengths = [pn * pd * d for d, pn in groups]
  drawn, = regularizer.normal([sum(lengths)], dtype, [None])
  for ((d, pn), group), numbers in zip(groups.items(), tf.split(drawn, lengths)):
    # Side by side, [d, all neurons], they make one product with all projections.
    shapes = [sets[place].shape.as_list() for place in group]
    beside = tf.concat([tf.reshape(tf.transpose(sets[place], [1, 0, 2]), [d, -1])
                        for place in group], 1)
    products = tf.matmul(tf.reshape(numbers, [pn * pd, d]), beside)
    for place, (count, _, width), product in zip(group, shapes, tf.split(
        products, [count * width for count, _, width in shapes], axis=1)):
      product = tf.reshape(product, [pn, pd, count, width])
      sets[place] = tf.reshape(tf.transpose(product, [2, 0, 1, 3]), [-1, pd, width])
