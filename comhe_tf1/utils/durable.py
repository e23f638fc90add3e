"""Files that are valid whenever the process ends or the disk is full."""
import contextlib
import errno
import os
import re
import secrets


# End of the name of a file that is being written.
PART = '.part'
# Seconds after which what a process was making is taken for the rest of a killed one.
STALE = 3600
_NOT_OFFERED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF)


def write_atomically(path, write):
  """Lets `write` fill a binary file, which then replaces `path` as a whole.

  Raises:
    OSError: it cannot be written; what was at `path` is as it was.
  """
  # Not the process's number: in containers that share a folder all are number 1.
  part = f'{path}.{secrets.token_hex(8)}{PART}'
  try:
    with open(part, 'xb') as file:
      write(file)
      file.flush()
      sync(file.fileno())
    _sweep(part, re.escape(os.path.basename(path)) + r'\.[0-9a-f]{16}\.part$')
    os.replace(part, path)
  except BaseException as error:
    with contextlib.suppress(OSError):
      os.remove(part)
    if isinstance(error, OSError) and error.filename in (None, part):
      raise OSError(error.errno, error.strerror, path)
    raise
  sync_folder(os.path.dirname(path))


def _sweep(own, pattern):
  """Removes what killed processes left beside `own`, as far as it can be removed.

  Only what is older than `own` by far: another process may be at work on the rest. Both
  times are the file system's, whatever clock this machine has.

  Args:
    own: path that was made just now.
    pattern: of the names to be removed.
  """
  folder = os.path.dirname(own)
  with contextlib.suppress(OSError):
    now = os.stat(own).st_mtime
    for name in os.listdir(folder or '.'):
      path = os.path.join(folder, name)
      with contextlib.suppress(OSError):
        if re.match(pattern, name) and now - os.lstat(path).st_mtime > STALE:
          os.remove(path)


def sync(descriptor):
  """Brings an open file to the disk, as far as the file system offers that."""
  try:
    os.fsync(descriptor)
  except OSError as error:
    if error.errno not in _NOT_OFFERED:
      raise


def sync_folder(path):
  """As `sync`, the names in a folder; some can be written to but not opened."""
  try:
    descriptor = os.open(path or '.', os.O_RDONLY)
  except OSError:
    return
  try:
    sync(descriptor)
  finally:
    os.close(descriptor)


class Lines:
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
    self._file = _open_lines(path)

  def __enter__(self):
    return self

  def __exit__(self, *error):
    self._file.close()

  def add(self, line):
    """Adds a line and hands it to the system; none of it stays if that fails.

    Also where the file has been removed meanwhile: all lines would go with it.
    """
    if not os.fstat(self._file.fileno()).st_nlink:
      raise OSError(errno.ENOENT, 'removed while it was being written', self.name)
    size, rest = os.fstat(self._file.fileno()).st_size, (line + '\n').encode()
    try:
      while rest:
        rest = rest[self._file.write(rest):]
    except OSError as error:
      with contextlib.suppress(OSError):
        self._file.truncate(size)
      raise OSError(error.errno, error.strerror, self.name)

  def read(self):
    """The lines that the file has, as list; with whatever ends an editor gave them."""
    with open(self.name, encoding='utf-8-sig', errors='replace') as file:
      return file.read().splitlines()

  def cut(self, keep):
    """Removes the lines of which `keep` is false.

    Args:
      keep: function of a line.
    """
    text = ''.join(line + '\n' for line in self.read() if keep(line))
    write_atomically(self.name, lambda file: file.write(text.encode()))
    self._file.close()
    self._file = _open_lines(self.name)

  def sync(self):
    """Brings the file to the disk."""
    sync(self._file.fileno())


def _open_lines(path):
  return open(path, 'ab', buffering=0)
