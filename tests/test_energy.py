import json
import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import comhe_tf1
import ground_truth

ENERGIES = [(comhe_tf1.full_space_energy, ground_truth.full_space_energy),
            (comhe_tf1.half_space_energy, ground_truth.half_space_energy)]
both = pytest.mark.parametrize('energy, truth', ENERGIES, ids=['full', 'half'])


def value_and_gradient(session, energy, kernel):
  kernel = tf.constant(kernel)
  value = energy(kernel)
  return session.run([value, tf.gradients(value, kernel)[0]])


SHAPES = [(5, 2), (3, 3, 4, 6), (1, 1, 8, 10), (27, 16)]


@both
@pytest.mark.parametrize('shape, dtype, tolerance', (
    [(shape, 'float32', 1e-5) for shape in SHAPES]
    # Seven neurons in a plane come too close for the digits of float32.
    + [(shape, 'float64', 1e-12) for shape in SHAPES + [(2, 7)]]), ids=str)
def test_value(session, rng, energy, truth, shape, dtype, tolerance):
  kernel = rng.randn(*shape).astype(dtype)
  expected = truth(kernel.reshape(-1, shape[-1]).astype('float64'))
  assert session.run(energy(kernel)) == pytest.approx(expected, rel=tolerance)


@both
@pytest.mark.parametrize('shape', [(5, 2), (2, 4), (2, 2, 3, 5)], ids=str)
def test_gradient(session, rng, energy, truth, shape):
  kernel = rng.randn(*shape)
  _, gradient = value_and_gradient(session, energy, kernel)
  expected = ground_truth.gradient(
      lambda x: truth(x.reshape(-1, shape[-1])), kernel)
  np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


@both
def test_second_order_gradient(session, rng, energy, truth):
  start, direction = rng.randn(4, 5), rng.randn(4, 5)
  kernel = tf.placeholder(tf.float64, [4, 5])
  slope = tf.reduce_sum(direction * tf.gradients(energy(kernel), kernel)[0])
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
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('kernel', [kernel for _, kernel in edge_cases()],
                         ids=[name for name, _ in edge_cases()])
def test_edge_cases_are_finite(session, energy, truth, dtype, kernel):
  value, gradient = value_and_gradient(session, energy, kernel.astype(dtype))
  assert np.isfinite(value)
  assert np.isfinite(gradient).all()


def test_one_neuron(session):
  kernel = np.array([[3.], [4.]])
  value, gradient = value_and_gradient(session, comhe_tf1.full_space_energy, kernel)
  assert value == 0.
  assert not gradient.any()
  assert session.run(comhe_tf1.half_space_energy(kernel)) == pytest.approx(
      ground_truth.half_space_energy(kernel))


@both
def test_a_pair_that_cannot_be_told_apart_is_bounded_and_has_no_slope(
    session, energy, truth):
  kernel = np.array([[1e6, 1e6]], 'float32')
  value, gradient = value_and_gradient(session, energy, kernel)
  # Full space: the one pair. Half space: 4 of 6 pairs; (w, -w) twice 1 / 4.
  assert value == pytest.approx(2. ** 23 if truth is ground_truth.full_space_energy
                                else 2. * 2. ** 23 / 6., rel=1e-6)
  np.testing.assert_allclose(gradient, 0., atol=1e-12)


@both
def test_unknown_shape(session, rng, energy, truth):
  values = rng.randn(3, 5, 7)
  for shape in (None, [None, None, None], [3, 5, None]):
    kernel = tf.placeholder(tf.float64, shape)
    assert session.run(energy(kernel), {kernel: values}) == pytest.approx(
        truth(values.reshape(-1, 7)))


@both
@pytest.mark.parametrize('kernel, error, words', [
    (np.ones((3, 4), 'float16'), TypeError, 'float16'),
    (np.ones((3, 4), 'int32'), TypeError, 'int32'),
    (np.ones(3), ValueError, r'\[3\]'),
    (np.ones((3, 0)), ValueError, r'\[3, 0\]')])
def test_wrong_input(session, energy, truth, kernel, error, words):
  with pytest.raises(error, match=words):
    energy(kernel)


@both
def test_eager(rng, energy, truth):
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


@pytest.mark.parametrize('energy, model', [
    (comhe_tf1.full_space_energy, 'mhe'), (comhe_tf1.half_space_energy, 'half_mhe')])
def test_recorded_energies(session, energy, model):
  with open(os.path.join(os.path.dirname(__file__), 'golden',
                         'mhe_energies_tf114.json')) as file:
    golden = json.load(file)
  kernel = np.random.RandomState(golden['seed']).randn(*golden['shape'])
  value, gradient = value_and_gradient(session, energy, kernel.astype('float32'))
  recorded = golden['rows'][model + '/2']
  assert value == pytest.approx(recorded['loss'], rel=1e-5)
  assert np.linalg.norm(gradient) == pytest.approx(recorded['grad_norm'], rel=1e-5)
  np.testing.assert_allclose(gradient.ravel()[:3], recorded['grad_first'],
                             rtol=1e-5, atol=1e-5 * recorded['grad_norm'])
