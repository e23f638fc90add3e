"""The CUDA driver: what it runs, and which GPUs it shows to this process."""
import ctypes
import typing

# Of cuDeviceGetAttribute: the two numbers of a GPU's compute capability.
_MAJOR, _MINOR = 75, 76


class Driver(typing.NamedTuple):
  """What the driver tells.

  cuda: the newest CUDA that it runs, such as (12, 4), None without a driver.
  capabilities: pairs (major, minor) of the GPUs that CUDA_VISIBLE_DEVICES lets it show, in
    TensorFlow's order.
  problem: why it cannot show them, or None.
  """
  cuda: typing.Optional[tuple]
  capabilities: list
  problem: typing.Optional[str]

  def __str__(self):
    return 'the NVIDIA driver runs CUDA up to %d.%d' % self.cuda


class _CallError(Exception):
  """A function of the driver failed, with this number."""


def _call(function, *args):
  status = function(*args)
  if status:
    raise _CallError(status)


def ask():
  """Asks the driver; returns a `Driver`."""
  try:
    cuda = ctypes.CDLL('libcuda.so.1')
  except OSError:
    return Driver(None, [], 'there is no NVIDIA driver here (libcuda.so.1)')
  version, count = ctypes.c_int(), ctypes.c_int()
  cuda.cuDriverGetVersion(ctypes.byref(version))
  problem, capabilities = None, []
  try:
    _call(cuda.cuInit, 0)
    _call(cuda.cuDeviceGetCount, ctypes.byref(count))
    capabilities = [(_attribute(cuda, number, _MAJOR), _attribute(cuda, number, _MINOR))
                    for number in range(count.value)]
  except _CallError as error:
    number, = error.args
    text = ctypes.c_char_p()
    cuda.cuGetErrorString(number, ctypes.byref(text))
    problem = f'the NVIDIA driver says {(text.value or b"an error").decode()!r} ({number})'
  return Driver((version.value // 1000, version.value % 1000 // 10), capabilities, problem)


def _attribute(cuda, number, attribute):
  device, value = ctypes.c_int(), ctypes.c_int()
  _call(cuda.cuDeviceGet, ctypes.byref(device), number)
  _call(cuda.cuDeviceGetAttribute, ctypes.byref(value), attribute, device)
  return value.value
