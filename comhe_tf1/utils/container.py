"""A container of the project's images: folders that are not mounted go with it."""
import errno
import os

MOUNTS = '/proc/self/mountinfo'
_OF_MOUNTS = (errno.EACCES, errno.EPERM, errno.EROFS)


def advice(folder, mount, error=None):
  """How to mount a folder, in one of the project's images; '' where that is no remedy.

  Args:
    folder: where something is read or written.
    mount: '/log' or '/data'.
    error: number of the error there was, or None.
  """
  if 'COMHE_CONTAINER' not in os.environ or (
      error not in _OF_MOUNTS and is_mounted(folder)):
    return ''
  return (f'mount a folder of yours there: -v $PWD{mount}:{mount} --user $(id -u):'
          '$(id -g), without :ro where it is written (docs/docker.md)')


def is_mounted(folder):
  """Whether a folder lies in something that is mounted below the root."""
  with open(MOUNTS) as file:
    points = [line.split()[4] for line in file]
  folder = os.path.realpath(folder)
  while folder != '/' and folder not in points:
    folder = os.path.dirname(folder)
  return folder != '/'
