"""What the commands write where nobody listens, and how they end."""
import os
import sys

import processes
import pytest

TRAIN = ['train.py', '--nonsense']


def shell(command, *flags, **settings):
  """Runs Python with flags, as `command` in a shell has it."""
  return processes.call('sh', '-c', command, 'sh', sys.executable, *flags, **settings)


@pytest.mark.parametrize('flags', [
    ['train.py', '--help'], ['-m', 'comhe_tf1.worker', '--help'],
    ['cifar_input.py', '--help']],
                         ids=lambda flags: flags[-2])
def test_a_full_disk_for_standard_output(flags):
  status, _, err = shell('exec "$@" > /dev/full', *flags)
  assert status == 1
  assert len(err) == 1 and "No space left on device: 'standard output'" in err[0]


def test_a_full_disk_for_standard_error():
  assert shell('exec "$@" 2> /dev/full', *TRAIN) == (2, [], [])


def test_interrupted(tmp_path):
  """As Ctrl-C in the middle of the work: a line, and 130; the work may clear up."""
  program = ('import os, signal\nfrom comhe_tf1.utils import signals, terminal\n'
             'signals.end_at_once()\n'
             'terminal.command("it", lambda: os.kill(os.getpid(), signal.SIGINT))')
  assert shell('exec "$@"', '-c', program) == (130, [], ['it: interrupted'])


@pytest.mark.parametrize('closed', ['<&-', '<&- >&-'])
def test_what_tensorflow_says_where_standard_input_is_closed(closed):
  """No file takes its number: the one that holds the text would not be shown."""
  program = ('import os\nfrom comhe_tf1.utils import terminal, tf_setup\n'
             'terminal.print_anything()\n'
             'with tf_setup.quiet_stderr():\n  os.write(2, b"the cause\\n"); os.abort()')
  _, _, err = shell('exec "$@" ' + closed, '-c', program)
  assert err == ['the cause']


def test_a_folder_that_is_gone(tmp_path):
  gone = tmp_path / 'gone'
  gone.mkdir()
  status, _, err = shell(
      'rmdir "$PWD"; exec "$@"', os.path.join(processes.ROOT, 'cifar_input.py'),
      '--download', cwd=gone)
  assert status == 1 and len(err) == 1 and 'cannot find the present folder' in err[0]
