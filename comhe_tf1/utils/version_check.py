"""What this project is known to work with, and what to do about anything else."""
import collections
import re
import sys

Known = collections.namedtuple('Known', 'tensorflow python numpy protobuf')

# From the first version of each pair on, up to but without the second. Recorded
# trajectories were run under TensorFlow 1.14, 1.15, 2.1, 2.4, 2.12, 2.13, 2.16, 2.18, 2.20
# and 2.21; bounds of NumPy and protobuf are what was tried for 1.x, else what the
# packages of TensorFlow themselves ask for.
KNOWN = (
    Known(((1, 14), (1, 16)), ((3, 6), (3, 8)), ((1, 16), (1, 20)), ((3, 8), (3, 21))),
    Known(((2, 1), (2, 12)), ((3, 6), (3, 12)), ((1, 16), (2,)), ((3, 8), (3, 21))),
    Known(((2, 12), (2, 18)), ((3, 8), (3, 13)), ((1, 22), (2,)), ((3, 20, 3), (5,))),
    Known(((2, 18), (2, 20)), ((3, 9), (3, 13)), ((1, 26), (3,)), ((3, 20, 3), (6,))),
    Known(((2, 20), (2, 21)), ((3, 9), (3, 14)), ((1, 26), (3,)), ((5, 28), (8,))),
    Known(((2, 21), (2, 22)), ((3, 10), (3, 14)), ((1, 26), (3,)), ((6, 31, 1), (8,))),
)
# TensorFlow 1.x does not say what it was built for: binaries from Kepler to Volta,
# which Turing runs as well. Newer GPUs fail, or start after half an hour of compiling.
TENSORFLOW_1_CAPABILITIES = ((3, 5), (7, 0))

# From this version on, cuDNN's libraries hold no code for GPUs before Turing.
CUDNN_FROM_TURING = (9, 11)
TURING = (7, 5)
# The least driver by the CUDA that a TensorFlow was built with, as NVIDIA's support matrices
# of cuDNN 7.6.0 and 9.10.2 have it. From CUDA 11 on it is one for all of a major version.
DRIVERS = {(10, 0): '410.48', (11, 0): '450.80.02', (12, 0): '525.60.13'}

INSTALL = 'install what is needed with pip install -r requirements.txt'
_DISTRIBUTIONS = ('tensorflow', 'tensorflow-gpu', 'tensorflow-cpu')


class Refusal(Exception):
  """The environment is not known to work; says what, and what to do."""

  def __str__(self):
    return '%s; --any_environment tries all the same' % self.args


def installed():
  """Versions of Python, tensorflow, numpy and protobuf, by name; None where unknown.

  Of what is installed, without importing it: a wrong combination fails at import.
  """
  return {
      'python': '%d.%d.%d' % sys.version_info[:3],
      'tensorflow': _version(*_DISTRIBUTIONS),
      'numpy': _version('numpy'),
      'protobuf': _version('protobuf'),
  }


def _version(*distributions):
  try:
    from importlib import metadata
  except ImportError:  # before Python 3.8; TensorFlow 1.x brings it along
    try:
      import importlib_metadata as metadata
    except ImportError:
      return None
  for name in distributions:
    try:
      return metadata.version(name)
    except metadata.PackageNotFoundError:
      pass
  return None


def check_versions(versions):
  """Compares versions with what is known to work.

  Args:
    versions: as `installed` gives them. What is unknown is taken to be right.

  Raises:
    Refusal: a combination is not known to work.
  """
  python, tensorflow = versions['python'], versions['tensorflow']
  if tensorflow is None:
    return
  rows = [row for row in KNOWN if _within(python, row.python)]
  if not rows:
    raise Refusal('Python %s is not known to work; use 3.6 to 3.13' % python)
  rows = [row for row in rows if _within(tensorflow, row.tensorflow)]
  if not rows:
    raise Refusal('TensorFlow %s with Python %s is not known to work; %s' % (
        tensorflow, python, INSTALL))
  for name, package in (('numpy', 'NumPy'), ('protobuf', 'protobuf')):
    span = getattr(rows[0], name)
    if versions[name] is not None and not _within(versions[name], span):
      raise Refusal('%s %s with TensorFlow %s is not known to work (%s is); %s' % (
          package, versions[name], tensorflow, _span(span), INSTALL))


def _numbers(version):
  return tuple(int(number) for number in re.findall('[0-9]+', version)[:3])


def _within(version, span):
  return span[0] <= _numbers(version) < span[1]


def _span(span):
  """A pair of `Known` in words: 1.14 to 1.15."""
  least, below = span
  last = below[:-1] + (below[-1] - 1,)
  return '%s to %s' % ('.'.join(map(str, least)), '.'.join(map(str, last)))


def needed_cuda(built_with):
  """The CUDA that a driver must run, as a pair, for code built with one such as '12.5.1'."""
  major, minor = _numbers(built_with)[:2]
  return (major, 0) if major >= 11 else (major, minor)


def check_driver(tensorflow, built_with, driver):
  """Compares the driver with the CUDA that this TensorFlow was built with.

  Args:
    tensorflow: its version.
    built_with: version of CUDA, or None where it is not known.
    driver: `cuda_driver.Driver`.

  Raises:
    Refusal: it is too old.
  """
  if built_with and driver.cuda and driver.cuda < needed_cuda(built_with):
    raise Refusal('%s; %s, or take the CPU with --gpu_no -1' % (
        driver, in_need_of(tensorflow, built_with)))


def in_need_of(tensorflow, built_with):
  """What a TensorFlow needs for GPUs, in words."""
  cuda = needed_cuda(built_with)
  driver = ', driver %s or newer' % DRIVERS[cuda] if cuda in DRIVERS else ''
  return 'TensorFlow %s needs CUDA %d.%d%s, and the libraries that docs/install.md names' % (
      (tensorflow,) + cuda + (driver,))


def cudnn():
  """Version of the cuDNN that pip installed, or None."""
  return _version('nvidia-cudnn-cu12')


def check_gpus(tensorflow, built_for, found, with_cudnn=None):
  """Compares GPUs with what this TensorFlow has code for.

  Args:
    tensorflow: its version.
    built_for: capabilities it was built for, as its build information lists them
      ('sm_60', ..., 'compute_90'), or None where it does not say (1.x).
    found: pairs of what a GPU is called and its capability.
    with_cudnn: as `cudnn`.

  Raises:
    Refusal: it has no code for one of them. A GPU runs code for its own major version
      and a lower or equal minor one.
  """
  codes = sorted(_capability(name) for name in built_for or ()) or (
      TENSORFLOW_1_CAPABILITIES)
  least, what = codes[0], 'TensorFlow %s' % tensorflow
  if with_cudnn and _numbers(with_cudnn) >= CUDNN_FROM_TURING and least < TURING:
    least, what = TURING, '%s with cuDNN %s' % (what, with_cudnn)
  for name, capability in found:
    if not least <= capability < (codes[-1][0] + 1,):
      raise Refusal(
          'GPU %s has compute capability %d.%d; %s has code for %d.%d to %d.%d; %s, or '
          'take the CPU with --gpu_no -1' % (
              (name,) + capability + (what,) + least + codes[-1] + (_remedy(capability),)))


def _capability(name):
  """sm_60, compute_90, sm_90a or sm_100 as a pair."""
  digits = re.search('[0-9]+', name).group()
  return int(digits[:-1]), int(digits[-1])


def _remedy(capability):
  if capability < TURING:
    return ('use the Docker image repro, or Python 3.6 with requirements/'
            'tf1.14-gpu.txt')
  if capability < (10, 0):
    return ('use the Docker image modern, or Python 3.10 to 3.13 with '
            'requirements/tf2.21-gpu.txt')
  return 'no TensorFlow that this project knows has; docs/docker.md says what is known'
