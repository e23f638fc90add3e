"""results/: what is kept of finished trainings, and the page about them."""
import gzip
import json
import os
import shlex
import shutil
import sys

import pytest
import synthetic_logs

from comhe_tf1 import flags
from comhe_tf1.data import datasets
from comhe_tf1.records import recorded_run

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
  results.write(str(kept))
  page = (kept / 'README.md').read_text()
  row, = [line for line in page.splitlines() if line.startswith('| [w025_half_mhe]')]
  assert '| 42,500 | 345 | 0.6396 |' in row
  # The cell of the MHE paper's table 2 for 16/32/64 filters.
  assert 'test error 35.16, here lowest ' in row and 'last 36.04 (+0.88)' in row
  words = ' '.join(page.split())
  assert 'python train.py --regularizer half_mhe --width 0.25 - Trained' in words
  assert ('--model cnn9, --width 0.25, --depth 9, --batch_size 128, --base_lr 0.1, '
          '--op_seeds by_name; 42,500 steps, rate drops at 20,000, 30,000, 37,500; seed '
          '345.') in words
  # As `synthetic_logs.accuracy`: up and down by 0.04 before the last.
  assert ('Test errors (%): last 36.04; lowest 36.00, after step 32,500; median of the '
          'last 20 36.06.') in words
  assert '0.1 hours of training, median 0.900 s a step' in words   # 3 times 90 s
  assert 'interrupted once, and continued from step 300.' in words
  assert '- Commit 0123456789ab; Python 3.11.7, TensorFlow 2.21.0; a CPU, 2 cores.' in words
  assert ('Beside published half_mhe_2 (github.com/wy1iu/MHE, 1 run): none: other settings '
          'than published half_mhe_2: --width 0.25, not 1') in words
  assert ('(github.com/rmlin/rmlin.github.io, data/MHE_slides.pdf page 7): test error '
          '35.16, here') in words
  assert '![' not in page
  (kept / 'w025_half_mhe' / results.PICTURE).write_bytes(b'')
  results.write(str(kept))
  assert '(w025_half_mhe/curves.png)' in (kept / 'README.md').read_text()


def test_folders_of_the_machine_are_not_kept(log_dir, tmp_path):
  kept = tmp_path / 'results'
  results.add(str(log_dir), results=str(kept))
  run = kept / 'w025_half_mhe' / 'run_00'
  original, = log_dir.glob('*/*/run_00')
  args, theirs = [json.loads((each / 'args.json').read_text()) for each in (run, original)]
  assert set(theirs) - set(args) == {'data_dir', 'log_dir'}
  assert all(theirs[name] == value for name, value in args.items())
  command = ['train.py', '--regularizer', 'half_mhe', '--width', '0.25']
  assert [each['command'] for each in json.loads((run / 'env.json').read_text())] == [
      command, command + ['--resume']]


def test_a_large_record_is_compressed_and_read(log_dir, tmp_path):
  kept = tmp_path / 'results'
  original, = log_dir.glob('*/*/run_00')
  with open(str(original / 'metrics.jsonl'), 'a') as file:
    for step in range(500, 42500, 100):
      file.write(json.dumps({'kind': 'train', 'step': step, 'wall_time': 30270 + step,
                             'energies': {'layer_%d' % i: 0.5 + 1e-9 * step
                                          for i in range(30)}}) + '\n')
  results.add(str(log_dir), 'large', str(kept))
  run = kept / 'large' / 'run_00'
  packed = run / 'metrics.jsonl.gz'
  assert not (run / 'metrics.jsonl').exists()
  assert gzip.decompress(packed.read_bytes()) == (original / 'metrics.jsonl').read_bytes()
  found, = results.read(str(kept))
  source, = recorded_run.find(str(original))
  assert (found.energies, []) == recorded_run.layer_energies(source)
  assert len(found.energies['energies']['layer_0'].steps) == 420
  results.write(str(kept))
  # It can be kept once more, from where it is kept.
  results.add(str(kept / 'large'), 'again', str(kept))
  assert (kept / 'again/run_00/metrics.jsonl.gz').read_bytes() == packed.read_bytes()
  packed.write_bytes(packed.read_bytes()[:-9])
  with pytest.raises(results.ResultError, match='large: .*jsonl.gz is damaged'):
    results.read(str(kept))


def recipe(name, number):
  """Flags of the line of a file in runs/, as args.json has them."""
  with open(os.path.join(ROOT, 'runs', name)) as file:
    lines = [shlex.split(line) for line in file if line.startswith('python')]
  args = vars(flags.parse(lines[number][2:])[0])
  return dict(args, data_md5=datasets.DATASETS['cifar100'].digest)


@pytest.mark.parametrize('name, number, published', [
    ('claim.sh', 0, 'test error 47.72'), ('claim.sh', 2, 'test error 36.84'),
    ('claim.sh', 4, 'test error 36.84'), ('claim.sh', 6, 'test error 35.16'),
    ('claim.sh', 8, 'none'), ('published.sh', 0, 'last 0.7559 (-0.0009 here); test error '
                                                 '24.39')])
def test_the_published_figure_is_found(tmp_path, name, number, published):
  args = recipe(name, number)
  synthetic_logs.write_run(tmp_path / 'one', args=args, last=0.7550)
  found, = results.read(str(tmp_path))
  page = results.page([found])
  row, = [line for line in page.splitlines() if line.startswith('| [one]')]
  assert row.split(' | ')[-1].startswith(published)
  assert ('No cell of the authors' in page) == (published == 'none')
  # Power 0 is concluded; a run of power 2 stands beside it, and it is said.
  assert ('this run has --power 2, not 0' in ' '.join(page.split())) == (
      args['regularizer'] == 'mhe' and args['power'] == '2')
  # The bound is that of `compare.py`.
  assert ('difference -0.0009; within the spread expected of one run. Spread of one run: '
          '0.0023' in ' '.join(page.split())) == (name == 'published.sh')


def test_a_run_that_changed_its_machine(log_dir, tmp_path):
  kept = tmp_path / 'results'
  path, = log_dir.glob('*/*/run_00/env.json')
  environments = json.loads(path.read_text())
  changed = dict(environments[0], gpus=['a GPU, 1.2'], from_step=500, git_commit=None,
                 git_changes=' M train.py')
  path.write_text(json.dumps(environments + [changed]))
  results.add(str(log_dir), results=str(kept))
  results.write(str(kept))
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
  with pytest.raises(results.ResultError, match='is there already'):
    results.add(str(log_dir), 'W0.25', str(kept))
  results.write(str(kept))
  assert '| [W0.25](#w025) |' in (kept / 'README.md').read_text()
  _second(kept / 'W0.25' / 'run_00')
  for file in ('train', 'test'):
    log = kept / 'W0.25' / ('log_%s_00.txt' % file)
    shutil.copy(str(log), str(log).replace('00', '01'))
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


def test_the_page_is_that_of_the_runs():
  found = results.read()
  path = os.path.join(results.RESULTS, 'README.md')
  assert os.path.exists(path) == bool(found)
  if found:
    with open(path) as file:
      assert file.read() == results.page(found)
  # Pictures and records that everybody has to download.
  for folder, _, names in os.walk(results.RESULTS):
    for name in names:
      assert os.path.getsize(os.path.join(folder, name)) < 300000, name
