"""Checkpoints by `tf.train.Saver`, which any tool of TensorFlow reads.

  checkpoints/checkpoint              names the newest ones
  checkpoints/model.ckpt-<steps>.*    all variables after so many steps
  checkpoints/model.ckpt-<steps>.json the variables in the network's order, which network
                                      and data, and where the batches stand

A prefix is the path of a checkpoint up to its number of steps, as `tf.train.Saver` and
`tf.train.load_checkpoint` take it.
"""
import json
import os
import re

import tensorflow.compat.v1 as tf

from comhe_tf1.utils import words

_INDEX = re.compile(r'(model\.ckpt-([0-9]+))\.index$')


class CheckpointError(Exception):
  """A checkpoint cannot be used or written; the message is for the user."""


class Writer:
  """Writes the checkpoints of one run, and removes the oldest ones.

  The saver has a graph of its own, on this machine: the training's keeps its operations,
  and workers elsewhere write nothing.

  Args:
    folder: made where missing; the one that it is in must be there.
    max_to_keep: number of checkpoints to leave, at least 1.
  """

  def __init__(self, folder, max_to_keep):
    self._folder, self._max_to_keep = folder, max_to_keep
    self._session = None

  def __enter__(self):
    return self

  def __exit__(self, *error):
    if self._session is not None:
      self._session.close()

  def save(self, steps, values, facts):
    """Writes a checkpoint.

    Args:
      steps: number of finished training steps.
      values: dict from a variable's name to an array; the same names at every call.
      facts: dict that JSON can hold.

    Returns:
      The checkpoint's prefix.

    Raises:
      CheckpointError, OSError: it cannot be written; earlier ones are as they were.
    """
    if not os.path.isdir(self._folder):
      os.mkdir(self._folder)
    if self._session is None:
      self._build(values, steps)
    prefix = os.path.join(self._folder, 'model.ckpt')
    # Before the variables: a checkpoint is there when its .index is.
    with open('%s-%d.json' % (prefix, steps), 'w') as file:
      json.dump(dict(facts, steps=steps, variables=list(values)), file)
    try:
      self._session.run(self._initializers, {
          self._values[name]: value for name, value in values.items()})
      with self._session.graph.as_default():
        self._saver.save(self._session, _as_utf8(prefix), steps, write_meta_graph=False)
    except tf.errors.OpError as error:
      raise CheckpointError('cannot write checkpoint %s-%d: %s' % (
          prefix, steps, error.message.splitlines()[0]))
    kept = {os.path.basename(name) for name in self._saver.last_checkpoints}
    for name in os.listdir(self._folder):
      stem, extension = os.path.splitext(name)
      if extension == '.json' and stem not in kept:
        os.remove(os.path.join(self._folder, name))
    return '%s-%d' % (prefix, steps)

  def _build(self, values, steps):
    """Makes the graph of variables like `values`, and the session of it."""
    with tf.Graph().as_default() as graph:
      self._values = {name: tf.placeholder(value.dtype, value.shape)
                      for name, value in values.items()}
      variables = [tf.Variable(value, name=name) for name, value in self._values.items()]
      self._initializers = [variable.initializer for variable in variables]
      self._saver = tf.train.Saver(variables, max_to_keep=self._max_to_keep,
                                   save_relative_paths=True)
    # Of a run that goes on. A damaged one of more steps is no longer counted, so that
    # rotation cannot take it for the newest.
    self._saver.set_last_checkpoints_with_time([
        (_as_utf8(prefix), 0.) for prefix in prefixes(self._folder)
        if _steps(prefix) < steps])
    self._session = tf.Session(graph=graph, config=tf.ConfigProto(device_count={'GPU': 0}))


def prefixes(folder):
  """Prefixes of the checkpoints in a folder, by their number of steps."""
  if not os.path.isdir(folder):
    return []
  return sorted((os.path.join(folder, match.group(1))
                 for match in map(_INDEX.match, os.listdir(folder)) if match), key=_steps)


def _as_utf8(path):
  """A path as TensorFlow takes it, also where Python takes the system's for ASCII."""
  return os.fsencode(path).decode()


def _steps(prefix):
  return int(prefix.rsplit('-', 1)[1])


def load(prefix):
  """Reads a checkpoint.

  Args:
    prefix: of the checkpoint.

  Returns:
    Dict from a variable's name to its array, and the facts as given to `Writer.save`,
    with `steps`.

  Raises:
    CheckpointError: it is missing or damaged, or `train.py` did not write it.
  """
  if not os.path.exists(prefix + '.index'):
    raise CheckpointError(f'there is no checkpoint {prefix}')
  facts_path = prefix + '.json'
  if not os.path.exists(facts_path):
    raise CheckpointError('checkpoint %s has no %s beside it: train.py did not write it'
                          % (prefix, os.path.basename(facts_path)))
  try:
    with open(facts_path) as file:
      facts = json.load(file)
    names = facts.pop('variables')
    if facts['steps'] != _steps(prefix):
      raise ValueError('of other steps')
  except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
    raise CheckpointError(f'{facts_path} is damaged')
  try:
    # TensorFlow checks the sum of every array that it reads.
    reader = tf.train.load_checkpoint(_as_utf8(prefix))
    return {name: reader.get_tensor(name) for name in names}, facts
  except (tf.errors.OpError, ValueError, TypeError, IndexError) as error:
    # Which of them differs by version.
    raise CheckpointError('checkpoint %s is damaged: %s' % (
        prefix, words.short(str(error).split('\n')[0])))


def newest(folder, warn):
  """The newest good checkpoint in a folder.

  Args:
    folder: need not exist.
    warn: called with a line about every damaged one that is passed over.

  Returns:
    Prefix, values and facts as `load`; or None if the folder has no checkpoint.

  Raises:
    CheckpointError: all checkpoints are damaged.
  """
  written = prefixes(folder)
  for prefix in reversed(written):
    try:
      return (prefix,) + load(prefix)
    except CheckpointError as error:
      warn(str(error))
  if written:
    raise CheckpointError(f'all checkpoints in {folder} are damaged')
  return None


def find(path, warn):
  """A checkpoint by its path, or the newest good one of a run.

  Args:
    path: a prefix, or one of the checkpoint's files; or a folder that holds checkpoints,
      `checkpoints/`, or one run_NN.
    warn: as `newest`.

  Returns:
    Prefix, values and facts as `load`.

  Raises:
    CheckpointError: there is none, or there are several runs.
  """
  if not os.path.isdir(path):
    prefix = re.sub(r'\.(index|json|data-\d+-of-\d+)$', '', path)
    return (prefix,) + load(prefix)
  runs = sorted(name for name in os.listdir(path) if re.match(r'run_\d\d$', name))
  if len(runs) > 1:
    raise CheckpointError(f"{path} holds several runs; name one of them: {', '.join(runs)}")
  for folder in [path] + [os.path.join(path, name) for name in runs]:
    for place in (os.path.join(folder, 'checkpoints'), folder):
      checkpoint = newest(place, warn)
      if checkpoint:
        return checkpoint
  raise CheckpointError(f'no checkpoint in {path}')
