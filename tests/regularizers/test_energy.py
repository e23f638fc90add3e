import json
import os

import ground_truth
import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import comhe_tf1
from comhe_tf1.regularizers import blocks
from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import pair_energy

ENERGIES = [(comhe_tf1.full_space_energy, ground_truth.full_space_energy),
            (comhe_tf1.half_space_energy, ground_truth.half_space_energy)]
both = pytest.mark.parametrize('energy, truth', ENERGIES, ids=['full', 'half'])
powers = pytest.mark.parametrize('power', list(methods.POWERS))


@pytest.fixture(params=['whole', 'blocks'])
def way(request, monkeypatch):
  """All cosines at once, or by blocks of at most three neurons."""
  monkeypatch.setattr(blocks, 'needed', lambda neurons, many: request.param == 'blocks')
  monkeypatch.setattr(blocks, 'BLOCK', 3)
  return request.param


def value_and_gradient(session, energy, kernel, power='2'):
  kernel = tf.constant(kernel)
  value = energy(kernel, power)
  return session.run([value, tf.gradients(value, kernel)[0]])


SHAPES = [(5, 2), (3, 3, 4, 6), (1, 1, 8, 10), (27, 16)]


@both
@powers
@pytest.mark.parametrize('shape, dtype, tolerance', (
    [(shape, 'float32', 1e-5) for shape in SHAPES]
    # Seven neurons in a plane come too close for the digits of float32.
    + [(shape, 'float64', 1e-12) for shape in SHAPES + [(2, 7)]]), ids=str)
def test_value(session, rng, energy, truth, power, shape, dtype, tolerance):
  kernel = rng.randn(*shape).astype(dtype)
  expected = truth(kernel.reshape(-1, shape[-1]).astype('float64'), power)
  assert session.run(energy(kernel, power)) == pytest.approx(expected, rel=tolerance)


@both
@powers
@pytest.mark.parametrize('shape', [(5, 2), (2, 4), (2, 2, 3, 5)], ids=str)
def test_gradient(session, rng, way, energy, truth, power, shape):
  kernel = rng.randn(*shape)
  _, gradient = value_and_gradient(session, energy, kernel, power)
  expected = ground_truth.gradient(
      lambda x: truth(x.reshape(-1, shape[-1]), power), kernel)
  np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


@both
@powers
def test_second_order_gradient(session, rng, way, energy, truth, power):
  start, direction = rng.randn(4, 5), rng.randn(4, 5)
  kernel = tf.placeholder(tf.float64, [4, 5])
  slope = tf.reduce_sum(direction * tf.gradients(energy(kernel, power), kernel)[0])
  second = tf.gradients(slope, kernel)[0]
  expected = ground_truth.gradient(
      lambda x: session.run(slope, {kernel: x}), start)
  np.testing.assert_allclose(session.run(second, {kernel: start}), expected,
                             rtol=1e-6, atol=1e-7)


def test_orthogonal_neurons(session):
  # All cosines are 0: every pair has energy 1 / 2; in half space the N pairs
  # (w, -w) of N (2N - 1) have 1 / 4.
  kernel = 1000. * np.eye(4)
  assert session.run(comhe_tf1.full_space_energy(kernel)) == pytest.approx(0.5)
  assert session.run(comhe_tf1.half_space_energy(kernel)) == pytest.approx(
      (24 * 0.5 + 4 * 0.25) / 28)


def test_antipodal_neurons(session):
  kernel = np.array([[1000., -1000.]])
  assert session.run(comhe_tf1.full_space_energy(kernel)) == pytest.approx(0.25)


def test_cosines_are_below_1_on_the_diagonal_by_the_norm_floor(session):
  cosine = session.run(comhe_tf1.cosines(np.array([[0.1, 0.], [0., 0.]])))
  np.testing.assert_allclose(cosine, [[0.01 / 0.0101, 0.], [0., 0.]], atol=1e-15)


def edge_cases():
  rng = np.random.RandomState(1)
  neurons = rng.randn(6, 4)
  yield 'zeros', np.zeros((6, 4))
  yield 'one zero neuron', neurons * [1, 0, 1, 1]
  yield 'duplicates', neurons[:, [0, 0, 1, 2]]
  yield 'large duplicates', 1e4 * neurons[:, [0, 0, 1, 2]]
  yield 'all alike', np.repeat(1e4 * neurons[:, :1], 4, axis=1)
  yield 'antiparallel', 1e4 * neurons[:, [0, 0, 1, 2]] * [1, -1, 1, 1]
  yield 'scaled copies', np.outer(neurons[:, 0], [1e-3, 1., 1e3, 1e6])
  yield 'one neuron', neurons[:, :1]
  yield 'one input', neurons[:1]
  yield 'more neurons than inputs', rng.randn(2, 9)
  yield 'tiny', 1e-20 * neurons
  yield 'huge', 1e15 * neurons


@both
@powers
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_edge_cases_are_finite(session, way, energy, truth, power, dtype):
  """Value, gradient, and the second order that the trained projections take."""
  kernel = tf.placeholder(dtype, [None, None])
  value = energy(kernel, power)
  gradient, = tf.gradients(value, kernel)
  second, = tf.gradients(tf.reduce_sum(gradient), kernel)
  for name, values in edge_cases():
    for result in session.run([value, gradient, second], {kernel: values}):
      assert np.isfinite(result).all(), name


def test_one_neuron(session):
  kernel = np.array([[3.], [4.]])
  value, gradient = value_and_gradient(session, comhe_tf1.full_space_energy, kernel)
  assert value == 0.
  assert not gradient.any()
  assert session.run(comhe_tf1.half_space_energy(kernel)) == pytest.approx(
      ground_truth.half_space_energy(kernel))


@both
@powers
@pytest.mark.parametrize('sign', [1., -1.])
def test_a_pair_that_cannot_be_told_apart_is_bounded_and_has_no_slope(
    session, monkeypatch, energy, truth, power, sign):
  kernel = np.array([[1e6, sign * 1e6]], 'float32')
  value, gradient = value_and_gradient(session, energy, kernel, power)
  # A block for each of the two, whose cosine stands in no diagonal block.
  monkeypatch.setattr(blocks, 'MANY', 3)
  monkeypatch.setattr(blocks, 'BLOCK', 1)
  for one, other in zip(value_and_gradient(session, energy, kernel, power),
                        (value, gradient)):
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-12)
  # The distance squared that is taken for none, and the angle.
  distance = {'0': -np.log(2. ** -23), '1': 2. ** 11.5, '2': 2. ** 23}
  limit = 1. if power in distance else 1. - 2. ** -24
  near = distance[power] if power in distance else ground_truth.PAIRS[power](limit)
  far = ground_truth.PAIRS[power](-limit)
  if truth is ground_truth.full_space_energy:
    expected = near if sign > 0. else far
  else:
    # Of 6 pairs two are opposite by themselves; of the four others two are near. Where
    # distances count, their bound is on 1 - c^2 = (2 - 2c) (2 + 2c) / 4.
    both = {'0': near - np.log(4.), '1': np.sqrt(2. ** 23 + 2. ** 11.5), '2': near}
    expected = (2. * both.get(power, near + far) + 2. * far) / 6.
  # The last bit of an angle near half a turn is 1e-3 of what is left to it.
  last_bit = {'rel': 1e-3, 'abs': 2e-7} if sign < 0. and power not in distance else {}
  assert value == pytest.approx(expected, **(last_bit or {'rel': 1e-5}))
  np.testing.assert_allclose(gradient, 0., atol=1e-12)


@both
def test_unknown_shape(session, rng, way, energy, truth):
  values = rng.randn(3, 5, 7)
  for shape in (None, [None, None, None], [3, 5, None]):
    kernel = tf.placeholder(tf.float64, shape)
    assert session.run(energy(kernel), {kernel: values}) == pytest.approx(
        truth(values.reshape(-1, 7)))


@both
@pytest.mark.parametrize('kernel, error, words', [
    (np.ones((3, 4), 'float16'), TypeError,
     'float32 or float64, got float16; cast it first'),
    (np.ones((3, 4), 'int32'), TypeError, 'int32'),
    (np.ones(3), ValueError, r'\[3\]'),
    (np.ones((3, 0)), ValueError, r'\[3, 0\]')])
def test_wrong_input(session, energy, truth, kernel, error, words):
  with pytest.raises(error, match=words):
    energy(kernel)


@both
def test_eager(rng, way, energy, truth):
  if not tf.executing_eagerly():
    pytest.skip('TensorFlow 1.x is in graph mode')
  kernel = tf.constant(rng.randn(3, 4))
  with tf.GradientTape() as tape:
    tape.watch(kernel)
    value = energy(kernel)
  assert value.numpy() == pytest.approx(truth(kernel.numpy()))
  np.testing.assert_allclose(
      tape.gradient(value, kernel).numpy(),
      ground_truth.gradient(truth, kernel.numpy()), rtol=1e-6, atol=1e-8)


@powers
@pytest.mark.parametrize('energy, model', [
    (comhe_tf1.full_space_energy, 'mhe'), (comhe_tf1.half_space_energy, 'half_mhe'),
    (comhe_tf1.full_space_energy, 'final')])
def test_recorded_energies(session, energy, model, power):
  """Of the MHE authors' code, with the weights it gives hidden and output layers."""
  with open(os.path.join(os.path.dirname(__file__), 'golden',
                         'mhe_energies_tf114.json')) as file:
    golden = json.load(file)
  recorded = golden['rows'][f'{model}/{power}']
  weight = methods.POWERS[power][model == 'final']
  kernel = np.random.RandomState(golden['seed']).randn(*golden['shape'])
  value, gradient = value_and_gradient(session, energy, kernel.astype('float32'), power)
  assert weight * value == pytest.approx(recorded['loss'], rel=1e-5)
  assert weight * np.linalg.norm(gradient) == pytest.approx(recorded['grad_norm'],
                                                            rel=1e-5)
  np.testing.assert_allclose(weight * gradient.ravel()[:3], recorded['grad_first'],
                             rtol=1e-5, atol=1e-5 * recorded['grad_norm'])


@both
def test_unknown_power(session, energy, truth):
  with pytest.raises(ValueError, match="one of 0, 1, 2, a0, a1, a2, got '3'"):
    energy(np.ones((3, 4)), '3')
  assert session.run(energy(np.eye(3), 2)) == session.run(energy(np.eye(3)))


@powers
@pytest.mark.parametrize('dtype, tolerance', [('float32', 2e-5), ('float64', 1e-11)])
def test_closed_forms_of_pairs(session, power, dtype, tolerance):
  """Values and slopes over the whole range, against the formulas and differences."""
  cosine = np.linspace(-0.99, 0.99, 397).astype(dtype)
  pair = pair_energy.get_pair_energy(power)
  f = ground_truth.PAIRS[power]
  for function, truth in [(pair.full, f), (pair.half, lambda c: f(c) + f(-c))]:
    value, slope = session.run(function(tf.constant(cosine)))
    exact = cosine.astype('float64')
    np.testing.assert_allclose(value, truth(exact), rtol=tolerance, atol=tolerance)
    differences = (truth(exact + 1e-6) - truth(exact - 1e-6)) / 2e-6
    np.testing.assert_allclose(slope, differences, rtol=max(tolerance, 1e-6),
                               atol=1e-5)


@powers
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_pairs_are_finite_wherever_rounding_may_lead(session, power, dtype):
  eps = np.finfo(dtype).eps
  cosine = np.array([1. + 4. * eps, 1. + eps, 1., 1. - eps / 2., 1. - eps], dtype)
  cosine = tf.constant(np.concatenate([cosine, -cosine]))
  pair = pair_energy.get_pair_energy(power)
  for function in (pair.full, pair.half):
    value, slope = function(cosine)
    results = session.run([value, slope, tf.gradients(slope, cosine)[0]])
    assert all(np.isfinite(result).all() for result in results)


@both
@pytest.mark.parametrize('axis, order', [
    (-1, (0, 1, 2, 3)), (-2, (0, 1, 3, 2)), (0, (3, 2, 0, 1)), ((-2, -1), None)])
def test_axis(session, rng, energy, truth, axis, order):
  kernel = rng.randn(2, 3, 4, 5)
  w = kernel.reshape(6, 20) if order is None else kernel.reshape(-1, 5)
  given = kernel if order is None else kernel.transpose(order)
  assert session.run(energy(given, axis=axis)) == pytest.approx(truth(w), rel=1e-9)


@both
def test_epsilon(session, rng, way, energy, truth):
  """The truth has the original's floor: of scaled neurons it is another."""
  w = rng.randn(3, 5)
  for epsilon in (1e-8, 0.5):
    assert session.run(energy(w, epsilon=epsilon)) == pytest.approx(
        truth(w * np.sqrt(1e-4 / epsilon)), rel=1e-9)
  cosines = session.run(comhe_tf1.cosines(w, epsilon=0.5))
  np.testing.assert_allclose(cosines, ground_truth.cosines(w * np.sqrt(1e-4 / 0.5)))
  for epsilon in (0., -1., 'small', None, True, float('nan')):
    with pytest.raises(ValueError, match='epsilon must be a positive number, got'):
      energy(w, epsilon=epsilon)
