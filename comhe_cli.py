"""What the command lines here share: one clear line for every mistake."""
import argparse
import io
import os
import re
import sys

import numpy as np


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


class Parser(argparse.ArgumentParser):
  """Reports a mistake in one line, and takes no abbreviations."""

  def __init__(self, **settings):
    super(Parser, self).__init__(allow_abbrev=False, **settings)

  def error(self, message):
    note(self.prog, 'error: %s (see --help)' % message)
    self.exit(2)


def whole(least, most):
  """Type of a flag: a whole number from `least` to `most`."""
  def parse(text):
    if not re.fullmatch('[+-]?[0-9]+', text) or not least <= int(text) <= most:
      raise argparse.ArgumentTypeError('expected a whole number from %d to %d, got %r'
                                       % (least, most, text))
    return int(text)
  return parse


def real(accepted, limits):
  """Type of a flag: a number for which `accepted` holds once it is a float32."""
  def parse(text):
    try:
      value = float(text)
    except ValueError:
      value = np.nan
    with np.errstate(over='ignore'):
      rounded = np.float32(value)
    if '_' in text or not np.isfinite(rounded) or not accepted(rounded):
      raise argparse.ArgumentTypeError('expected a number %s, got %r' % (limits, text))
    return value
  return parse
