"""The benchmarks compute what they claim to; how fast is not tested."""
import json
import os
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), 'benchmarks'))

import agreement
import large_layers
import measured_process
import report
import run
import step_data
import tensorflow_contender
import term_cost

from comhe_tf1.regularizers import roles

TENSORFLOW_1 = tf.__version__.startswith('1.')



def slow(test):
  """Marks a test that starts many processes; TensorFlow 2's stand for both."""
  return pytest.mark.slow(pytest.mark.skipif(
      TENSORFLOW_1, reason='minutes, for the same code')(test))


@pytest.fixture
def small_set(monkeypatch):
  """A data set of a few images, and the CPU, for the contenders."""
  monkeypatch.setattr(step_data, 'TRAIN', 16)
  monkeypatch.setattr(step_data, 'TEST', 4)
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '-1')


@pytest.fixture
def liar(tmp_path):
  """An interpreter that speaks as a contender and computes something else."""
  python = tmp_path / 'python'
  python.write_text(f"""#!{sys.executable}
print('{{"environment": {{}}, "values": {{"fit of step 0": 1, "value": 1}}}}', flush=True)
input()
""")
  python.chmod(0o755)
  return str(python)


def rows_of(path):
  """What a benchmark kept: samples by quantity and contender."""
  with open(path) as file:
    return {(row['quantity'], row['contender']): row['samples']
            for row in json.load(file)['rows']}


def test_agreement():
  agreement.compare('somebody', {'thom': 1.000001, 'more': 3.}, {'thom': 1.})
  for actual in {'thom': 1.0001}, {'thom': float('nan')}, {'thomf': 1.}, {}:
    with pytest.raises(agreement.Disagreement, match='somebody'):
      agreement.compare('somebody', actual, {'thom': 1.})


def test_tables():
  rows = [{'measure': 'terms random', 'quantity': 'time, s', 'contender': contender,
           'samples': samples} for contender, samples in (
               ('ours', [1., 2., 9.]), ('plain', [6., 5., 4.]))]
  lines = [line.split() for line in report.lines(rows)]
  assert lines[1] == ['terms', 'random', 'time,', 's', 'ours', '2', '1', '9', '3', '1.00']
  assert lines[2] == ['terms', 'random', 'time,', 's', 'plain', '5', '4', '6', '3', '2.50']


class Counter:
  """Counts its repetitions."""

  def __init__(self):
    self.count = 0

  def repeat(self):
    self.count += 1
    return {'time, s': self.count}


def test_contenders_take_turns_of_which_the_first_repetition_does_not_count():
  assert measured_process.in_turn([Counter(), Counter()], 2) == 2 * [{'time, s': [1, 2]}]
  assert measured_process.in_turn([Counter()], 2, 4) == [{'time, s': [3, 7]}]


def test_floor_multiplies_by_all_draws():
  w = np.random.RandomState(7).standard_normal((1, 2, 3, 4)).astype(np.float32)
  with tf.Graph().as_default() as graph, tf.Session() as session:
    fetches = tensorflow_contender.floor_of(
        [roles.Kernel('hidden', tf.constant(w), roles.HIDDEN)], {'pd': 4, 'pn': 2})
    drawn = [op.outputs[0] for op in graph.get_operations()
             if op.type == 'RandomStandardNormal']
    draws, values = session.run([drawn, fetches])
  p, w = np.concatenate(draws), w.reshape(6, 4)
  assert p.shape == (8, 6)
  assert values['products of hidden'] == pytest.approx(np.sum((p.T @ p @ w) ** 2), 1e-4)


@slow
def test_terms(small_set, tmp_path, capsys):
  path = str(tmp_path / 'results.json')
  assert run.main(['--only', 'terms', '--methods', 'none', 'angle', '--repeats', '2',
                   '--json', path]) == 0
  rows = rows_of(path)
  assert list(rows) == [('time, s', 'ours'), ('time, s', 'plain')]
  assert all(len(samples) == 2 and min(samples) > 0. for samples in rows.values())
  assert capsys.readouterr().out.count('terms angle') == 2


@slow
def test_steps_and_a_wrong_one(small_set, liar, tmp_path, capsys):
  path = str(tmp_path / 'results.json')
  flags = ['--only', 'cnn9', '--methods', 'none', '--batch_size', '2', '--repeats', '1',
           '--json', path]
  assert run.main(flags + ['--torch', liar]) == 1
  out, err = capsys.readouterr()
  assert not out and not os.path.exists(path)
  assert 'disagree: torch, cnn9 none: fit of step 0 is 1, expected' in err
  assert run.main(flags) == 0
  rows = rows_of(path)
  assert rows['step, s', 'ours'][0] > 0. and rows['operations', 'ours'][0] > 1000


@slow
def test_start(small_set, tmp_path):
  path = str(tmp_path / 'results.json')
  assert run.main(['--only', 'start', '--methods', 'none', '--batch_size', '2',
                   '--repeats', '1', '--json', path]) == 0
  rows = rows_of(path)
  assert rows['time, s', 'ours'][0] > 0. and rows['peak memory, MB', 'ours'][0] > 50.


ORIGINAL = """
import numpy as np
import tensorflow as tf
a = tf.placeholder(tf.float32, [1, 2, 2, 3])
fetches = [tf.no_op()] + [tf.reduce_sum(a) + i for i in range(4)]
with tf.Session() as session:
  while True:
    session.run(tf.zeros([]))
    session.run(fetches, {a: np.ones([1, 2, 2, 3])})
"""


@pytest.mark.skipif(not TENSORFLOW_1, reason='as the original, for TensorFlow 1')
def test_a_script_is_held_after_every_step(tmp_path):
  (tmp_path / 'train.py').write_text(ORIGINAL)
  with measured_process.Contender('original', [sys.executable, os.path.join(
      measured_process.HERE, 'original_contender.py')], str(tmp_path)) as contender:
    assert [contender.values[f'{name} of step 0'] for name in (
        'fit', 'reg', 'thom', 'thomf')] == [12., 13., 14., 15.]
    samples = contender.repeat()
  assert samples['step, s'] > 0. and samples['operations'] > 10


@pytest.mark.skipif('COMHE_TORCH' not in os.environ, reason='COMHE_TORCH names no Python')
def test_pytorch(small_set, tmp_path):
  path = str(tmp_path / 'results.json')
  assert run.main(['--only', 'terms', 'cnn9', '--methods', 'none', 'random', '--repeats',
                   '1', '--batch_size', '2', '--torch', os.environ['COMHE_TORCH'],
                   '--json', path]) == 0
  assert {('time, s', 'torch'), ('step, s', 'torch')} <= set(rows_of(path))


@slow
def test_the_cost_of_a_term(small_set, tmp_path, capsys, monkeypatch):
  path = str(tmp_path / 'results.json')
  flags = ['--methods', 'half_mhe', '--rounds', '2', '--batch_size', '2', '--json', path]
  assert term_cost.main(flags) == 0
  with open(path) as file:
    assert [(row['method'], len(row['seconds'])) for row in json.load(file)] == [
        ('none', 2), ('half_mhe', 2)]
  assert len(capsys.readouterr().out.splitlines()) == 3
  contender_of = term_cost.contender_of

  def with_another_seed(*given):
    monkeypatch.setattr(term_cost, 'SEED', term_cost.SEED + 1)
    return contender_of(*given)

  monkeypatch.setattr(term_cost, 'contender_of', with_another_seed)
  assert term_cost.main(flags) == 1
  out, err = capsys.readouterr()
  assert not out and 'disagree: half_mhe: batch is ' in err


def test_the_table_of_the_cost_of_a_term():
  lines = [line.split() for line in term_cost.lines([
      {'method': 'none', 'seconds': [2., 3., 4.]},
      {'method': 'angle', 'seconds': [4., 5., 6.]}])]
  assert lines[1] == ['none', '3000.0', '2500.0', 'to', '3500.0']
  assert lines[2] == ['angle', '5000.0', '4500.0', 'to', '5500.0', '2000.0', '2000.0', 'to',
                      '2000.0', '66.7']


@slow
def test_large_layers(capsys, tmp_path):
  path = str(tmp_path / 'results.json')
  assert large_layers.main(['--neurons', '40', '--inputs', '8', '--repeats', '2',
                            '--projections', '2', '--json', path]) == 0
  with open(path) as file:
    rows = json.load(file)['rows']
  assert [row['contender'] for row in rows] == ['ours', 'whole', 'products']
  assert all(len(row['samples']['time, s']) == 2 for row in rows)
  lines = capsys.readouterr().out.splitlines()
  assert lines[0] == '| neurons | ours, s | MB | whole, s | MB | products, s | MB |'
  assert len(lines) == 3 and lines[2].startswith('| 40 | ')


@slow
def test_a_wrong_large_layer_is_found(liar, capsys):
  assert large_layers.main(['--neurons', '40', '--inputs', '8', '--contenders', 'products',
                            'ours', '--torch', liar]) == 1
  out, err = capsys.readouterr()
  assert not out and 'disagree: torch of 40 neurons: value is 1, expected' in err


def test_a_contender_that_dies_is_one_line(capsys, monkeypatch):
  monkeypatch.setattr(sys, 'executable', '/bin/false')
  assert large_layers.main(['--neurons', '40']) == 1
  out, err = capsys.readouterr()
  assert not out
  assert err.splitlines()[-1] == 'large_layers.py: error: ours of 40 neurons failed: ' + (
      'without a word')
