"""What the flags of all commands share: one clear line for every mistake.

Says first of all what is missing.
"""
import argparse
import os
import re
import sys

try:
  import numpy as np
except ImportError as problem:
  sys.exit(f'error: {problem}; install what is needed with pip install -r requirements.txt')

from comhe_tf1.utils import terminal


class Parser(argparse.ArgumentParser):
  """Reports a mistake in one line, and takes no abbreviations."""

  def __init__(self, **settings):
    super().__init__(allow_abbrev=False, **settings)

  def error(self, message):
    terminal.note(self.prog, f'error: {message} (see --help)')
    self.exit(2)

  def _print_message(self, message, file=None):
    # Newer versions of argparse hide that it cannot be written.
    (file or sys.stderr).write(message)


def path(text):
  """Type of a flag: where something is or goes; an unset variable of a shell is not.

  A ~ in front is the user's home: a shell leaves it in --log_dir=~/x as it is.
  """
  if not text:
    raise argparse.ArgumentTypeError('expected a path, got \'\'')
  # TensorFlow would take it to a network, Python to a folder of that name.
  if re.match('[A-Za-z][A-Za-z0-9+.-]*://', text):
    raise argparse.ArgumentTypeError(
        'expected a path of this machine, got %r; mount what is elsewhere, or copy it'
        % text)
  return os.path.expanduser(text)


def path_of_environment(parser, name):
  """A path that a variable of the environment has, or None where it is not set."""
  try:
    return path(os.environ[name]) if os.environ.get(name) else None
  except argparse.ArgumentTypeError as error:
    parser.error(f'{name}: {error}')


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
      raise argparse.ArgumentTypeError(f'expected a number {limits}, got {text!r}')
    return value
  return parse


def gpus(text):
  """Type of --gpu_no: what CUDA_VISIBLE_DEVICES takes."""
  if not re.fullmatch('(-1|[0-9]+(,[0-9]+)*)?', text):
    raise argparse.ArgumentTypeError(
        'expected the number of a GPU (or several, separated by commas), or -1 '
        'for the CPU, got %r' % text)
  return text


def add_device_flags(group):
  """Adds the flags of what acts on a whole process, see `tf_setup.tensorflow`."""
  group.add_argument(
      '--gpu_no', type=gpus, metavar='N',
      help='number of the GPU; -1: CPU (default: CUDA_VISIBLE_DEVICES if set, otherwise '
           '0; original: 0)')
  group.add_argument(
      '--tf32', action='store_true',
      help='allow TensorFloat-32 on GPUs that have it: products are faster, but their '
           'factors have 10-bit mantissas; the original\'s GPUs did not have it')
  group.add_argument(
      '--deterministic', action='store_true',
      help='the same results in every run: one thread, and on a GPU the deterministic '
           'operations of TensorFlow (all from 2.9 on, convolutions from 1.14 on)')
  add_environment_flag(group)


def gpus_or_default(given, default='0'):
  """Value of --gpu_no, where it is not given that of the environment, or the default."""
  return os.environ.get('CUDA_VISIBLE_DEVICES', default) if given is None else given


def add_environment_flag(group):
  """Adds the flag by which `tf_setup.tensorflow` does without its check."""
  group.add_argument(
      '--skip_version_check', action='store_true',
      help='skip the check at the start: use any version of TensorFlow, any driver and '
           'any GPU, not only those that are known to work')
