"""A container of the project's images: whether logs outlive it, and whose they are."""
import errno
import os
import re

MOUNTS = '/proc/self/mountinfo'


def _mount_points():
  with open(MOUNTS, 'rb') as file:
    for line in file:
      # Blanks and the like are written as octal numbers.
      yield os.fsdecode(re.sub(br'\\([0-7]{3})', lambda match: bytes(
          [int(match.group(1), 8)]), line.split()[4]))


def inside():
  """Whether this process runs in one of the project's images."""
  return 'COMHE_CONTAINER' in os.environ


def is_mounted(folder):
  """Whether a folder lies in something that is mounted below the root."""
  path = os.path.join(os.path.realpath(folder), '')
  return any(path.startswith(os.path.join(point, '')) for point in _mount_points()
             if point != '/')


def warnings(folder):
  """What a training that logs to a folder should be warned of: lines."""
  if inside() and not is_mounted(folder):
    yield ('the logs are inside this container and go with it; -v $PWD/log:/log keeps them '
           'on the host')


_OWNER = ('start the container as the owner of the folder that is mounted there, with --user '
          '$(id -u):$(id -g)')


def remedy(folder, number):
  """What to do where a folder for logs cannot be written, by the error's number."""
  if not inside():
    return 'choose another --log_dir'
  if not is_mounted(folder):
    return 'mount a folder of the host there, such as -v $PWD/log:/log'
  if number == errno.EROFS:
    return 'mount it without :ro'
  return _OWNER + '; one that was not made before (mkdir) is root\'s'


def data_remedy(folder, number):
  """What to do where data cannot be read or written; None where no mount is the reason."""
  if not inside():
    return None
  if not is_mounted(folder):
    return 'mount the folder of the data there, with -v FOLDER:/data'
  if number == errno.EROFS:
    return 'mount it without :ro'
  if number in (errno.EACCES, errno.EPERM):
    return _OWNER + '; under SELinux, mount it with :z'
  return None


def download_warnings(folder):
  """What a download into a folder should be warned of: lines."""
  if inside() and not is_mounted(folder):
    yield ('the data are inside this container and go with it; -v $PWD/data:/data keeps '
           'them on the host')
