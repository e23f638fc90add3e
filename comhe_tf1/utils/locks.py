"""Locks on files, and what is done where the file system has none."""
import fcntl


def take(file, wait=False):
  """Locks an open file for this process; closing it gives the lock back.

  Where the file system offers no locks (some NFS, Lustre, FUSE), a line says so and
  all goes on without.

  Args:
    file: open for writing.
    wait: whether to wait for another process that holds the lock.

  Raises:
    BlockingIOError: another process holds it.
  """
  try:
    fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
  except BlockingIOError:
    raise
  except OSError as error:
    print('%s cannot be locked (%s): see to it that no other process does the same at '
          'the same time' % (file.name, error.strerror), flush=True)
