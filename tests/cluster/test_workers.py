"""Trainings on workers through the real command lines, and what goes wrong there."""
import json
import os
import signal
import sys

import golden_run
import numpy as np
import processes
import pytest

from comhe_tf1.records import log_format

SMALL = ['--dataset', 'sample', '--width', '0.125', '--pd', '5', '--pn', '2',
         '--batch_size', '8', '--base_lr', '0.0001', '--log_every', '1', '--save_every',
         '2']
LOGS = os.path.join('sample', 'cnn9_width0.125', 'random_projection', 'pd5_pn2')
# train.py with less patience: with workers that are lost, and that do not answer.
IMPATIENT = (
    'import runpy, sys\n'
    'sys.path.insert(0, ".")\n'
    'from comhe_tf1.utils import tf_setup\n'
    'tf_setup.tensorflow("-1")\n'
    'from comhe_tf1.cluster import remote\n'
    'remote.ANSWER, remote.STEP = 10, 60\n'
    'del sys.argv[0]\n'
    'runpy.run_path("train.py", run_name="__main__")')


@pytest.fixture(scope='module')
def workers():
  """Three tasks, of which the last was not started."""
  with processes.Workers(3) as found:
    found.start(0, 1)
    yield found


def start(log_dir, *flags):
  return processes.start(sys.executable, '-c', IMPATIENT, 'train.py', '--log_dir',
                         str(log_dir), *(SMALL + list(flags)))


def train(log_dir, *flags):
  return processes.finish(start(log_dir, *flags))


def rows(log_dir):
  """Logged terms of the loss, by step."""
  path = os.path.join(str(log_dir), LOGS, 'log_train_00.txt')
  with open(path) as file:
    lines = [log_format.parse(line) for line in file.read().splitlines()]
  return {line.step: [line.values[name] for name in golden_run.TERMS]
          for line in lines}


def assert_like_one_device(actual, tmp_path, steps, *flags):
  """Equal to an undisturbed run on one device, as far as recorded trajectories are."""
  status, _, err = train(tmp_path / 'one', '--max_steps', str(steps), '--gpu_no', '-1',
                         *flags)
  assert status == 0, err
  expected = rows(tmp_path / 'one')
  assert sorted(actual) == sorted(expected) == list(range(steps))
  for i, (name, bound) in enumerate(golden_run.EVERY_STEP.items()):
    ours, single = (np.array([run[step][i] for step in range(steps)])
                    for run in (actual, expected))
    np.testing.assert_allclose(ours, single, rtol=0, atol=bound * single.max(),
                               err_msg=name)


def one_error(result, status):
  code, out, err = result
  assert code == status, err
  assert len(err) == 1 and err[0].startswith('train.py: error: '), err
  assert not [line for line in out if line.startswith('====iter')]
  return err[0]


@pytest.mark.slow
def test_trainings_share_workers(workers, tmp_path):
  """At the same time, with variables of the same names and other values."""
  seeds = ['7', '8']
  runs = [start(tmp_path / seed, '--max_steps', '6', '--profile', '1', '--random_seed', seed,
                *workers.flags(0, 1)) for seed in seeds]
  for process in runs:
    status, out, err = processes.finish(process)
    assert status == 0 and not err
    assert any(f'{workers.device(0)}, {workers.device(1)}' in line for line in out)
  for seed in seeds:
    assert_like_one_device(rows(tmp_path / seed), tmp_path / seed, 6, '--random_seed',
                           seed)


@pytest.mark.slow
def test_killed_worker_and_resume_on_fewer(tmp_path):
  steps = 9
  with processes.Workers(2) as workers:
    workers.start(0, 1)
    process = start(tmp_path, '--max_steps', '100000', *workers.flags(0, 1))
    for line in process.stdout:
      if line.startswith('====iter_5:'):
        break
    workers.processes[1].send_signal(signal.SIGKILL)
    status, _, err = processes.finish(process)
    assert status == 1
    assert len(err) == 1 and 'lost a worker' in err[0] and '--resume' in err[0]
    # Resumed, the lines beyond the last checkpoint are made again.
    process = start(tmp_path, '--max_steps', '100000', '--resume', *workers.flags(0))
    out = []
    for line in process.stdout:
      out.append(line)
      if line.startswith('====iter_') and log_format.parse(line.strip()).step >= steps:
        break
    process.send_signal(signal.SIGTERM)
    assert processes.finish(process)[0] == 143
  assert any(line.startswith('continuing after ') for line in out), out
  after = rows(tmp_path)
  assert sorted(after) == list(range(len(after))) and len(after) > steps
  assert_like_one_device({step: after[step] for step in range(steps)}, tmp_path, steps)


def test_absent_worker(workers, tmp_path):
  line = one_error(train(tmp_path, *workers.flags(0, 2)), 1)
  assert 'worker /job:worker/task:2 in the cluster of %s does not answer within 10 s' % (
      workers.master) in line
  assert not os.listdir(str(tmp_path))


def test_absent_master(tmp_path):
  port, = processes.free_ports(1)
  master = 'grpc://127.0.0.1:%d' % port
  line = one_error(train(tmp_path, '--master', master, '--devices',
                         '/job:worker/task:0/cpu:0'), 1)
  assert f'the worker of --master {master} does not answer' in line


@pytest.mark.parametrize('device', ['/job:worker/task:0/cpu:5', '/job:worker/task:9/cpu:0'])
def test_unknown_device_is_a_usage_error(workers, tmp_path, device):
  line = one_error(train(tmp_path, '--master', workers.master, '--devices', device), 2)
  assert f"--devices: there is no {device.split('/cpu')[0]}" in line


def test_own_statistics_are_another_experiment(tmp_path):
  status, _, err = train(tmp_path, '--max_steps', '3', '--devices', 'cpu:0,cpu:1',
                         '--bn_stats', 'tower')
  assert status == 0, err
  folder, = os.listdir(str(tmp_path / 'sample'))
  assert folder == 'cnn9_width0.125_bntower2'
  # More towers are another run, in another folder.
  status, out, err = train(tmp_path, '--max_steps', '3', '--devices',
                           'cpu:0,cpu:1,cpu:2,cpu:3', '--bn_stats', 'tower', '--resume')
  assert status == 0, err
  assert any(line.startswith('no run to continue in') for line in out)


@pytest.mark.parametrize('number, status, told', [
    (signal.SIGTERM, 143, []), (signal.SIGINT, 130, [])])
def test_signals_end_a_worker(number, status, told):
  with processes.Workers(1) as found:
    found.start(0)
    found.processes[0].send_signal(number)
    assert processes.finish(found.processes[0]) == (status, [], told)


def worker(config, *flags):
  return processes.call(*(processes.WORKER + list(flags)), TF_CONFIG=config)


def test_a_worker_wants_a_network_that_is_trusted():
  status, out, err = worker('{}')
  assert status == 2 and not out and len(err) == 1
  assert 'asks for no password' in err[0] and '--trusted_network' in err[0]


TASK = '"task": {"type": "worker", "index": 0}'


@pytest.mark.parametrize('config, words', [
    ('', "TF_CONFIG: expected {"), ('{', "got '{'"), ('[]', "got '[]'"),
    ('{"cluster": {"worker": ["127.0.0.1:2222"]}}', 'TF_CONFIG: expected {"cluster"'),
    ('{"cluster": {"ps": ["127.0.0.1:2222"]}, %s}' % TASK, 'Job "worker" was not defined'),
    ('{"cluster": {"worker": [3]}, %s}' % TASK, 'Task address 3')])
def test_worker_usage_errors(config, words):
  status, out, err = worker(config, '--trusted_network', '--gpu_no', '-1')
  assert status == 2 and not out
  assert len(err) == 1 and words in err[0], err


def test_a_worker_whose_output_nobody_reads():
  port, = processes.free_ports(1)
  process = processes.start(
      *(processes.WORKER + ['--trusted_network', '--gpu_no', '-1']), TF_CONFIG=json.dumps(
          {'cluster': {'worker': ['127.0.0.1:%d' % port]},
           'task': {'type': 'worker', 'index': 0}}))
  process.stdout.close()
  assert process.wait(timeout=60) == 1
  assert process.stderr.read() == ''
  process.stderr.close()


def test_port_in_use(workers):
  status, _, err = worker(workers.config(0), '--trusted_network', '--gpu_no', '-1')
  assert status == 1
  assert 'Could not start gRPC server; another program may have the port' in err[-1]
