"""Hyperspherical energy of the neurons of a layer, in full and in half space.

A kernel of shape [..., N] is read as a matrix W of shape [d, N]: its last axis
counts the N neurons, all other axes together are the d inputs of one neuron.
With the norms r_i = sqrt(|w_i|^2 + 1e-4) and c_ij = <w_i, w_j> / (r_i r_j), the
energy of a pair is a function of c_ij, see `pair_energy`; for power 2 it is
1 / (2 - 2 c_ij), the inverse squared distance of the two on the unit sphere.

Source: Liu et al., "Learning towards Minimum Hyperspherical Energy", NeurIPS
2018, section 3; norm floor and power as the original CoMHE training.
"""
import numbers

import tensorflow.compat.v1 as tf

from comhe_tf1.regularizers import axes
from comhe_tf1.regularizers import blocks
from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import pair_energy
from comhe_tf1.regularizers import tensors

# Added to the squared norm under the root, so that a zero neuron has a gradient.
NORM_FLOOR = 1e-4


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
  """
  kernel = tensors.as_tensor(kernel)
  if axis != -1:
    kernel = axes.neurons_last(kernel, axis)
  if kernel.dtype.base_dtype not in (tf.float32, tf.float64):
    raise TypeError('kernel must be float32 or float64, got %s; cast it first'
                    % kernel.dtype.base_dtype.name)
  if kernel.shape.ndims is None:
    return tf.reshape(kernel, [-1, tf.shape(kernel)[-1]])
  shape = kernel.shape.as_list()
  if len(shape) < 2 or 0 in shape:
    raise ValueError('kernel must have shape [..., neurons] with at least two '
                     'axes, none of them empty; got %s' % shape)
  if len(shape) == 2:
    return kernel
  return tf.reshape(kernel, [-1, axis_length(kernel, -1)])


def axis_length(tensor, axis):
  """Length of an axis: an int where the shape says so, else a scalar tensor."""
  length = tensor.shape.as_list()[axis]
  return tf.shape(tensor)[axis] if length is None else length


def checked_floor(epsilon):
  """A floor of squared norms.

  Raises:
    methods.SettingError: it is no positive number.
  """
  if isinstance(epsilon, bool) or not isinstance(epsilon, numbers.Real) or not (
      0. < epsilon < float('inf')):
    raise methods.SettingError(f'epsilon must be a positive number, got {epsilon!r}')
  return epsilon


def unit(neurons, epsilon=NORM_FLOOR):
  """Neurons over their norms, w_i / r_i, and 1 / r_i.

  Args:
    neurons: tensor [..., d, N].
    epsilon: added to the squared norms.

  Returns:
    Tensors [..., d, N] and [..., 1, N].
  """
  squares = tf.reduce_sum(tf.square(neurons), axis=-2, keepdims=True)
  inverse_norms = tf.rsqrt(squares + epsilon)
  return neurons * inverse_norms, inverse_norms


def cosines(neurons, epsilon=NORM_FLOOR):
  """Cosines between all neurons, with the norm floor of the original.

  c_ij = <w_i, w_j> / (r_i r_j), r_i = sqrt(|w_i|^2 + 1e-4). The diagonal is
  therefore slightly below 1, and a zero neuron has cosine 0 with every other.

  Args:
    neurons: tensor [..., d, N]; leading axes are independent sets of neurons.
    epsilon: number in place of 1e-4.

  Returns:
    Tensor [..., N, N], symmetric.

  Raises:
    TypeError: as `tensors.as_tensor`.
    methods.SettingError: as `checked_floor`.
  """
  directions, _ = unit(tensors.as_tensor(neurons), checked_floor(epsilon))
  return tf.matmul(directions, directions, transpose_a=True)


@tf.custom_gradient
def gram(neurons):
  """W^T W, tensor [..., N, N] of neurons W [..., d, N].

  Its gradient is one product, W (G + G^T), where TensorFlow would take two.
  """
  def gradient(upstream):
    return tf.matmul(neurons, upstream + tf.linalg.matrix_transpose(upstream))

  return tf.matmul(neurons, neurons, transpose_a=True), gradient


def gram_cosines(products):
  """`cosines` of neurons W from their products W^T W.

  Args:
    products: tensor [..., N, N], as `gram`.

  Returns:
    Tensor [..., N, N], symmetric.
  """
  inverse_norms = tf.rsqrt(tf.linalg.diag_part(products) + NORM_FLOOR)
  return products * inverse_norms[..., tf.newaxis] * inverse_norms[..., tf.newaxis, :]


def of_cosines(neurons, function, *references, epsilon=NORM_FLOOR, many=None):
  """Any scalar function of the cosines, with its gradient in closed form.

  With U the neurons over their norms r, C = U^T U and S = d value / dC
  symmetric: d value / dU = 2 U S, and since r_i^2 = |w_i|^2 + 1e-4,
  d value / dw_i = (I - u_i u_i^T) (2 U S)_i / r_i. One matrix product backward,
  a handful of operations, and differentiable again. The energies of many neurons,
  or of a number that the shape does not tell, are computed by `blocks`: to rounding
  the same, and differentiable twice.

  Args:
    neurons: tensor [..., d, N].
    function: maps cosines [..., N, N] and the references to a list of the value
      [...], the slope S [..., N, N], which must be symmetric, and one slope for
      each reference.
    *references: further tensors [..., N, N] that the function depends on.
    epsilon: added to the squared norms.
    many: more cosines than these are taken by blocks; by default `blocks.MANY`.

  Returns:
    Tensor [...], one value per set of neurons.
  """
  neurons = tensors.as_tensor(neurons)
  if isinstance(function, MeanOverPairs) and blocks.needed(neurons, many):
    return _by_blocks(neurons, function, epsilon)

  @tf.custom_gradient
  def value_of(neurons, *references):
    directions, inverse_norms = unit(neurons, epsilon)
    results = function(tf.matmul(directions, directions, transpose_a=True), *references)
    value, slope, reference_slopes = results[0], results[1], results[2:]

    def gradient(upstream):
      upstream = upstream[..., tf.newaxis, tf.newaxis]
      return [_by_neurons(upstream, directions, inverse_norms,
                          tf.matmul(directions, slope))] + [
          upstream * reference_slope for reference_slope in reference_slopes]

    return value, gradient

  return value_of(neurons, *references)


def _by_neurons(upstream, directions, inverse_norms, along):
  """The gradient by W from U S, as in `of_cosines`."""
  radial = tf.reduce_sum(directions * along, axis=-2, keepdims=True)
  return 2. * upstream * inverse_norms * (along - directions * radial)


def _by_blocks(neurons, mean, epsilon):
  """`of_cosines` of a `MeanOverPairs`, without the cosines of all neurons at a time."""
  @tf.custom_gradient
  def value_of(neurons):
    directions, inverse_norms = unit(neurons, epsilon)
    sums, along = blocks.sums(directions, mean.pairs)
    share = mean.share(tf.cast(axis_length(neurons, -1), tf.float64))

    def gradient(upstream):
      upstream = upstream * tf.cast(share, upstream.dtype)
      return _by_neurons(upstream[..., tf.newaxis, tf.newaxis], directions,
                         inverse_norms, along)

    return tf.cast(mean.of_sums(sums, share), neurons.dtype), gradient

  return value_of(neurons)


def _count(cosine):
  """Number of neurons, of the cosines' type."""
  return tf.cast(axis_length(cosine, -1), cosine.dtype)


class MeanOverPairs:
  """An energy as a function of cosines, for `of_cosines`.

  A call maps cosines [..., N, N] to energies [...] and their slopes by the cosines
  [..., N, N]. Of many neurons, `of_cosines` calls its parts, see `blocks`.

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

  def of_sums(self, sums, share):
    """Energies from the sums over all entries."""
    return share * sums


def full_space(power):
  """The full-space energy as a function of cosines, for `of_cosines`.

  Args:
    power: as `pair_energy.of_power`.

  Returns:
    `MeanOverPairs`; see `full_space_energy`.

  Raises:
    ValueError: as `pair_energy.of_power`.
  """
  pair = pair_energy.of_power(power).full

  def within(cosine):
    # A neuron makes no pair with itself.
    return [tf.linalg.set_diag(each, tf.zeros(tf.shape(cosine)[:-1], cosine.dtype))
            for each in pair(cosine)]

  # Both (i, j) and (j, i); a single neuron has no pair and energy 0.
  return MeanOverPairs(blocks.Pairs(pair, within), lambda count: tf.div_no_nan(
      tf.ones_like(count), count * (count - 1.)))


def half_space(power):
  """The half-space energy as a function of cosines, for `of_cosines`.

  Args, Returns, Raises: as `full_space`; see `half_space_energy`.
  """
  pair = pair_energy.of_power(power)

  def within(cosine):
    # Off the diagonal (i, j) and (j, i) hold the four pairs of (+-w_i, +-w_j)
    # between them, the diagonal holds (w_i, -w_i).
    values, slopes = pair.half(cosine)
    opposite, opposite_slope = pair.full(-tf.linalg.diag_part(cosine))
    return (tf.linalg.set_diag(values, opposite),
            tf.linalg.set_diag(slopes, -opposite_slope))

  return MeanOverPairs(blocks.Pairs(pair.half, within),
                       lambda count: 1. / (count * (2. * count - 1.)))


def full_space_energy(kernel, power='2', axis=-1, epsilon=NORM_FLOOR):
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
    TypeError, ValueError: as `as_neurons`, `checked_floor` and `pair_energy.of_power`.
  """
  return of_cosines(as_neurons(kernel, axis), full_space(power),
                    epsilon=checked_floor(epsilon))


def half_space_energy(kernel, power='2', axis=-1, epsilon=NORM_FLOOR):
  """Half-space energy of a layer: the full-space energy of [W, -W].

  In closed form, exact in real arithmetic, with a quarter of the pairs:
  E_h = (2 sum_{i<j} (f(c_ij) + f(-c_ij)) + sum_i f(-c_ii)) / (N (2N - 1)), for power
  2 (2 sum_{i<j} 1 / (1 - c_ij^2) + sum_i 1 / (2 + 2 c_ii)) / (N (2N - 1)). Parallel
  and antiparallel neurons are bounded as in `full_space_energy`. MHE, section 3;
  the closed form is this project's.

  Args:
    kernel: float32 or float64 tensor [..., N], one neuron per last index.
    power: '0', '1', '2', 'a0', 'a1' or 'a2'.
    axis: that counts the neurons, as `axes.neurons_last`.
    epsilon: added to the squared norms under the root, 1e-4 as the original.

  Returns:
    Scalar tensor of the kernel's type.

  Raises:
    TypeError, ValueError: as `as_neurons`, `checked_floor` and `pair_energy.of_power`.
  """
  return of_cosines(as_neurons(kernel, axis), half_space(power),
                    epsilon=checked_floor(epsilon))
