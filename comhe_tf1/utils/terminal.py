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
  print('%s: %s' % (program, one_line(text)), file=sys.stderr, flush=True)


class _Out(io.FileIO):
  """Standard output; what is written to a terminal that was hung up goes nowhere.

  The program then ends by the signal that tells so, which may come after the first line
  that fails; where it is ignored or does not come, the program goes on.
  """

  def write(self, data):
    try:
      return super(_Out, self).write(data)
    except OSError as error:
      # Not isatty(): once it is hung up, it answers to that with EIO too.
      if error.errno != errno.EIO or not stat.S_ISCHR(os.fstat(self.fileno()).st_mode):
        raise OSError(error.errno, error.strerror, 'standard output')
      return len(data)


class _Error(io.FileIO):
  """Standard error; where it cannot be written to, there is nobody to be told."""

  def write(self, data):
    try:
      return super(_Error, self).write(data)
    except OSError:
      return len(data)


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
  for name, kind in (('stdout', _Out), ('stderr', _Error)):
    stream = getattr(sys, name)
    if stream is None:
      setattr(sys, name, open(os.devnull, 'w', errors='backslashreplace'))
    elif isinstance(stream, io.TextIOWrapper):
      stream.flush()
      # The old one stays as it is, for whoever has kept it.
      setattr(sys, name, io.TextIOWrapper(
          io.BufferedWriter(kind(stream.fileno(), 'w', closefd=False)),
          encoding=stream.encoding, errors='backslashreplace', line_buffering=True))


def command(program, main, *known):
  """Runs a command and ends the process with its status; 1 for a failure, 130 at SIGINT.

  Args:
    program: what it is called, for messages.
    main: function that returns the status.
    known: exceptions whose message is for the user, beside OSError.
  """
  print_anything()
  try:
    signals.raise_at_sigint()
    status = main()
  except SystemExit as error:   # of the flags' parser
    status = error.code
  except KeyboardInterrupt:
    note(program, 'interrupted')
    status = 130
  except BrokenPipeError:
    status = 1
  except (OSError,) + known as error:
    note(program, 'error: %s' % error)
    status = 1
  try:
    sys.stdout.flush()
  except OSError as error:
    give_up_stdout()
    if not status and not isinstance(error, BrokenPipeError):
      note(program, 'error: %s' % error)
    status = status or 1
  sys.exit(status)


def give_up_stdout():
  """After a BrokenPipeError: nobody reads, and closing must not fail on it too."""
  os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
