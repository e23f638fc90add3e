"""Checkpoints: one file each, written whole or not at all.

A checkpoint is a NumPy archive `step_<NNNNNNNN>.npz` of named arrays and a few
facts in JSON, readable without TensorFlow and without pickle. It appears under
its name only when it is complete and on disk.
"""
import io
import json
import os
import re
import zipfile

import numpy as np

from comhe_tf1.records import durable

_NAME = re.compile(r'step_(\d{8,})\.npz$')
_FACTS = 'facts.json'


class CheckpointError(Exception):
  """A checkpoint cannot be used; the message is for the user."""


def save(folder, step, arrays, facts, keep):
  """Writes a checkpoint and removes the oldest beyond `keep`.

  Args:
    folder: made where missing.
    step: number of finished training steps.
    arrays: dict from name to array.
    facts: dict that JSON can hold; `steps` among them.
    keep: number of checkpoints to leave, at least 1.

  Returns:
    Path of the checkpoint.

  Raises:
    OSError: it cannot be written; earlier checkpoints are as they were.
  """
  os.makedirs(folder, exist_ok=True)
  for name in os.listdir(folder):
    if name.endswith(durable.PART):   # a process was killed as it saved
      os.remove(os.path.join(folder, name))
  path = os.path.join(folder, 'step_%08d.npz' % step)
  content = {'array/' + name: value for name, value in arrays.items()}
  content[_FACTS] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
  # In memory first: an archive that breaks off on a full disk complains once more
  # as Python clears it away.
  archive = io.BytesIO()
  np.savez(archive, **content)
  durable.write_atomically(path, lambda file: file.write(archive.getbuffer()))
  for old in paths(folder)[:-keep]:
    os.remove(old)
  return path


def paths(folder):
  """Paths of the checkpoints in a folder, oldest first."""
  if not os.path.isdir(folder):
    return []
  steps = sorted((int(match.group(1)), name) for name, match in
                 ((name, _NAME.match(name)) for name in os.listdir(folder)) if match)
  return [os.path.join(folder, name) for _, name in steps]


def load(path):
  """Reads a checkpoint.

  Returns:
    Dict of arrays and dict of facts, as given to `save`.

  Raises:
    CheckpointError: the file is missing, damaged or no checkpoint.
  """
  try:
    zipfile.ZipFile(path).close()   # NumPy 1 complains of a broken one by itself
    with np.load(path, allow_pickle=False) as content:
      facts = json.loads(content[_FACTS].tobytes().decode())
      facts['steps']   # in all of them
      # Reading every array checks its sum.
      return {name[len('array/'):]: content[name] for name in content.files
              if name.startswith('array/')}, facts
  except OSError as error:
    raise CheckpointError('cannot read checkpoint %s: %s'
                          % (path, error.strerror or error))
  except (ValueError, KeyError, TypeError, EOFError, AttributeError, zipfile.BadZipFile):
    raise CheckpointError('%s is damaged or no checkpoint' % path)


def newest(folder, warn):
  """The newest good checkpoint in a folder.

  Args:
    folder: need not exist.
    warn: called with a line about every damaged one that is passed over.

  Returns:
    Path, arrays and facts as `load`; or None if the folder has no checkpoint.

  Raises:
    CheckpointError: all checkpoints are damaged.
  """
  found = paths(folder)
  for path in reversed(found):
    try:
      return (path,) + load(path)
    except CheckpointError as error:
      warn(str(error))
  if found:
    raise CheckpointError('all checkpoints in %s are damaged' % folder)
  return None


def find(path, warn):
  """A checkpoint by its path, or the newest good one of a run's folder.

  Args:
    path: of a checkpoint, or of a folder that holds `checkpoints/` or checkpoints.
    warn: as `newest`.

  Returns:
    Path, arrays and facts as `load`.

  Raises:
    CheckpointError: there is none.
  """
  if not os.path.isdir(path):
    return (path,) + load(path)
  for folder in (os.path.join(path, 'checkpoints'), path):
    found = newest(folder, warn)
    if found:
      return found
  raise CheckpointError('no checkpoint in %s' % path)
