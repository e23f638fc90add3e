import sys

import ground_truth
import numpy as np
import processes
import pytest
import tensorflow.compat.v1 as tf

import comhe_tf1
from comhe_tf1.records import checkpoints
from comhe_tf1.regularizers import energy_monitor
from comhe_tf1.regularizers import methods


@pytest.fixture
def kernels(rng):
  """Values by layer; two of one shape."""
  return {name: rng.randn(*shape) for name, shape in [
      ('conv1_0', (3, 3, 3, 5)), ('conv1_1', (3, 3, 5, 5)), ('conv1_2', (3, 3, 5, 5)),
      ('score', (1, 1, 5, 7))]}


def expected(kernels, power):
  return {name: (ground_truth.full_space_energy(value.reshape(-1, value.shape[-1]), power),
                 ground_truth.half_space_energy(value.reshape(-1, value.shape[-1]), power))
          for name, value in kernels.items()}


@pytest.mark.parametrize('power', list(methods.POWERS))
def test_unprojected_energies(session, kernels, power):
  """Of every layer alike, whatever its role."""
  roles = [comhe_tf1.FIRST, comhe_tf1.HIDDEN, comhe_tf1.HIDDEN, comhe_tf1.OUTPUT]
  energies = session.run(energy_monitor.unprojected_energies([
      comhe_tf1.Kernel(name, tf.constant(value), role)
      for (name, value), role in zip(kernels.items(), roles)], power))
  assert list(energies) == list(kernels)
  for name, (full, half) in expected(kernels, power).items():
    assert energies[name].full == pytest.approx(full)
    assert energies[name].half == pytest.approx(half)


def write_checkpoint(path, kernels):
  arrays = {name + '/filter': value.astype('float32') for name, value in kernels.items()}
  arrays['conv1_0/bn/gamma/bias'] = np.ones(5, 'float32')
  arrays['conv1_0/filter/Momentum'] = np.ones((3, 3, 3, 5), 'float32')
  return save(path, 7, arrays)


def save(path, steps, arrays):
  with checkpoints.Writer(str(path), 1) as writer:
    return writer.save(steps, arrays, {})


def call(root, *flags):
  return processes.call(sys.executable, '-m', 'comhe_tf1.energies', *flags)


def test_energies_of_a_checkpoint(root, tmp_path, kernels):
  path = write_checkpoint(tmp_path / 'checkpoints', kernels)
  for flags, powers in (([], ['2']), (['--power', 'all'], list(methods.POWERS))):
    status, out, err = call(root, str(tmp_path), *flags)
    assert status == 0 and not err
    assert out[0] == f'checkpoint: {path}, after 7 steps'
    rows = {row.split()[0]: row.split() for row in out[2:]}
    assert list(rows) == list(kernels) + ['sum']
    truth = [expected(kernels, power) for power in powers]
    for name, value in kernels.items():
      assert rows[name][1] == 'x'.join(map(str, value.shape))
      np.testing.assert_allclose(np.array(rows[name][2:], float),
                                 np.concatenate([each[name] for each in truth]), rtol=1e-5)
    np.testing.assert_allclose(np.array(rows['sum'][1:], float), np.concatenate(
        [np.sum(list(each.values()), axis=0) for each in truth]), rtol=1e-5)


@pytest.mark.parametrize('flags, status, words', [
    (['nowhere'], 1, 'there is no checkpoint nowhere'),
    ([''], 2, "PATH: expected a path, got ''"),
    ([], 2, 'the following arguments are required: PATH'),
    (['x', '--power', '3'], 2, "invalid choice: '3'"),
    (['.'], 1, 'no checkpoint in .')])
def test_mistakes(root, tmp_path, monkeypatch, flags, status, words):
  monkeypatch.chdir(tmp_path)
  result, out, err = call(root, *flags)
  assert result == status and not out
  assert len(err) == 1 and words in err[0]
  assert err[0].startswith('comhe_tf1.energies: error: ')


def test_a_checkpoint_without_kernels(root, tmp_path):
  path = save(tmp_path, 1, {'w': np.zeros(3)})
  status, _, err = call(root, path)
  assert status == 1 and len(err) == 1 and 'holds no <layer>/filter' in err[0]
