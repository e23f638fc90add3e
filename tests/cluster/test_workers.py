"""Trainings on workers through the real command lines, and what goes wrong there."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys

import golden_run
import numpy as np
import processes
import pytest

from comhe_tf1.cluster import listening
from comhe_tf1.cluster import members
from comhe_tf1.records import log_format

SMALL = ['--dataset', 'sample', '--width', '0.125', '--pd', '5', '--pn', '2',
         '--batch_size', '8', '--base_lr', '0.0001', '--log_every', '1', '--save_every',
         '2']
LOGS = os.path.join('sample', 'cnn9_width0.125', 'random_projection', 'pd5_pn2')
# A worker whose package says that it is another one.
OTHER_CODE = [sys.executable, '-c', 'import sys, comhe_tf1; comhe_tf1.__version__ = "0.0.9"; '
              'from comhe_tf1 import worker; sys.exit(worker.main())']
OTHER_TENSORFLOW = [
    sys.executable, '-c', 'import sys\n'
    'from comhe_tf1.utils import tf_setup\n'
    'tf, config = tf_setup.tensorflow("-1")\n'
    'tf.__version__ = "1.13.1"\n'
    'tf_setup.tensorflow = lambda *_, **__: (tf, config)\n'
    'from comhe_tf1 import worker; sys.exit(worker.main())']
FOREIGN = ('import sys, time, tensorflow.compat.v1 as tf; tf.train.Server({"worker": '
           '[sys.argv[1]]}, job_name="worker", task_index=0); print("up", flush=True); '
           'time.sleep(600)')


@pytest.fixture(scope='module')
def workers(tmp_path_factory):
  """Three tasks, of which the last was not started."""
  with processes.Workers(tmp_path_factory.mktemp('cluster'), 3) as found:
    found.start(0, 1)
    yield found


def train(log_dir, *flags):
  return processes.finish(processes.start_training(
      '--log_dir', str(log_dir), *(SMALL + list(flags))))


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
    ours, single = [np.array([run[step][i] for step in range(steps)])
                    for run in (actual, expected)]
    np.testing.assert_allclose(ours, single, rtol=0, atol=bound * single.max(),
                               err_msg=name)


def one_error(result, status):
  code, out, err = result
  assert code == status, err
  assert len(err) == 1 and err[0].startswith('train.py: error: '), err
  assert not [line for line in out if line.startswith('====iter')]
  return err[0]


@pytest.mark.slow
def test_training_is_that_of_one_device(workers, tmp_path):
  status, out, err = train(tmp_path, '--max_steps', '4', '--profile', '1',
                           *workers.flags(0, 1))
  assert status == 0 and not err
  assert any('%s, %s' % (workers.device(0), workers.device(1)) in line for line in out)
  assert_like_one_device(rows(tmp_path), tmp_path, 4)
  with open(str(tmp_path / LOGS / 'run_00' / 'env.json')) as file:
    recorded = json.load(file)[0]['workers']
  assert sorted(recorded) == ['/job:worker/task:0', '/job:worker/task:1']


@pytest.mark.slow
def test_trainings_share_workers(workers, tmp_path):
  """At the same time, with variables of the same names and other values."""
  seeds = ['7', '8']
  runs = [processes.start_training('--log_dir', str(tmp_path / seed), '--max_steps', '12',
                                   '--random_seed', seed, *(SMALL + workers.flags(0, 1)))
          for seed in seeds]
  for process in runs:
    status, _, err = processes.finish(process)
    assert status == 0, err
  for seed in seeds:
    assert_like_one_device(rows(tmp_path / seed), tmp_path / seed, 12, '--random_seed',
                           seed)


@pytest.mark.slow
def test_killed_worker_and_resume_on_fewer(tmp_path_factory, tmp_path):
  steps = 9
  with processes.Workers(tmp_path_factory.mktemp('cluster'), 2) as workers:
    workers.start(0, 1)
    process = processes.start_training('--log_dir', str(tmp_path), '--max_steps',
                                       '100000', *(SMALL + workers.flags(0, 1)))
    for line in process.stdout:
      if line.startswith('====iter_5:'):
        break
    workers.processes[1].send_signal(signal.SIGKILL)
    status, _, err = processes.finish(process)
    assert status == 1
    assert len(err) == 1 and 'lost worker /job:worker/task:1 at %s' % (
        workers.addresses[1]) in err[0]
    assert '--resume' in err[0]
    # Resumed, the lines beyond the last checkpoint are made again.
    process = processes.start_training(
        '--log_dir', str(tmp_path), '--max_steps', '100000', '--resume',
        *(SMALL + workers.flags(0)))
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
  assert 'worker /job:worker/task:2 at %s does not answer' % workers.addresses[2] in line
  assert not os.listdir(str(tmp_path))


def test_absent_master(tmp_path):
  port, = processes.free_ports(1)
  line = one_error(train(tmp_path, '--master', 'grpc://127.0.0.1:%d' % port, '--devices',
                         '/job:worker/task:0/cpu:0'), 1)
  assert 'the worker of --master at 127.0.0.1:%d does not answer' % port in line


@pytest.mark.parametrize('command, words', [
    (OTHER_CODE, 'runs comhe_tf1 0.0.9'), (OTHER_TENSORFLOW, 'runs TensorFlow 1.13.1'),
    (processes.WORKER + ['--deterministic'], 'was started with --deterministic')],
                         ids=['code', 'TensorFlow', 'flags'])
def test_other_worker(tmp_path, command, words):
  with processes.Workers(tmp_path, 1) as found:
    found.start(0, command=command)
    assert words in one_error(train(tmp_path / 'log', *found.flags(0)), 1)


def test_the_master_is_watched_where_it_answers(tmp_path):
  """As through a tunnel: not at the address that the cluster's file names."""
  with processes.Workers(tmp_path, 1) as found:
    _, port = members.parse_address(found.addresses[0])
    cluster_file(tmp_path, '{"worker": ["127.0.0.2:%d"]}' % port)
    found.start(0, command=processes.WORKER + ['--bind', '127.0.0.1'])
    status, out, err = train(tmp_path / 'log', '--max_steps', '1', *found.flags(0))
    assert status == 0, err
  environment, = (tmp_path / 'log').glob('**/env.json')
  worker_card, = json.loads(environment.read_text())[0]['workers'].values()
  assert worker_card['address'] == found.addresses[0]


@pytest.mark.slow
def test_no_proxy_is_asked(tmp_path, monkeypatch):
  """Neither between a training and its workers nor between these."""
  port, = processes.free_ports(1)   # nothing answers there
  for name in ('http_proxy', 'https_proxy', 'grpc_proxy', 'all_proxy'):
    for each in (name, name.upper()):
      monkeypatch.setenv(each, 'http://127.0.0.1:%d' % port)
  monkeypatch.setenv('no_proxy', 'elsewhere.invalid')
  monkeypatch.setenv('no_grpc_proxy', '')
  with processes.Workers(tmp_path, 2) as found:
    found.start(0, 1)
    status, _, err = train(tmp_path / 'log', '--max_steps', '1', *found.flags(0, 1))
  assert status == 0, err


# The name has both kinds of addresses and the newer one is given first, as many systems
# have it for localhost.
TWO_ADDRESSES = """
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found) {
  int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
      dlsym(RTLD_NEXT, "getaddrinfo");
  if (name == NULL || strcmp(name, "two.test") != 0)
    return real(name, service, hints, found);
  int family = hints ? hints->ai_family : AF_UNSPEC;
  if (family == AF_INET)
    return real("127.0.0.1", service, hints, found);
  int failed = real("::1", service, hints, found);
  if (failed || family == AF_INET6)
    return failed;
  struct addrinfo *last = *found;
  while (last->ai_next)
    last = last->ai_next;
  return real("127.0.0.1", service, hints, &last->ai_next);
}
"""


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which('gcc'), reason='needs a C compiler')
@pytest.mark.skipif(not os.path.exists('/proc/net/if_inet6'), reason='needs IPv6')
def test_names_with_both_kinds_of_addresses(tmp_path, monkeypatch):
  source, library = tmp_path / 'names.c', tmp_path / 'names.so'
  source.write_text(TWO_ADDRESSES)
  subprocess.check_call(['gcc', '-shared', '-fPIC', '-o', str(library), str(source), '-ldl'])
  monkeypatch.setenv('LD_PRELOAD', str(library))
  with processes.Workers(tmp_path, 2) as found:
    found.name('two.test')
    found.start(0, 1)
    status, _, err = train(tmp_path / 'log', '--max_steps', '1', *found.flags(0, 1))
    assert status == 0, err   # TensorFlow 1.14 fails where it is given such a name itself
    environment, = (tmp_path / 'log').glob('**/env.json')
    cards = json.loads(environment.read_text())[0]['workers']
    assert [cards[name]['address'] for name in sorted(cards)] == found.addresses
    found.processes[1].kill()
    found.processes[1].wait()
    line = one_error(train(tmp_path / 'log', *found.flags(0, 1)), 1)
    assert 'worker /job:worker/task:1 at %s does not answer' % found.addresses[1] in line


def test_server_of_others(tmp_path):
  with processes.Workers(tmp_path, 1) as found:
    found.processes[0] = processes.start(sys.executable, '-c', FOREIGN, found.addresses[0])
    found.processes[0].stdout.readline()
    line = one_error(train(tmp_path / 'log', *found.flags(0)), 1)
  assert 'does not answer as python -m comhe_tf1.worker' in line


@pytest.mark.parametrize('device', ['/job:worker/task:0/cpu:5', '/job:worker/task:9/cpu:0',
                                    '/job:ps/task:0/cpu:0'])
def test_unknown_device_is_a_usage_error(workers, tmp_path, device):
  line = one_error(train(tmp_path, '--master', workers.master, '--devices', device), 2)
  assert '--devices: there is no %s' % device.split('/cpu')[0] in line


def test_own_statistics_are_another_experiment(tmp_path):
  status, _, err = train(tmp_path, '--max_steps', '3', '--devices', 'cpu:0,cpu:1',
                         '--bn_stats', 'tower')
  assert status == 0, err
  folder, = os.listdir(str(tmp_path / 'sample'))
  assert folder == 'cnn9_width0.125_bntower2'
  # More towers are another run, in another folder.
  line = one_error(train(tmp_path, '--max_steps', '3', '--devices',
                         'cpu:0,cpu:1,cpu:2,cpu:3', '--bn_stats', 'tower', '--resume'), 1)
  assert 'no unfinished run in' in line


def reaches(address, port):
  try:
    socket.create_connection((address, port), 1.).close()
  except OSError:
    return False
  return True


def test_worker_listens_at_one_address(workers):
  host, port = members.parse_address(workers.addresses[0])
  assert reaches(host, port)
  assert not reaches('127.0.0.2', port)   # this machine's, too


def test_only_filters_what_it_is_told():
  with socket.socket() as server:
    server.bind(('0.0.0.0', 0))
    server.listen(5)
    port = server.getsockname()[1]
    assert reaches('127.0.0.3', port)
    listening.only('127.0.0.3', port)
    assert reaches('127.0.0.3', port) and not reaches('127.0.0.1', port)
  with pytest.raises(OSError):
    listening.only('127.0.0.3', port)   # nothing listens any more


SIGNALS = pytest.mark.parametrize('number, status', [
    (signal.SIGTERM, 143), (signal.SIGINT, 130)])


@SIGNALS
def test_signals_end_a_worker(tmp_path, number, status):
  with processes.Workers(tmp_path, 1) as found:
    found.start(0)
    found.processes[0].send_signal(number)
    code, _, err = processes.finish(found.processes[0])
  assert code == status and not err


@SIGNALS
def test_signals_end_a_process_that_waits_in_a_library(number, status):
  process = processes.start(sys.executable, '-c', (
      'from comhe_tf1.utils import signals\n'
      'signals.leave_whatever_happens(); print("up", flush=True)\n'
      + processes.WAIT_IN_A_LIBRARY))
  assert process.stdout.readline() == 'up\n'
  process.send_signal(number)
  assert processes.finish(process, timeout=60) == (status, [], [])


def test_a_job_of_any_name(tmp_path):
  """That its second task is absent does not keep the first from serving."""
  with processes.Workers(tmp_path, 2) as found:
    cluster_file(tmp_path, json.dumps({'none': found.addresses}))
    found.start(0)
    line = one_error(train(tmp_path / 'log', '--master', found.master, '--devices',
                           '/job:none/task:1/cpu:0'), 1)
  assert 'worker /job:none/task:1 at %s does not answer' % found.addresses[1] in line


def worker(*flags):
  return processes.finish(processes.start(*(processes.WORKER + list(flags))))


def cluster_file(folder, content):
  path = str(folder / 'cluster.json')
  with open(path, 'w') as file:
    file.write(content)
  return path


@pytest.mark.parametrize('content, words', [
    ('{', 'is not JSON'), pytest.param(100000 * '[', 'is not JSON', id='nested'),
    ('[]', 'expected one job'),
    ('{"a": [], "b": []}', 'one job'),
    ('{"worker": []}', 'expected a list of addresses'),
    ('{"worker": ["here"]}', "addresses such as 10.0.0.5:2222, got 'here'"),
    ('{"worker": ["h:0"]}', "got 'h:0'"),
    ('{"worker": ["a..b:1"]}', "got 'a..b:1'"),
    ('{"worker": ["127.0.0.1:1", "127.0.0.2:22"]}', 'add --bind 127.0.0.2'),
    ('{"worker": ["127.0.0.1:1", "no-such-host.invalid:22"]}', 'add --bind no-such-host'),
    ('{"worker": [3]}', 'got 3'),
    ('{"a b": ["h:1"]}', "got 'a b'"),
    ('{"worker": ["h:1", "h:1"]}', 'h:1 is the address of 2 tasks'),
    ('{"worker": ["h:1"], "worker": ["h:2"]}', 'a name is there twice'),
    ('{"worker": ["127.0.0.1:1", "localhost:1"]}',
     '127.0.0.1:1 and localhost:1 are one address'),
    ('{"worker": ["127.0.0.1:1"]}', '--task: '),
    ('{"worker": ["127.0.0.1:1", "192.0.2.9:22"]}', 'add --bind 192.0.2.9')])
def test_worker_usage_errors(tmp_path, content, words):
  path = cluster_file(tmp_path, content)
  status, out, err = worker('--cluster', path, '--task', '1')
  assert status == 2 and not out
  assert len(err) == 1 and words in err[0], err


def test_worker_without_a_file(tmp_path):
  status, _, err = worker('--cluster', str(tmp_path / 'none.json'), '--task', '0')
  assert status == 2 and 'No such file' in err[0] and len(err) == 1


def test_a_pipe_as_the_file(tmp_path):
  path = str(tmp_path / 'pipe')
  os.mkfifo(path)
  status, _, err = worker('--cluster', path, '--task', '0')
  assert status == 2 and len(err) == 1 and 'it is no regular file' in err[0]


def test_an_empty_address(tmp_path):
  path = cluster_file(tmp_path, '{"worker": ["192.0.2.9:22222"]}')
  status, _, err = worker('--cluster', path, '--task', '0', '--bind', '')
  assert status == 2 and len(err) == 1 and "--bind: expected an address" in err[0]


def test_a_worker_whose_output_nobody_reads(tmp_path):
  port, = processes.free_ports(1)
  path = cluster_file(tmp_path, '{"worker": ["127.0.0.1:%d"]}' % port)
  process = processes.start(*(processes.WORKER + ['--cluster', path, '--task', '0',
                                                  '--gpu_no', '-1']))
  process.stdout.close()
  assert process.wait(timeout=60) == 1
  assert process.stderr.read() == ''
  process.stderr.close()


@pytest.mark.parametrize('address', ['192.0.2.9', 'no-such-host.invalid', 'a..b',
                                     '224.0.0.1', '255.255.255.255'])
def test_worker_cannot_listen_elsewhere(tmp_path, address):
  path = cluster_file(tmp_path, '{"worker": ["127.0.0.1:22222"]}')
  status, _, err = worker('--cluster', path, '--task', '0', '--bind', address)
  assert status == 1
  assert len(err) == 1 and 'cannot listen at %s, port 22222' % address in err[0]


def test_port_in_use(workers):
  status, _, err = worker('--cluster', workers.path, '--task', '0')
  assert status == 1 and len(err) == 1 and 'Address already in use' in err[0]
