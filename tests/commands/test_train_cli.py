"""The real command line, as a user calls it."""
import fcntl
import json
import os
import pickle
import pty
import random
import re
import resource
import signal
import subprocess
import sys
import termios
import time

import kill_and_resume
import numpy as np
import processes
import pytest
import sample_pickles
import tensorflow.compat.v1 as tf
import train

from comhe_tf1 import flags
from comhe_tf1.data import sample
from comhe_tf1.records import checkpoints
from comhe_tf1.utils import durable
from comhe_tf1.utils import signals

TRAIN_LINE = re.compile(r'====iter_(\d+): fit=(\d+\.\d{4}), reg=(\d\.\d{4}), '
                        r'thom=(\d\.\d{4}), thomf=(\d\.\d{4}), acc=([01]\.\d{4})$')
TEST_LINE = re.compile(r'\+\+\+\+iter_(\d+): test acc=([01]\.\d{4})$')


def start(root, cwd, *flags, **settings):
  return processes.start(sys.executable, os.path.join(root, 'train.py'), *flags, cwd=cwd,
                         **settings)


def call(root, cwd, *flags, **settings):
  """Runs train.py; returns exit status, lines on stdout, lines on stderr."""
  return processes.finish(start(root, cwd, *flags, **settings))


def logged(out):
  """The lines of the terminal that are log lines too."""
  return [line for line in out if line.startswith(('====iter', '++++iter'))]


def files_below(path):
  return sorted(os.path.relpath(os.path.join(folder, name), str(path))
                for folder, _, names in os.walk(str(path)) for name in names)


@pytest.mark.parametrize('regularizer, flags, folder', [
    ('random', [], 'random_projection/pd40_pn20'),
    ('angle', ['--width', '0.25'], 'cnn9_width0.25/angle_projection/pd30_pn1_iter1'),
    ('adversarial', ['--width', '0.25', '--iters', '2'],
     'cnn9_width0.25/adversarial_projection/pd30_pn1_iter2')])
def test_training_on_the_sample(root, tmp_path, regularizer, flags, folder):
  status, out, err = call(
      root, tmp_path, '--dataset', 'sample', '--regularizer', regularizer,
      '--max_steps', '3', '--log_every', '1', '--batch_size', '8', *flags)
  assert status == 0, err
  assert any('SYNTHETIC' in line for line in out)
  path = os.path.join('log', 'sample', *folder.split('/'))
  assert sorted(os.listdir(str(tmp_path / path))) == [
      'log_test_00.txt', 'log_train_00.txt', 'run_00']
  with open(str(tmp_path / path / 'log_train_00.txt')) as file:
    train = file.read().splitlines()
  with open(str(tmp_path / path / 'log_test_00.txt')) as file:
    test = file.read().splitlines()
  assert [int(TRAIN_LINE.match(line).group(1)) for line in train] == [0, 1, 2]
  assert [int(TEST_LINE.match(line).group(1)) for line in test] == [2]
  assert logged(out) == train + test   # the terminal shows the same lines
  assert out[-3] == 'last: test acc=%s at step 2 (after the last step; the result)' % (
      test[-1].split('=')[1])
  # Off a terminal: no bar. On a machine without a GPU: one warning.
  assert all('warning: TensorFlow finds no GPU 0' in line for line in err)
  assert len(err) <= 1


def test_runs_repeat_and_differ_by_seed(root, tmp_path):
  flags = ['--dataset', 'sample', '--max_steps', '1', '--batch_size', '8', '--pd',
           '2', '--pn', '1', '--width', '0.25', '--gpu_no', '-1']
  for seed in ('7', '7', '8'):
    status, _, err = call(root, tmp_path, '--random_seed', seed, *flags)
    assert status == 0 and not err   # the CPU was asked for: nothing to warn of
  lines = []
  for number in range(3):
    with open(str(tmp_path.joinpath('log', 'sample', 'cnn9_width0.25',
                                    'random_projection', 'pd2_pn1',
                                    'log_train_%02d.txt' % number))) as file:
      lines.append(file.read())
  assert lines[0] == lines[1] != lines[2]


def test_device_flags_and_timelines(root, tmp_path):
  """Two runs with --deterministic are equal; the reduced draw has its own folder."""
  flags = ['--dataset', 'sample', '--width', '0.125', '--draw', 'reduced', '--pd', '5',
           '--batch_size', '8', '--max_steps', '8', '--log_every', '1', '--base_lr',
           '0.001', '--gpu_no', '-1', '--deterministic', '--xla', '--tf32']
  folder = tmp_path.joinpath('log', 'sample', 'cnn9_width0.125', 'random_projection',
                             'pd5_pn20_drawreduced')
  for more in (['--profile', '2'], []):
    status, _, err = call(root, tmp_path, *(flags + more))
    assert status == 0 and not err
  first, second = ((folder / ('log_train_%02d.txt' % number)).read_text()
                   for number in range(2))
  assert first == second and len(first.splitlines()) == 8
  with open(str(folder / 'run_00' / 'args.json')) as file:
    assert json.load(file)['draw'] == 'reduced'
  assert os.listdir(str(folder / 'run_00' / 'timelines'))
  assert not (folder / 'run_01' / 'timelines').exists()
  status, out, err = call(root, tmp_path, '--eval_only', str(folder / 'run_00'), *flags[:2],
                          '--gpu_no', '-1', '--deterministic')
  assert status == 0 and not err
  assert out[-1].split(',')[0] == (folder / 'log_test_00.txt').read_text().strip()


def test_reading_pickles(root, tmp_path):
  """The sample's pickles train as the sample does; other folder of logs."""
  sample_pickles.write(str(tmp_path / 'data'))
  flags = ['--max_steps', '1', '--batch_size', '8', '--pd', '2', '--pn', '1',
           '--width', '0.25', '--gpu_no', '-1']
  results = [call(root, tmp_path, *(flags + more)) for more in (
      ['--data_dir', 'data'], ['--dataset', 'sample'])]
  assert [result[0] for result in results] == [0, 0]
  assert logged(results[0][1]) == logged(results[1][1])
  line = 'data: data, not the official CIFAR-100; 2000 training and 500 test images'
  assert line in results[0][1]
  run, = tmp_path.glob('log/cnn9_width0.25/random_projection/*/run_00')
  assert json.loads((run / 'args.json').read_text())['data'] == (
      'not the official CIFAR-100')
  assert files_below(tmp_path / 'log')[0].startswith(
      os.path.join('cnn9_width0.25', 'random_projection'))
  assert 'SYNTHETIC' not in ''.join(results[0][1])


def test_resnet32_on_cifar10_with_energies(root, tmp_path):
  """Training, its record, and the evaluation of its checkpoint."""
  sample_pickles.write(str(tmp_path / 'data'), 'cifar10')
  flags = ['--dataset', 'cifar10', '--data_dir', 'data', '--gpu_no', '-1']
  status, out, err = call(root, tmp_path, *(flags + [
      '--model', 'resnet32', '--width', '0.125', '--regularizer', 'mhe', '--power', 'a0',
      '--energy_every', '2', '--log_every', '1', '--max_steps', '3', '--batch_size', '8',
      '--base_lr', '0.001']))
  assert status == 0 and not err
  # The table of parameters: headings, 34 layers, sums.
  assert out[0].split()[:3] == ['layer', 'kernel', 'parameters']
  assert out[1].split() == ['stem', '3x3x3x8', '232', 'E(W)', '1']
  assert out[34].split() == ['score', '1x1x32x10', '320', 'E(W)', '10']
  trained = sum(int(line.split()[2]) for line in out[1:35])
  assert out[35].split()[:4] == ['34', 'layers', str(trained), '34']
  assert out[36] == 'weight decay: all trained variables of the network'
  run = tmp_path / 'log' / 'cifar10' / 'resnet32_width0.125' / 'mhe' / 'powera0' / 'run_00'
  with open(str(run / 'metrics.jsonl')) as file:
    entries = [json.loads(line) for line in file]
  energies = [entry for entry in entries if entry['kind'] == 'energies']
  assert [entry['step'] for entry in energies] == [0, 2, 3]
  for entry in energies:
    assert entry['power'] == 'a0'
    assert len(entry['full_energies']) == len(entry['half_energies']) == 34
  # What mhe trains on is what is recorded at the same step.
  terms = [entry['energies'] for entry in entries if entry['kind'] == 'train']
  assert energies[1]['full_energies'] == pytest.approx(terms[2], rel=1e-6)
  assert energies[0]['full_energies'] != energies[2]['full_energies']

  status, evaluated, err = call(root, tmp_path, *(flags + ['--eval_only', str(run)]))
  assert status == 0 and not err
  assert evaluated[-1].split(', top-5')[0] == logged(out)[-1]
  status, _, err = call(root, tmp_path, '--dataset', 'sample', '--gpu_no', '-1',
                        '--eval_only', str(run))
  assert status == 1 and len(err) == 1
  assert 'has 10 classes, --dataset sample has 100' in err[0]


def test_first_line(root, tmp_path):
  status, out, err = call(root, tmp_path, '--check_first_line', '--gpu_no', '-1')
  assert status == 0 and not err
  assert out[-1] == '9 of 9 figures match to the last digit'
  assert out[-2].startswith('cannot read cifar-100-python/train: No such file or '
                            'directory; with the official CIFAR-100')
  assert not files_below(tmp_path)


def test_first_line_with_other_data(tmp_path, monkeypatch):
  """They are named, and not compared."""
  sample_pickles.write(str(tmp_path / 'data'))
  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv('COMHE_DATA_DIR', 'data')
  assert train.first_batches(*flags.parse(['--check_first_line'])) == (
      None, 'data: data, not the official CIFAR-100; 2000 training and 500 test images')


def test_first_line_with_the_official_data(root, tmp_path, cifar100):
  status, out, err = call(root, tmp_path, '--check_first_line', '--gpu_no', '-1',
                          '--data_dir', cifar100)
  assert status == 0 and not err
  assert out[-1] == '15 of 15 figures match to the last digit'
  assert [line.split()[3] for line in out if ' fit ' in line] == [
      '6.3621', '6.2162', '6.3228']


@pytest.mark.slow
def test_the_sample_is_learnt(root, tmp_path):
  status, out, _ = call(
      root, tmp_path, '--dataset', 'sample', '--batch_size', '32', '--base_lr',
      '0.001', '--bn_decay', '0.9', '--max_steps', '101', '--pd', '10', '--pn', '3',
      '--width', '0.25')
  assert status == 0
  fits = [float(match.group(2)) for match in map(TRAIN_LINE.match, out) if match]
  assert fits[-1] < fits[0] / 4.
  assert float(TEST_LINE.match(out[-4]).group(2)) > 0.3   # chance is 0.01


def test_help_gives_every_default():
  parser = flags.make_parser()
  assert '--regularizer {none,' in parser.format_help()
  for action in parser._actions:
    if action.nargs != 0 and action.dest != 'eval_only':   # that has none
      assert '(default: ' in action.help, action.dest


def test_what_a_resumed_run_may_change():
  """A new flag must be put down here or among those that decide what is trained."""
  recorded = flags.recorded(flags.parse(['--dataset', 'sample'])[0], 'md5')
  assert set(recorded) - set(flags.FIXED) == {
      'check_first_line', 'data', 'data_dir', 'devices', 'eval_only', 'gpu_no', 'log_dir',
      'master', 'max_to_keep', 'profile', 'recalibrate_bn', 'resume', 'save_every',
      'skip_version_check'}
  assert set(flags.FIXED) <= set(recorded)


# Flags, and what the one line must say. Exit status 2.
USAGE = [
    (['--nonsense'], 'unrecognized arguments: --nonsense'),
    (['--random', '3'], 'unrecognized arguments'),     # no abbreviations
    (['extra'], 'unrecognized arguments: extra'),
    (['--regularizer', 'mean'], "invalid choice: 'mean'"),
    (['--pd', '0'], "--pd: expected a whole number from 1 to 65536, got '0'"),
    (['--pd', 'x'], "got 'x'"),
    (['--pd'], '--pd: expected one argument'),
    (['--pn', '0'], '--pn: expected a whole number from 1 to 4096'),
    (['--pnd', '-1'], '--pnd: expected a whole number from 0'),
    (['--pnd', '65'], 'pnd must be at most 16'),
    (['--pnd', '2', '--regularizer', 'angle'], '--pnd does not apply to --regularizer angle'),
    (['--iters', '-1', '--regularizer', 'angle'], "got '-1'"),
    (['--batch_size', '0'], '--batch_size'),
    (['--base_lr', '0'], "--base_lr: expected a number above 0, got '0'"),
    (['--base_lr', 'nan'], "got 'nan'"),
    (['--lr_drops', '5,a'], "got '5,a'"),
    (['--lr_drops', '5,3'], 'steps must increase'),
    (['--lr_drops', '5,5'], 'steps must increase'),
    (['--bn_decay', '1'], "--bn_decay: expected a number in [0, 1), got '1'"),
    (['--random_seed', '-1'], 'from 0 to 4294967295'),
    (['--pd', '65537'], 'from 1 to 65536'),
    (['--pd', '1_0'], "got '1_0'"),
    (['--base_lr', '1e39'], "got '1e39'"),       # infinite as float32
    (['--base_lr', '1e-50'], "got '1e-50'"),     # 0 as float32
    (['--dataset', 'sample', '--data_dir', '.'],
     '--data_dir does not apply to --dataset sample'),
    (['--save_every', '-1'], '--save_every: expected a whole number from 0'),
    (['--max_to_keep', '0'], '--max_to_keep: expected a whole number from 1'),
    (['--resume', '--eval_only', 'x'], '--resume and --eval_only exclude each other'),
    (['--recalibrate_bn'], '--recalibrate_bn goes with --eval_only'),
    (['--resume', 'run_00'], 'unrecognized arguments: run_00'),
    (['--eval_only'], '--eval_only: expected one argument'),
    (['line\nbreak'], 'line\\nbreak'),
    (['--gpu_no', '-1\n'], "got '-1"),
    (['--gpu_no', 'first'], "got 'first'"),
    (['--gpu_no', '0,,1'], "got '0,,1'"),
    (['--check_first_line', '--regularizer', 'angle'],
     '--check_first_line takes no --regularizer'),
    (['--power', '2', '--regularizer', 'none'], '--power does not apply to --regularizer none'),
    (['--groups', '-1', '--regularizer', 'group'], 'expected a whole number from 0'),
    (['--groups', '7', '--regularizer', 'group'],
     'groups must divide the input channels of every hidden layer, got 7, but conv1_1 '
     'has 16'),
    (['--energy_weight', '-1'], "--energy_weight: expected a number from 0 to 3e+38, got '-1'"),
    (['--output_energy_weight', 'nan'], "got 'nan'"),
    (['--log_dir', ''], "--log_dir: expected a path, got ''"),
    (['--width', '1.0000000001'], 'times it; got 1.0000000001'),
    (['--width', '0'], '--width: expected a number above 0, at most 60'),
    (['--width', '0.3'], '--width must give every stage a whole number of filters'),
    (['--depth', '10'], '--depth: invalid choice: 10'),
    (['--depth', '9', '--model', 'resnet32'], '--depth does not apply to --model resnet32'),
    (['--op_seeds', 'tf1.12', '--regularizer', 'mhe'], '--op_seeds tf1.12 is recorded for'),
    (['--op_seeds', 'tf1.14', '--width', '2'], '--op_seeds tf1.14 is recorded for'),
    (['--devices', 'gpu'], "--devices: expected devices such as gpu:0 or"),
    (['--devices', ''], "separated by commas, got ''"),
    (['--devices', 'cpu:0,/device:CPU:0'], '/device:CPU:0 is named twice'),
    (['--devices', 'cpu:0,/job:worker/task:0/cpu:0'],
     '/job:worker/task:0/device:CPU:0 is of a cluster; name one of its workers with --master'),
    (['--devices', 'cpu:0,cpu:1,cpu:2'],
     '--batch_size 128 does not divide by the 3 devices'),
    (['--devices', '/job:worker/task:0/cpu:0'], 'name one of its workers with --master'),
    (['--devices', 'cpu:0', '--master', 'grpc://127.0.0.1:2222'],
     'with --master, /device:CPU:0 needs its job and task'),
    (['--master', '127.0.0.1:2222'], "expected grpc://HOST:PORT, got '127.0.0.1:2222'"),
    (['--master', 'grpc://127.0.0.1:2222'], '--master needs --devices'),
    (['--bn_stats', 'tower'], '--bn_stats tower needs two --devices or more'),
    (['--eval_only', 'x', '--devices', 'cpu:0'], '--devices does not apply to --eval_only'),
    (['--devices', 'cpu:0,'], "separated by commas, got 'cpu:0,'"),
    (['--check_first_line', '--devices', 'cpu:0'],
     '--check_first_line takes no --devices'),
    (['--dataset', 'sample', '--devices', 'cpu:0,gpu:7', '--batch_size', '8'],
     '--devices: there is no /device:GPU:7'),
]


@pytest.mark.parametrize('flags, words', USAGE, ids=lambda v: ' '.join(v) if
                         isinstance(v, list) else '')
def test_usage_errors(root, tmp_path, flags, words):
  needs_graph = words.startswith(('pnd must', 'groups must'))
  more = ['--dataset', 'sample', '--width', '0.25'] if needs_graph else []
  status, out, err = call(root, tmp_path, *(flags + more))
  assert status == 2
  assert not out
  assert len(err) == 1 and words in err[0]
  assert err[0].startswith('train.py: error: ')
  assert not files_below(tmp_path)


def good_rows():
  return sample.generate()['test']


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


def large_batch(tmp_path):
  return (['--dataset', 'sample', '--batch_size', '2001'],
          '--batch_size 2001 is larger than the training set of 2000 images')


def log_dir_is_a_file(tmp_path):
  (tmp_path / 'log').write_text('precious')
  return ['--dataset', 'sample'], 'cannot write logs to'


RUNS = os.path.join('log', 'sample', 'cnn9_width0.25', 'random_projection', 'pd40_pn20')


def resume_other_flags(tmp_path):
  folder = tmp_path / RUNS / 'run_00'
  folder.mkdir(parents=True)
  args = flags.parse(['--dataset', 'sample', '--width', '0.25', '--max_steps', '7'])[0]
  (folder / 'args.json').write_text(json.dumps(vars(args)))
  return ['--dataset', 'sample', '--resume'], '--max_steps was 7, is 75000'


def no_such_checkpoint(tmp_path):
  return ['--dataset', 'sample', '--eval_only', 'nowhere'], 'there is no checkpoint nowhere'


def save_checkpoint(folder, values, **facts):
  with checkpoints.Writer(str(folder), 1) as writer:
    return writer.save(1, values, facts)


def damaged_checkpoints(tmp_path):
  path = save_checkpoint(tmp_path / 'checkpoints', {'w': np.zeros(3)})
  with open(path + '.index', 'wb') as file:
    file.write(b'PK')
  return ['--dataset', 'sample', '--eval_only', path], 'model.ckpt-1 is damaged'


def checkpoint_of_another_network(tmp_path):
  path = save_checkpoint(tmp_path, {'w': np.zeros(3)}, network={'model': 'x'})
  return ['--dataset', 'sample', '--eval_only', path], (
      'is of no network that this version knows')


def foreign_checkpoint(tmp_path):
  path = save_checkpoint(tmp_path, {'w': np.zeros(3)}, network=dict(
      model='cnn9', width=1, depth=9, classes=100))
  return ['--dataset', 'sample', '--eval_only', path], (
      'holds no conv1_0/filter of shape [3, 3, 3, 64]')


@pytest.mark.parametrize('mistake', [
    no_folder, no_test_file, cut_pickle, large_batch, log_dir_is_a_file,
    resume_other_flags, no_such_checkpoint, damaged_checkpoints,
    checkpoint_of_another_network, foreign_checkpoint])
def test_failures(root, tmp_path, mistake):
  flags, words = mistake(tmp_path)
  before = files_below(tmp_path)
  status, out, err = call(root, tmp_path, '--gpu_no', '-1', '--width', '0.25', *flags)
  assert status == 1
  assert not out
  assert len(err) == 1 and words in err[0]
  assert err[0].startswith('train.py: error: ')
  assert files_below(tmp_path) == before


@pytest.mark.parametrize('flags, environment, named', [
    (['--log_dir', 'gs://bucket/x'], {}, '--log_dir'),
    (['--data_dir', 's3://bucket'], {}, '--data_dir'),
    (['--eval_only', 'file:///tmp'], {}, '--eval_only'),
    (['--dataset', 'sample'], {'COMHE_LOG_DIR': 'ram://log'}, 'COMHE_LOG_DIR'),
    ([], {'COMHE_DATA_DIR': 'hdfs://x'}, 'COMHE_DATA_DIR')])
def test_addresses_are_no_paths(root, tmp_path, flags, environment, named):
  status, out, err = call(root, tmp_path, *flags, **environment)
  assert status == 2 and not out and len(err) == 1 and named in err[0]
  assert 'expected a path of this machine, got ' in err[0]
  assert not os.listdir(str(tmp_path))


@pytest.mark.skipif(tf.test.is_built_with_cuda(), reason='this TensorFlow has CUDA')
def test_a_gpu_that_was_asked_for_and_is_not_there(root, tmp_path):
  status, out, err = call(root, tmp_path, '--dataset', 'sample', '--gpu_no', '0')
  assert status == 2 and not out and len(err) == 1
  assert '--gpu_no 0: this TensorFlow is built without CUDA; requirements/' in err[0]
  assert not os.listdir(str(tmp_path))


SMALL = ['--dataset', 'sample', '--gpu_no', '-1', '--width', '0.25', '--batch_size', '8',
         '--base_lr', '0.001', '--pd', '10', '--pn', '1', '--log_every', '1']
SMALL_RUNS = os.path.join('log', 'sample', 'cnn9_width0.25', 'random_projection',
                          'pd10_pn1')


def small_run(tmp_path, name):
  return str(tmp_path / SMALL_RUNS / name)


def checkpoints_of(tmp_path):
  """The numbers of steps of the small run's checkpoints."""
  return [int(prefix.split('-')[-1])
          for prefix in checkpoints.prefixes(small_run(tmp_path, 'run_00/checkpoints'))]


def interrupt(root, tmp_path, number, *flags):
  """Sends a signal when the third line is logged; returns status and stderr."""
  process = start(root, tmp_path, *(SMALL + list(flags)))
  for line in process.stdout:
    if line.startswith('====iter_2'):
      process.send_signal(number)
      break
  status, _, err = processes.finish(process, timeout=120)
  return status, err


@pytest.mark.parametrize('number, status', [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_says_how_to_resume(root, tmp_path, number, status):
  result, err = interrupt(root, tmp_path, number)
  assert result == status
  steps = int(re.match('train.py: stopped after ([0-9]+) steps; the same command with '
                       '--resume continues$', err[0]).group(1))
  assert len(err) == 1 and steps >= 3
  assert checkpoints_of(tmp_path) == [steps]
  with open(small_run(tmp_path, 'log_train_00.txt')) as file:
    assert len(file.readlines()) == steps


def test_a_signal_without_checkpoints(root, tmp_path):
  result, err = interrupt(root, tmp_path, signal.SIGTERM, '--save_every', '0')
  assert result == 143
  assert err[0].endswith('--save_every 0 keeps no checkpoint to continue from')
  assert not os.path.exists(small_run(tmp_path, 'run_00/checkpoints'))


@pytest.mark.parametrize('number, status', [
    (signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_before_the_first_step_ends_at_once(root, tmp_path, number, status):
  # A library whose import waits: opened for writing as soon as it is imported.
  pipe, package = tmp_path / 'pipe', tmp_path / 'tensorflow'
  os.mkfifo(str(pipe))
  package.mkdir()
  (package / '__init__.py').write_text(f'open({str(pipe)!r}).read()\n')
  process = start(root, tmp_path, '--dataset', 'sample', '--skip_version_check',
                  PYTHONPATH=str(tmp_path), PYTHONDONTWRITEBYTECODE='1')
  with open(str(pipe), 'wb'):
    process.send_signal(number)
    ended, out, err = processes.finish(process, timeout=60)
  assert (ended, out) == (status, []) and 'Traceback' not in '\n'.join(err)
  assert files_below(tmp_path) == ['pipe', 'tensorflow/__init__.py']


def test_a_signal_within_an_import_ends_at_once(root, tmp_path):
  # As some versions do, it makes another exception of whatever ends its import.
  package = tmp_path / 'tensorflow'
  package.mkdir()
  (package / '__init__.py').write_text(
      'import os, signal, time\ntry:\n  os.kill(os.getpid(), signal.SIGTERM)\n'
      '  time.sleep(60)\nexcept BaseException:\n  raise ImportError("broken")\n')
  status, out, err = call(root, tmp_path, '--check_first_line', '--gpu_no', '-1',
                          '--skip_version_check', PYTHONPATH=str(tmp_path))
  assert (status, out, err) == (143, [], [])


@pytest.mark.parametrize('script', ['train.py', 'compare.py', 'cifar_input.py'])
@pytest.mark.parametrize('name, status', [('INT', 130), ('TERM', 143), ('HUP', 129)])
def test_a_signal_in_the_first_moments_ends_at_once(root, tmp_path, script, name, status):
  """Before NumPy is imported; where it is ignored, the import goes on."""
  (tmp_path / 'numpy.py').write_text(
      'import os, signal\nos.kill(os.getpid(), signal.SIG%s)\nraise ImportError("next")\n'
      % name)
  for shell, expected in (('exec "$0" "$1"', status),
                          (f'trap "" {name}; exec "$0" "$1"', 1)):
    ended, out, err = processes.call('sh', '-c', shell, sys.executable,
                                     os.path.join(root, script), PYTHONPATH=str(tmp_path))
    assert (ended, out) == (expected, [])
    assert [line.split(';')[0] for line in err] == (
        ['error: next'] if expected == 1 else [])


def test_the_first_signal_is_noted():
  before = signal.getsignal(signal.SIGTERM)
  with signals.Interruption() as interrupted:
    os.kill(os.getpid(), signal.SIGTERM)
    assert interrupted.signal == signal.SIGTERM
  assert signal.getsignal(signal.SIGTERM) == before
  with signals.Interruption() as interrupted:   # counts anew
    os.kill(os.getpid(), signal.SIGINT)
    assert interrupted.signal == signal.SIGINT


@pytest.mark.parametrize('where', ['import time; time.sleep(60)',
                                   processes.WAIT_IN_A_LIBRARY])
def test_a_second_signal_ends_at_once(where):
  process = processes.start(sys.executable, '-c', (
      'from comhe_tf1.utils import signals\n'
      'with signals.Interruption():\n'
      '  print("up", flush=True)\n  %s' % where))
  assert process.stdout.readline() == 'up\n'
  for number in (signal.SIGTERM, signal.SIGINT):
    assert process.poll() is None
    process.send_signal(number)
    time.sleep(1.)   # two at once might come in another order
  assert processes.finish(process, timeout=60) == (130, [], [])


def test_warnings_do_not_end_at_once():
  """A terminal and its shell send several as it goes, schedulers some before SIGTERM."""
  process = processes.start(sys.executable, '-c', (
      'import os, signal, time\nfrom comhe_tf1.utils import signals\n'
      'with signals.Interruption() as interrupted:\n'
      '  for name in ("USR1", "HUP", "HUP", "XCPU", "XCPU", "TERM"):\n'
      '    os.kill(os.getpid(), getattr(signal, "SIG" + name))\n'
      '  time.sleep(1)\n  print(interrupted.signal, flush=True)\n'
      '  os.kill(os.getpid(), signal.SIGTERM)\n  time.sleep(60)'))
  assert processes.finish(process, timeout=50) == (143, [str(int(signal.SIGUSR1))], [])


@pytest.mark.parametrize('setting', [
    'signals.Interruption().__enter__()', 'signals.end_at_once()'])
def test_a_signal_that_was_ignored_stays_so(setting):
  numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
  process = processes.start('sh', '-c', (
      'trap "" INT TERM HUP; exec "$0" -c \'import os, signal, time\n'
      'from comhe_tf1.utils import signals\n%s\n'
      'for number in (%s):\n  os.kill(os.getpid(), number)\n'
      'time.sleep(1)\nprint("on")\'' % (setting, ', '.join(
          str(int(number)) for number in numbers))), sys.executable)
  assert processes.finish(process, timeout=60) == (0, ['on'], [])


def test_a_terminal_that_goes_ends_with_a_checkpoint(root, tmp_path):
  ours, theirs = pty.openpty()

  def own_terminal():
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)

  process = subprocess.Popen(
      [sys.executable, os.path.join(root, 'train.py')] + SMALL, cwd=str(tmp_path),
      stdin=theirs, stdout=theirs, stderr=theirs, preexec_fn=own_terminal)
  os.close(theirs)
  shown = b''
  while b'====iter_2' not in shown:
    shown += os.read(ours, 65536)
  os.close(ours)   # as a connection that drops
  assert process.wait(timeout=120) == 129
  with open(small_run(tmp_path, 'log_train_00.txt')) as file:
    steps = len(file.readlines())
  assert checkpoints_of(tmp_path) == [steps]


@pytest.mark.parametrize('come, status, steps', [(True, 129, 3), (False, 0, 5)])
def test_a_line_fails_before_the_hangup_comes(root, tmp_path, come, status, steps):
  """Or where none comes: the terminal is not the process's own, as after setsid."""
  program = (
      'import os, runpy, signal, sys\n'
      'from comhe_tf1.utils import progress\n'
      'show = progress.Progress.line\n'
      'def line(self, text):\n'
      '  if "iter_2" in text:\n    sys.stdin.read()   # ends once the terminal has gone\n'
      '  show(self, text)\n'
      '  if "iter_2" in text and %r:\n    os.kill(os.getpid(), signal.SIGHUP)\n'
      'progress.Progress.line = line\n'
      'del sys.argv[0]\n'
      'runpy.run_path(sys.argv[0], run_name="__main__")' % come)
  ours, theirs = pty.openpty()
  process = subprocess.Popen(
      [sys.executable, '-c', program, os.path.join(root, 'train.py')] + SMALL + [
          '--max_steps', '5'], cwd=str(tmp_path), env=dict(os.environ, PYTHONPATH=root),
      stdin=subprocess.PIPE, stdout=theirs, stderr=theirs, start_new_session=True)
  os.close(theirs)
  shown = b''
  while b'====iter_1' not in shown:
    shown += os.read(ours, 65536)
  os.close(ours)
  process.communicate(timeout=120)
  assert process.returncode == status
  with open(small_run(tmp_path, 'log_train_00.txt')) as file:
    assert len(file.readlines()) == steps
  assert checkpoints_of(tmp_path) == [steps]


def test_a_finished_run_is_evaluated_and_shown_again(root, tmp_path):
  flags = SMALL + ['--max_steps', '5', '--save_every', '2', '--max_to_keep', '2',
                   '--bn_decay', '0.5']
  assert call(root, tmp_path, *flags)[0] == 0
  assert checkpoints_of(tmp_path) == [4, 5]
  before = files_below(tmp_path)
  status, out, err = call(root, tmp_path, '--resume', *flags)
  assert status == 0 and not err and files_below(tmp_path) == before
  assert out[0] == 'this run is finished' and out[1].startswith('last: test acc=')
  with open(small_run(tmp_path, 'log_test_00.txt')) as file:
    logged, = file.read().splitlines()

  # Damage to the newest one is seen, and the one before used.
  before = files_below(tmp_path)
  status, out, err = call(root, tmp_path, *(SMALL + [
      '--eval_only', small_run(tmp_path, 'run_00'), '--recalibrate_bn']))
  assert status == 0 and not err
  pattern = r'(\+\+\+\+iter_4: test acc=\d\.\d{4}), top-5 acc=(\d\.\d{4})$'
  assert re.match(pattern, out[-2]).group(1) == logged
  assert float(re.match(pattern, out[-2]).group(2)) >= float(logged.split('=')[1])
  assert "not the original's protocol" in out[-1] and re.search(pattern, out[-1])
  assert files_below(tmp_path) == before

  prefix = small_run(tmp_path, 'run_00/checkpoints/model.ckpt-%d')
  with open(prefix % 5 + '.data-00000-of-00001', 'r+b') as file:
    file.truncate(1000)
  status, out, err = call(root, tmp_path, *(SMALL + [
      '--eval_only', str(tmp_path / SMALL_RUNS)]))
  assert status == 0 and len(err) == 1 and 'damaged' in err[0]
  assert out[-1].startswith('++++iter_3: ')

  # Other images than those it was trained with.
  content = sample.generate()
  (tmp_path / 'data').mkdir()
  write_pickle(tmp_path / 'data' / 'test', content['train'])
  status, out, err = call(root, tmp_path, '--gpu_no', '-1', '--data_dir', 'data',
                          '--eval_only', prefix % 4)
  assert status == 0 and len(err) == 1 and 'trained with other data' in err[0]


def test_a_log_folder_that_is_not_utf8(root, tmp_path):
  status, out, err = call(root, tmp_path, *(SMALL + ['--log_dir', os.fsdecode(b'L\xe4')]))
  assert (status, out, len(err)) == (2, [], 1) and 'is not in UTF-8' in err[0]


def test_a_signal_during_an_evaluation(root, tmp_path):
  """Heard between two of its batches; what is left of it is made after the resumption."""
  program = (
      'import os, runpy, signal, sys\n'
      'from comhe_tf1.training import loop\n'
      'step, evaluate = loop.step, loop.evaluate\n'
      'def stopped(*args, stop):\n'
      '  asked = []\n'
      '  def count():\n'
      '    asked.append(1)\n'
      '    if len(asked) == 3:\n      os.kill(os.getpid(), signal.SIGTERM)\n'
      '    assert len(asked) < 6\n'
      '    return stop()\n'
      '  return evaluate(*args, stop=count)\n'
      'loop.evaluate = stopped\n'
      'del sys.argv[0]\n'
      'runpy.run_path(sys.argv[0], run_name="__main__")')
  flags = SMALL + ['--max_steps', '4', '--eval_every', '2', '--deterministic']
  assert call(root, tmp_path, '--log_dir', 'whole', *flags)[0] == 0
  status, _, err = processes.call(
      sys.executable, '-c', program, os.path.join(root, 'train.py'), *flags, cwd=tmp_path,
      PYTHONPATH=root)
  assert status == 143, err
  assert checkpoints_of(tmp_path) == [3]
  assert not (tmp_path / SMALL_RUNS / 'log_test_00.txt').read_text()
  assert call(root, tmp_path, '--resume', *flags)[0] == 0
  for name in ('log_train_00.txt', 'log_test_00.txt'):
    whole, = tmp_path.glob('whole/**/' + name)
    assert (tmp_path / SMALL_RUNS / name).read_text() == whole.read_text()


def test_a_loss_that_is_not_finite(root, tmp_path):
  status, out, err = call(root, tmp_path, *(SMALL + [
      '--base_lr', '1e30', '--save_every', '1', '--max_steps', '9']))
  assert status == 1
  assert len(err) == 1 and re.match('train.py: error: .*not finite', err[0])
  for prefix in checkpoints.prefixes(small_run(tmp_path, 'run_00/checkpoints')):
    values, _ = checkpoints.load(prefix)
    assert all(np.isfinite(value).all() for value in values.values())
  for line in out:
    assert 'nan' not in line and 'inf' not in line.split('=')[-1]


@pytest.mark.parametrize('limit', [300, 3000, 2000000])
def test_a_full_disk(root, tmp_path, limit):
  """At the first line, in the logs or the events, and in a checkpoint."""
  status, _, err = call(
      root, tmp_path, *(SMALL + ['--save_every', '4', '--max_steps', '40']),
      preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
  assert status == 1
  assert len(err) == 1 and err[0].startswith('train.py: error: ')
  for folder, _, names in os.walk(str(tmp_path)):
    for name in names:
      assert not name.endswith(durable.PART)
      if name.startswith('log_train'):
        with open(os.path.join(folder, name)) as file:
          assert all(TRAIN_LINE.match(line) for line in file)


@pytest.mark.parametrize('name, shown', [
    ('L\xe4ufe'.encode(), 'logs: L\\'), (b'[a]', 'logs: [a]/')])
def test_log_folders_of_any_name(root, tmp_path, name, shown):
  """Also where the terminal cannot show it."""
  status, out, err = call(root, tmp_path, *(SMALL + [
      '--max_steps', '1', '--log_dir', os.fsdecode(name)]), LC_ALL='C',
                          PYTHONIOENCODING='ascii')
  assert status == 0 and not err
  assert any(line.startswith(shown) for line in out)
  folder = os.path.join(os.fsencode(str(tmp_path)), name, b'sample')
  assert any(b'events.' in each for _, _, names in os.walk(folder) for each in names)


def test_closed_standard_error(root, tmp_path):
  command = ' '.join(['exec', sys.executable, os.path.join(root, 'train.py')] + SMALL
                     + ['--max_steps', '1', '2>&-'])
  out = subprocess.check_output(command, shell=True, cwd=str(tmp_path))
  assert b'++++iter_0' in out


@pytest.mark.slow
@pytest.mark.parametrize('regularizer', sorted(kill_and_resume.OWN))
def test_killed_and_resumed(regularizer):
  """More often: python tests/kill_and_resume.py --deaths 20."""
  lines = []
  assert not kill_and_resume.check(regularizer, 1, random.Random(), lines.append), lines


def test_a_closed_terminal_is_no_traceback(root, tmp_path):
  process = start(root, tmp_path, '--dataset', 'sample', '--width', '0.25', '--batch_size',
                  '2', '--pd', '2', '--pn', '1', '--log_every', '1', '--gpu_no', '-1')
  process.stdout.readline()
  process.stdout.close()
  assert process.stderr.read() == ''
  assert process.wait() == 1
