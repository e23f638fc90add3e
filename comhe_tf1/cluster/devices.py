"""Names of devices, as command lines have them and as TensorFlow does; no TensorFlow.

  gpu:1 or cpu:0                   of this process
  /job:worker/task:1/gpu:0         of a process of a cluster
"""
import collections
import re

_NAME = re.compile(r'(?:/job:([A-Za-z][A-Za-z0-9_]*)(?:/replica:0)?/task:([0-9]{1,6})/|/?)'
                   r'(?:device:)?(cpu|gpu):([0-9]{1,2})', re.IGNORECASE)


class DeviceError(Exception):
  """A list of devices is wrong; the message is for the user."""


class Device(collections.namedtuple('Device', 'job task kind number')):
  """A device.

  job, task: of its process, None for this one. kind: 'CPU' or 'GPU'. number: of those
  of its kind and process, from 0.
  """

  def __str__(self):
    return '%s/device:%s:%d' % (self.process or '', self.kind, self.number)

  @property
  def process(self):
    """TensorFlow's name of its process, such as /job:worker/task:1, or None."""
    return None if self.job is None else '/job:%s/task:%d' % (self.job, self.task)


def parse(text):
  """Reads one name.

  Raises:
    DeviceError: it is none.
  """
  match = _NAME.fullmatch(text)
  if not match:
    raise DeviceError('expected devices such as gpu:0 or /job:worker/task:0/gpu:0, '
                      'separated by commas, got %r' % text)
  job, task, kind, number = match.groups()
  return Device(job, job and int(task), kind.upper(), int(number))


def parse_list(text):
  """Reads names separated by commas.

  Returns:
    List of `Device`.

  Raises:
    DeviceError: one is no name, one is named twice, or only some belong to a cluster.
  """
  names = [name.strip() for name in text.split(',')]
  found = [parse(name or text) for name in names]
  for device, count in collections.Counter(found).items():
    if count > 1:
      raise DeviceError('%s is named twice' % str(device))
  if len({device.job is None for device in found}) > 1:
    raise DeviceError('either all devices have a job and a task or none has, got %r'
                      % text)
  return found


def missing(wanted, present):
  """Devices that are not there.

  Args:
    wanted: list of `Device`.
    present: TensorFlow's full names, as of `Session.list_devices`.

  Returns:
    List of those of `wanted` that are not among `present`.
  """
  there = {parse(name) for name in present if _NAME.fullmatch(name)}
  there |= {device._replace(job=None, task=None) for device in there
            if device.job == 'localhost'}
  return [device for device in wanted if device not in there]


def check_present(wanted, present, visible=None):
  """Checks that devices are there.

  Args:
    wanted, present: as `missing`.
    visible: numbers of the GPUs that this process was allowed to see, None where the
      devices are another's.

  Raises:
    DeviceError: one is not.
  """
  for device in missing(wanted, present):
    raise DeviceError('there is no %s; there are %s%s' % (
        device, ', '.join(present), '' if device.kind == 'CPU' or visible is None else
        ' (GPUs %r are to be visible)' % visible))


def cpus(wanted):
  """Number of CPU devices that a process must make for some `Device` to be its."""
  return 1 + max([device.number for device in wanted if device.kind == 'CPU'] or [0])
