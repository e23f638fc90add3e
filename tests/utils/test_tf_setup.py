"""What TensorFlow writes as it starts: held back, and shown when it fails."""
import json
import os
import signal
import sys

import processes
import pytest

HELD = ('import os, signal, sys\nfrom comhe_tf1.utils import tf_setup\n'
        'with tf_setup.quiet_stderr():\n'
        '  os.write(2, b"the cause\\n")\n  %s\nos.write(2, b"after\\n")')


def held(statement, **environment):
  return processes.finish(processes.start(
      sys.executable, '-c', HELD % statement, **environment))


def test_nothing_is_shown_where_nothing_fails():
  assert held('pass') == (0, [], ['after'])


@pytest.mark.parametrize('statement, status', [
    ('os.abort()', -signal.SIGABRT), ('os._exit(3)', 3), ('sys.exit(3)', 3),
    ('os.kill(os.getpid(), signal.SIGKILL)', -signal.SIGKILL),
    ('os.kill(os.getpid(), signal.SIGTERM)', -signal.SIGTERM),
    ('import ctypes; ctypes.CDLL(None).exit(4)', 4)])
def test_what_was_held_is_shown_however_the_process_ends(statement, status):
  assert held(statement) == (status, [], ['the cause'])


def test_an_exception_shows_it_too():
  status, out, err = held('raise ValueError("x")')
  assert status == 1 and not out and err[0] == 'the cause' and err[-1] == 'ValueError: x'


@pytest.mark.parametrize('environment', [{'PATH': '/none'}, {'TMPDIR': '/dev/null'}])
def test_nothing_is_held_where_nothing_could_show_it(environment):
  if 'TMPDIR' in environment:
    statement = 'import tempfile; tempfile.tempdir = os.environ["TMPDIR"]'
    program = statement.join(['import os; ', '\n']) + HELD % 'os._exit(3)'
  else:
    program = HELD % 'os._exit(3)'
  assert processes.finish(processes.start(
      sys.executable, '-c', program, **environment)) == (3, [], ['the cause'])


@pytest.mark.parametrize('given, taken', [({}, '1'), ({'TF_ENABLE_ONEDNN_OPTS': '0'}, '0')])
def test_onednn_is_asked_for_unless_the_user_says(monkeypatch, given, taken):
  monkeypatch.delenv('TF_ENABLE_ONEDNN_OPTS')
  status, out, err = processes.finish(processes.start(
      sys.executable, '-c', 'from comhe_tf1.utils import tf_setup\n'
      'tf, _ = tf_setup.tensorflow("-1")\nfrom comhe_tf1.records import environment\n'
      'print(environment.describe(tf.Session())["onednn"])', **given))
  assert (status, out) == (0, [taken]), err


@pytest.mark.slow
def test_every_command_shows_why_tensorflow_aborts(tmp_path):
  cluster = tmp_path / 'cluster.json'
  cluster.write_text(json.dumps(
      {'worker': ['127.0.0.1:%d' % processes.free_ports(1)[0]]}))
  for command in (
      ['train.py', '--dataset', 'sample', '--gpu_no', '-1', '--log_dir', str(tmp_path)],
      ['-m', 'comhe_tf1.energies', str(tmp_path)],
      processes.WORKER[1:] + ['--cluster', str(cluster), '--task', '0', '--gpu_no', '-1']):
    status, out, err = processes.finish(processes.start(
        sys.executable, *command, TF_XLA_FLAGS='--tf_xla_no_such=1'))
    assert status not in (0, 2) and not out, command
    assert '--tf_xla_no_such=1' in '\n'.join(err), command
  assert os.listdir(str(tmp_path)) == ['cluster.json']
