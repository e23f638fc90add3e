"""The projections of CoMHE, as pure functions of tensors.

W is the [d, N] matrix of a layer's neurons (`energy.as_neurons`), P a
projection [pd, d], E and E_h the full-space and half-space energy.

Source: Lin et al., "Regularizing Neural Networks via Minimizing Hyperspherical
Energy", CVPR 2020 (arXiv 1906.04892), section 4; constants as the original.
"""
import numpy as np
import tensorflow.compat.v1 as tf

from comhe_tf1.regularizers import energy
from comhe_tf1.regularizers import pair_energy
from comhe_tf1.regularizers import similarity
from comhe_tf1.regularizers import tensors


def gaussian_projection(pd, d, op_seed, dtype=tf.float32):
  """A standard normal P [pd, d], drawn anew whenever it is evaluated in a graph.

  The stream is a function of the graph's seed, the op seed and the shape, so
  that two draws with equal three are identical at every evaluation.

  Args:
    pd, d: the shape.
    op_seed: of the random operation; the original takes c_in + i for P_i.
    dtype: float32 or float64.

  Returns:
    Tensor [pd, d].

  >>> comhe_tf1.gaussian_projection(pd=30, d=144, op_seed=16).shape.as_list()
  [30, 144]
  """
  return tf.random_normal([pd, d], dtype=dtype, seed=op_seed)


def random_projection_energies(neurons, projections, power='2',
                               epsilon=similarity.NORM_FLOOR):
  """Half-space energies of sets of neurons after every projection: E_h(P_i W).

  All sets and projections go through one matrix product and one batched Gram matrix.

  Args:
    neurons: tensor [sets, d, N].
    projections: tensor [pn, pd, d].
    power, epsilon: as `energy.half_space_energy`.

  Returns:
    Tensor [sets, pn].
  """
  sets, d, count = (tensors.axis_length(neurons, axis) for axis in range(3))
  pn, pd = (tensors.axis_length(projections, axis) for axis in range(2))
  # Side by side, [d, sets * N], they make one product with all projections.
  beside = tf.reshape(tf.transpose(neurons, [1, 0, 2]), [d, -1])
  projected = tf.reshape(tf.matmul(tf.reshape(projections, [-1, d]), beside),
                         [pn, pd, sets, count])
  return energy.energies(tf.transpose(projected, [2, 0, 1, 3]),
                         energy.half_space(power), epsilon)


def reduced_projection_energies(neurons, draws, power='2'):
  """As `random_projection_energies`, in law, from fewer random numbers.

  The energy depends on W only through P W. With W = Q R, Q [d, N] of orthonormal
  columns, P W = (P Q) R, and P Q of a Gaussian P [pd, d] is a Gaussian matrix [pd, N]:
  G R with a Gaussian G has the law of P W. R^T is the Cholesky factor of W^T W, so that
  Q is never formed. The gradient is that of E_h(P' W) by W where P' = G Q^T is held
  constant, Q G^T dE_h / d(P' W) with Q = W R^-1: it has the law of the original's
  gradient projected onto the span of the neurons. The original's component outside of
  it is noise of mean zero, independent of the energy, and is left out; means agree.

  Each layer's law is meant: how draws that several layers share make their terms
  depend on each other is not the same.

  W^T W is taken in float64 of the neurons over their norms (`energy`), with N times the
  type's resolution added to its diagonal (6e-14 at N = 256): it stays positive definite
  where neurons are zero, alike or, N > d, dependent.

  Args:
    neurons: tensor [sets, d, N].
    draws: G of all projections, standard normal, tensor [pn, pd, N].
    power: as `energy.half_space_energy`.

  Returns:
    Tensor [sets, pn].
  """
  sets, count = tensors.axis_length(neurons, 0), tensors.axis_length(neurons, 2)
  pn, pd = (tensors.axis_length(draws, axis) for axis in range(2))
  projected = _reduced(neurons, tf.reshape(draws, [-1, count]))
  return energy.energies(tf.reshape(projected, [sets, pn, pd, count]),
                         energy.half_space(power))


def _reduced(neurons, draws):
  """G R [sets, rows, N] of neurons [sets, d, N] and G [rows, N]."""
  draws = tf.tile(draws[tf.newaxis], [tensors.axis_length(neurons, 0), 1, 1])

  @tf.custom_gradient
  def reduce(neurons):
    # In float64: the distance of nearly equal neurons is the difference of two products
    # that float32 rounds to the same.
    directions, inverse_norms = similarity.l2_normalize(tf.cast(neurons, tf.float64))
    gram = tf.matmul(directions, directions, transpose_a=True)
    floor = tf.cast(tensors.axis_length(gram, -1), gram.dtype) * (
        np.finfo(gram.dtype.as_numpy_dtype).eps)
    gram = tf.linalg.set_diag(gram, tf.linalg.diag_part(gram) + floor)
    factor = tf.linalg.cholesky(gram)
    projected = tf.matmul(draws, tf.cast(factor, draws.dtype), transpose_b=True)

    def gradient(upstream):
      within = tf.linalg.triangular_solve(
          factor, tf.cast(tf.matmul(draws, upstream, transpose_a=True), gram.dtype),
          adjoint=True)
      return tf.cast(tf.matmul(directions, within), neurons.dtype)

    return projected / tf.cast(inverse_norms, neurons.dtype), gradient

  return reduce(neurons)


def random_projection_energy(kernel, projections, power='2',
                             over_projections=tf.reduce_mean, axis=-1,
                             epsilon=similarity.NORM_FLOOR):
  """Energy of a layer over random projections: mean_i E_h(P_i W), or their maximum.

  Random-projection CoMHE, section 4 of the paper.

  Args:
    kernel: float32 or float64 tensor [..., N] of N neurons with d inputs.
    projections: tensor [pn, pd, d] of the kernel's type.
    power: as `energy.half_space_energy`.
    over_projections: tf.reduce_mean or tf.reduce_max.
    axis, epsilon: as `energy.half_space_energy`; the projections take the inputs in the
      order of `axes.neurons_last`.

  Returns:
    Scalar tensor.

  Raises:
    TypeError: as `energy.as_neurons`.
    ValueError: likewise; the projections have not three axes; unknown power.

  >>> projections = np.array([[[1., 0., 0.], [0., 1., 0.]], [[0., 1., 0.], [0., 0., 1.]]])
  >>> evaluate(comhe_tf1.random_projection_energy(np.eye(3), projections))
  0.4667
  """
  neurons = energy.as_neurons(kernel, axis)
  projections = tf.convert_to_tensor(projections)
  if projections.shape.ndims != 3:
    raise ValueError(f'projections must have shape [pn, pd, d], got {projections.shape}')
  return over_projections(random_projection_energies(
      neurons[tf.newaxis], projections, power, similarity.checked_floor(epsilon)))


def angle_distortion(projected, cosine):
  """How far a projection changes the angles: ||cos(P W) - cos(W)||_F.

  The Frobenius norm runs over the whole N x N matrix, neither squared nor
  averaged, as the original. Where nothing is changed its gradient is taken as 0.
  Angle-preserving CoMHE, section 4 of the paper.

  Args:
    projected: P W, tensor [..., pd, N]; leading axes are independent sets of neurons.
    cosine: cosines of W, tensor [..., N, N], as `similarity.cosines`.

  Returns:
    Tensor [...].

  >>> neurons, projection = np.eye(2), np.array([[1., 1.]])
  >>> evaluate(comhe_tf1.angle_distortion(projection @ neurons, comhe_tf1.cosines(neurons)))
  1.4141
  """
  return similarity.from_cosines(projected, _frobenius, cosine)


def _frobenius(left, right):
  """||left - right||_F and its slopes by both."""
  gap = left - right
  squares = tf.reduce_sum(tf.square(gap), axis=[-2, -1], keepdims=True)
  changed = squares > 0.
  # The root's slope is infinite at 0: there the root of 1 stands in.
  root = tf.sqrt(tf.where(changed, squares, tf.ones_like(squares)))
  slope = gap / root
  return (tf.squeeze(tf.where(changed, root, tf.zeros_like(root)), [-2, -1]),
          slope, -slope)


def squared_angle_distortion(projected, cosine):
  """sum over i < j of (theta(w_i, w_j) - theta(P w_i, P w_j))^2, angles in radians.

  What the projection of alternating angle-preserving CoMHE minimizes (section 4 of
  the paper). Pairs that rounding cannot tell from parallel or antiparallel have no
  slope, see `pair_energy`.

  Args, Returns: as `angle_distortion`.

  >>> neurons, projection = np.eye(2), np.array([[1., 1.]])
  >>> evaluate(comhe_tf1.squared_angle_distortion(projection @ neurons,
  ...                                             comhe_tf1.cosines(neurons)))
  2.4232
  """
  return similarity.from_cosines(projected, _squared_angles, cosine)


def _squared_angles(left, right):
  """sum_{i<j} (acos(left_ij) - acos(right_ij))^2 and its slopes by both."""
  (left, left_slope), (right, right_slope) = map(pair_energy.angle, (left, right))
  gap = left - right
  gap = tf.linalg.set_diag(gap, tf.zeros_like(gap[..., 0]))
  # Half of all (i, j) and (j, i).
  return (tf.reduce_sum(tf.square(gap), axis=[-2, -1]) / 2.,
          gap * left_slope, -gap * right_slope)


def projected_step(loss, projected, gram, rate, decay=0.):
  """One step of gradient descent on P, by what it does to P W.

  A loss that depends on P through Y = P W has the gradient S W^T by P, where S is its
  gradient by Y. The step P - rate * (S W^T + decay * P) takes Y to
  Y - rate * (S (W^T W) + decay * Y): with W^T W at hand, P and W are not needed.
  Differentiable: gradients of the result flow into Y, W^T W and whatever else `loss`
  depends on, which is the second-order part of the unrolled terms.

  Args:
    loss: function of Y that returns a tensor, whose sum is descended.
    projected: Y, tensor [..., pd, N].
    gram: W^T W, tensor [..., N, N].
    rate: scalar; a negative one ascends.
    decay: number, weight of |P|^2 / 2 in the descended sum.

  Returns:
    Y after the step, and S.

  Raises:
    ValueError: the loss does not depend on Y.

  >>> projected = gram = tf.eye(2)
  >>> stepped, slope = comhe_tf1.projected_step(tf.nn.l2_loss, projected, gram, rate=0.5)
  >>> evaluate(stepped)
  [[0.5, 0.0], [0.0, 0.5]]
  """
  with tf.GradientTape() as tape:
    tape.watch(projected)
    value = loss(projected)
  slope = tape.gradient(value, projected)
  if slope is None:
    raise ValueError('the loss does not depend on the projection')
  change = tf.matmul(slope, gram)
  if decay:
    change += decay * projected
  return projected - rate * change, slope


def descend(loss, projection, neurons, gram, rate, decay, steps):
  """Steps of gradient descent on P, see `projected_step`.

  Beside Y = P W the loop keeps M [..., pd, N], by which every step's P is
  s^k P_0 + M W^T, s = 1 - rate * decay: P itself is formed once, at the end.

  Args:
    loss: function of Y = P W.
    projection: P, tensor [..., pd, d].
    neurons: W, tensor [..., d, N].
    gram: W^T W, tensor [..., N, N].
    rate, decay: as `projected_step`.
    steps: how many, a whole number of at least 1.

  Returns:
    P after the steps, tensor [..., pd, d]; a constant to gradients.

  >>> projection = neurons = gram = tf.eye(2)
  >>> evaluate(comhe_tf1.descend(tf.nn.l2_loss, projection, neurons, gram, rate=0.5,
  ...                            decay=0., steps=2))
  [[0.25, 0.0], [0.0, 0.25]]
  """
  shrink = 1. - rate * decay

  def body(step, projected, change):
    projected, slope = projected_step(loss, projected, gram, rate=rate, decay=decay)
    return step + 1, projected, shrink * change - rate * slope

  start = tf.matmul(projection, neurons)
  _, _, change = tf.while_loop(
      lambda step, *_: step < steps, body, [tf.constant(0), start, tf.zeros_like(start)],
      parallel_iterations=1, back_prop=False)
  # 1 - s^steps: s itself, 1 - 5e-8 and nearer to 1, is rounded away in float32.
  lost = -tf.math.expm1(float(steps) * tf.log1p(-rate * decay))
  # The two changes first: beside P each alone might be lost to rounding.
  both = lost * projection - tf.matmul(change, neurons, transpose_b=True)
  return tf.stop_gradient(projection - both)
