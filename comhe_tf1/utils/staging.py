"""A folder of this program's own, in which files wait until all are complete.

What lies beside them under other names may be the user's, whatever it is called.
"""
import contextlib
import glob
import os
import shutil
import tempfile

_PREFIX = '.comhe_unfinished_'


@contextlib.contextmanager
def inside(folder):
  """Makes a new folder in another one and removes it with what is left in it."""
  path = tempfile.mkdtemp(prefix=_PREFIX, dir=folder)
  try:
    yield path
  finally:
    shutil.rmtree(path, ignore_errors=True)


def sweep(folder):
  """Removes what killed processes left; not while others may work there."""
  for path in glob.glob(os.path.join(glob.escape(folder), _PREFIX + '*')):
    shutil.rmtree(path, ignore_errors=True)
