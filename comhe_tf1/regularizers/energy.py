"""Hyperspherical energy of the neurons of a layer, in full and in half space.

A kernel of shape [..., N] is read as a matrix W of shape [d, N]: its last axis
counts the N neurons, all other axes together are the d inputs of one neuron.
With the norms r_i = sqrt(|w_i|^2 + 1e-4) and c_ij = <w_i, w_j> / (r_i r_j), the
energy of a pair is a function of c_ij, see `pair_energy`; for power 2 it is
1 / (2 - 2 c_ij), the inverse squared distance of the two on the unit sphere.

Source: Liu et al., "Learning towards Minimum Hyperspherical Energy", NeurIPS
2018, section 3; norm floor and power as the original CoMHE training.
"""
import tensorflow.compat.v1 as tf

from comhe_tf1.regularizers import axes
from comhe_tf1.regularizers import blocks
from comhe_tf1.regularizers import pair_energy
from comhe_tf1.regularizers import similarity
from comhe_tf1.regularizers import tensors


def as_neurons(kernel, axis=-1):
  """Returns a kernel as the matrix of its neurons.

  Args:
    kernel: float32 or float64 tensor or array [..., N] with at least two axes.
    axis: that counts the neurons; another than the last as `axes.neurons_last`.

  Returns:
    Tensor [d, N], one neuron per column.

  Raises:
    TypeError: the kernel is neither float32 nor float64, or as `tensors.as_tensor`.
    ValueError: the kernel has fewer than two axes or no neuron at all, or as
      `axes.neurons_last`.

  >>> comhe_tf1.as_neurons(np.ones([3, 3, 16, 32])).shape.as_list()
  [144, 32]
  """
  kernel = tensors.as_tensor(kernel)
  if axis != -1:
    kernel = axes.neurons_last(kernel, axis)
  if kernel.dtype.base_dtype not in (tf.float32, tf.float64):
    raise TypeError('kernel must be float32 or float64, got %s; cast it first'
                    % kernel.dtype.base_dtype.name)
  # An unknown rank is for the graph to tell; all checks below want a shape.
  if kernel.shape.ndims is None:
    return tf.reshape(kernel, [-1, tf.shape(kernel)[-1]])
  shape = kernel.shape.as_list()
  if len(shape) < 2 or 0 in shape:
    raise ValueError('kernel must have shape [..., neurons] with at least two '
                     'axes, none of them empty; got %s' % shape)
  if len(shape) == 2:
    return kernel   # already [d, N]: not an operation more
  return tf.reshape(kernel, [-1, tensors.axis_length(kernel, -1)])


def energies(neurons, mean, epsilon=similarity.NORM_FLOOR, many=None):
  """Energies of sets of neurons, one each.

  Those of many neurons, or of a number that the shape does not tell, are computed by
  `blocks`: to rounding the same, and differentiable twice.

  Args:
    neurons: tensor [..., d, N]; leading axes are independent sets of neurons.
    mean: `MeanOverPairs`, such as `full_space` or `half_space` of a power.
    epsilon: added to the squared norms.
    many: more cosines than these are taken by blocks; by default `blocks.MANY`.

  Returns:
    Tensor [...].

  >>> two_sets = np.array([np.eye(2), [[1., 1.], [0., 1.]]])
  >>> evaluate(energy.energies(two_sets, energy.full_space('2')))
  [0.5, 1.7068]
  """
  neurons = tensors.as_tensor(neurons)
  if blocks.needed(neurons, many):
    return _by_blocks(neurons, mean, epsilon)
  return similarity.from_cosines(neurons, mean, epsilon=epsilon)


def _by_blocks(neurons, mean, epsilon):
  """`energies` without the cosines of all neurons at a time."""
  @tf.custom_gradient
  def value_of(neurons):
    directions, inverse_norms = similarity.l2_normalize(neurons, epsilon)
    # U S comes with the sums: the gradient needs no second pass over the blocks.
    sums, product = blocks.sums(directions, mean.pairs)
    share = mean.share(tf.cast(tensors.axis_length(neurons, -1), tf.float64))

    def gradient(upstream):
      upstream = upstream * tf.cast(share, upstream.dtype)
      return similarity.gradient_by_neurons(
          upstream[..., tf.newaxis, tf.newaxis], directions, inverse_norms, product)

    return tf.cast(mean.from_sums(sums, share), neurons.dtype), gradient

  return value_of(neurons)


def _count(cosine):
  """Number of neurons, of the cosines' type."""
  return tf.cast(tensors.axis_length(cosine, -1), cosine.dtype)


class MeanOverPairs:
  """An energy as a function of cosines, for `energies`.

  A call maps cosines [..., N, N] to energies [...] and their slopes by the cosines
  [..., N, N], as `similarity.from_cosines` takes it. Of many neurons its parts are
  called, see `blocks`.

  Args:
    pairs: `blocks.Pairs`.
    share: function from the number of neurons, a float scalar, to the weight of an
      entry of the cosines.
  """

  def __init__(self, pairs, share):
    self.pairs, self.share = pairs, share

  def __call__(self, cosine):
    values, slopes = self.pairs.within(cosine)
    share = self.share(_count(cosine))
    return share * tf.reduce_sum(values, axis=[-2, -1]), share * slopes

  def from_sums(self, sums, share):
    """Energies from the sums over all entries."""
    return share * sums


def full_space(power):
  """The full-space energy as a function of cosines, for `energies`.

  Args:
    power: as `pair_energy.get_pair_energy`.

  Returns:
    `MeanOverPairs`; see `full_space_energy`.

  Raises:
    ValueError: as `pair_energy.get_pair_energy`.
  """
  pair = pair_energy.get_pair_energy(power).full

  def within(cosine):
    # A neuron makes no pair with itself.
    return [tf.linalg.set_diag(each, tf.zeros(tf.shape(cosine)[:-1], cosine.dtype))
            for each in pair(cosine)]

  # Both (i, j) and (j, i); a single neuron has no pair and energy 0.
  return MeanOverPairs(blocks.Pairs(pair, within), lambda count: tf.div_no_nan(
      tf.ones_like(count), count * (count - 1.)))


def half_space(power):
  """The half-space energy as a function of cosines, for `energies`.

  Args, Returns, Raises: as `full_space`; see `half_space_energy`.
  """
  pair = pair_energy.get_pair_energy(power)

  def within(cosine):
    # Off the diagonal (i, j) and (j, i) hold the four pairs of (+-w_i, +-w_j)
    # between them, the diagonal holds (w_i, -w_i).
    values, slopes = pair.half(cosine)
    opposite, opposite_slope = pair.full(-tf.linalg.diag_part(cosine))
    return (tf.linalg.set_diag(values, opposite),
            tf.linalg.set_diag(slopes, -opposite_slope))

  return MeanOverPairs(blocks.Pairs(pair.half, within),
                       lambda count: 1. / (count * (2. * count - 1.)))


def full_space_energy(kernel, power='2', axis=-1, epsilon=similarity.NORM_FLOOR):
  """Hyperspherical energy of a layer: mean over pairs i < j of f(c_ij).

  f is the energy of a pair for the power, see `pair_energy`, which also says what
  is done with neurons that rounding cannot tell apart: 1 / (2 - 2 c_ij) for power
  2, there bounded at 2^23 in float32, where the original divides by zero. One
  neuron makes no pair and has energy 0. MHE, section 3.

  Args:
    kernel: float32 or float64 tensor [..., N], one neuron per last index.
    power: '0', '1', '2', 'a0', 'a1' or 'a2'.
    axis: that counts the neurons, as `axes.neurons_last`.
    epsilon: added to the squared norms under the root, 1e-4 as the original.

  Returns:
    Scalar tensor of the kernel's type.

  Raises:
    TypeError, ValueError: as `as_neurons`, `similarity.checked_floor` and
      `pair_energy.get_pair_energy`.

  >>> evaluate(comhe_tf1.full_space_energy(np.eye(3)))   # 1 / (2 - 2 * 0)
  0.5
  """
  return energies(as_neurons(kernel, axis), full_space(power),
                  similarity.checked_floor(epsilon))


def half_space_energy(kernel, power='2', axis=-1, epsilon=similarity.NORM_FLOOR):
  """Half-space energy of a layer: the full-space energy of [W, -W].

  In closed form, exact in real arithmetic, with a quarter of the pairs:
  E_h = (2 sum_{i<j} (f(c_ij) + f(-c_ij)) + sum_i f(-c_ii)) / (N (2N - 1)), for power
  2 (2 sum_{i<j} 1 / (1 - c_ij^2) + sum_i 1 / (2 + 2 c_ii)) / (N (2N - 1)). Parallel
  and antiparallel neurons are bounded as in `full_space_energy`. MHE, section 3;
  the closed form is this project's.

  Args, Returns, Raises: as `full_space_energy`.

  >>> evaluate(comhe_tf1.half_space_energy(np.eye(3)))
  0.45
  """
  return energies(as_neurons(kernel, axis), half_space(power),
                  similarity.checked_floor(epsilon))
