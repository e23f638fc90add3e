"""Cosines between the neurons of a layer, and functions of them with their gradients.

Neurons are the columns of W [d, N]. With r_i = sqrt(|w_i|^2 + 1e-4) the cosine of two is
c_ij = <w_i, w_j> / (r_i r_j); the floor under the root is the original CoMHE training's.
"""
import numbers

import tensorflow.compat.v1 as tf

from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import tensors

# Added to the squared norm under the root, so that a zero neuron has a gradient.
NORM_FLOOR = 1e-4


def checked_floor(epsilon):
  """A floor of squared norms.

  Raises:
    methods.SettingError: it is no positive number.
  """
  if isinstance(epsilon, bool) or not isinstance(epsilon, numbers.Real) or not (
      0. < epsilon < float('inf')):
    raise methods.SettingError(f'epsilon must be a positive number, got {epsilon!r}')
  return epsilon


def l2_normalize(neurons, epsilon=NORM_FLOOR):
  """Neurons over their norms, w_i / r_i, and 1 / r_i.

  Args:
    neurons: tensor [..., d, N].
    epsilon: added to the squared norms.

  Returns:
    Tensors [..., d, N] and [..., 1, N].

  >>> directions, _ = similarity.l2_normalize(np.array([[3.], [4.]]))
  >>> evaluate(directions)
  [[0.6], [0.8]]
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

  >>> evaluate(comhe_tf1.cosines(np.array([[1., 1.], [0., 1.]])))
  [[0.9999, 0.7071], [0.7071, 1.0]]
  """
  directions, _ = l2_normalize(tensors.as_tensor(neurons), checked_floor(epsilon))
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


def from_cosines(neurons, function, *references, epsilon=NORM_FLOOR):
  """Any scalar function of the cosines, with its gradient in closed form.

  With U the neurons over their norms r, C = U^T U and S = d value / dC
  symmetric: d value / dU = 2 U S, and since r_i^2 = |w_i|^2 + 1e-4,
  d value / dw_i = (I - u_i u_i^T) (2 U S)_i / r_i. One matrix product backward,
  a handful of operations, and differentiable again.

  Args:
    neurons: tensor [..., d, N].
    function: maps cosines [..., N, N] and the references to a list of the value
      [...], the slope S [..., N, N], which must be symmetric, and one slope for
      each reference.
    *references: further tensors [..., N, N] that the function depends on.
    epsilon: added to the squared norms.

  Returns:
    Tensor [...], one value per set of neurons.

  >>> def total(cosine):
  ...   return tf.reduce_sum(cosine), tf.ones_like(cosine)
  >>> evaluate(similarity.from_cosines(np.eye(2), total))
  1.9998
  """
  @tf.custom_gradient
  def value_of(neurons, *references):
    directions, inverse_norms = l2_normalize(neurons, epsilon)
    # Slopes come with the value: they share what is costly, such as the angles.
    results = function(tf.matmul(directions, directions, transpose_a=True), *references)
    value, slope, reference_slopes = results[0], results[1], results[2:]

    def gradient(upstream):
      # One factor a set of neurons, for its whole matrix.
      upstream = upstream[..., tf.newaxis, tf.newaxis]
      return [gradient_by_neurons(upstream, directions, inverse_norms,
                                  tf.matmul(directions, slope))] + [
          upstream * reference_slope for reference_slope in reference_slopes]

    return value, gradient

  return value_of(tensors.as_tensor(neurons), *references)


def gradient_by_neurons(upstream, directions, inverse_norms, product):
  """The gradient by W from the product U S, as in `from_cosines`."""
  # What lengthens a neuron only does not turn it: the part along u_i is taken off.
  radial = tf.reduce_sum(directions * product, axis=-2, keepdims=True)
  return 2. * upstream * inverse_norms * (product - directions * radial)
