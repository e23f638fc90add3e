"""What TensorFlow writes as it starts: held back, and shown when it fails."""
import os
import signal
import sys

import processes
import pytest

from comhe_tf1.utils import cuda_driver
from comhe_tf1.utils import tf_setup

HELD = ('import os, signal, sys\nfrom comhe_tf1.utils import tf_setup\n'
        'with tf_setup.quiet_stderr():\n'
        '  os.write(2, b"the cause\\n")\n  %s\nos.write(2, b"after\\n")')


def held(statement, **environment):
  return processes.call(sys.executable, '-c', HELD % statement, **environment)


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
  assert processes.call(sys.executable, '-c', program, **environment) == (
      3, [], ['the cause'])


@pytest.mark.parametrize('given, taken', [({}, '1'), ({'TF_ENABLE_ONEDNN_OPTS': '0'}, '0')])
def test_onednn_is_asked_for_unless_the_user_says(monkeypatch, given, taken):
  monkeypatch.delenv('TF_ENABLE_ONEDNN_OPTS')
  status, out, err = processes.call(
      sys.executable, '-c', 'from comhe_tf1.utils import tf_setup\n'
      'tf, _ = tf_setup.tensorflow("-1")\nfrom comhe_tf1.records import environment\n'
      'print(environment.describe(tf.Session())["onednn"])', **given)
  assert (status, out) == (0, [taken]), err


@pytest.mark.slow
def test_every_command_shows_why_tensorflow_aborts(tmp_path):
  for command in (
      ['train.py', '--dataset', 'sample', '--gpu_no', '-1', '--log_dir', str(tmp_path)],
      ['-m', 'comhe_tf1.energies', str(tmp_path)],
      processes.WORKER[1:] + ['--trusted_network', '--gpu_no', '-1']):
    status, out, err = processes.call(
        sys.executable, *command, TF_XLA_FLAGS='--tf_xla_no_such=1',
        TF_CONFIG=processes.Workers(1).config(0))
    assert status not in (0, 2) and not out, command
    assert '--tf_xla_no_such=1' in '\n'.join(err), command
  assert not os.listdir(str(tmp_path))


def test_a_tensorflow_that_cannot_be_imported_is_one_line(tmp_path):
  """As where protobuf or NumPy do not fit: of any exception."""
  (tmp_path / 'tensorflow').mkdir()
  (tmp_path / 'tensorflow' / '__init__.py').write_text(
      'raise TypeError("Descriptors cannot be created directly.\\nmore")\n')
  for command in (['train.py', '--dataset', 'sample', '--log_dir', str(tmp_path / 'log')],
                  ['-m', 'comhe_tf1.energies', str(tmp_path)]):
    status, out, err = processes.call(sys.executable, *command, PYTHONPATH=str(tmp_path))
    assert status == 1 and not out
    line, = err
    assert ('error: TensorFlow cannot be imported (TypeError: Descriptors cannot be created '
            'directly.); install what is needed with pip install -r requirements.txt') in line


class Made:
  """As much of TensorFlow as is asked why it has no GPU."""

  def __init__(self, version, cuda):
    self.__version__, self.test = version, self
    self.is_built_with_cuda = lambda: cuda


@pytest.mark.parametrize('version, cuda, driver, told', [
    ('2.21.0', False, None, 'built without CUDA; requirements/tf2.21-gpu.txt has one'),
    ('1.14.0', False, None, 'built without CUDA; requirements/tf1.14-gpu.txt has one'),
    ('2.21.0', True, (None, [], 'there is no NVIDIA driver here'), 'there is no NVIDIA'),
    ('2.21.0', True, ((12, 4), [], "the driver says 'no device' (100)"),
     "says 'no device' (100) with CUDA_VISIBLE_DEVICES=0,7; nvidia-smi lists"),
    ('2.21.0', True, ((12, 4), [(8, 0)], None),
     'shows 1 GPUs with CUDA_VISIBLE_DEVICES=0,7'),
    ('2.21.0', True, ((12, 4), [(8, 0), (8, 0)], None), 'cannot open its CUDA libraries')])
def test_why_there_is_no_gpu(monkeypatch, version, cuda, driver, told):
  monkeypatch.setattr(cuda_driver, 'ask', lambda: cuda_driver.Driver(*driver))
  assert told in tf_setup.why_no_gpu(Made(version, cuda), '0,7')
