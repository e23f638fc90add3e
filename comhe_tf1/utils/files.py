"""Files that have an end and are not waited for."""
import errno
import os
import stat


def regular(path, flags):
  """Opener for `open` that takes regular files only.

  A pipe would be waited for, without a word, and a device may have no end.

  Raises:
    OSError: it is something else, or cannot be opened.
  """
  try:
    descriptor = os.open(path, flags | os.O_NONBLOCK, 0o666)
  except OSError as error:
    if error.errno != errno.ENXIO:   # a pipe that nobody reads, or a socket
      raise
    raise _not_regular(path)
  kind = os.fstat(descriptor).st_mode
  if stat.S_ISREG(kind):
    return descriptor
  os.close(descriptor)
  if stat.S_ISDIR(kind):
    raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), path)
  raise _not_regular(path)


def _not_regular(path):
  return OSError(errno.EINVAL, 'it is no regular file', path)
