"""The benchmarks compute what they claim to; how fast is not tested."""
import json
import os
import sys

import numpy as np
import pytest

import cifar_input

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), 'benchmarks'))

import agreement
import ground_truth
import jobs
import large_layer
import large_layers
import plain
import report
import run
import steps
import term_cost
import worker

from comhe_tf1.networks import architectures
from comhe_tf1.regularizers import kernels as roles
from comhe_tf1.regularizers import methods


@pytest.fixture
def small_set(monkeypatch):
  """A data set of a few images for the runs."""
  monkeypatch.setattr(run, 'TRAIN', 256)
  monkeypatch.setattr(run, 'TEST', 4)
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '-1')


@pytest.mark.parametrize('variant', jobs.VARIANTS)
@pytest.mark.parametrize('contender', ['ours', 'plain'])
def test_terms_and_gradients_are_the_slow_ones(contender, variant):
  values, expected = worker.check(contender, variant), agreement.truth(variant)
  assert set(values) == set(expected)
  agreement.compare(contender, values, expected)


def test_the_reduced_draw_is_the_slow_one():
  expected = agreement.truth('random', reduced=True)
  agreement.compare('reduced', worker.check('reduced', 'random'), expected)
  with pytest.raises(agreement.Disagreement):
    agreement.compare('ours', worker.check('ours', 'random'), expected)


def test_floor_multiplies_by_all_draws():
  values, expected = worker.check('floor', 'random'), agreement.floor_truth()
  assert set(values) == set(expected)
  agreement.compare('floor', values, expected)


def test_plain_augmentation_is_bit_identical():
  images = np.random.RandomState(0).randint(0, 256, (40, 32, 32, 3)).astype(np.uint8)
  ours, theirs = np.random.RandomState(1), np.random.RandomState(1)
  np.testing.assert_array_equal(plain.augment(images, theirs),
                                cifar_input.augment(images, ours))
  assert ours.randint(2 ** 31) == theirs.randint(2 ** 31)


def test_a_wrong_contender_is_found(monkeypatch):
  monkeypatch.setattr(plain, 'NORM_FLOOR', 1e-3)
  with pytest.raises(agreement.Disagreement):
    agreement.compare('plain', worker.check('plain', 'random'),
                      agreement.truth('random'))


@pytest.mark.parametrize('actual', [
    {'thom': 1.0001}, {'thom': float('nan')}, {'thomf': 1.}, {}])
def test_disagreements(actual):
  with pytest.raises(agreement.Disagreement) as error:
    agreement.compare('somebody', actual, {'thom': 1.})
  assert 'somebody' in str(error.value)


def test_agreement():
  agreement.compare('somebody', {'thom': 1.000001, 'more': 3.}, {'thom': 1.})


def test_a_run(small_set, tmp_path, capsys):
  path = str(tmp_path / 'results.json')
  assert run.main(['--only', 'augment', '--repeats', '1', '--json', path]) == 0
  with open(path) as file:
    results = json.load(file)
  assert len(results['rows']) == 2
  for row, kind in zip(results['rows'], ('ours', 'plain')):
    assert row['contender'].startswith(kind)
    assert len(row['samples']) == 1 and row['samples'][0] > 0.
    assert results['environments'][row['contender']]['cpu_count']
  out = capsys.readouterr().out
  assert all(row['contender'] in out for row in results['rows'])


def test_no_timings_where_contenders_disagree(small_set, tmp_path, capsys, monkeypatch):
  truth = agreement.truth('random')
  monkeypatch.setattr(agreement, 'truth', lambda variant: dict(
      truth, thom=1.0001 * truth['thom']))
  path = str(tmp_path / 'results.json')
  assert run.main(['--only', 'start', '--repeats', '1', '--json', path]) == 1
  out, err = capsys.readouterr()
  assert not out and not os.path.exists(path)
  assert 'thom' in err.splitlines()[-1] and 'disagree' in err.splitlines()[-1]


def test_none_is_measured_in_whole_steps():
  given = jobs.of(['terms', 'augment', 'cnn9'], ['none', 'angle'])
  assert sorted(map(jobs.title, given)) == [
      'augment', 'cnn9 angle', 'cnn9 none', 'terms angle']
  assert sorted(map(jobs.title, jobs.of(['terms', 'cnn9'], None))) == [
      'cnn9 random', 'terms adversarial', 'terms angle', 'terms random']


@pytest.mark.slow
def test_the_first_steps_come_from_what_is_kept(small_set, tmp_path):
  folder = str(tmp_path)
  run.write_data(folder)
  values = worker.first_steps('ours', 'random', folder)
  kept, settings = steps.Kept('random', folder), methods.resolve('random', {})
  thom = 0.
  for layer in architectures.cnn()[:-1]:
    w = kept.variable(layer.name + '/filter').astype(np.float64)
    d = w.size // layer.c_out
    drawn = [None] if layer.role == roles.FIRST else [
        kept.draw(0, d, layer.c_in + i) for i in range(settings['pn'])]
    thom += np.mean([fast_half_space_energy(w.reshape(d, -1), p) for p in drawn])
  assert values['thom of step 0'] == pytest.approx(thom, rel=1e-5)
  assert values['reg of step 0'] == pytest.approx(2.5e-4 * sum(
      np.sum(kept.variable(variable).astype(np.float64) ** 2)
      for layer in architectures.cnn() for variable in [layer.name + '/filter'] + (
          [layer.name + '/bn/gamma/bias'] if layer.batch_norm else [])), rel=1e-5)
  assert not np.array_equal(kept.draw(0, 576, 64), kept.draw(1, 576, 64))
  # Gradients of all kernels, and of the last batch norm; statistics of all.
  names = [name.split()[0] for name in values]
  assert names.count('gradient') == 11 + 2 and names.count('statistic') == 9 * 2
  assert values['fit of step 2'] != values['fit of step 1']


def fast_half_space_energy(w, projection):
  """As `ground_truth`'s, which takes a minute for a layer of 256 neurons."""
  w = w if projection is None else np.dot(projection, w)
  u = w / np.sqrt(np.sum(w ** 2, axis=0) + 1e-4)
  c, count = np.dot(u.T, u), u.shape[1]
  pairs = 1. / (1. - c[np.triu_indices(count, 1)] ** 2)
  return (2. * np.sum(pairs) + np.sum(1. / (2. + 2. * np.diag(c)))) / (
      count * (2. * count - 1.))


@pytest.mark.slow
def test_a_wrong_step_in_pytorch_is_found(small_set, tmp_path, capsys):
  """By a process that speaks as PyTorch's, and computes nothing."""
  python, path = tmp_path / 'python', str(tmp_path / 'results.json')
  python.write_text('#!%s\n' % sys.executable + (
      'import sys\nprint(\'{"python": "3", "torch": "2"}\', flush=True)\n'
      'for line in sys.stdin:\n  print(\'{"fit of step 0": 1}\', flush=True)\n'))
  python.chmod(0o755)
  assert run.main(['--only', 'cnn9', '--variants', 'none', '--torch', str(python),
                   '--json', path]) == 1
  out, err = capsys.readouterr()
  assert not out and not os.path.exists(path)
  assert 'disagree: torch py3 torch2, none, first steps: fit of step 0 is 1' in err


@pytest.mark.skipif('COMHE_TORCH' not in os.environ, reason='COMHE_TORCH names no Python')
def test_pytorch(small_set, tmp_path, capsys):
  path = str(tmp_path / 'results.json')
  assert run.main(['--only', 'terms,cnn9', '--variants', 'none,random', '--repeats', '1',
                   '--torch', os.environ['COMHE_TORCH'], '--json', path]) == 0
  with open(path) as file:
    measured = [row['measure'] for row in json.load(file)['rows']
                if row['contender'].startswith('torch')]
  assert measured == ['cnn9 none', 'terms random', 'cnn9 random']


def test_a_contender_that_dies_is_one_line(small_set, tmp_path, capsys, monkeypatch):
  monkeypatch.setattr(sys, 'executable', '/bin/false')
  assert run.main(['--json', str(tmp_path / 'results.json')]) == 1
  out, err = capsys.readouterr()
  assert not out and len(err.splitlines()) == 1 and '/bin/false' in err


def test_tables():
  rows = [{'measure': 'terms random', 'quantity': 'time, s', 'contender': contender,
           'samples': samples} for contender, samples in (
               ('ours', [1., 2., 9.]), ('plain', [6., 5., 4.]))]
  rows.append({'measure': 'start random', 'quantity': 'time, s',
               'contender': 'original', 'samples': [7.]})
  lines = [line.split() for line in report.lines(rows)]
  assert lines[1] == ['terms', 'random', 'time,', 's', 'ours', '2', '1', '9', '3']
  assert lines[-2] == ['terms', 'random', 'time,', 's', '1.00', '2.50', '-']
  assert lines[-1] == ['start', 'random', 'time,', 's', '-', '-', '-']


USAGE_ERRORS = {
    run: [
        ['--only', 'speed'], ['--only', ''], ['--variants', 'mhe'], ['--repeats', '0'],
        ['--variants', 'none', '--only', 'terms'], ['--torch', '/no/such'],
        ['--torch', sys.executable, '--only', 'graph'],
        ['--torch', sys.executable, '--only', 'cnn9', '--variants', 'angle'],
        ['--python', '/no/such'], ['--original', '.'],
        ['--original_python', sys.executable], ['--json', '/no/such/folder/file'],
        ['--plot', '/no/such/folder/file'], ['--repeat', '1'], ['terms']],
    large_layers: [
        ['--neurons', '1'], ['--neurons', '64,'], ['--inputs', '0'],
        ['--torch', '/no/such'], ['--json', '/no/such/folder/file'], ['now']],
    term_cost: [
        ['--rounds', '0'], ['--methods', 'plain'], ['--before', '/no/such'],
        ['--json', '/no/such/folder/file'], ['now']]}


@pytest.mark.parametrize('script, flags', [
    pytest.param(script, flags, id='%s %s' % (script.__name__, ' '.join(flags)))
    for script, wrong in USAGE_ERRORS.items() for flags in wrong])
def test_usage_errors(script, flags, capsys):
  with pytest.raises(SystemExit) as exit_:
    script.main(flags)
  out, err = capsys.readouterr()
  assert exit_.value.code == 2 and not out
  assert len(err.splitlines()) == 1
  assert err.startswith(script.__name__ + '.py: error: ')


def test_a_plot_needs_matplotlib(capsys, monkeypatch):
  monkeypatch.setitem(sys.modules, 'matplotlib', None)
  with pytest.raises(SystemExit) as exit_:
    run.main(['--plot', 'figure.png'])
  assert exit_.value.code == 2
  err = capsys.readouterr().err
  assert len(err.splitlines()) == 1 and 'matplotlib' in err


@pytest.mark.parametrize('projections', [0, 2])
def test_large_layers_compute_what_they_say(projections):
  kernel, drawn = large_layer.inputs(5, 60, projections)
  value, norm = large_layer.tensorflow('ours', kernel, drawn)()
  wide = kernel.astype('float64')
  assert value == pytest.approx(
      ground_truth.half_space_energy(wide) if drawn is None
      else ground_truth.random_projection_energy(wide, drawn), rel=1e-5)
  assert large_layer.tensorflow('whole', kernel, drawn)() == pytest.approx(
      [value, norm], rel=1e-5)


def test_large_layers(capsys, monkeypatch, tmp_path):
  path = str(tmp_path / 'results.json')
  assert large_layers.main(['--neurons', '40', '--inputs', '8', '--repeats', '2',
                            '--json', path]) == 0
  with open(path) as file:
    rows = json.load(file)['rows']
  assert [row['contender'] for row in rows] == ['ours', 'whole', 'products']
  assert all(len(row['seconds']) == 2 and row['MB'] >= 0. for row in rows)
  lines = capsys.readouterr().out.splitlines()
  assert lines[0] == '| neurons | ours, s | MB | whole, s | MB | products, s | MB |'
  assert len(lines) == 3 and lines[2].startswith('| 40 | ')
  # What disagrees is not shown, nor what does not fit in memory measured.
  monkeypatch.setattr(large_layers, 'measured', lambda contender, *_: None if (
      contender == 'whole') else {'value': 1. + (contender == 'torch'), 'gradient': 1.,
                                  'seconds': [1.], 'MB': 1.})
  assert large_layers.main(['--neurons', '40']) == 0
  assert 'whole' not in capsys.readouterr().out
  assert large_layers.main(['--neurons', '40', '--torch', sys.executable]) == 1
  out, err = capsys.readouterr()
  assert not out and 'torch of 40 neurons: value is 2' in err


def test_what_does_not_fit_is_left_out(monkeypatch):
  args = large_layers.parse(['--neurons', '40', '--projections', '3'])
  monkeypatch.setattr(large_layers, 'free_bytes', lambda: 3 * 4 * 8 * 40 ** 2 - 1)
  assert large_layers.measured('whole', '/no/such', 40, args) is None
  with pytest.raises(OSError):
    large_layers.measured('ours', '/no/such', 40, args)


class FakeStepper(object):
  """Takes no step; an `angle` step takes 2 s longer than another, drifts or not."""
  environment = {}

  def __init__(self, method, checkout):
    self._method, self._turn = method, 0
    self._reg = 1. + 1e-4 * (checkout != run.ROOT)

  def start(self):
    pass

  stop = start

  def ask(self, steps):
    self._turn += 1
    return {'seconds': [99.] + (steps - 1) * [self._turn + 2. * (self._method == 'angle')],
            'measures': {'reg': self._reg, 'acc': self._turn}}


def test_the_cost_of_a_term(capsys, monkeypatch, tmp_path):
  monkeypatch.setattr(term_cost, 'stepper_of', FakeStepper)
  monkeypatch.setattr(term_cost, 'wait_for_quiet', lambda: 0.)
  path = str(tmp_path / 'results.json')
  assert term_cost.main(['--methods', 'angle', '--rounds', '3', '--json', path]) == 0
  with open(path) as file:
    assert [row['seconds'] for row in json.load(file)] == [[2., 3., 4.], [4., 5., 6.]]
  lines = [line.split() for line in capsys.readouterr().out.splitlines()]
  assert lines[1] == ['none', '3000.0', '2500.0', 'to', '3500.0']
  assert lines[2] == ['angle', '5000.0', '4500.0', 'to', '5500.0', '2000.0', '2000.0', 'to',
                      '2000.0', '66.7']
  # Two states of the project must compute the same.
  checkout = tmp_path / 'comhe_tf1' / 'training' / 'graph.py'
  checkout.parent.mkdir(parents=True)
  checkout.write_text('')
  assert term_cost.main(['--methods', 'angle', '--before', str(tmp_path)]) == 1
  out, err = capsys.readouterr()
  assert not out and 'disagree: none before: reg is 1.0001, expected 1' in err


def test_a_step_with_a_term_is_taken():
  stepper = term_cost.stepper_of('reduced', run.ROOT)
  try:
    stepper.start()
    reply = stepper.ask(steps=2)
  finally:
    stepper.stop()
  assert len(reply['seconds']) == 2 and reply['measures']['thom'] > 0.
