"""A container of the project's images: folders that are not mounted go with it."""
import errno
import os

MOUNTS = '/proc/self/mountinfo'
_OF_MOUNTS = (errno.EACCES, errno.EPERM, errno.EROFS)
_REMEDY = ('mount a folder of yours there: -v %s --user $(id -u):$(id -g), without :ro '
           'where it is written (docs/docker.md)')


def inside():
  """Whether this process runs in one of the project's images."""
  return 'COMHE_CONTAINER' in os.environ


def is_mounted(folder):
  """Whether a folder lies in something that is mounted below the root."""
  with open(MOUNTS) as file:
    points = [line.split()[4] for line in file]
  folder = os.path.realpath(folder)
  while folder != '/' and folder not in points:
    folder = os.path.dirname(folder)
  return folder != '/'


def warnings(folder, what='logs', mount='$PWD/log:/log'):
  """What should be said before something is written to a folder: lines."""
  if inside() and not is_mounted(folder):
    yield (f'the {what} are inside this container and go with it; -v {mount} keeps them on '
           'the host')


def download_warnings(folder):
  """As `warnings`, of data."""
  return warnings(folder, 'data', '$PWD/data:/data')


def remedy(folder, number):
  """What to do where logs cannot be written, by the error's number."""
  return _mount(folder, number, '$PWD/log:/log') or 'choose another --log_dir'


def data_remedy(folder, number):
  """As `remedy`, of data that are read or written; None where no mount is the reason."""
  return _mount(folder, number, 'FOLDER:/data')


def _mount(folder, number, option):
  if inside() and (number in _OF_MOUNTS or not is_mounted(folder)):
    return _REMEDY % option
  return None
