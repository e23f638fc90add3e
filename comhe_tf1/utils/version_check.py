"""What this project is known to work with, and what to do about anything else."""
import re

# From the first version of each pair on, up to but without the second. Recorded trajectories
# were run under 1.14, 1.15, 2.1, 2.4, 2.12, 2.13, 2.16, 2.18, 2.20 and 2.21.
KNOWN = (((1, 14), (1, 16)), ((2, 1), (2, 22)))
INSTALL = 'install what is needed with pip install -r requirements.txt'
# TensorFlow 1.x does not say what it was built for: binaries from Kepler to Volta,
# which Turing runs as well. Newer GPUs fail, or start after half an hour of compiling.
TENSORFLOW_1_CAPABILITIES = ((3, 5), (7, 0))
# From this version on, cuDNN's libraries hold no code for GPUs before Turing.
CUDNN_FROM_TURING = (9, 11)
TURING = (7, 5)
# The least driver by the CUDA that a TensorFlow was built with, as NVIDIA's support matrices
# of cuDNN 7.6.0 and 9.10.2 have it. From CUDA 11 on it is one for all of a major version.
DRIVERS = {(10, 0): '410.48', (11, 0): '450.80.02', (12, 0): '525.60.13'}


class Refusal(Exception):
  """The environment is not known to work; says what, and what to do."""

  def __str__(self):
    return f'{self.args[0]}; --skip_version_check tries all the same'


def check_version(tensorflow):
  """Raises a Refusal unless this version of TensorFlow is known to work."""
  if not any(first <= _numbers(tensorflow) < end for first, end in KNOWN):
    raise Refusal(f'TensorFlow {tensorflow} is not known to work (1.14, 1.15 and 2.1 to 2.21 '
                  f'are); {INSTALL}')


def _numbers(version):
  return tuple(int(number) for number in re.findall('[0-9]+', version)[:3])


def needs(tensorflow, built_with):
  """What a TensorFlow that was built with a CUDA such as '12.5.1' needs, in words."""
  cuda = _needed_cuda(built_with)
  driver = f', driver {DRIVERS[cuda]} or newer' if cuda in DRIVERS else ''
  return (f'TensorFlow {tensorflow} needs CUDA {cuda[0]}.{cuda[1]}{driver}, and the '
          'libraries that docs/training.md names')


def _needed_cuda(built_with):
  major, minor = _numbers(built_with)[:2]
  return (major, 0) if major >= 11 else (major, minor)


def check_gpus(tensorflow, built_with, built_for, driver, gpus, cudnn):
  """Compares driver and GPUs with what this TensorFlow was built with and for.

  Args:
    tensorflow: its version.
    built_with: version of CUDA, or None where it is not known.
    built_for: compute capabilities, as its build information lists them ('sm_60', ...,
      'compute_90'), or None where it does not say (1.x).
    driver: `cuda_driver.Driver`.
    gpus: what the GPUs that the driver shows are called.
    cudnn: version of the cuDNN that pip installed, or None.

  Raises:
    Refusal: the driver is too old, or there is no code for a GPU. One runs code for its
      own major version and a lower or equal minor one.
  """
  if built_with and driver.cuda and driver.cuda < _needed_cuda(built_with):
    raise Refusal(f'{driver}; {needs(tensorflow, built_with)}, or take the CPU with '
                  '--gpu_no -1')
  codes = sorted(map(_capability, built_for or ())) or TENSORFLOW_1_CAPABILITIES
  first, last = codes[0], codes[-1]
  what = f'TensorFlow {tensorflow}'
  if cudnn and _numbers(cudnn) >= CUDNN_FROM_TURING and first < TURING:
    first, what = TURING, f'{what} with cuDNN {cudnn}'
  for name, capability in zip(gpus, driver.capabilities):
    if not first <= capability < (last[0] + 1,):
      raise Refusal(
          'GPU %s has compute capability %d.%d; %s has code for %d.%d to %d.%d; %s, or '
          'take the CPU with --gpu_no -1' % (
              (name,) + capability + (what,) + first + last + (_remedy(capability),)))


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
