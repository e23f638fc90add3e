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


class StartError(Exception):
  """TensorFlow does not start on this GPU; says why, in a line."""


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
               any_environment=False, gpu_required=False):
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
    gpu_required: whether to fail where there is none of `gpu_no`.

  Raises:
    NoGpuError, StartError: as these say.
    version_check.Refusal: versions or a GPU are not known to work.
    ImportError: TensorFlow is not installed.
  """
  if not any_environment:
    # Before the import, which fails where versions do not fit.
    version_check.check_versions(version_check.installed())
  os.environ['CUDA_VISIBLE_DEVICES'] = gpu_no
  os.environ.update(dict(ENVIRONMENT, **os.environ))
  if deterministic:
    # For versions 1.14 to 2.0, and 2.1 to 2.8; later ones are told below.
    os.environ['TF_CUDNN_DETERMINISTIC'] = os.environ['TF_DETERMINISTIC_OPS'] = '1'
  hushed = contextlib.ExitStack
  if 'TF_CPP_MIN_LOG_LEVEL' not in os.environ:
    os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
    hushed = quiet_stderr
  with hushed(), warnings.catch_warnings():
    # Those of the libraries, which python -W error would end the import with.
    warnings.simplefilter('ignore')
    import tensorflow.compat.v1 as tf
    tf.logging.set_verbosity(tf.logging.ERROR)
  on_gpu = gpu_no not in ('', '-1')
  driver = cuda_driver.ask() if on_gpu and tf.test.is_built_with_cuda() else None
  if driver and not any_environment:
    # Before the first session, which compiles for half an hour where code is missing.
    version_check.check_driver(tf.__version__, _built(tf, 'cuda_version'), driver)
    version_check.check_gpus(tf.__version__, _built(tf, 'cuda_compute_capabilities'),
                             zip(gpu_no.split(','), driver.capabilities),
                             version_check.cudnn())
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
    try:
      with tf.Graph().as_default(), tf.Session(config=config) as session:
        session.run(tf.no_op())
        gpus = [device for device in session.list_devices() if device.device_type == 'GPU']
    except (RuntimeError, tf.errors.OpError) as error:   # which of them differs by version
      if not driver or not driver.cuda:
        raise
      built_with = _built(tf, 'cuda_version')
      raise StartError('; '.join([str(error).splitlines()[0], str(driver)] + (
          [version_check.in_need_of(tf.__version__, built_with)] if built_with else []) +
                                 ['--gpu_no -1 takes the CPU']))
  if gpu_required and on_gpu and len(gpus) < len(gpu_no.split(',')):
    raise NoGpuError(why_no_gpu(tf, gpu_no))
  return tf, config


def why_no_gpu(tf, gpu_no):
  """Why TensorFlow has not the GPUs that were asked for, in words."""
  if not tf.test.is_built_with_cuda():
    return 'this TensorFlow is built without CUDA'
  driver = cuda_driver.ask()
  if driver.problem:
    return driver.problem
  if len(driver.capabilities) < len(gpu_no.split(',')):
    return 'the NVIDIA driver shows %d GPUs of these' % len(driver.capabilities)
  return ('the NVIDIA driver shows it, but TensorFlow cannot open its CUDA libraries; '
          'TF_CPP_MIN_LOG_LEVEL=0 names them, docs/install.md says what brings them')


def _built(tf, fact):
  """What TensorFlow says of how it was built; None where it does not say, as 1.x."""
  if not hasattr(tf.sysconfig, 'get_build_info'):
    return None
  return tf.sysconfig.get_build_info().get(fact)


def failure(tf, error):
  """What to tell of a failure within TensorFlow: a line and, if known, a remedy."""
  if isinstance(error, tf.errors.ResourceExhaustedError):
    return 'out of memory; try a smaller --batch_size, --pd or --pn'
  # TensorFlow 2 puts headings before what happened.
  lines = [line for line in error.message.splitlines() if line.strip()
           and not line.startswith(('Graph execution error', 'Detected at node'))]
  return 'TensorFlow failed: %s' % (lines[0] if lines else type(error).__name__)
