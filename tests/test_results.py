"""results/: what is kept of finished trainings, and the pages about them."""
import json
import os
import re
import shlex
import shutil
import sys

import numpy as np
import pytest
import synthetic_logs
import tensorflow.compat.v1 as tf

from comhe_tf1 import flags
from comhe_tf1.data import datasets
from comhe_tf1.networks import architectures
from comhe_tf1.published import published_runs
from comhe_tf1.records import checkpoints
from comhe_tf1.regularizers import energy_monitor
from comhe_tf1.training import evaluation

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(ROOT, 'docs'))

import results


@pytest.fixture
def log_dir(tmp_path):
  """A --log_dir with one finished run: half-space MHE at a quarter of the width."""
  folder = tmp_path / 'w025_half_mhe'
  run = synthetic_logs.write_run(
      folder / 'cnn9_width0.25' / 'half_mhe', last=0.6396, args=synthetic_logs.flags(
          'half_mhe', width=0.25, max_steps=42500, op_seeds='by_name', random_seed=345))
  with open(os.path.join(run, 'env.json'), 'w') as file:
    json.dump([dict(python='3.11.7', tensorflow='2.21.0', cpu='a CPU', cpu_count=2,
                    gpus=[], git_commit='0123456789abcdef', git_changes='', from_step=step,
                    command=['src/train.py', '--regularizer', 'half_mhe', '--data_dir',
                             'somewhere', '--log_dir=else', '--width', '0.25'] + more)
               for step, more in ((0, []), (300, ['--resume']))], file)
  with open(os.path.join(run, 'metrics.jsonl'), 'w') as file:
    # 90 s for each 100 steps, and a night in between.
    for step, clock in ((0, 0), (100, 90), (200, 180), (300, 30180), (400, 30270)):
      file.write(json.dumps(dict(kind='train', step=step, wall_time=clock)) + '\n')
  os.makedirs(os.path.join(run, 'checkpoints'))
  return folder


def write(kept):
  """Writes the page of a folder of results."""
  (kept / 'README.md').write_text(results.page(results.read(str(kept)), str(kept)))


def test_a_run_is_kept_and_told_of(log_dir, tmp_path):
  kept = tmp_path / 'results'
  assert results.add(str(log_dir), results=str(kept)) == str(kept / 'w025_half_mhe')
  assert sorted(os.listdir(str(kept / 'w025_half_mhe'))) == [
      'log_test_00.txt', 'log_train_00.txt', 'run_00']
  assert sorted(os.listdir(str(kept / 'w025_half_mhe' / 'run_00'))) == [
      'args.json', 'env.json', 'final.json', 'metrics.jsonl']
  for pattern in ('log_*', 'run_00/final.json', 'run_00/metrics.jsonl'):
    for path in kept.glob('*/' + pattern):
      source, = log_dir.glob('*/*/' + str(path.relative_to(kept / 'w025_half_mhe')))
      assert path.read_bytes() == source.read_bytes()
  write(kept)
  page = (kept / 'README.md').read_text()
  row, = (line for line in page.splitlines() if line.startswith('| [w025_half_mhe]'))
  # As `synthetic_logs.accuracy`: up and down by 0.04 before the last.
  assert '| 42,500 | 345 | 36.04 | 36.00 | 36.06 | - |' in row
  # The cell of the MHE paper's table 2 for 16/32/64 filters.
  assert '| 35.16, here best 36.00 (+0.84), final 36.04 (+0.88) |' in row
  words = ' '.join(page.split())
  assert 'python train.py --regularizer half_mhe --width 0.25 - Trained' in words
  assert ('--model cnn9, --width 0.25, --depth 9, --batch_size 128, --base_lr 0.1, '
          '--op_seeds by_name; 42,500 steps, learning-rate decay steps 20,000, 30,000, '
          '37,500; seed 345.') in words
  assert ('Test accuracy: final 0.6396; best 0.6400, after step 32,500; median of the last '
          '20 0.6394.') in words
  assert '0.1 hours of training, median 0.900 s a step' in words   # 3 times 90 s
  assert 'interrupted once, and continued from step 300.' in words
  assert '- Commit 0123456789ab; Python 3.11.7, TensorFlow 2.21.0; a CPU, 2 cores.' in words
  assert ('Beside published half_mhe_2 (github.com/wy1iu/MHE, 1 run): no verdict: the '
          'settings differ from published half_mhe_2: --width 0.25, not 1') in words
  assert ('(github.com/rmlin/rmlin.github.io, data/MHE_slides.pdf page 7): test error '
          '35.16, here') in words
  assert '![' not in page
  (kept / 'w025_half_mhe' / results.PICTURE).write_bytes(b'')
  write(kept)
  assert '(w025_half_mhe/curves.png)' in (kept / 'README.md').read_text()


def test_folders_of_the_machine_are_not_kept(log_dir, tmp_path):
  kept = tmp_path / 'results'
  results.add(str(log_dir), results=str(kept))
  run = kept / 'w025_half_mhe' / 'run_00'
  original, = log_dir.glob('*/*/run_00')
  args, theirs = (json.loads((each / 'args.json').read_text()) for each in (run, original))
  assert set(theirs) - set(args) == {'data_dir', 'log_dir'}
  assert all(theirs[name] == value for name, value in args.items())
  command = ['train.py', '--regularizer', 'half_mhe', '--width', '0.25']
  assert [each['command'] for each in json.loads((run / 'env.json').read_text())] == [
      command, command + ['--resume']]


@pytest.fixture
def network(log_dir):
  """The network of a checkpoint after the last step, and its variables."""
  network = dict(model='cnn9', width=0.25, depth=9, classes=100)
  with tf.Graph().as_default():
    evaluation.build(architectures.plan(**network))
    values = {variable.op.name: 1 + np.random.RandomState(k).rand(*variable.shape.as_list())
              for k, variable in enumerate(tf.global_variables())}
  # Outputs at most 0, 0 and constant; the next two differ by just 0.01.
  values['conv3_2/bn/gamma/bias'][:5] = [0.25, -0.25, 0.001, -0.0013, -0.25]
  values['conv3_2/bn/beta/bias'][:5] = [-1., -1., 3., 3., -0.99]
  run, = log_dir.glob('*/*/run_00')
  with checkpoints.Writer(str(run / 'checkpoints'), 1) as writer:
    writer.save(42500, dict(values, **{'fc6/filter/Momentum': np.zeros(3)}),
                dict(network=network, test_md5='0' * 32, batches='much'))
  return network, values


def test_weights_are_kept_without_the_optimizers(log_dir, network, tmp_path):
  kept = tmp_path / 'results'
  results.add(str(log_dir), weights=True, results=str(kept))
  prefix, found, facts = checkpoints.find(str(kept / 'w025_half_mhe'), pytest.fail)
  assert prefix.endswith('run_00/checkpoints/model.ckpt-42500')
  assert facts == dict(network=network[0], test_md5='0' * 32, steps=42500)
  assert set(found) == set(network[1])
  assert all((found[name] == value).all() for name, value in network[1].items())
  write(kept)
  assert ('`python train.py --eval_only results/w025_half_mhe` prints the final test '
          'accuracy.') in ' '.join((kept / 'README.md').read_text().split())


def test_dead_channels_are_counted(log_dir, network, tmp_path):
  kept = tmp_path / 'results'
  results.add(str(log_dir), results=str(kept))
  assert not list(kept.glob('*/run_00/checkpoints'))
  write(kept)
  page = (kept / 'README.md').read_text()
  assert '| 36.04 | 36.00 | 36.06 | 3 of 64 |' in page
  assert 'Dead channels: conv1_0 0 of 16, conv1_1 0 of 16' in ' '.join(page.split())
  layers = architectures.plan('resnet32', 10, 0.25)
  values = {f'{layer.name}/bn/{name}/bias': np.ones(layer.c_out)
            for layer in layers for name in ('gamma', 'beta')}
  # Not of shortcuts, nor where a shortcut is added before the ReLU.
  assert list(results.dead_channels(layers, values)) == ['stem'] + [
      f'block{stage}_{block}_0' for stage in (1, 2, 3) for block in range(5)]


def test_no_weights_to_keep(log_dir, tmp_path):
  kept = tmp_path / 'results'
  with pytest.raises(results.ResultError, match='has no checkpoint after its last step'):
    results.add(str(log_dir), weights=True, results=str(kept))
  assert not kept.exists()


def test_the_kept_weights_are_those_of_the_run():
  """Their energies are the last ones that the training recorded."""
  found = [one for one in results.read()
           if os.path.exists(os.path.join(one.source.folder or '', 'checkpoints'))]
  assert found
  for one in found:
    _, values, facts = checkpoints.find(one.source.folder, pytest.fail)
    assert results.dead_channels(architectures.plan(**facts['network']), values) == {
        layer: tuple(counts) for layer, counts in one.dead.items()}
    energies = energy_monitor.energies_from_arrays(
        energy_monitor.kernels_from_checkpoint(values), ['2'])['2']
    for layer, (full, half) in energies.items():
      for kind, value in (('full_energies', full), ('half_energies', half)):
        curve = one.energies[kind][layer]
        assert curve.steps[-1] == facts['steps']
        assert curve.values[-1] == pytest.approx(value, rel=1e-6)


def recipe(name, number):
  """Flags of the line of a file in runs/, as args.json has them."""
  with open(os.path.join(ROOT, 'runs', name)) as file:
    lines = [shlex.split(line) for line in file if line.startswith('python')]
  args = vars(flags.parse(lines[number][2:])[0])
  return dict(args, data_md5=datasets.DATASETS['cifar100'].digest)


@pytest.mark.parametrize('name, number, published', [
    ('claim.sh', 0, '47.72'), ('claim.sh', 2, '36.84'), ('claim.sh', 4, '36.84'),
    ('claim.sh', 6, '35.16'), ('claim.sh', 8, 'none'),
    ('published.sh', 0, 'final 24.41 (+0.09 here); 24.39')])
def test_the_published_figure_is_found(tmp_path, name, number, published):
  args = recipe(name, number)
  synthetic_logs.write_run(tmp_path / 'one', args=args, last=0.7550)
  found, = results.read(str(tmp_path))
  page = results.page([found])
  row, = (line for line in page.splitlines() if line.startswith('| [one]'))
  assert row.split(' | ')[-1].startswith(published)
  assert ('No cell of the authors' in page) == (published == 'none')
  # Power 0 is concluded; a run of power 2 stands beside it, and it is said.
  assert ('this run has --power 2, not 0' in ' '.join(page.split())) == (
      args['regularizer'] == 'mhe' and args['power'] == '2')
  # The bound is that of `compare.py`.
  assert ('difference -0.0009; within the normal variation between seeds. Sd, the standard '
          'deviation of one run: 0.0023' in ' '.join(page.split())) == (name == 'published.sh')


def test_a_run_that_changed_its_machine(log_dir, tmp_path):
  kept = tmp_path / 'results'
  path, = log_dir.glob('*/*/run_00/env.json')
  environments = json.loads(path.read_text())
  changed = dict(environments[0], gpus=['a GPU, 1.2'], from_step=500, git_commit=None,
                 git_changes=' M train.py')
  path.write_text(json.dumps(environments + [changed]))
  results.add(str(log_dir), results=str(kept))
  write(kept)
  words = ' '.join((kept / 'README.md').read_text().split())
  assert '- From step 0: commit 0123456789ab; Python' in words
  assert ('- From step 500: commit not recorded, with changes; Python 3.11.7, TensorFlow '
          '2.21.0; a CPU, 2 cores, a GPU, 1.2.') in words
  assert 'interrupted 2 times, and continued from steps 300, 500.' in words


def _forget(name):
  return lambda run: (run / name).unlink()


def _damage(run):
  with open(str(run / 'metrics.jsonl'), 'a') as file:
    file.write('[]\n')


def _second(run):
  shutil.copytree(str(run), str(run.parent / 'run_01'))


def _shorten(run):
  path = run.parent / 'log_test_00.txt'
  path.write_text('\n'.join(path.read_text().splitlines()[:-1]) + '\n')


@pytest.mark.parametrize('change, what', [
    (_forget('final.json'), 'must hold one finished run, but has 0'),
    (_second, 'must hold one finished run, but has 2'),
    (_shorten, 'w025_half_mhe: it is not finished'),
    (_forget('args.json'), 'w025_half_mhe: there is no args.json'),
    (_forget('env.json'), 'w025_half_mhe: there is no env.json'),
    (_forget('metrics.jsonl'), 'w025_half_mhe: there is no metrics.jsonl'),
    (_damage, 'line 6 is no record')])
def test_nothing_else_is_kept(log_dir, tmp_path, change, what):
  run, = log_dir.glob('*/*/run_00')
  change(run)
  with pytest.raises(results.ResultError, match=what):
    results.add(str(log_dir), results=str(tmp_path / 'results'))
  assert not (tmp_path / 'results').exists()


def test_names(log_dir, tmp_path):
  run, = log_dir.glob('*/*/run_00')
  kept = tmp_path / 'results'
  for name in (None, 'run_01', '../up', '.hidden'):
    with pytest.raises(results.ResultError, match='no name of a result'):
      results.add(str(run), name, str(kept))
  results.add(str(run), 'W0.25', str(kept))
  with pytest.raises(results.ResultError, match='exists; choose another'):
    results.add(str(log_dir), 'W0.25', str(kept))
  write(kept)
  assert '| [W0.25](#w025) |' in (kept / 'README.md').read_text()
  _second(kept / 'W0.25' / 'run_00')
  for file in ('train', 'test'):
    log = kept / 'W0.25' / f'log_{file}_00.txt'
    shutil.copy(str(log), str(log.with_name(f'log_{file}_01.txt')))
  with pytest.raises(results.ResultError, match='W0.25 holds 2 runs, not one'):
    results.read(str(kept))


def test_mistakes_take_a_line(log_dir, capsys):
  path, = log_dir.glob('*/*/run_00/final.json')
  path.unlink()
  before = sorted(os.listdir(results.RESULTS))
  assert results.main(['--add', str(log_dir)]) == 1
  assert 'must hold one finished run, but has 0' in capsys.readouterr().err
  assert sorted(os.listdir(results.RESULTS)) == before
  with pytest.raises(SystemExit):
    results.main(['--name', 'x'])
  assert '--name needs exactly one --add' in capsys.readouterr().err


def keep(folder, name, method, seed, last, **more):
  """A finished run in a folder of results."""
  settings = dict(max_steps=42500, random_seed=seed, op_seeds='by_name', width=0.25)
  return synthetic_logs.write_run(folder / name, last=last, args=synthetic_logs.flags(
      method, **dict(settings, **more)))


def test_seeds_of_a_setting(tmp_path):
  """Against values by hand: three seeds, two of them of the baseline too."""
  for name, method, seed, last in (
      ('a', 'none', 1, 0.61), ('b', 'none', 2, 0.62), ('c', 'half_mhe', 1, 0.63),
      ('d', 'half_mhe', 2, 0.66), ('e', 'half_mhe', 3, 0.65), ('f', 'random', 9, 0.64)):
    keep(tmp_path, name, method, seed, last)
  keep(tmp_path, 'g', 'srip', 1, 0.7, width=0.5)
  page = results.results_page(results.read(str(tmp_path)))
  rows = {row.split(' | ')[0][2:]: row.rstrip(' |').split(' | ')[2:]
          for row in page.splitlines() if '../results/README.md#' in row}
  none, *others = rows
  assert none == 'none, width 0.25' and len(others) == 3
  # Best: as `synthetic_logs.accuracy`.
  assert rows[none] == [
      '[1](../results/README.md#a), [2](../results/README.md#b)', '47.72', '38.46',
      '38.50', '0.71', '-']
  # Differences -2 and -4: sd sqrt(2), t of 1 degree of freedom 12.706.
  assert rows['half_mhe, power 2, width 0.25'][1:] == [
      '35.16', '35.29', '35.33', '1.53', '-3.00 +- 12.71 (paired, n = 2)']
  # No common seed: t and sd of the two runs of none alone, sqrt(1 + 1/2).
  assert rows['random, pd 40, pn 20, power 2, width 0.25'][-1] == (
      f'-2.50 +- {12.7062 * 0.5 ** 0.5 * 1.5 ** 0.5:.2f} (n = 1 and 2)')
  assert rows['srip, width 0.5'][-1] == 'no run of none'


def test_an_unfinished_run_of_two_logs(tmp_path):
  """Beside the published log whose first line it has, by hand at two steps."""
  published = published_runs.RUNS['angle']
  first = list(published.first_line.values())
  planted = {step: published.tests[step] for step in range(1000, 52000, 1000)}
  planted.update({2000: planted[2000] + 0.03, 40000: planted[40000] - 0.06,
                  51000: planted[51000] + 0.01})
  synthetic_logs.write_log(tmp_path / 'going_on', first=first, until=51600,
                           planted=planted)
  page = results.page(results.read(str(tmp_path)))
  assert ('| [going_on](#going_on) | settings not recorded; as published angle | 75,000 | '
          '- | unfinished, at step 51,500 | - | - | - | none |') in page
  assert (f'| before 30,000 | 29 | +0.0300 (2,000) | +{0.03 / 29:.4f} |') in page
  assert ('| 30,000 to 49,999 | 20 | -0.0600 (40,000) | -0.0030 |') in page
  assert ('| 50,000 to 64,999 | 2 | +0.0100 (51,000) | +0.0050 |') in page
  assert ('| 40,000 | %.4f | %.4f | -0.0600 |' % (
      published.tests[40000], planted[40000])) in page
  assert len(re.findall(r'^\| [\d,]+000 \| 0', page, re.M)) == 51
  assert results.figures([]) == results.figures(results.read(str(tmp_path)))
  assert ('| [going_on](../results/README.md#going_on) | 75,000 | - | - | unfinished | - | '
          '- | - |' in results.results_page(results.read(str(tmp_path))))


def test_every_published_figure_has_a_recipe():
  found = results.figures([])
  assert len({each.label for each in found}) == len(found) == 108
  assert all(each.recipes for each in found) and not any(each.measured for each in found)
  # As many as two schedules, where the authors' is not known.
  assert {len(each.recipes) for each in found} == {1, 2}


def test_results_stand_beside_what_was_published(tmp_path):
  keep(tmp_path, 'half', 'half_mhe', 345, 0.64)
  keep(tmp_path, 'full', 'mhe', 345, 0.63, energy_weight=0.1, output_energy_weight=1.)
  synthetic_logs.write_run(tmp_path / 'log', last=0.7560,
                           layers=('conv1_0', 'fc6', 'score'))
  found = results.figures(results.read(str(tmp_path)))
  assert {each.label: (each.measured, each.counts) for each in found if each.measured} == {
      'CoMHE log, random': (['log: 24.36, final 24.40'], True),
      'MHE table 2, Half-space MHE, 16/32/64': (['half: 35.96, final 36.00'], True),
      'MHE table 2, MHE, 16/32/64': (
          ['full: 36.96, final 37.00; --power 2, not 0'], False),
      'CoMHE table of depths, RP-CoMHE, CNN-9': (['log: 24.36, final 24.40'], True),
      # Of conv1_0 and fc6, at the last of the recorded steps.
      'CoMHE plot of energies, RP-CoMHE': (
          ['log: 400: 1.0092 (full space), 1.0092 (half space)'], True)}
  page = results.results_page(results.read(str(tmp_path)))
  assert '108 published figures: 108 with a recipe, 4 measured here' in page
  assert ('| MHE table 2, Half-space MHE, 16/32/64 | 35.16 | published_width.sh 10 | '
          'half: 35.96, final 36.00 |') in page
  # Of the runs, those without a regularizer would be first.
  assert [row.split(' | ')[0] for row in page.splitlines()
          if '](../results/README.md#' in row and row.startswith('|')] == [
              '| mhe, power 2, energy_weight 0.1, output_energy_weight 1, width 0.25',
              '| half_mhe, power 2, width 0.25', '| random, pd 40, pn 20, power 2']


def test_the_pages_are_those_of_the_runs():
  found = results.read()
  for path, text in (
      (os.path.join(results.RESULTS, 'README.md'), results.page(found)),
      (results.PAGE, results.results_page(found))):
    with open(path, encoding='utf-8') as file:
      assert file.read() == text
  # Pictures and records that everybody has to download.
  for folder, _, names in os.walk(results.RESULTS):
    for name in names:
      assert os.path.getsize(os.path.join(folder, name)) < (
          2000000 if 'checkpoints' in folder else 350000), name
