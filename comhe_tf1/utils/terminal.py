"""The terminal: a line to standard error, streams that take any text, how commands end."""
import errno
import io
import os
import stat
import sys

from comhe_tf1.utils import signals


def one_line(text):
  """The text with its line breaks and other control characters made visible."""
  return ''.join(character if character.isprintable() else repr(character)[1:-1]
                 for character in str(text))


def note(program, text):
  """Writes a line to standard error."""
  print(f'{program}: {one_line(text)}', file=sys.stderr, flush=True)


class _Stream(io.FileIO):
  """Standard output or error, which nobody may see any more.

  What goes to a terminal that was hung up is dropped, so that a training can save: the
  signal that tells of it may come after the first line that fails. So is a line for a
  standard error that cannot be written.
  """

  def write(self, data):
    try:
      return super().write(data)
    except OSError as error:
      # Not isatty(): of a terminal that was hung up, that fails too.
      terminal = stat.S_ISCHR(os.fstat(self.fileno()).st_mode)
      if self.fileno() == 2 or (error.errno == errno.EIO and terminal):
        return len(data)
      raise OSError(error.errno, error.strerror, 'standard output')


def print_anything():
  """Lets standard output and error take any text, whatever their encoding.

  Where one of them is closed, what is written to it goes nowhere; and no other file
  takes its number, which libraries would then write into. A stream that is no file, as
  in a notebook, is left alone.
  """
  for number in range(3):
    try:
      os.fstat(number)
    except OSError:   # closed: the lowest free number, which is the next to be given
      os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
  for name in ('stdout', 'stderr'):
    stream = getattr(sys, name)
    if stream is None:
      setattr(sys, name, open(os.devnull, 'w', errors='backslashreplace'))
    elif isinstance(stream, io.TextIOWrapper):
      stream.flush()
      raw = _Stream(stream.fileno(), 'w', closefd=False)
      setattr(sys, name, io.TextIOWrapper(
          io.BufferedWriter(raw), encoding=stream.encoding, errors='backslashreplace',
          line_buffering=True))


def command(program, main, *failures, interrupted='interrupted'):
  """Runs a command and ends the process with its status; 1 for a failure, 130 at SIGINT.

  Args:
    program: what it is called, for messages.
    main: function that returns the status.
    failures: exceptions whose message is for the user, beside OSError.
    interrupted: what to say at SIGINT.
  """
  print_anything()
  try:
    signals.raise_at_sigint()
    status = main()
  except SystemExit as error:   # of the flags' parser
    status = error.code
  except KeyboardInterrupt:
    note(program, interrupted)
    status = 130
  except BrokenPipeError:
    status = 1
  except (OSError,) + failures as error:
    # Only os.getcwd() fails so without a name.
    gone = isinstance(error, FileNotFoundError) and error.filename is None
    note(program, 'error: ' + (
        'cannot find the present folder: it was removed' if gone else str(error)))
    status = 1
  try:
    sys.stdout.flush()
  except OSError as error:
    # Closing it, as Python ends, must not fail on it again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if not status and not isinstance(error, BrokenPipeError):
      note(program, f'error: {error}')
    status = status or 1
  sys.exit(status)
