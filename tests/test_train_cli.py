"""The real command line, as a user calls it."""
import os
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest

import cifar_sample
from comhe_tf1 import legacy_log

TRAIN_LINE = re.compile(r'====iter_(\d+): fit=(\d+\.\d{4}), reg=(\d\.\d{4}), '
                        r'thom=(\d\.\d{4}), thomf=(\d\.\d{4}), acc=([01]\.\d{4})$')
TEST_LINE = re.compile(r'\+\+\+\+iter_(\d+): test acc=([01]\.\d{4})$')


def call(root, cwd, *flags, **environment):
  """Runs train.py; returns exit status, lines on stdout, lines on stderr."""
  process = subprocess.Popen(
      [sys.executable, os.path.join(root, 'train.py')] + list(flags),
      cwd=str(cwd), env=dict(os.environ, **environment),
      stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
  out, err = process.communicate(timeout=300)
  return process.returncode, out.splitlines(), err.splitlines()


def files_below(path):
  return sorted(os.path.relpath(os.path.join(folder, name), str(path))
                for folder, _, names in os.walk(str(path)) for name in names)


@pytest.mark.parametrize('regularizer, flags, folder', [
    ('random', [], 'random_projection/pd40_pn20'),
    ('angle', [], 'angle_projection/pd30_pn1_iter1'),
    ('adversarial', ['--iters', '2'], 'adversarial_projection/pd30_pn1_iter2')])
def test_training_on_the_sample(root, tmp_path, regularizer, flags, folder):
  status, out, err = call(
      root, tmp_path, '--dataset', 'sample', '--regularizer', regularizer,
      '--max_steps', '3', '--log_every', '1', '--batch_size', '8', *flags)
  assert status == 0, err
  assert 'SYNTHETIC' in out[1]
  path = os.path.join('log', 'sample', *folder.split('/'))
  assert files_below(tmp_path) == [os.path.join(path, 'log_test_00.txt'),
                                   os.path.join(path, 'log_train_00.txt')]
  with open(str(tmp_path / path / 'log_train_00.txt')) as file:
    train = file.read().splitlines()
  with open(str(tmp_path / path / 'log_test_00.txt')) as file:
    test = file.read().splitlines()
  assert [int(TRAIN_LINE.match(line).group(1)) for line in train] == [0, 1, 2]
  assert [int(TEST_LINE.match(line).group(1)) for line in test] == [2]
  assert out[-4:] == train + test   # the terminal shows the same lines
  # Off a terminal: no bar. On a machine without a GPU: one warning.
  assert all('warning: TensorFlow finds no GPU 0' in line for line in err)
  assert len(err) <= 1


def test_runs_repeat_and_differ_by_seed(root, tmp_path):
  flags = ['--dataset', 'sample', '--max_steps', '1', '--batch_size', '8', '--pd',
           '2', '--pn', '1', '--gpu_no', '-1']
  for seed in ('7', '7', '8'):
    status, _, err = call(root, tmp_path, '--random_seed', seed, *flags)
    assert status == 0 and not err   # the CPU was asked for: nothing to warn of
  lines = []
  for number in range(3):
    with open(str(tmp_path / 'log' / 'sample' / 'random_projection' / 'pd2_pn1' /
                  ('log_train_%02d.txt' % number))) as file:
      lines.append(file.read())
  assert lines[0] == lines[1] != lines[2]


def test_reading_pickles(root, tmp_path):
  """The sample's pickles train as the sample does; other folder of logs."""
  cifar_sample.write(str(tmp_path / 'data'))
  flags = ['--max_steps', '1', '--batch_size', '8', '--pd', '2', '--pn', '1',
           '--gpu_no', '-1']
  results = [call(root, tmp_path, *(flags + more)) for more in (
      ['--data_dir', 'data'], ['--dataset', 'sample'])]
  assert [result[0] for result in results] == [0, 0]
  assert results[0][1][-2:] == results[1][1][-2:]
  assert files_below(tmp_path / 'log')[0].startswith('random_projection')
  assert 'SYNTHETIC' not in ''.join(results[0][1])


def test_first_line(root, tmp_path):
  status, out, err = call(root, tmp_path, '--first_line', '--gpu_no', '-1')
  assert status == 0 and not err
  assert out[-1] == '9 of 9 figures match to the last digit'
  assert not files_below(tmp_path)


@pytest.mark.slow
def test_the_sample_is_learnt(root, tmp_path):
  status, out, _ = call(
      root, tmp_path, '--dataset', 'sample', '--batch_size', '32', '--base_lr',
      '0.001', '--bn_decay', '0.9', '--max_steps', '101', '--pd', '10', '--pn', '3')
  assert status == 0
  fits = [float(match.group(2)) for match in map(TRAIN_LINE.match, out) if match]
  assert fits[-1] < fits[0] / 4.
  assert float(TEST_LINE.match(out[-1]).group(2)) > 0.3   # chance is 0.01


def test_help_names_every_flag_with_its_default(root, tmp_path):
  status, out, _ = call(root, tmp_path, '--help')
  assert status == 0
  text = ' '.join(' '.join(out).split())
  for flag in ('regularizer', 'pd', 'pn', 'pnd', 'iters', 'dataset', 'data_dir',
               'batch_size', 'base_lr', 'lr_drops', 'max_steps', 'bn_decay',
               'random_seed', 'op_seeds', 'log_dir', 'log_every', 'eval_every',
               'gpu_no'):
    assert re.search(r'--%s [^(]*\(default' % flag, text), flag


# Flags, and what the one line must say. Exit status 2.
USAGE = [
    (['--nonsense'], 'unrecognized arguments: --nonsense'),
    (['--random', '3'], 'unrecognized arguments'),     # no abbreviations
    (['extra'], 'unrecognized arguments: extra'),
    (['--regularizer', 'mean'], "invalid choice: 'mean'"),
    (['--dataset', 'imagenet'], "invalid choice: 'imagenet'"),
    (['--op_seeds', 'tf2'], "invalid choice: 'tf2'"),
    (['--pd', '0'], "--pd: expected a whole number from 1 to 65536, got '0'"),
    (['--pd', '-3'], "got '-3'"),
    (['--pd', '4.5'], "got '4.5'"),
    (['--pd', 'x'], "got 'x'"),
    (['--pd', ''], "got ''"),
    (['--pd'], '--pd: expected one argument'),
    (['--pn', '0'], '--pn: expected a whole number from 1 to 4096'),
    (['--pnd', '-1'], '--pnd: expected a whole number from 0'),
    (['--pnd', '65'], 'pnd must be at most 64'),
    (['--pnd', '2', '--regularizer', 'angle'], '--pnd does not apply to --regularizer angle'),
    (['--iters', '2'], '--iters does not apply to --regularizer random'),
    (['--iters', '-1', '--regularizer', 'angle'], "got '-1'"),
    (['--batch_size', '0'], '--batch_size'),
    (['--base_lr', '0'], "--base_lr: expected a number above 0, got '0'"),
    (['--base_lr', 'nan'], "got 'nan'"),
    (['--base_lr', 'inf'], "got 'inf'"),
    (['--base_lr', 'fast'], "got 'fast'"),
    (['--lr_drops', '5,a'], "got '5,a'"),
    (['--lr_drops', '5,3'], 'steps must increase'),
    (['--lr_drops', '5,5'], 'steps must increase'),
    (['--max_steps', '0'], '--max_steps'),
    (['--log_every', '0'], '--log_every'),
    (['--eval_every', '0'], '--eval_every'),
    (['--bn_decay', '1'], "--bn_decay: expected a number in [0, 1), got '1'"),
    (['--random_seed', '-1'], 'from 0 to 4294967295'),
    (['--random_seed', '4294967296'], "got '4294967296'"),
    (['--gpu_no', 'first'], "got 'first'"),
    (['--gpu_no', '0,,1'], "got '0,,1'"),
    (['--first_line', '--regularizer', 'angle'], '--first_line takes no --regularizer'),
]


@pytest.mark.parametrize('flags, words', USAGE, ids=lambda v: ' '.join(v) if
                         isinstance(v, list) else '')
def test_usage_errors(root, tmp_path, flags, words):
  needs_sample = ['--dataset', 'sample'] if words.startswith('pnd must') else []
  status, out, err = call(root, tmp_path, *(flags + needs_sample))
  assert status == 2
  assert not out
  # A line on the missing GPU may come before it where TensorFlow has started.
  assert len(err) == 1 and words in err[0]
  assert err[0].startswith('train.py: error: ')
  assert not files_below(tmp_path)


def good_rows():
  return cifar_sample.generate()['test']


def write_pickle(path, content):
  with open(str(path), 'wb') as file:
    pickle.dump(content, file, protocol=2)


def no_folder(tmp_path):
  return ['--data_dir', 'nowhere'], 'cannot read nowhere'


def no_test_file(tmp_path):
  write_pickle(tmp_path / 'train', good_rows())
  return ['--data_dir', '.'], 'cannot read ./test: No such file'


def cut_pickle(tmp_path):
  write_pickle(tmp_path / 'train', good_rows())
  content = (tmp_path / 'train').read_bytes()
  (tmp_path / 'train').write_bytes(content[:len(content) // 2])
  return ['--data_dir', '.'], './train is not a whole pickle'


def wrong_dtype(tmp_path):
  write_pickle(tmp_path / 'train', dict(good_rows(), data=np.zeros((500, 3072))))
  return ['--data_dir', '.'], 'got a float64 array of shape [500, 3072]'


def wrong_labels(tmp_path):
  write_pickle(tmp_path / 'train', dict(good_rows(), fine_labels=[100] * 500))
  return ['--data_dir', '.'], 'label 100 of image 0 is outside 0..99'


def large_batch(tmp_path):
  return (['--dataset', 'sample', '--batch_size', '2001'],
          '--batch_size 2001 is larger than the training set of 2000 images')


def log_dir_is_a_file(tmp_path):
  (tmp_path / 'log').write_text('precious')
  return ['--dataset', 'sample'], 'cannot write logs to'


def log_numbers_taken(tmp_path):
  folder = tmp_path / 'log' / 'sample' / 'random_projection' / 'pd40_pn20'
  folder.mkdir(parents=True)
  for number in range(legacy_log.MAX_LOGS):
    (folder / ('log_train_%02d.txt' % number)).write_text('precious')
  return ['--dataset', 'sample'], 'all 100 log numbers are taken'


@pytest.mark.parametrize('mistake', [
    no_folder, no_test_file, cut_pickle, wrong_dtype, wrong_labels, large_batch,
    log_dir_is_a_file, log_numbers_taken])
def test_failures(root, tmp_path, mistake):
  flags, words = mistake(tmp_path)
  before = files_below(tmp_path)
  status, out, err = call(root, tmp_path, '--gpu_no', '-1', *flags)
  assert status == 1
  assert not out
  assert len(err) == 1 and words in err[0]
  assert err[0].startswith('train.py: error: ')
  assert files_below(tmp_path) == before


def test_a_closed_terminal_is_no_traceback(root, tmp_path):
  process = subprocess.Popen(
      [sys.executable, os.path.join(root, 'train.py'), '--dataset', 'sample',
       '--batch_size', '2', '--pd', '2', '--pn', '1', '--log_every', '1',
       '--gpu_no', '-1'], cwd=str(tmp_path), stdout=subprocess.PIPE,
      stderr=subprocess.PIPE, universal_newlines=True)
  process.stdout.readline()
  process.stdout.close()
  assert process.stderr.read() == ''
  assert process.wait() == 1
