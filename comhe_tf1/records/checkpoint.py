"""Checkpoints: one file each, written whole or not at all.

A checkpoint is a NumPy archive `step_<NNNNNNNN>.npz` of named arrays and a few
facts in JSON, readable without TensorFlow and without pickle. It appears under
its name only when it is complete and on disk. The comment of the archive, its last
bytes, is a digest of all bytes before, so that any damage shows.
"""
import contextlib
import hashlib
import io
import json
import os
import re
import zipfile

import numpy as np

from comhe_tf1.utils import durable
from comhe_tf1.utils import files

_NAME = re.compile(r'step_(\d{8,})\.npz$')
_PART = re.compile(r'step_\d{8,}\.npz(\.[0-9a-f]+)?%s$' % re.escape(durable.PART))
_FACTS = 'facts.json'
_BLAKE2 = b'blake2:'
_COMMENT = len(_BLAKE2) + 64
# An archive without a comment, as earlier versions wrote it, ends like this.
_PLAIN_END = re.compile(br'PK\x05\x06.{16}\x00\x00\Z', re.DOTALL)
_ARRAY = re.compile(br"\x93NUMPY\x01\x00..\{'descr': '([<>|][biufc]\d{1,2})', "
                    br"'fortran_order': (False|True), "
                    br"'shape': \(((?:\d+(?:, \d+)*,?)?)\), \} *\n", re.DOTALL)


class CheckpointError(Exception):
  """A checkpoint cannot be used; the message is for the user."""


def save(folder, step, arrays, facts, keep):
  """Writes a checkpoint and removes the oldest beyond `keep`.

  Args:
    folder: made where missing; the one that it is in must be there.
    step: number of finished training steps.
    arrays: dict from name to array.
    facts: dict that JSON can hold; `steps` among them.
    keep: number of checkpoints to leave, at least 1.

  Returns:
    Path of the checkpoint.

  Raises:
    OSError: it cannot be written; earlier checkpoints are as they were.
  """
  # No more: the run's folder may have been moved, and is not begun anew.
  with contextlib.suppress(FileExistsError):
    os.mkdir(folder)
  for name in os.listdir(folder):
    if _PART.match(name):   # a process was killed as it saved
      with contextlib.suppress(OSError):
        os.remove(os.path.join(folder, name))
  path = os.path.join(folder, 'step_%08d.npz' % step)
  content = {'array/' + name: value for name, value in arrays.items()}
  content[_FACTS] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
  # In memory first: an archive that breaks off on a full disk complains once more
  # as Python clears it away.
  archive = io.BytesIO()
  np.savez(archive, **content)
  with archive.getbuffer() as whole:
    whole[-2:] = _COMMENT.to_bytes(2, 'little')
    comment = _digest(whole)
    durable.write_atomically(path, lambda file: (file.write(whole), file.write(comment)))
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
    content = _read(path)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
      members = archive.infolist()
      # Before anything is made of the size that they claim.
      if sum(member.file_size for member in members) > len(content) or any(
          member.compress_size != member.file_size for member in members):
        raise ValueError('it claims to hold more than it is, or is compressed')
      # Reading a member checks its sum.
      arrays = {re.sub(r'\.npy$', '', member.filename): _array(archive.read(member))
                for member in members}
    facts = json.loads(arrays.pop(_FACTS).tobytes().decode())
    if not _sound(facts):
      raise ValueError('facts that no training writes')
    return {name[len('array/'):]: value for name, value in arrays.items()
            if name.startswith('array/')}, facts
  except OSError as error:
    raise CheckpointError('cannot read checkpoint %s: %s'
                          % (path, error.strerror or error))
  except MemoryError:
    raise CheckpointError('cannot read checkpoint %s: it does not fit into memory' % path)
  except Exception:   # the libraries below raise all kinds over a damaged archive
    raise CheckpointError('%s is damaged or no checkpoint' % path)


def _sound(facts):
  """Whether facts are what a training writes, as far as they are there."""
  sizes, batches = facts.get('sizes', {}), facts.get('batches', {})
  network = facts.get('network', {})
  return (all(type(number) is int and 0 <= number < 1 << 63
              for number in [facts['steps'] << 32] + list(sizes.values()))
          and isinstance(batches, dict) and isinstance(network, dict))


def _digest(content):
  """The comment of an archive with this content before it."""
  return _BLAKE2 + hashlib.blake2b(content, digest_size=32).hexdigest().encode()


def _read(path):
  """The bytes of an archive, or ValueError if they are not as they were written."""
  with open(path, 'rb', opener=files.regular) as file:
    if file.seek(0, os.SEEK_END) < _COMMENT:
      raise ValueError('too short')
    # First the end, so that a large file of another kind is not read.
    file.seek(-_COMMENT, os.SEEK_END)
    end = file.read()
    plain = _PLAIN_END.search(end)
    if not plain and not end.startswith(_BLAKE2):
      raise ValueError('neither a digest nor the end of an archive')
    file.seek(0)
    content = file.read()
  if not plain and _digest(memoryview(content)[:-_COMMENT]) != end:
    raise ValueError('another digest')
  return content


def _array(content):
  """The array in the bytes of a .npy file, whatever size these claim.

  Not by NumPy's reader, which allocates what the header asks for and evaluates it.
  """
  header = _ARRAY.match(content)
  dtype, fortran, shape = [group.decode() for group in header.groups()]
  shape = [int(size) for size in shape.split(',') if size]
  values = bytearray(memoryview(content)[header.end():])
  array = np.ndarray(shape, dtype, values, order='F' if fortran == 'True' else 'C')
  if array.nbytes != len(values):
    raise ValueError('more bytes than the array has')
  return array


def newest(folder, warn):
  """The newest good checkpoint in a folder.

  Args:
    folder: need not exist.
    warn: called with a line about every damaged one that is passed over.

  Returns:
    Path, arrays and facts as `load`; or None if the folder has no checkpoint.

  Raises:
    CheckpointError: all checkpoints are damaged, or it is no folder.
  """
  if os.path.lexists(folder) and not os.path.isdir(folder):
    raise CheckpointError('%s should be a folder of checkpoints, and is none' % folder)
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
