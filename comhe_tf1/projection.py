"""The three projections of CoMHE, as pure functions of tensors.

W is the [d, N] matrix of a layer's neurons (`energy.as_neurons`), P a
projection [pd, d], E and E_h the full-space and half-space energy.

Source: Lin et al., "Regularizing Neural Networks via Minimizing Hyperspherical
Energy", CVPR 2020 (arXiv 1906.04892), section 4; constants as the original.
"""
import tensorflow.compat.v1 as tf

from comhe_tf1 import energy


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
  """
  return tf.random_normal([pd, d], dtype=dtype, seed=op_seed)


def random_projection_energy(kernel, projections):
  """Mean half-space energy over random projections: mean_i E_h(P_i W).

  All projections go through one matrix product and one batched Gram matrix.
  Random-projection CoMHE, section 4 of the paper.

  Args:
    kernel: float32 or float64 tensor [..., N] of N neurons with d inputs.
    projections: tensor [pn, pd, d] of the kernel's type.

  Returns:
    Scalar tensor.

  Raises:
    TypeError: as `energy.as_neurons`.
    ValueError: likewise; or the projections have not three axes.
  """
  neurons = energy.as_neurons(kernel)
  projections = tf.convert_to_tensor(projections)
  if projections.shape.ndims != 3:
    raise ValueError('projections must have shape [pn, pd, d], got %s'
                     % projections.shape)
  pn, pd, d = [energy.axis_length(projections, axis) for axis in range(3)]
  projected = tf.reshape(tf.matmul(tf.reshape(projections, [-1, d]), neurons),
                         [pn, pd, energy.axis_length(neurons, -1)])
  return tf.reduce_mean(energy.of_cosines(projected, energy.half_space_pairs))


def projected_half_space_energy(projection, neurons):
  """Half-space energy after one projection, E_h(P W).

  Args:
    projection: P, tensor [pd, d].
    neurons: W, tensor [d, N].

  Returns:
    Scalar tensor.
  """
  return energy.of_cosines(tf.matmul(projection, neurons),
                           energy.half_space_pairs)


def projected_energy(projection, neurons):
  """What an adversarial projection maximises: E(P W), in full space.

  Adversarial-projection CoMHE, section 4 of the paper.

  Args:
    projection: P, tensor [pd, d].
    neurons: W, tensor [d, N].

  Returns:
    Scalar tensor.
  """
  return energy.of_cosines(tf.matmul(projection, neurons),
                           energy.full_space_pairs)


def angle_distortion(projection, neurons, cosine=None):
  """How far a projection changes the angles: ||cos(P W) - cos(W)||_F.

  The Frobenius norm runs over the whole N x N matrix, neither squared nor
  averaged, as the original. Where nothing is changed its gradient is taken as 0.
  Angle-preserving CoMHE, section 4 of the paper.

  Args:
    projection: P, tensor [pd, d].
    neurons: W, tensor [d, N].
    cosine: `energy.cosines(neurons)`, if the caller has it already.

  Returns:
    Scalar tensor.
  """
  if cosine is None:
    cosine = energy.cosines(neurons)

  return energy.of_cosines(tf.matmul(projection, neurons), _frobenius, cosine)


def _frobenius(left, right):
  """||left - right||_F and its slopes by both."""
  gap = left - right
  squares = tf.reduce_sum(tf.square(gap))
  changed = squares > 0.
  # The root's slope is infinite at 0: there the root of 1 stands in.
  root = tf.sqrt(tf.where(changed, squares, tf.ones_like(squares)))
  slope = gap / root
  return tf.where(changed, root, tf.zeros_like(root)), slope, -slope


def gradient_step(loss, projection, rate, decay=0.):
  """One step of gradient descent on P: P - rate * (d loss / dP + decay * P).

  Differentiable: gradients of the result flow into whatever `loss` depends on,
  which for W is the second-order part of the angle-preserving and adversarial
  terms.

  Args:
    loss: function of P that returns a scalar tensor.
    projection: P, tensor [pd, d].
    rate: scalar; a negative one ascends.
    decay: number, weight of |P|^2 / 2 in the descended sum.

  Returns:
    Tensor [pd, d].

  Raises:
    ValueError: the loss does not depend on P.
  """
  with tf.GradientTape() as tape:
    tape.watch(projection)
    value = loss(projection)
  gradient = tape.gradient(value, projection)
  if gradient is None:
    raise ValueError('the loss does not depend on the projection')
  if decay:
    gradient += decay * projection
  return projection - rate * gradient
