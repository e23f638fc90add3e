"""How far neurons are from orthogonal: the baselines that CoMHE is compared with."""
import numpy as np
import tensorflow.compat.v1 as tf

from comhe_tf1.regularizers import similarity
from comhe_tf1.regularizers import tensors


def distance(neurons):
  """||U^T U - I||_F^2, with the neurons over their norms u_i = w_i / r_i.

  r_i = sqrt(|w_i|^2 + 1e-4) as in `energy`, so that a zero neuron has a gradient.

  Args:
    neurons: W, tensor [..., d, N].

  Returns:
    Tensor [...].

  >>> evaluate(orthogonality.distance(np.array([[1., 1.], [0., 1.]])))
  0.9999
  """
  return similarity.from_cosines(neurons, _squared_frobenius)


def smaller_distance(neurons):
  """||V^T V - I||_F^2 / n, of the n neurons or, if these are fewer, of the n inputs.

  V are the neurons over their norms as in `distance`; where there are more neurons than
  inputs, which cannot all be orthogonal, the rows of W over theirs. The mean over the n
  vectors of the sum of the squared cosines with all others: random ones of n inputs or
  more have no more than about 1, whatever n is.

  Args, Returns: as `distance`.
  """
  fewer = fewer_first(neurons)
  return distance(fewer) / tensors.axis_length(fewer, -1)


def fewer_first(neurons):
  """W, or its transpose where that has fewer columns: tensor [..., d, N]."""
  d, count = neurons.shape.as_list()[-2:]
  return tf.linalg.matrix_transpose(neurons) if count > d else neurons


def _squared_frobenius(cosine):
  gap = cosine - tf.eye(tensors.axis_length(cosine, -1), dtype=cosine.dtype)
  return tf.reduce_sum(tf.square(gap), axis=[-2, -1]), 2. * gap


def spectral_distance(neurons, start):
  """Spectral restricted isometry: the spectral norm of A = W^T W - I.

  Estimated by two power iterations from v: u = A v, |A u| / |u|. Of the kernel as
  it is, not of unit-normalized columns. Where v leads to 0 the estimate and its
  gradient are 0.

  Source: Bansal et al., "Can We Gain More from Orthogonality Regularizations in
  Training Deep CNNs?", NeurIPS 2018, section 3.3.

  Args:
    neurons: W, tensor [..., d, N].
    start: v, tensor [..., N, 1], standard normal in the paper.

  Returns:
    Tensor [...].

  >>> evaluate(orthogonality.spectral_distance(tf.constant([[2., 0.], [0., 2.]]),
  ...                                          start=tf.ones([2, 1])))
  3.0
  """
  def times(v):
    return tf.matmul(neurons, tf.matmul(neurons, v), transpose_a=True) - v

  once = times(start)
  direction, _ = _over_norm(once)
  _, norm = _over_norm(times(direction))
  return tf.squeeze(norm, [-2, -1])


def _over_norm(v):
  """v / |v| and |v|, both 0 with gradient 0 where v is (nearly) 0."""
  squares = tf.reduce_sum(tf.square(v), axis=-2, keepdims=True)
  vanishing = squares < np.finfo(v.dtype.as_numpy_dtype).tiny
  norm = tf.sqrt(tf.where(vanishing, tf.ones_like(squares), squares))
  norm = tf.where(vanishing, tf.zeros_like(norm), norm)
  return tf.div_no_nan(v, norm), norm
