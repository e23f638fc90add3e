"""The sum of the energies of all layers but the last, and what is published of it."""
import collections
import json

import ground_truth
import numpy as np
import pytest

from comhe_tf1.comparison import energy_sums
from comhe_tf1.networks import architectures
from comhe_tf1.published import published_runs
from comhe_tf1.records import recorded_run
from comhe_tf1.regularizers import energy_monitor
from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import roles


def drawn(rng, plan):
  """Initial kernels, as the networks': standard deviation sqrt(2 / (k k c_in))."""
  return collections.OrderedDict(
      (layer.name, rng.randn(layer.size, layer.size, layer.c_in, layer.c_out)
       * np.sqrt(2. / (layer.size ** 2 * layer.c_in))) for layer in plan)


@pytest.mark.parametrize('model, layers', [('cnn9', 10), ('resnet32', 33)])
def test_the_last_layer_of_every_network(model, layers):
  plan = architectures.plan(model, 100)
  assert [layer.name for layer in plan if layer.role == roles.OUTPUT] == [
      energy_sums.LAST] and plan[-1].name == energy_sums.LAST
  assert len(plan) - 1 == layers


def test_a_narrow_network(rng, tmp_path):
  """From kernels to the curve, by way of a run's record; values from slow NumPy."""
  plan = architectures.plan('cnn9', 10, width=0.0625)
  expected = {'full_energies': [], 'half_energies': []}
  with open(str(tmp_path / 'metrics.jsonl'), 'w') as file:
    for step in (0, 5):
      values = drawn(rng, plan)
      energies = energy_monitor.energies_from_arrays(values, ['2'])['2']
      file.write(json.dumps({'step': step, 'full_energies': {
          name: float(found.full) for name, found in energies.items()},
                             'half_energies': {
          name: float(found.half) for name, found in energies.items()}}) + '\n')
      neurons = [value.reshape(-1, value.shape[-1])
                 for name, value in values.items() if name not in ('fc6', 'score')]
      # fc6 has 256 neurons at any width, too many for slow NumPy.
      expected['full_energies'].append(energies['fc6'].full + sum(
          map(ground_truth.full_space_energy, neurons)))
      expected['half_energies'].append(energies['fc6'].half + sum(
          map(ground_truth.half_space_energy, neurons)))
  by_kind, problems = recorded_run.layer_energies(
      recorded_run.Source('x', [], str(tmp_path)))
  assert not problems
  for kind, sums in expected.items():
    curve, count = energy_sums.but_last(by_kind[kind])
    assert count == 10 and list(curve.steps) == [0, 5]
    assert list(curve.values) == pytest.approx(sums)


def test_the_start_at_full_width(rng):
  """5.01 in half space and 5.02 in full space, with cosines of all pairs at once."""
  full, half = 0., 0.
  for name, value in drawn(rng, architectures.plan('cnn9', 100)).items():
    if name != energy_sums.LAST:
      w = value.reshape(-1, value.shape[-1])
      w = w / np.sqrt(np.sum(w ** 2, axis=0) + 1e-4)
      for doubled in (False, True):
        w = np.concatenate([w, -w], axis=1) if doubled else w
        cosines = w.T.dot(w)[np.triu_indices(w.shape[1], 1)]
        energy = np.mean(1. / (2. - 2. * cosines))
        full, half = (full, half + energy) if doubled else (full + energy, half)
  assert half == pytest.approx(5.01, abs=0.006)
  assert full == pytest.approx(5.02, abs=0.006)


def curve(values):
  return recorded_run.Curve(*map(list, zip(*sorted(values.items()))))


def test_what_is_not_recorded():
  a, b = curve({0: 1., 5: 2., 10: 4.}), curve({0: 0.5, 10: 0.25, 15: 1.})
  found, count = energy_sums.but_last({'a': a, 'b': b, 'score': curve({0: 9.})})
  assert count == 2 and found.steps == [0, 10] and found.values == [1.5, 4.25]
  for layers in ({}, {'a': a, 'b': b}, {'score': a},
                 {'a': a, 'b': curve({7: 1.}), 'score': a}):
    assert energy_sums.but_last(layers) is None


def test_the_published_points():
  """As read off the plot: at 75,000 steps from the baseline down."""
  assert [(points.name, list(points.energies.items()))
          for points in published_runs.ENERGIES.values()] == [
              ('Baseline', [(20000, 5.32), (75000, 5.24)]),
              ('Orthogonal', [(20000, 5.17), (75000, 5.14)]),
              ('HS-MHE', [(20000, 5.07), (75000, 5.03)]),
              ('AP-CoMHE', [(20000, 5.02), (75000, 5.005)]),
              ('RP-CoMHE', [(20000, 5.0), (75000, 4.995)])]
  assert set(published_runs.ENERGIES) <= set(methods.METHODS)
  settings = dict(regularizer='random', model='cnn9', depth=9, dataset='cifar100',
                  power='2', width=0.25)
  assert energy_sums.published_for(settings).name == 'RP-CoMHE'
  for changed in (dict(model='resnet32'), dict(depth=15), dict(dataset='sample'),
                  dict(power='a2'), dict(regularizer='srip'), dict(regularizer=['x'])):
    assert energy_sums.published_for(dict(settings, **changed)) is None
  assert energy_sums.published_for(None) is None
