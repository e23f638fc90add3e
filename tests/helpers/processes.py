"""Processes of the project's command lines, for tests: workers and trainings."""
import json
import os
import socket
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
WORKER = [sys.executable, '-m', 'comhe_tf1.worker']
# A statement that waits for ever without running Python's handlers of signals.
WAIT_IN_A_LIBRARY = (
    'import ctypes; library, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(64); '
    '[library.pthread_mutex_lock(mutex) for _ in range(2)]')


def free_ports(count):
  """Ports of the loopback that nobody has at the moment."""
  sockets = [socket.socket() for _ in range(count)]
  try:
    for trial in sockets:
      trial.bind(('127.0.0.1', 0))
    return [trial.getsockname()[1] for trial in sockets]
  finally:
    for trial in sockets:
      trial.close()


def start(*command, cwd=ROOT, preexec_fn=None, **environment):
  """Starts a process, its output in pipes."""
  return subprocess.Popen(
      list(command), cwd=str(cwd), env=dict(os.environ, **environment),
      preexec_fn=preexec_fn, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
      stderr=subprocess.PIPE, universal_newlines=True)


def finish(process, timeout=300):
  """Exit status, lines on stdout, lines on stderr."""
  out, err = process.communicate(timeout=timeout)
  return process.returncode, out.splitlines(), err.splitlines()


def call(*command, **settings):
  """Runs a command to its end, with the settings of `start`; returns as `finish`."""
  return finish(start(*command, **settings))


class Workers:
  """Workers on loopback, each a process; a context manager that ends them.

  Args:
    count: number of workers.

  Attributes:
    addresses: host:port of each.
    processes: of the workers, None of one that was not started.
  """

  def __init__(self, count):
    self.addresses = ['127.0.0.1:%d' % port for port in free_ports(count)]
    self.processes = [None] * count

  def __enter__(self):
    return self

  def __exit__(self, *error):
    for process in filter(None, self.processes):
      process.kill()
      process.wait()
      process.stdout.close()
      process.stderr.close()

  def config(self, task):
    """TF_CONFIG of a task."""
    return json.dumps({'cluster': {'worker': self.addresses},
                       'task': {'type': 'worker', 'index': task}})

  def start(self, *tasks):
    """Starts tasks and waits until they serve."""
    for task in tasks:
      self.processes[task] = start(
          *(WORKER + ['--trusted_network', '--gpu_no', '-1']), TF_CONFIG=self.config(task))
    for task in tasks:
      line = self.processes[task].stdout.readline()
      assert line.startswith('worker %d of' % task), (
          line + self.processes[task].stderr.read())

  @property
  def master(self):
    return 'grpc://' + self.addresses[0]

  @staticmethod
  def device(task):
    return '/job:worker/task:%d/device:CPU:0' % task

  def flags(self, *tasks):
    """Flags of a training on tasks, the first worker its master."""
    return ['--master', self.master, '--devices', ','.join(map(self.device, tasks))]
