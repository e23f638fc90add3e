"""The CUDA driver: its version, and which GPUs it shows to this process."""
import ctypes
import re
import typing

_MODULE = '/proc/driver/nvidia/version'


class Driver(typing.NamedTuple):
  """What the driver tells.

  number: its version, such as '550.54.15', None where that is not known.
  cuda: the newest CUDA that it runs, such as (12, 4), None without a driver.
  capabilities: pairs (major, minor) of the GPUs that CUDA_VISIBLE_DEVICES lets it show, in
    TensorFlow's order.
  problem: why it cannot show them, or None.
  """
  number: typing.Optional[str]
  cuda: typing.Optional[tuple]
  capabilities: list
  problem: typing.Optional[str]

  def __str__(self):
    return 'the NVIDIA driver%s runs CUDA up to %d.%d' % (
        (' ' + self.number if self.number else '',) + self.cuda)


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
    return Driver(None, None, [], 'there is no NVIDIA driver here (libcuda.so.1)')
  version, count = ctypes.c_int(), ctypes.c_int()
  cuda.cuDriverGetVersion(ctypes.byref(version))
  problem, capabilities = None, []
  try:
    _call(cuda.cuInit, 0)
    _call(cuda.cuDeviceGetCount, ctypes.byref(count))
    capabilities = [tuple(_attribute(cuda, number, attribute) for attribute in (75, 76))
                    for number in range(count.value)]
  except _CallError as error:
    text = ctypes.c_char_p()
    cuda.cuGetErrorString(error.args[0], ctypes.byref(text))
    problem = 'the NVIDIA driver says %r (%d)' % (
        (text.value or b'unknown error').decode(), error.args[0])
  return Driver(_number(), (version.value // 1000, version.value % 1000 // 10),
                capabilities, problem)


def _attribute(cuda, number, attribute):
  device, value = ctypes.c_int(), ctypes.c_int()
  _call(cuda.cuDeviceGet, ctypes.byref(device), number)
  _call(cuda.cuDeviceGetAttribute, ctypes.byref(value), attribute, device)
  return value.value


def _number():
  """Version of the kernel's module, which is that of the driver."""
  try:
    with open(_MODULE) as file:
      match = re.search(r'Kernel Module.*?\s([0-9]+(?:\.[0-9]+)+)\s', file.read())
  except OSError:
    return None
  return match and match.group(1)
