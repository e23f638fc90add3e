"""Starts TensorFlow, on the devices that were asked for and without its own messages."""
import contextlib
import os
import subprocess
import tempfile
import warnings

from comhe_tf1.utils import cuda_driver
from comhe_tf1.utils import version_check

# For whoever does not set them. TensorFlow 2 takes oneDNN's convolutions by itself only
# on CPUs with AVX512-VNNI or more; they are faster on those with AVX2, too. 1.14 from
# PyPI has none.
ENVIRONMENT = {'TF_ENABLE_ONEDNN_OPTS': '1'}

# Waits for a line, and shows the file of the given number where none comes. It is
# opened anew, from its start on.
_RELAY = 'trap "" HUP INT QUIT TERM; read -r line || exec cat "/proc/self/fd/$1"'
_CPU = ('', '-1')   # values of CUDA_VISIBLE_DEVICES that leave no GPU


class StartError(Exception):
  """TensorFlow does not start here; says why, in a line."""


class NoGpuError(Exception):
  """The GPU that was asked for is not there; says why, in a line."""


@contextlib.contextmanager
def quiet_stderr():
  """Holds back what is written to file descriptor 2, unless something fails.

  What was held is shown by a process of its own, also where this one is ended by native
  code or by a signal. Where no process is to be had, nothing is held back.
  """
  with contextlib.ExitStack() as stack:
    try:
      held = stack.enter_context(tempfile.TemporaryFile())
      relay = subprocess.Popen(
          ['sh', '-c', _RELAY, 'sh', str(held.fileno())], stdin=subprocess.PIPE, stdout=2,
          cwd='/', pass_fds=[held.fileno()])
    except OSError:
      yield
      return
    stderr = os.dup(2)
    os.dup2(held.fileno(), 2)
    try:
      yield
      relay.stdin.write(b'nothing failed\n')
    finally:
      os.dup2(stderr, 2)
      os.close(stderr)
      relay.communicate()


def tensorflow(gpu_no, xla=False, tf32=False, deterministic=False,
               skip_version_check=False, gpu_required=False):
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
    skip_version_check: whether to do without the check of versions and GPUs.
    gpu_required: whether to fail where there is none of `gpu_no`.

  Raises:
    NoGpuError, StartError: as these say.
    version_check.Refusal: this TensorFlow or a GPU is not known to work.
  """
  os.environ['CUDA_VISIBLE_DEVICES'] = gpu_no
  os.environ.update(dict(ENVIRONMENT, **os.environ))
  if deterministic:
    # For versions 1.14 to 2.0, and 2.1 to 2.8; later ones are told in `_config`.
    os.environ['TF_CUDNN_DETERMINISTIC'] = os.environ['TF_DETERMINISTIC_OPS'] = '1'
  hushed = contextlib.ExitStack
  if 'TF_CPP_MIN_LOG_LEVEL' not in os.environ:
    os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
    hushed = quiet_stderr
  with hushed():
    tf = _imported()
  driver = None
  if gpu_no not in _CPU and tf.test.is_built_with_cuda():
    driver = cuda_driver.ask()
  if not skip_version_check:
    version_check.check_version(tf.__version__)
    if driver:
      # Before the first session, which compiles for half an hour where code is missing.
      version_check.check_gpus(
          tf.__version__, built_with=_built(tf, 'cuda_version'),
          built_for=_built(tf, 'cuda_compute_capabilities'), driver=driver,
          gpus=gpu_no.split(','), cudnn=_cudnn())
  with hushed():
    config = _config(tf, xla, tf32, deterministic)
    present = _gpus(tf, config, driver)
  if gpu_required and gpu_no not in _CPU and len(present) < len(gpu_no.split(',')):
    raise NoGpuError(why_no_gpu(tf, gpu_no))
  return tf, config


def gpus(session):
  """The GPUs that a session has: list of devices, as `Session.list_devices`."""
  return [device for device in session.list_devices() if device.device_type == 'GPU']


def _imported():
  with warnings.catch_warnings():
    # Those of the libraries, which python -W error would end the import with.
    warnings.simplefilter('ignore')
    try:
      import tensorflow.compat.v1 as tf
    except Exception as error:   # of any kind, where versions of packages do not fit
      text = (str(error).splitlines() or [''])[0]
      raise StartError(f'TensorFlow cannot be imported ({type(error).__name__}: {text}); '
                       + version_check.INSTALL)
    tf.logging.set_verbosity(tf.logging.ERROR)
    return tf


def _config(tf, xla, tf32, deterministic):
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
  return config


def _gpus(tf, config, driver):
  """The GPUs that a first session has; StartError where it fails on one."""
  try:
    with tf.Graph().as_default(), tf.Session(config=config) as session:
      session.run(tf.no_op())
      return gpus(session)
  except (RuntimeError, tf.errors.OpError) as error:   # which of them differs by version
    if not driver or not driver.cuda:
      raise
    built_with = _built(tf, 'cuda_version')
    reasons = [str(error).splitlines()[0], str(driver)]
    if built_with:
      reasons.append(version_check.needs(tf.__version__, built_with))
    raise StartError('; '.join(reasons + ['--gpu_no -1 takes the CPU']))


def why_no_gpu(tf, gpu_no):
  """Why TensorFlow has not the GPUs that were asked for, in words."""
  if not tf.test.is_built_with_cuda():
    lock = 'tf1.14-gpu.txt' if tf.__version__.startswith('1.') else 'tf2.21-gpu.txt'
    return f'this TensorFlow is built without CUDA; requirements/{lock} has one with it'
  driver = cuda_driver.ask()
  if not driver.cuda:
    return driver.problem
  if driver.problem or len(driver.capabilities) < len(gpu_no.split(',')):
    shown = driver.problem or f'the NVIDIA driver shows {len(driver.capabilities)} GPUs'
    return f'{shown} with CUDA_VISIBLE_DEVICES={gpu_no}; nvidia-smi lists all that there are'
  return ('the NVIDIA driver shows it, but TensorFlow cannot open its CUDA libraries; '
          'TF_CPP_MIN_LOG_LEVEL=0 names them, docs/training.md says what brings them')


def _built(tf, fact):
  """What TensorFlow says of how it was built; None where it does not say, as 1.x."""
  if not hasattr(tf.sysconfig, 'get_build_info'):
    return None
  return tf.sysconfig.get_build_info().get(fact)


def _cudnn():
  """Version of the cuDNN that pip installed for TensorFlow 2.21, or None."""
  try:
    from importlib import metadata  # from Python 3.8 on
    return metadata.version('nvidia-cudnn-cu12')
  except ImportError:   # so is the error of a package that is not there
    return None


def failure(tf, error):
  """What to tell of a failure within TensorFlow: a line and, if known, a remedy."""
  if isinstance(error, tf.errors.ResourceExhaustedError):
    return 'out of memory; try a smaller --batch_size, --pd or --pn'
  # TensorFlow 2 puts headings before what happened.
  lines = [line for line in error.message.splitlines() if line.strip()
           and not line.startswith(('Graph execution error', 'Detected at node'))]
  return f'TensorFlow failed: {lines[0] if lines else type(error).__name__}'
