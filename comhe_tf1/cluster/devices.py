"""Names of devices, as command lines have them and as TensorFlow does; no TensorFlow.

  gpu:1 or cpu:0                   of this process
  /job:worker/task:1/gpu:0         of a process of a cluster
"""
import argparse
import re
import typing

_NAME = re.compile(r'(?:/job:([A-Za-z][A-Za-z0-9_]*)(?:/replica:0)?/task:([0-9]{1,6})/|/?)'
                   r'(?:device:)?(cpu|gpu):([0-9]{1,2})', re.IGNORECASE)


class DeviceError(argparse.ArgumentTypeError):
  """A list of devices is wrong; the message is for the user."""


class Device(typing.NamedTuple):
  """A device.

  job, task: of its process, None for this one. kind: 'CPU' or 'GPU'. number: of those
  of its kind and process, from 0.
  """
  job: typing.Optional[str]
  task: typing.Optional[int]
  kind: str
  number: int

  def __str__(self):
    return f'{self.process or ""}/device:{self.kind}:{self.number}'

  @property
  def process(self):
    """TensorFlow's name of its process, such as /job:worker/task:1, or None."""
    return None if self.job is None else f'/job:{self.job}/task:{self.task}'


def parse(text):
  """Reads one name.

  Raises:
    DeviceError: it is none.
  """
  match = _NAME.fullmatch(text)
  if not match:
    raise DeviceError('expected devices such as gpu:0 or /job:worker/task:0/gpu:0, '
                      f'separated by commas, got {text!r}')
  job, task, kind, number = match.groups()
  return Device(job, job and int(task), kind.upper(), int(number))


def parse_list(text):
  """Type of a flag: names separated by commas.

  Returns:
    List of the names as TensorFlow has them.

  Raises:
    DeviceError: one is no name, or one is named twice.
  """
  named = [parse(name.strip() or text) for name in text.split(',')]
  for device in named:
    if named.count(device) > 1:
      raise DeviceError(f'{device!s} is named twice')
  return [str(device) for device in named]


def check_present(wanted, present):
  """Checks that devices are there.

  Args:
    wanted: list of `Device`.
    present: TensorFlow's full names, as of `Session.list_devices`.

  Raises:
    DeviceError: one is not.
  """
  there = [parse(name) for name in present if _NAME.fullmatch(name)]
  # A session without a server calls its own process a job, too.
  there += [device._replace(job=None, task=None) for device in there
            if device.job == 'localhost']
  for device in wanted:
    if device not in there:
      raise DeviceError(f'there is no {device!s}; there are {", ".join(present)}')


def cpus(wanted):
  """Number of CPU devices that a process must make for some `Device` to be its."""
  return 1 + max([device.number for device in wanted if device.kind == 'CPU'] or [0])
