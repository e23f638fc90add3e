import ground_truth
import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import comhe_tf1
from comhe_tf1.regularizers import energy
from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import projection
from comhe_tf1.regularizers import similarity

powers = pytest.mark.parametrize('power', list(methods.POWERS))


@pytest.fixture
def layer(rng):
  """A projection [3, 6] and neurons [6, 4]."""
  return rng.randn(3, 6), rng.randn(6, 4)


@pytest.mark.parametrize('shape', [(6, 4), (2, 2, 3, 5)], ids=str)
def test_random_projection_energy(session, rng, shape):
  kernel = rng.randn(*shape)
  neurons = kernel.reshape(-1, shape[-1])
  projections = rng.randn(7, 3, len(neurons))
  assert session.run(comhe_tf1.random_projection_energy(
      kernel, projections)) == pytest.approx(
          ground_truth.random_projection_energy(neurons, projections))


def test_random_projection_gradient(session, layer, rng):
  projections, neurons = rng.randn(5, 3, 6), layer[1]
  kernel = tf.constant(neurons)
  gradient = tf.gradients(
      comhe_tf1.random_projection_energy(kernel, projections), kernel)[0]
  np.testing.assert_allclose(session.run(gradient), ground_truth.gradient(
      lambda w: ground_truth.random_projection_energy(w, projections), neurons),
                             rtol=1e-6, atol=1e-8)


@powers
def test_powers_maximum_and_sets_of_neurons(session, rng, power):
  """Sets of neurons side by side: each as if it were alone."""
  neurons, projections = rng.randn(2, 6, 4), rng.randn(5, 3, 6)
  expected = [ground_truth.random_projection_energies(w, projections, power)
              for w in neurons]
  np.testing.assert_allclose(session.run(projection.random_projection_energies(
      tf.constant(neurons), tf.constant(projections), power)), expected, rtol=1e-9)
  for over, truth in ((tf.reduce_mean, np.mean), (tf.reduce_max, np.max)):
    kernel = tf.constant(neurons[0])
    value = comhe_tf1.random_projection_energy(kernel, projections, power, over)
    gradient = tf.gradients(value, kernel)[0]
    assert session.run(value) == pytest.approx(truth(expected[0]))
    np.testing.assert_allclose(session.run(gradient), ground_truth.gradient(
        lambda w: truth(ground_truth.random_projection_energies(w, projections, power)),
        neurons[0]), rtol=1e-5, atol=1e-7)


def full_space(projected, cosine):
  """What an adversarial projection raises, as a loss."""
  del cosine
  return energy.energies(projected, energy.full_space('2'))


# Functions of P W and the cosines of W, and of P and W.
LOSSES = [
    (comhe_tf1.angle_distortion, ground_truth.angle_distortion),
    (full_space, ground_truth.projected_energy),
    (comhe_tf1.squared_angle_distortion, ground_truth.squared_angle_distortion)]
losses = pytest.mark.parametrize('loss, truth', LOSSES, ids=[
    'angle', 'adversarial', 'angle alternating'])


def of_both(loss, p, w):
  """A loss of LOSSES as a function of P and W."""
  return loss(tf.matmul(p, w), similarity.cosines(w))


def slow_steps(truth, p, w, rate, decay, steps):
  """P after steps of gradient descent by differences."""
  for _ in range(steps):
    p = p - rate * (ground_truth.gradient(lambda p: truth(p, w), p) + decay * p)
  return p


@losses
def test_value_and_gradients_by_both(session, layer, loss, truth):
  p, w = (tf.constant(value) for value in layer)
  value = of_both(loss, p, w)
  assert session.run(value) == pytest.approx(truth(*layer))
  by_p, by_w = session.run(tf.gradients(value, [p, w]))
  np.testing.assert_allclose(by_p, ground_truth.gradient(
      lambda p: truth(p, layer[1]), layer[0]), rtol=1e-6, atol=1e-8)
  np.testing.assert_allclose(by_w, ground_truth.gradient(
      lambda w: truth(layer[0], w), layer[1]), rtol=1e-6, atol=1e-8)


@losses
def test_sets_are_independent(session, rng, loss, truth):
  p, w = rng.randn(2, 3, 6), rng.randn(2, 6, 4)
  ps, ws = tf.constant(p), tf.constant(w)
  values = of_both(loss, ps, ws)
  by_p, by_w = session.run(tf.gradients(values[1], [ps, ws]))
  np.testing.assert_allclose(session.run(values), list(map(truth, p, w)), rtol=1e-9)
  assert by_p[1].any() and by_w[1].any() and not by_p[0].any() and not by_w[0].any()


def test_cosines_from_products(session, rng):
  w = tf.constant(rng.randn(2, 6, 4))
  weights = rng.randn(2, 4, 4)   # not symmetric
  np.testing.assert_allclose(*session.run([
      tf.gradients(tf.reduce_sum(weights * products), w)[0]
      for products in (similarity.gram(w), tf.matmul(w, w, transpose_a=True))]), rtol=1e-12)
  np.testing.assert_allclose(*session.run(
      [similarity.gram_cosines(similarity.gram(w)), similarity.cosines(w)]),
      rtol=1e-12, atol=1e-14)


@losses
@pytest.mark.parametrize('rate, decay', [(0.1, 0.), (-0.2, 0.), (0.3, 0.5)])
def test_projected_step(session, layer, loss, truth, rate, decay):
  p, w = (tf.constant(value) for value in layer)
  stepped, slope = comhe_tf1.projected_step(
      lambda projected: loss(projected, similarity.cosines(w)), tf.matmul(p, w),
      similarity.gram(w), rate, decay)
  np.testing.assert_allclose(
      session.run(stepped),
      np.dot(slow_steps(truth, *(layer + (rate, decay, 1))), layer[1]), rtol=1e-6)
  np.testing.assert_allclose(
      session.run(tf.matmul(slope, w, transpose_b=True)), ground_truth.gradient(
          lambda p: truth(p, layer[1]), layer[0]), rtol=1e-6, atol=1e-8)


@losses
@pytest.mark.parametrize('rate, decay, steps', [(0.05, 0., 1), (-0.02, 0.3, 3),
                                                (0.01, -0.4, 10)])
def test_descend(session, rng, loss, truth, rate, decay, steps):
  """Two sets at once, each as P itself would go."""
  p, w = rng.randn(2, 3, 6), rng.randn(2, 6, 4)
  neurons = tf.constant(w)
  stepped = comhe_tf1.descend(
      lambda projected: loss(projected, similarity.cosines(neurons)), tf.constant(p),
      neurons, similarity.gram(neurons), tf.constant(rate, tf.float64), decay, steps)
  assert tf.gradients(stepped, neurons) == [None]
  np.testing.assert_allclose(
      session.run(stepped),
      [slow_steps(truth, *(each + (rate, decay, steps))) for each in zip(p, w)],
      rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize('rate, steps', [(0.1, 1), (0.1, 10), (0.01, 10)])
def test_decay_is_kept_in_float32(session, rng, rate, steps):
  """1 - rate * decay is 1 or 1 - 6e-8 there: its power would decay P by 0 or too much."""
  decay = 5e-7
  p, w = rng.randn(30, 576).astype('float32'), rng.randn(576, 64).astype('float32')

  def descended(dtype, decay):
    # Fed: what is constant is folded with another association.
    projection_, neurons, rate_ = (tf.placeholder(dtype, each) for each in (
        p.shape, w.shape, []))
    stepped = comhe_tf1.descend(
        lambda projected: comhe_tf1.angle_distortion(
            projected, similarity.cosines(neurons)),
        projection_, neurons, similarity.gram(neurons), rate_, decay, steps)
    return session.run(stepped, {projection_: p, neurons: w, rate_: rate})

  lost = descended('float64', 0.) - descended('float32', decay)
  # Along P, over all entries: roundings average out.
  share = np.sum(lost * p, dtype='float64') / np.sum(p ** 2, dtype='float64')
  assert share == pytest.approx(rate * decay * steps, rel=0.05)


@pytest.mark.parametrize('loss, truth', LOSSES[:2], ids=['angle', 'adversarial'])
def test_second_order_reaches_the_neurons(session, layer, loss, truth):
  """d E_h((P - rate * d loss / dP) W) / dW, W in the step included."""
  p, w = layer
  kernel = tf.placeholder(tf.float64, w.shape)

  def term(include_step):
    projected, cosine = tf.matmul(p, kernel), similarity.cosines(kernel)
    stepped, slope = comhe_tf1.projected_step(
        lambda projected: loss(projected, cosine), projected, similarity.gram(kernel), 0.1)
    if not include_step:
      held = p - 0.1 * tf.matmul(slope, kernel, transpose_b=True)
      stepped = tf.matmul(tf.stop_gradient(held), kernel)
    return energy.energies(stepped, energy.half_space('2'))

  whole = term(True)
  expected = ground_truth.gradient(
      lambda value: session.run(whole, {kernel: value}), w)
  assert session.run(whole, {kernel: w}) == pytest.approx(ground_truth.half_space_energy(
      np.dot(slow_steps(truth, p, w, 0.1, 0., 1), w)))
  gradient, first_order = (
      session.run(tf.gradients(value, kernel)[0], {kernel: w})
      for value in (whole, term(False)))
  np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-8)
  assert np.abs(gradient - first_order).max() > 1e-4


@pytest.mark.parametrize('p, w', [
    (np.eye(4), np.eye(4)),                       # nothing is changed at all
    (np.ones((2, 3)), np.zeros((3, 4))),          # zero neurons
    (np.ones((1, 3)), np.ones((3, 2)))], ids=['identity', 'zeros', 'duplicates'])
@losses
def test_losses_are_finite_at_their_minimum(session, p, w, loss, truth):
  p, w = tf.constant(p), tf.constant(w)
  value = of_both(loss, p, w)
  by_p, by_w = session.run(tf.gradients(value, [p, w]))
  assert np.isfinite(session.run(value))
  assert np.isfinite(by_p).all() and np.isfinite(by_w).all()


@pytest.mark.parametrize('distortion', [
    comhe_tf1.angle_distortion, comhe_tf1.squared_angle_distortion])
def test_unchanged_angles_have_no_gradient(session, distortion):
  p, w = tf.constant(np.eye(4)), tf.constant(np.eye(4))
  value = of_both(distortion, p, w)
  assert session.run(value) == 0.
  assert not session.run(tf.gradients(value, p)[0]).any()


def test_equal_seeds_and_shapes_draw_equal_projections(session):
  tf.set_random_seed(345)
  draws = [comhe_tf1.gaussian_projection(4, 9, 7) for _ in range(2)]
  other = comhe_tf1.gaussian_projection(4, 9, 8)
  first, second = (session.run([draws, other]) for _ in range(2))
  np.testing.assert_array_equal(*first[0])
  np.testing.assert_array_equal(*second[0])
  assert (first[0][0] != second[0][0]).all()   # drawn anew
  assert (first[0][0] != first[1]).all()       # another op seed


def test_eager(layer):
  if not tf.executing_eagerly():
    pytest.skip('TensorFlow 1.x is in graph mode')
  p, w = (tf.constant(value) for value in layer)
  stepped, _ = comhe_tf1.projected_step(
      lambda projected: full_space(projected, None), tf.matmul(p, w), similarity.gram(w),
      -0.1)
  assert full_space(stepped, None).numpy() > ground_truth.projected_energy(*layer)


def test_wrong_arguments(session, layer):
  p, w = layer
  with pytest.raises(ValueError, match=r'\[pn, pd, d\], got \(3, 6\)'):
    comhe_tf1.random_projection_energy(w, p)
  with pytest.raises(ValueError, match='does not depend on the projection'):
    comhe_tf1.projected_step(lambda _: tf.constant(1.), tf.constant(p), w, 0.1)


def held_projections(neurons, draws):
  """P' = G Q^T of `reduced_projection_energies`, in NumPy: Q = U L^-T."""
  unit = neurons / np.sqrt(np.sum(neurons ** 2, axis=0) + 1e-4)
  factor = np.linalg.cholesky(np.dot(unit.T, unit))
  return np.dot(draws, np.linalg.solve(factor, unit.T))


@powers
def test_reduced_draw(session, rng, power):
  """Value, and gradient with P' held constant, of every set as if it were alone."""
  neurons, draws = rng.randn(2, 7, 4), rng.randn(5, 3, 4)
  tensor = tf.constant(neurons)
  energies = projection.reduced_projection_energies(tensor, tf.constant(draws), power)
  gradient = session.run(tf.gradients(energies, tensor)[0])
  for i, w in enumerate(neurons):
    held = held_projections(w, draws)
    np.testing.assert_allclose(
        session.run(energies)[i],
        ground_truth.random_projection_energies(w, held, power), rtol=1e-6)
    np.testing.assert_allclose(gradient[i], ground_truth.gradient(
        lambda w: sum(ground_truth.random_projection_energies(w, held, power)), w),
                               rtol=1e-5, atol=1e-6)


def distance_of_distributions(first, second):
  """The Kolmogorov-Smirnov statistic over its bound at the level of 1e-3."""
  values = np.concatenate([first, second])
  gap = np.abs(np.searchsorted(np.sort(first), values, 'right') / float(len(first))
               - np.searchsorted(np.sort(second), values, 'right') / float(len(second)))
  bound = 1.95 * np.sqrt((len(first) + len(second)) / float(len(first) * len(second)))
  return gap.max() / bound


def test_both_draws_have_the_same_law(session, rng):
  """Energy, and the gradient within the neurons' span; outside only noise is missing."""
  times, (d, count), pd = 4000, (9, 4), 5
  neurons = rng.randn(d, count)
  within = np.dot(neurons, rng.randn(count, count))   # a direction in their span
  samples, gradients = [], []
  for energies_of, width in ((projection.random_projection_energies, d),
                             (projection.reduced_projection_energies, count)):
    # Independent draws as so many projections of as many equal sets.
    tensor = tf.constant(np.repeat(neurons[None], times, axis=0))
    numbers = tf.constant(rng.randn(times, 1, pd, width))
    energies = tf.map_fn(lambda each: energies_of(each[0][None], each[1])[0, 0],
                         (tensor, numbers), dtype=tf.float64)
    values, slopes = session.run([energies, tf.gradients(energies, tensor)[0]])
    samples.append(values)
    gradients.append(slopes)
  assert distance_of_distributions(*samples) < 1.
  for moment in (1, 2):
    first, second = (each ** moment for each in samples)
    error = np.sqrt((first.var() + second.var()) / times)
    assert abs(first.mean() - second.mean()) < 4. * error
  along = [np.sum(each * within, axis=(1, 2)) for each in gradients]
  assert distance_of_distributions(*along) < 1.
  # Means of the whole gradients agree, entry by entry.
  error = np.sqrt((gradients[0].var(0) + gradients[1].var(0)) / times)
  assert (np.abs(gradients[0].mean(0) - gradients[1].mean(0)) < 5. * error).all()
  # What is outside of the span: there with the one draw, not with the other.
  q, _ = np.linalg.qr(neurons)
  outside = [np.abs(each - np.matmul(np.dot(q, q.T), each)).max() for each in gradients]
  assert outside[0] > 1e-2 and outside[1] < 1e-9
  # The test would tell another law: a twentieth more of energy.
  assert distance_of_distributions(samples[0], 1.05 * samples[1]) > 1.


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_reduced_draw_of_dependent_neurons(session, rng, dtype):
  w = rng.randn(6, 4)
  for neurons in (0. * w, w[:, [0, 0, 1, 1]], w * [1., -1., 0., 1.], 1e4 * w[:2],
                  np.repeat(w[:, :1], 4, axis=1), 1e-20 * w):
    tensor = tf.constant(neurons[None].astype(dtype))
    energies = projection.reduced_projection_energies(
        tensor, tf.constant(rng.randn(3, 2, 4).astype(dtype)))
    for result in session.run([energies, tf.gradients(energies, tensor)[0]]):
      assert np.isfinite(result).all()


@pytest.mark.parametrize('angle', [1e-2, 1e-3, 3e-4])
def test_both_draws_have_the_same_law_for_nearly_equal_neurons(session, rng, angle):
  """In float32, which cannot tell such neurons by the products of W^T W."""
  times, (d, count), pd = 3000, (20, 5), 8
  neurons = rng.randn(d, count)
  aside = rng.randn(d)
  aside -= neurons[:, 0] * np.dot(aside, neurons[:, 0]) / np.sum(neurons[:, 0] ** 2)
  aside *= np.linalg.norm(neurons[:, 0]) / np.linalg.norm(aside)
  neurons[:, 1] = np.cos(angle) * neurons[:, 0] + np.sin(angle) * aside
  # Across the two neurons' difference their gradients are what float32 leaves of it.
  apart = neurons[:, 1] - neurons[:, 0]
  tensor = tf.constant(neurons[None].astype('float32'))
  samples, along = [], []
  for energies_of, width in ((projection.random_projection_energies, d),
                             (projection.reduced_projection_energies, count)):
    numbers = tf.placeholder(tf.float32, [1, pd, width])
    energy = energies_of(tensor, numbers)[0, 0]
    slope = tf.gradients(energy, tensor)[0]
    values, slopes = zip(*[
        session.run([energy, slope], {numbers: rng.randn(1, pd, width)})
        for _ in range(times)])
    samples.append(np.array(values))
    along.append(np.array([np.dot(each[0, :, 1], apart) for each in slopes]))
  assert distance_of_distributions(*samples) < 1.
  assert distance_of_distributions(*along) < 1.


def test_axis_and_epsilon(session, rng):
  kernel, projections = rng.randn(5, 6), rng.randn(7, 3, 6)
  found = session.run(comhe_tf1.random_projection_energy(
      kernel, projections, axis=0, epsilon=1e-8))
  assert found == pytest.approx(ground_truth.random_projection_energy(
      1e2 * kernel.T, projections))
  with pytest.raises(ValueError, match='epsilon must be a positive number, got 0'):
    comhe_tf1.random_projection_energy(kernel, projections, axis=0, epsilon=0)
