"""Half-space energies of sets of different shapes, side by side."""
import ground_truth
import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from comhe_tf1.regularizers import blocks
from comhe_tf1.regularizers import padded
from comhe_tf1.regularizers import pair_energy

SHAPES = [(2, 5, 4), (1, 7, 7), (3, 3, 7), (1, 5, 2)]


@pytest.fixture(params=['at once', 'by blocks'])
def way(request, monkeypatch):
  if request.param == 'by blocks':
    monkeypatch.setattr(padded, 'MANY', 1)
    monkeypatch.setattr(blocks, 'BLOCK', 3)


@pytest.mark.parametrize('power', pair_energy._PAIRS)
def test_energies_and_gradients(session, rng, monkeypatch, way, power):
  """All in one group, and each as by itself."""
  monkeypatch.setattr(padded, 'WASTE', 1e9)
  assert len(padded.groups(SHAPES)) == 1
  values = [rng.randn(*shape) for shape in SHAPES]
  neurons = [tf.constant(value) for value in values]
  energies = padded.half_space_energies(neurons, power)
  weights = [1. + np.arange(shape[0]) for shape in SHAPES]
  loss = tf.add_n([tf.reduce_sum(each * weight)
                   for each, weight in zip(energies, weights)])
  found, gradients = session.run([energies, tf.gradients(loss, neurons)])
  for value, weight, each, gradient in zip(values, weights, found, gradients):
    for one, factor, energy, slope in zip(value, weight, each, gradient):
      assert energy == pytest.approx(ground_truth.half_space_energy(one, power), rel=1e-9)
      np.testing.assert_allclose(slope, factor * ground_truth.gradient(
          lambda w: ground_truth.half_space_energy(w, power), one),
                                 rtol=1e-5, atol=1e-7)


def test_float32_keeps_its_digits(session, rng, monkeypatch):
  monkeypatch.setattr(padded, 'WASTE', 1e9)
  shapes = [(1, 20, 300), (1, 20, 10)]
  values = [rng.randn(*shape).astype('float32') for shape in shapes]
  for value, found in zip(values, session.run(padded.half_space_energies(
      [tf.constant(value) for value in values]))):
    assert found[0] == pytest.approx(ground_truth.half_space_energy(
        value[0].astype('float64')), rel=1e-4)


def test_groups():
  """Little work is added; what would add much is by itself."""
  shapes = [(20, 40, 64), (1, 9, 60), (20, 40, 512), (20, 40, 512), (1, 40, 500)]
  found = padded.groups(shapes)
  assert sorted(sorted(group) for group in found) == [[0, 1], [2, 3, 4]]
  # Sets of one shape always share.
  assert padded.groups([(1, 3, 4)] * 5) == [[0, 1, 2, 3, 4]]
  assert padded.groups([]) == []
