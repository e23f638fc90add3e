"""Processes that train together: where they are and what they run; no TensorFlow.

A cluster is described as TensorFlow does, a JSON file that names one job and the
addresses of its tasks: {"worker": ["10.0.0.5:2222", "10.0.0.6:2222"]}.
"""
import collections
import glob
import hashlib
import json
import os
import re

import comhe_tf1
from comhe_tf1.utils import files
from comhe_tf1.utils import words

_LABEL = '[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?'
_ADDRESS = re.compile(r'(%s(?:\.%s)*):([0-9]{1,5})' % (_LABEL, _LABEL))


class ClusterError(Exception):
  """A cluster cannot be used; the message is for the user."""


class Cluster(collections.namedtuple('Cluster', 'job addresses')):
  """A job's name and the addresses of its tasks, in their order: host:port."""

  def process(self, task):
    """TensorFlow's name of a task."""
    return '/job:%s/task:%d' % (self.job, task)


def parse_address(text):
  """Splits host:port; None if the text is none."""
  match = _ADDRESS.fullmatch(text) if isinstance(text, str) else None
  if not match or not 0 < int(match.group(2)) < 65536:
    return None
  return match.group(1), int(match.group(2))


def load(path):
  """Reads a cluster's file.

  Returns:
    `Cluster`.

  Raises:
    ClusterError: it cannot be read or describes none.
  """
  try:
    with open(path, opener=files.regular) as file:
      content = json.load(file, object_pairs_hook=_once)
  except OSError as error:
    raise ClusterError('cannot read %s: %s' % (path, error.strerror))
  except (ValueError, RecursionError) as error:
    raise ClusterError('%s is not JSON: %s' % (path, error))
  try:
    return from_json(content)
  except ClusterError as error:
    raise ClusterError('%s: %s' % (path, error))


def _once(pairs):
  """A JSON object as a dict, of which Python would keep the last of equal names."""
  if len(dict(pairs)) != len(pairs):
    raise ValueError('a name is there twice')
  return dict(pairs)


def from_json(content):
  """`Cluster` of the file's content; raises ClusterError."""
  if not isinstance(content, dict) or len(content) != 1:
    raise ClusterError('expected one job, such as {"worker": ["10.0.0.5:2222"]}')
  job, addresses = list(content.items())[0]
  if not re.fullmatch('[A-Za-z][A-Za-z0-9_]*', job):
    raise ClusterError('expected a job\'s name of letters, digits and _, got %s'
                       % words.short(repr(job)))
  if not isinstance(addresses, list) or not addresses:
    raise ClusterError('expected a list of addresses, got %s'
                       % words.short(repr(addresses)))
  for address in addresses:
    if parse_address(address) is None:
      raise ClusterError('expected addresses such as 10.0.0.5:2222, got %s'
                         % words.short(repr(address)))
  for address, count in collections.Counter(addresses).items():
    if count > 1:
      raise ClusterError('%s is the address of %d tasks' % (address, count))
  return Cluster(job, tuple(addresses))


def code():
  """What tells one state of this package from others: version and sum of its modules."""
  total = hashlib.md5()
  root = os.path.dirname(comhe_tf1.__file__)
  for path in sorted(glob.glob(os.path.join(root, '**', '*.py'), recursive=True)):
    total.update(os.path.relpath(path, root).encode())
    with open(path, 'rb') as file:
      total.update(file.read())
  return '%s (%s)' % (comhe_tf1.__version__, total.hexdigest()[:8])


def card(tensorflow, tf32, deterministic):
  """What processes must have in common to compute the same.

  Args:
    tensorflow: its version.
    tf32, deterministic: as train.py's flags, which act on a whole process.

  Returns:
    Dict.
  """
  return {'TensorFlow': tensorflow, 'comhe_tf1': code(), '--tf32': tf32,
          '--deterministic': deterministic}


def compare(who, theirs, ours):
  """Compares the cards of a worker and of this process.

  Args:
    who: the worker, for the message.
    theirs, ours: as `card`; theirs may have more.

  Raises:
    ClusterError: they differ.
  """
  for name, value in ours.items():
    if theirs.get(name) != value:
      if isinstance(value, bool):
        raise ClusterError('%s was started %s %s, this training %s; start both alike' % (
            who, 'without' if value else 'with', name, 'with' if value else 'without'))
      raise ClusterError('%s runs %s %s, this training %s; use the same in both' % (
          who, name, theirs.get(name), value))
