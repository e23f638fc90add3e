"""What the command lines here share: one clear line for every mistake."""
from __future__ import print_function  # so that Python 2 gets as far as its refusal

import argparse
import contextlib
import io
import os
import re
import sys
import tempfile

if sys.version_info < (3, 6):
  sys.exit('error: this is Python %d.%d; use Python 3.6 or newer' % sys.version_info[:2])
try:
  import numpy as np
except ImportError as problem:
  sys.exit('error: %s; install what is needed with pip install -r requirements.txt'
           % problem)

from comhe_tf1 import compatibility


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


class Parser(argparse.ArgumentParser):
  """Reports a mistake in one line, and takes no abbreviations."""

  def __init__(self, **settings):
    super(Parser, self).__init__(allow_abbrev=False, **settings)

  def error(self, message):
    note(self.prog, 'error: %s (see --help)' % message)
    self.exit(2)


def path(text):
  """Type of a flag: where something is or goes; an unset variable of a shell is not."""
  if not text:
    raise argparse.ArgumentTypeError('expected a path, got \'\'')
  return text


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


def gpus(text):
  """Type of --gpu_no: what CUDA_VISIBLE_DEVICES takes."""
  if not re.fullmatch('(-1|[0-9]+(,[0-9]+)*)?', text):
    raise argparse.ArgumentTypeError(
        'expected the number of a GPU (or several, separated by commas), or -1 '
        'for the CPU, got %r' % text)
  return text


def add_device_flags(group):
  """Adds the flags of what acts on a whole process, see `start_tensorflow`."""
  group.add_argument(
      '--gpu_no', type=gpus, metavar='N',
      help='number of the GPU, -1 for the CPU (default: CUDA_VISIBLE_DEVICES if '
           'set, else 0; original: 0)')
  group.add_argument(
      '--tf32', action='store_true',
      help='allow TensorFloat-32 on GPUs that have it: faster products of 10-bit '
           'factors, which the original\'s GPUs did not have')
  group.add_argument(
      '--deterministic', action='store_true',
      help='the same sums in the same order in every run: one thread, and on a GPU what '
           'this TensorFlow knows of it (all from 2.9 on, convolutions from 1.14 on)')
  add_environment_flag(group)


def gpus_or_default(given, default='0'):
  """Value of --gpu_no, where it is not given that of the environment, or the default."""
  return os.environ.get('CUDA_VISIBLE_DEVICES', default) if given is None else given


def add_environment_flag(group):
  """Adds the flag by which `start_tensorflow` does without its check."""
  group.add_argument(
      '--any_environment', action='store_true',
      help='start under any versions of Python, TensorFlow, NumPy and protobuf and on '
           'any GPU, not only on those known to work')


@contextlib.contextmanager
def quiet_stderr():
  """Holds back what is written to file descriptor 2, unless something fails."""
  with tempfile.TemporaryFile() as held:
    stderr = os.dup(2)
    os.dup2(held.fileno(), 2)
    try:
      yield
    except Exception:
      held.seek(0)
      os.write(stderr, held.read())
      raise
    finally:
      os.dup2(stderr, 2)
      os.close(stderr)


def start_tensorflow(gpu_no, xla=False, tf32=False, deterministic=False,
                     any_environment=False):
  """Imports TensorFlow with the chosen GPU visible to it; returns it and a config.

  Without its own messages, unless TF_CPP_MIN_LOG_LEVEL is set: some versions write
  a dozen lines as they load and with the first session.

  Args:
    gpu_no: value of CUDA_VISIBLE_DEVICES.
    xla: whether XLA compiles what it can.
    tf32: whether GPUs may round the factors of products to 10 bits, as TensorFlow
      does from 2.4 on unless it is told not to.
    deterministic: whether sums keep one order: by what this version knows of it, and
      with one thread.
    any_environment: whether to do without the check of versions and GPUs.

  Raises:
    compatibility.Refusal: versions or a GPU are not known to work.
    ImportError: TensorFlow is not installed.
  """
  if not any_environment:
    # Before the import, which fails where versions do not fit.
    compatibility.check_versions(compatibility.installed())
  os.environ['CUDA_VISIBLE_DEVICES'] = gpu_no
  if deterministic:
    # For versions 1.14 to 2.0, and 2.1 to 2.8; later ones are told below.
    os.environ['TF_CUDNN_DETERMINISTIC'] = os.environ['TF_DETERMINISTIC_OPS'] = '1'
  hushed = contextlib.ExitStack
  if 'TF_CPP_MIN_LOG_LEVEL' not in os.environ:
    os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
    hushed = quiet_stderr
  with hushed():
    import tensorflow.compat.v1 as tf
    tf.logging.set_verbosity(tf.logging.ERROR)
  if not any_environment and gpu_no not in ('', '-1') and tf.test.is_built_with_cuda():
    # Before the first session, which compiles for half an hour where code is missing.
    compatibility.check_gpus(tf.__version__, _built_for(tf),
                             zip(gpu_no.split(','), compatibility.capabilities()))
  with hushed():
    config = tf.ConfigProto(allow_soft_placement=True)
    config.gpu_options.allow_growth = True
    if xla:
      config.graph_options.optimizer_options.global_jit_level = tf.OptimizerOptions.ON_1
    if hasattr(tf.config.experimental, 'enable_tensor_float_32_execution'):
      tf.config.experimental.enable_tensor_float_32_execution(tf32)
    if deterministic:
      config.intra_op_parallelism_threads = config.inter_op_parallelism_threads = 1
      if hasattr(tf.config.experimental, 'enable_op_determinism'):
        tf.config.experimental.enable_op_determinism()
    with tf.Graph().as_default(), tf.Session(config=config) as session:
      session.run(tf.no_op())
  return tf, config


def _built_for(tf):
  """Compute capabilities that TensorFlow has code for, or None on 1.x."""
  if not hasattr(tf.sysconfig, 'get_build_info'):
    return None
  return tf.sysconfig.get_build_info()['cuda_compute_capabilities']


def tensorflow_failure(tf, error):
  """What to tell of a failure within TensorFlow: a line and, if known, a remedy."""
  if isinstance(error, tf.errors.ResourceExhaustedError):
    return 'out of memory; try a smaller --batch_size, --pd or --pn'
  # TensorFlow 2 puts headings before what happened.
  lines = [line for line in error.message.splitlines() if line.strip()
           and not line.startswith(('Graph execution error', 'Detected at node'))]
  return 'TensorFlow failed: %s' % (lines[0] if lines else type(error).__name__)
