"""The terminal: a line to standard error, and streams that take any text."""
import errno
import io
import os
import sys


def one_line(text):
  """The text with its line breaks and other control characters made visible."""
  return ''.join(character if character.isprintable() else repr(character)[1:-1]
                 for character in str(text))


def note(program, text):
  """Writes a line to standard error."""
  print('%s: %s' % (program, one_line(text)), file=sys.stderr, flush=True)


class _Terminal(io.FileIO):
  """A terminal; what is written to one that was hung up goes nowhere.

  The program then decides by the signal that tells so, and not by a failing line.
  """

  def write(self, data):
    try:
      return super(_Terminal, self).write(data)
    except OSError as error:
      if error.errno != errno.EIO:
        raise
      return len(data)


def print_anything():
  """Lets standard output and error take any text, whatever their encoding.

  Where one of them is closed, what is written to it goes nowhere; and no other file
  takes its number, which libraries would then write into. A stream that is no file, as
  in a notebook, is left alone.
  """
  for name in ('stdout', 'stderr'):
    stream = getattr(sys, name)
    if stream is None:
      setattr(sys, name, open(os.devnull, 'w', errors='backslashreplace'))
    elif isinstance(stream, io.TextIOWrapper):
      stream.flush()
      kind = _Terminal if stream.isatty() else io.FileIO
      # The old one stays as it is, for whoever has kept it.
      setattr(sys, name, io.TextIOWrapper(
          io.BufferedWriter(kind(stream.fileno(), 'w', closefd=False)),
          encoding=stream.encoding, errors='backslashreplace', line_buffering=True))


def give_up_stdout():
  """After a BrokenPipeError: nobody reads, and closing must not fail on it too."""
  os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
