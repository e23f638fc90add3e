"""Files that are valid whenever the process ends or the disk is full."""
import contextlib
import os

# End of the name of a file that is being written; the next writer replaces what a killed
# one left.
PART = '.comhe_part'


def write_atomically(path, content):
  """Replaces a file by these bytes, as a whole.

  Raises:
    OSError: it cannot be written; what was at `path` is as it was.
  """
  part = path + PART
  try:
    with open(part, 'wb') as file:
      file.write(content)
      file.flush()
      os.fsync(file.fileno())
    os.replace(part, path)
  except OSError as error:
    with contextlib.suppress(OSError):
      os.remove(part)
    raise OSError(error.errno, error.strerror, path)


def add_line(path, line):
  """Adds a line to a file that is there; none of it stays if that fails."""
  with open(path, 'r+b', buffering=0) as file:
    size, rest = file.seek(0, os.SEEK_END), (line + '\n').encode()
    try:
      while rest:
        rest = rest[file.write(rest):]
    except OSError as error:
      with contextlib.suppress(OSError):
        file.truncate(size)
      raise OSError(error.errno, error.strerror, path)


def read_lines(path):
  """The lines of a file, as list; with whatever ends an editor gave them."""
  with open(path, encoding='utf-8-sig', errors='replace') as file:
    return file.read().splitlines()


def cut_lines(path, keep):
  """Removes the lines of which `keep`, a function of a line, is false."""
  write_atomically(path, ''.join(
      line + '\n' for line in read_lines(path) if keep(line)).encode())
