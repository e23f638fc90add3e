import ground_truth
import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import comhe_tf1
from comhe_tf1.regularizers import orthogonality

SHAPES = pytest.mark.parametrize('shape', [(6, 4), (3, 5), (4, 1)], ids=str)


@SHAPES
def test_distance(session, rng, shape):
  w = rng.randn(*shape)
  neurons = tf.constant(w)
  value = orthogonality.distance(neurons)
  assert session.run(value) == pytest.approx(ground_truth.orthogonality(w))
  np.testing.assert_allclose(
      session.run(tf.gradients(value, neurons)[0]),
      ground_truth.gradient(ground_truth.orthogonality, w), rtol=1e-6, atol=1e-8)


def test_distance_of_orthogonal_neurons_is_nearly_0(session):
  assert session.run(orthogonality.distance(1e3 * np.eye(5))) < 1e-12


@SHAPES
def test_spectral_distance(session, rng, shape):
  w, start = rng.randn(*shape), rng.randn(shape[1], 1)
  neurons = tf.constant(w)
  value = orthogonality.spectral_distance(neurons, tf.constant(start))
  assert session.run(value) == pytest.approx(ground_truth.spectral_distance(w, start))
  np.testing.assert_allclose(
      session.run(tf.gradients(value, neurons)[0]), ground_truth.gradient(
          lambda w: ground_truth.spectral_distance(w, start), w), rtol=1e-5, atol=1e-7)


def test_spectral_distance_approaches_the_norm(session, rng):
  """From its own eigenvector at once."""
  w = rng.randn(6, 4)
  values, vectors = np.linalg.eigh(np.dot(w.T, w) - np.eye(4))
  largest = np.abs(values).argmax()
  assert session.run(orthogonality.spectral_distance(
      w, vectors[:, largest:largest + 1])) == pytest.approx(np.abs(values).max())


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_orthonormal_and_zero_neurons(session, rng, dtype):
  start = rng.randn(4, 1).astype(dtype)
  for w, expected in [(np.eye(5)[:, :4], 0.), (np.zeros((5, 4)), 1.)]:
    neurons = tf.constant(w.astype(dtype))
    value = orthogonality.spectral_distance(neurons, start)
    gradient, = tf.gradients(value, neurons)
    second, = tf.gradients(tf.reduce_sum(gradient), neurons)
    value, gradient, second = session.run([value, gradient, second])
    assert value == pytest.approx(expected, abs=1e-6)
    assert not gradient.any()
    assert np.isfinite(second).all()


@pytest.mark.parametrize('shape', [(6, 4), (3, 5), (4, 4)], ids=str)
def test_smaller_gram_matrix(session, rng, shape):
  """Of the inputs where these are fewer than the neurons."""
  w = rng.randn(*shape)
  fewer = w.T if shape[1] > shape[0] else w
  value = orthogonality.smaller_distance(tf.constant(w))
  assert session.run(value) == pytest.approx(
      ground_truth.orthogonality(fewer) / min(shape))
  kernel = comhe_tf1.Kernel('a', w, comhe_tf1.HIDDEN)
  for method, gram, expected in [
      ('orthogonal', 'smaller', ground_truth.orthogonality(fewer) / min(shape)),
      ('orthogonal', 'neurons', ground_truth.orthogonality(w))]:
    terms = comhe_tf1.create(method, gram=gram)([kernel])
    assert session.run(terms.thom) == pytest.approx(expected)


@pytest.mark.parametrize('method', ['orthogonal', 'srip'])
def test_orthonormal_rows_are_orthogonal(session, rng, method):
  """More neurons than inputs: by all neurons they never are."""
  rows = np.linalg.qr(rng.randn(200, 3))[0].T
  # Long enough that the norm floor does not show.
  wide = 1e3 * rows if method == 'orthogonal' else rows
  values = {}
  for gram in ('smaller', 'neurons'):
    terms = comhe_tf1.create(method, gram=gram, energy_weight=1.)(
        [comhe_tf1.Kernel('a', wide, comhe_tf1.HIDDEN)])
    session.run(tf.global_variables_initializer())
    values[gram] = session.run(terms.thom)
  assert values['smaller'] < 1e-6
  # 200 directions in 3 dimensions; and the 197 dimensions that no row is in.
  if method == 'orthogonal':
    assert values['neurons'] > 197.
  else:
    assert values['neurons'] == pytest.approx(1., rel=1e-3)
  # What the library takes unless told.
  found = comhe_tf1.kernel_regularizer(method, weight=1.)(wide)
  assert session.run(found) < 1e-6


def test_terms_of_wide_layers_do_not_swamp_a_loss(session, rng):
  for shape in ((64, 1000), (500, 400), (9, 300)):
    value = session.run(comhe_tf1.kernel_regularizer('orthogonal')(rng.randn(*shape)))
    assert 0.005 < value < 1.5
