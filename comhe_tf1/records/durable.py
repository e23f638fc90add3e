"""Files that are valid whenever the process ends or the disk is full."""
import os

# End of the name of a file that is being written.
PART = '.part'


def write_atomically(path, write):
  """Lets `write` fill a binary file, which then replaces `path` as a whole.

  Raises:
    OSError: it cannot be written; what was at `path` is as it was.
  """
  part = path + PART
  try:
    with open(part, 'wb') as file:
      write(file)
      file.flush()
      os.fsync(file.fileno())
    os.replace(part, path)
  except BaseException as error:
    if os.path.exists(part):
      os.remove(part)
    if isinstance(error, OSError) and error.filename is None:
      raise OSError(error.errno, error.strerror, path)
    raise
  directory = os.open(os.path.dirname(path) or '.', os.O_RDONLY)
  try:
    os.fsync(directory)
  finally:
    os.close(directory)


class Lines(object):
  """A text file that grows by whole lines.

  A context manager; leaving it closes the file.

  Args:
    path: made where missing, else continued.

  Attributes:
    name: the path.

  Raises:
    OSError: the file cannot be written.
  """

  def __init__(self, path):
    self.name = path
    self._file = open(path, 'ab', buffering=0)

  def __enter__(self):
    return self

  def __exit__(self, *error):
    self._file.close()

  def add(self, line):
    """Adds a line and hands it to the system; none of it stays if that fails."""
    size, rest = self.size(), (line + '\n').encode()
    try:
      while rest:
        rest = rest[self._file.write(rest):]
    except OSError as error:
      self._file.truncate(size)
      raise OSError(error.errno, error.strerror, self.name)

  def size(self):
    """Size in bytes."""
    return os.fstat(self._file.fileno()).st_size

  def cut(self, size):
    """Cuts the file back to a size it had before."""
    self._file.truncate(size)

  def sync(self):
    """Brings the file to the disk; returns its size in bytes."""
    os.fsync(self._file.fileno())
    return self.size()
