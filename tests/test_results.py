"""results/: what is kept of finished trainings, and the page about them."""
import json
import os
import sys

import pytest
import synthetic_logs

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
                             'somewhere', '--log_dir', 'else', '--width', '0.25'] + more)
               for step, more in ((0, []), (300, ['--resume']))], file)
  with open(os.path.join(run, 'metrics.jsonl'), 'w') as file:
    # 90 s for each 100 steps, and a night in between.
    for step, clock in ((0, 0), (100, 90), (200, 180), (300, 30180), (400, 30270)):
      file.write(json.dumps(dict(kind='train', step=step, wall_time=clock)) + '\n')
  os.makedirs(os.path.join(run, 'checkpoints'))
  return folder


def test_a_run_is_kept_and_told_of(log_dir, tmp_path):
  kept = tmp_path / 'results'
  assert results.add(str(log_dir), str(kept)) == str(kept / 'w025_half_mhe')
  assert sorted(os.listdir(str(kept / 'w025_half_mhe'))) == [
      'log_test_00.txt', 'log_train_00.txt', 'run_00']
  assert sorted(os.listdir(str(kept / 'w025_half_mhe' / 'run_00'))) == sorted(results.KEPT)
  for path in kept.glob('*/log_*'):
    source, = log_dir.glob('*/*/' + path.name)
    assert path.read_bytes() == source.read_bytes()
  results.write(str(kept))
  page = (kept / 'README.md').read_text()
  row, = [line for line in page.splitlines() if line.startswith('| [w025_half_mhe]')]
  assert '| 42,500 | 345 | 0.6396 |' in row
  # The cell of the MHE paper's table 2 for 16/32/64 filters.
  assert 'test error 35.16, here lowest ' in row and 'last 36.04' in row
  words = ' '.join(page.split())
  assert 'python train.py --regularizer half_mhe --width 0.25 - Trained' in words
  assert '0.1 hours of training, median 0.900 s a step' in words   # 3 times 90 s
  assert 'interrupted and resumed once' in words
  assert 'Commit 0123456789ab; Python 3.11.7, TensorFlow 2.21.0; a CPU, 2 cores' in words
  assert 'none: other settings than published half_mhe_2: --width 0.25, not 1' in words


def test_nothing_else_is_kept(log_dir, tmp_path, capsys):
  for path in log_dir.glob('*/*/run_00/final.json'):
    path.unlink()
  assert results.main(['--add', str(log_dir)]) == 1
  assert 'must hold one finished run, but has 0' in capsys.readouterr().err
  assert not os.path.exists(os.path.join(results.RESULTS, log_dir.name))


def test_the_page_is_that_of_the_runs():
  found = results.read()
  path = os.path.join(results.RESULTS, 'README.md')
  assert os.path.exists(path) == bool(found)
  if found:
    with open(path) as file:
      assert file.read() == results.page(found)
