"""The terminal: a line to standard error, and streams that take any text."""
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


def print_anything():
  """Lets standard output and error take any text, whatever their encoding.

  Where one of them is closed, what is written to it goes nowhere; and no other file
  takes its number, which libraries would then write into.
  """
  for name in ('stdout', 'stderr'):
    stream = getattr(sys, name) or open(os.devnull, 'w')
    setattr(sys, name, io.TextIOWrapper(
        stream.detach(), encoding=stream.encoding, errors='backslashreplace',
        line_buffering=True))


def give_up_stdout():
  """After a BrokenPipeError: nobody reads, and closing must not fail on it too."""
  os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
