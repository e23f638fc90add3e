"""The folder of a run, beside its two log files: what was run, and what came out.

  run_NN/args.json         all flags, resolved, and a sum of the data
  run_NN/env.json          what it ran on, once for the start and each resumption
  run_NN/metrics.jsonl     an object for every logged line
  run_NN/events.*          the same for TensorBoard, and the graph
  run_NN/checkpoints/      see `checkpoint`
  run_NN/final.json        last, best and median test accuracy, once it is finished

Every file is valid whenever the process ends: JSON files are replaced as a whole,
lines are written one at a time.
"""
import contextlib
import errno
import json
import os
import platform
import re
import secrets
import shutil
import time

import tensorflow.compat.v1 as tf

from comhe_tf1.basics import files
from comhe_tf1.basics import words
from comhe_tf1.records import container
from comhe_tf1.records import durable
from comhe_tf1.records import final_figures
from comhe_tf1.records import legacy_log
from comhe_tf1.utils import locks

_RUN = re.compile(r'run_(\d\d)$')
_NEW = '.new'   # start of the name of a folder that is no run yet, or none any more


class RunError(Exception):
  """A run cannot be started or continued; the message is for the user."""


def write_json(path, content):
  """Writes JSON that is whole whenever the process ends."""
  text = json.dumps(content, indent=2, sort_keys=True) + '\n'
  durable.write_atomically(path, lambda file: file.write(text.encode()))


def read_json(path):
  with open(path, opener=files.regular) as file:
    return json.load(file)


class RunRecord(object):
  """The log files and the folder of one run; made by `start` or `resume`.

  A context manager; leaving it closes all files.

  Args:
    folder: of the logs.
    number: of the run, whose folder must be there.

  Attributes:
    path: the run's folder.
    checkpoints: folder of its checkpoints.
    log: its `legacy_log.LegacyLog`.

  Raises:
    RunError: another process trains it.
    OSError: its files cannot be written.
  """

  def __init__(self, folder, number):
    self.path = _path(folder, number)
    self.checkpoints = os.path.join(self.path, 'checkpoints')
    self._lock = _lock(self.path)
    self.log = legacy_log.LegacyLog(folder, number)
    self._metrics = durable.Lines(os.path.join(self.path, 'metrics.jsonl'))
    self._events = None

  def __enter__(self):
    return self

  def __exit__(self, error, *_):
    # What fails here is told only where nothing failed before.
    with contextlib.suppress(*[Exception] if error else []), (
        contextlib.ExitStack()) as stack:
      stack.callback(self._lock.close)
      if error:
        stack.callback(self._withdraw)
      stack.push(self.log)
      stack.push(self._metrics)
      if self._events is not None:
        stack.callback(self._events.close)

  def _withdraw(self):
    """Makes the run's number free again, if it failed before its first line."""
    if any(os.path.getsize(name) for name in self._names()) or (
        os.path.exists(self.checkpoints)):
      return
    for name in self._names():
      os.remove(name)
    # Renamed while it is locked, removed when it is not: on NFS and FUSE a folder in
    # which a file is open cannot be removed.
    gone = _new(os.path.dirname(self.path))
    os.rename(self.path, gone)
    self._lock.close()
    shutil.rmtree(gone)

  def _names(self):
    return [self.log.train_file.name, self.log.test_file.name]

  def begin(self, session, environment, step):
    """Records the environment and opens the event file.

    Args:
      session: its graph is written when the run starts from nothing.
      environment: dict, as `environment.describe`.
      step: first step to be trained.

    Raises:
      RunError: what is recorded of the environment so far is damaged.
    """
    path = os.path.join(self.path, 'env.json')
    earlier = _undamaged(path, read_json, 'move it away to go on without it') if (
        step and os.path.exists(path)) else []
    write_json(path, earlier + [dict(environment, from_step=step)])
    # Not by tf.summary.FileWriter, whose thread hangs on a full disk in 1.x.
    # It takes text for UTF-8, which the names of files need not be.
    self._events = tf.python_io.TFRecordWriter(os.fsencode(os.path.join(
        self.path, 'events.out.tfevents.%d.%s.%08d.%s' % (
            time.time(), platform.node(), step, secrets.token_hex(4)))))
    self._event(file_version='brain.Event:2')
    if not step:
      self._event(graph_def=session.graph.as_graph_def().SerializeToString())
    # Tells TensorBoard to forget what an interrupted run wrote beyond this step.
    self._event(step=step, session_log=tf.SessionLog(status=tf.SessionLog.START))

  def _event(self, **content):
    event = tf.Event(wall_time=time.time(), **content)
    self._events.write(event.SerializeToString())
    self._events.flush()

  def train(self, step, measures, energies, rate):
    """Records a training step; returns its log line.

    Args:
      step: the step.
      measures: `graph.Measures` of floats.
      energies: dict from layer to energy.
      rate: learning rate.
    """
    values = measures._asdict()
    line = self.log.train(step, **values)
    self._write('train', step, dict(values, learning_rate=rate), {'energies': energies})
    return line

  def test(self, step, acc):
    """Records an evaluation; returns its log line."""
    line = self.log.test(step, acc)
    self._write('test', step, {'test_acc': acc}, {})
    return line

  def energies(self, step, power, energies):
    """Records energies of kernels that are not projected.

    Args:
      step: number of steps done.
      power: of the energies.
      energies: dict from layer to `diagnosis.Energies` of floats.
    """
    self._write('energies', step, {}, {
        '%s_energies' % space: {layer: getattr(values, space)
                              for layer, values in energies.items()}
        for space in ('full', 'half')}, power=power)

  def _write(self, kind, step, values, by_layer, **facts):
    values = {name: float(value) for name, value in values.items()}
    by_layer = {name: {layer: float(value) for layer, value in layers.items()}
                for name, layers in by_layer.items() if layers}
    self._metrics.add(json.dumps(
        dict(values, kind=kind, step=step, wall_time=time.time(), **dict(
            by_layer, **facts)), sort_keys=True))
    values.update(('%s/%s' % (name.replace('energies', 'energy'), layer), value)
                  for name, layers in by_layer.items()
                  for layer, value in layers.items())
    self._event(step=step, summary=tf.Summary(value=[
        tf.Summary.Value(tag=name, simple_value=value)
        for name, value in sorted(values.items())]))

  def _files(self):
    return {'train': self.log.train_file, 'test': self.log.test_file,
            'metrics': self._metrics}

  def sync(self):
    """Brings all lines to the disk; returns the sizes of the files in bytes."""
    return {name: file.sync() for name, file in self._files().items()}

  def cut(self, sizes):
    """Cuts the files back to the sizes that `sync` returned; to nothing without.

    Raises:
      RunError: a file is shorter than that.
    """
    for name, file in self._files().items():
      size = sizes.get(name, 0)
      if file.size() < size:
        raise RunError('%s is shorter than when the checkpoint was made; it was '
                       'changed, so the run cannot be continued' % file.name)
      file.cut(size)

  def restart(self):
    """Cuts the files back to nothing, as of a run without a checkpoint.

    Raises:
      RunError: it was long enough to have one, so its lines are not to be had again.
    """
    with open(self.log.train_file.name, 'rb') as file:
      lines = [legacy_log.parse(text.decode('utf-8', 'replace').rstrip('\n'))
               for text in file]
    steps = max([line.step + 1 for line in lines if line] or [0])
    save_every = read_json(os.path.join(self.path, 'args.json')).get('save_every')
    if isinstance(save_every, int) and steps > save_every:
      raise RunError('%s has lines of %d steps, which would be lost, and no checkpoint to '
                     'continue from; to train anew, leave out --resume' % (
                         self.path, steps))
    self.cut({})

  def finish(self):
    """Writes and returns the final figures, from the recorded evaluations.

    Raises:
      RunError: these are damaged.
    """
    final = final_figures.compute(_undamaged(
        os.path.join(self.path, 'metrics.jsonl'), _evaluations,
        'there are no final figures; the two logs are whole'))
    write_json(os.path.join(self.path, 'final.json'), final)
    return final


def _undamaged(path, read, remedy):
  """The list that `read` makes of a file, or RunError."""
  try:
    content = read(path)
  except (ValueError, KeyError, TypeError, RecursionError):
    content = None
  if not isinstance(content, list):
    raise RunError('%s is damaged: %s' % (path, remedy))
  return content


def _evaluations(path):
  """Pairs of the step and the test accuracy of all evaluations in metrics.jsonl."""
  with open(path, opener=files.regular) as file:
    entries = [json.loads(line) for line in file]
  return [(entry['step'], entry['test_acc']) for entry in entries
          if entry['kind'] == 'test']


def _lock(path):
  """Holds the run's folder for this process, or raises RunError."""
  file = open(os.path.join(path, 'lock'), 'a', opener=files.regular)
  try:
    locks.take(file)
  except BlockingIOError:
    file.close()
    raise RunError('%s is being trained by another process' % path)
  return file


def start(folder, args):
  """Starts a run under the first number that no log file and no run has.

  Two runs started at the same moment take different numbers.

  Args:
    folder: of the logs, as `legacy_log.folder`; made where missing.
    args: dict of the resolved flags.

  Returns:
    `RunRecord`.

  Raises:
    RunError: the folder cannot be written or all numbers are taken.
  """
  try:
    os.makedirs(folder, exist_ok=True)
    number = _claim(folder, args)
    if number is not None:
      return RunRecord(folder, number)
  except OSError as error:
    raise RunError('cannot write logs to %s: %s; %s'
                   % (folder, error.strerror, container.remedy(folder, error.errno)))
  raise RunError('all %d log numbers are taken in %s; move old logs away or choose '
                 'another --log_dir' % (legacy_log.MAX_LOGS, folder))


def _claim(folder, args):
  """Makes the folder of a new run, args.json in it; returns its number, if any."""
  new = _new(folder)
  os.mkdir(new)
  durable.sweep(new, re.escape(_NEW) + r'(_\d+|\.[0-9a-f]{16})$')
  try:
    write_json(os.path.join(new, 'args.json'), args)
    for number in legacy_log.free_numbers(folder):
      try:
        # Fails if another run has made it meanwhile: it is not empty.
        os.rename(new, _path(folder, number))
        return number
      except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
          raise
    return None
  finally:
    shutil.rmtree(new, ignore_errors=True)


def _new(folder):
  return durable.unique(os.path.join(folder, _NEW))


def _path(folder, number):
  return os.path.join(folder, 'run_%02d' % number)


def resume(folder, args, free):
  """Continues the newest unfinished run with these flags.

  Args:
    folder: of the logs, as `legacy_log.folder`.
    args: dict of the resolved flags.
    free: names of flags that may differ.

  Returns:
    `RunRecord`.

  Raises:
    RunError: there is none, all differ, or it is being trained just now; the message
      is about the newest one.
  """
  numbers = sorted((int(match.group(1)) for match in map(_RUN.match, _listing(folder))
                    if match), reverse=True)
  complaints, finished = [], 0
  for number in numbers:
    path = _path(folder, number)
    done = os.path.exists(os.path.join(path, 'final.json'))
    finished += done
    try:
      then = read_json(os.path.join(path, 'args.json'))
      if not isinstance(then, dict):
        raise ValueError('args.json holds no flags')
      differing = _differences(then, args, free)
      if not differing and not done:
        return RunRecord(folder, number)
      if not differing:
        complaints.append('%s has these flags and is finished: nothing is left to '
                          'continue; to run it once more, leave out --resume' % path)
      elif not done:
        complaints.append('%s was run with other flags: %s'
                          % (path, ', '.join(differing)))
    except RunError as error:
      complaints.append(str(error))
    except (OSError, ValueError, RecursionError) as error:
      if not done:
        complaints.append('cannot continue %s: %s' % (path, error))
  raise RunError(complaints[0] if complaints else
                 'no unfinished run in %s (%d finished); its name follows from '
                 '--dataset, --model, --regularizer, their settings and, with --bn_stats '
                 'tower, the number of --devices: correct these, or start a run without '
                 '--resume' % (folder, finished))


def _listing(folder):
  return os.listdir(folder) if os.path.isdir(folder) else []


def _differences(then, now, free):
  return ['--%s was %s, is %s' % tuple(map(words.short, (
              name, then.get(name), now.get(name))))
          for name in sorted(set(then) | set(now))
          if name not in free and then.get(name) != now.get(name)]
