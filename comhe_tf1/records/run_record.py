"""The folder of a run, beside its two log files: what was run, and what came out.

  run_NN/args.json         all flags, resolved, and a sum of the data
  run_NN/env.json          what it ran on, once for the start and each resumption
  run_NN/metrics.jsonl     an object for every logged line
  run_NN/events.*          the same for TensorBoard, and the graph
  run_NN/checkpoints/      see `checkpoints`
  run_NN/final.json        last, best and median test accuracy, once it is finished

Every file is valid whenever the process ends: JSON files are replaced as a whole,
lines are written one at a time.
"""
import contextlib
import json
import os
import platform
import re
import secrets
import time

import tensorflow.compat.v1 as tf

from comhe_tf1.records import log_format
from comhe_tf1.records import summary_metrics
from comhe_tf1.utils import container
from comhe_tf1.utils import durable
from comhe_tf1.utils import locks
from comhe_tf1.utils import words

# Flags that tell apart the runs of one folder in the lists of runs/.
APART = {'random_seed', 'lr_drops'}
_RUN = re.compile(r'run_(\d\d)$')


class RunError(Exception):
  """A run cannot be started or continued; the message is for the user."""


def write_json(path, content):
  """Writes JSON that is whole whenever the process ends."""
  text = json.dumps(content, indent=2, sort_keys=True) + '\n'
  durable.write_atomically(path, text.encode())


def read_json(path):
  with open(path) as file:
    return json.load(file)


class RunRecord:
  """The log files and the folder of one run; made by `start` or `resume`.

  A context manager; leaving it closes all files.

  Args:
    folder: of the logs.
    number: of the run, whose folder must be there.

  Attributes:
    path: the run's folder.
    checkpoints: folder of its checkpoints.
    train_log, test_log: paths of its two log files.

  Raises:
    RunError: another process trains it.
    OSError: its files cannot be written.
  """

  def __init__(self, folder, number):
    self.path = _path(folder, number)
    self.checkpoints = os.path.join(self.path, 'checkpoints')
    self._files = contextlib.ExitStack()
    self._files.enter_context(_lock(self.path))
    self.train_log, self.test_log = log_format.paths(folder, number)
    self._metrics = os.path.join(self.path, 'metrics.jsonl')
    self._lines = self.train_log, self.test_log, self._metrics
    for path in self._lines:
      open(path, 'a').close()
    self._events = None

  def __enter__(self):
    return self

  def __exit__(self, error, *_):
    # What fails here is told only where nothing failed before.
    with contextlib.suppress(*[Exception] if error else []):
      self._files.close()

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
    self._files.callback(self._events.close)
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
    line = log_format.train_line(step, **values)
    durable.add_line(self.train_log, line)
    self._write('train', step, dict(values, learning_rate=rate), {'energies': energies})
    return line

  def test(self, step, acc):
    """Records an evaluation; returns its log line."""
    line = log_format.test_line(step, acc)
    durable.add_line(self.test_log, line)
    self._write('test', step, {'test_acc': acc}, {})
    return line

  def energies(self, step, power, energies):
    """Records energies of kernels that are not projected.

    Args:
      step: number of steps done.
      power: of the energies.
      energies: dict from layer to `energy_monitor.Energies` of floats.
    """
    self._write('energies', step, {}, {
        f'{space}_energies': {layer: getattr(values, space)
                              for layer, values in energies.items()}
        for space in ('full', 'half')}, power=power)

  def _write(self, kind, step, values, by_layer, **facts):
    values = {name: float(value) for name, value in values.items()}
    by_layer = {name: {layer: float(value) for layer, value in layers.items()}
                for name, layers in by_layer.items() if layers}
    durable.add_line(self._metrics, json.dumps(
        dict(values, kind=kind, step=step, wall_time=time.time(), **dict(
            by_layer, **facts)), sort_keys=True))
    values.update((f"{name.replace('energies', 'energy')}/{layer}", value)
                  for name, layers in by_layer.items()
                  for layer, value in layers.items())
    self._event(step=step, summary=tf.Summary(value=[
        tf.Summary.Value(tag=name, simple_value=value)
        for name, value in sorted(values.items())]))

  def cut(self, steps):
    """Removes all that was written of the step number `steps` and later ones.

    Raises:
      RunError: there are none before, though there were more than until the first
        checkpoint: these would be lost.
    """
    if not steps:
      self._check_that_little_is_lost()
    for path in self._lines:
      durable.cut_lines(path, lambda text: _step(text) < steps)

  def _check_that_little_is_lost(self):
    lines = map(log_format.parse, durable.read_lines(self.train_log))
    done = max([line.step + 1 for line in lines if line], default=0)
    save_every = read_json(os.path.join(self.path, 'args.json')).get('save_every')
    if isinstance(save_every, int) and done > save_every:
      raise RunError(f'{self.path} has lines of {done} steps, which would be lost, and no '
                     f'checkpoint to continue from; to train anew, leave out --resume')

  def is_tested(self, step):
    """Whether the evaluation after a step is recorded."""
    return step in map(_step, durable.read_lines(self.test_log))

  def finish(self):
    """Writes and returns the final figures, from the recorded evaluations.

    Raises:
      RunError: these are damaged.
    """
    final = summary_metrics.compute(_undamaged(
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
    raise RunError(f'{path} is damaged: {remedy}')
  return content


def _evaluations(path):
  """Pairs of the step and the test accuracy of all evaluations in metrics.jsonl."""
  with open(path) as file:
    entries = [json.loads(line) for line in file]
  return [(entry['step'], entry['test_acc']) for entry in entries
          if entry['kind'] == 'test']


def _step(text):
  """Step of a line of the logs or metrics.jsonl; of a torn last one, infinity."""
  line = log_format.parse(text)
  try:
    return line.step if line else json.loads(text)['step']
  except (ValueError, KeyError, TypeError):
    return float('inf')


def _lock(path):
  """Holds the run's folder for this process, or raises RunError."""
  file = open(os.path.join(path, 'lock'), 'a')
  try:
    locks.take(file)
  except BlockingIOError:
    file.close()
    raise RunError(f'{path} is being trained by another process')
  return file


def start(folder, args):
  """Starts a run under the first number that no log file and no run has.

  Two runs started at the same moment take different numbers.

  Args:
    folder: of the logs, as `flags.log_folder`; made where missing.
    args: dict of the resolved flags.

  Returns:
    `RunRecord`.

  Raises:
    RunError: the folder cannot be written or all numbers are taken.
  """
  try:
    os.makedirs(folder, exist_ok=True)
    for number in log_format.free_numbers(folder):
      with contextlib.suppress(FileExistsError):   # another run has it
        os.mkdir(_path(folder, number))
        write_json(os.path.join(_path(folder, number), 'args.json'), args)
        return RunRecord(folder, number)
  except OSError as error:
    advice = container.advice(folder, '/log', error.errno) or 'choose another --log_dir'
    raise RunError(f'cannot write logs to {folder}: {error.strerror}; {advice}')
  raise RunError(f'all {log_format.MAX_LOGS} log numbers are taken in {folder}; move old '
                 f'logs away or choose another --log_dir')


def _path(folder, number):
  return os.path.join(folder, f'run_{number:02d}')


def resume(folder, args, names):
  """Goes on with the run of these flags.

  Args:
    folder: of the logs, as `flags.log_folder`.
    args: dict of the resolved flags.
    names: of the flags that must be as they were.

  Returns:
    `RunRecord` of the newest unfinished run with these flags; else the final figures of
    a finished one, as `summary_metrics.compute`; or None if there is neither.

  Raises:
    RunError: the newest one has other flags than these, so that it is not clear what is
      meant: it is unfinished, or would only have to be longer; or it is being trained
      just now, or damaged. Runs with another of `APART` are other runs, and in no way.
  """
  finished, complaints = None, []
  for number in _numbers(folder):
    path = _path(folder, number)
    final = os.path.join(path, 'final.json')
    try:
      then = read_json(os.path.join(path, 'args.json'))
      if not isinstance(then, dict):
        raise ValueError('args.json holds no flags')
      differing = {name for name in names if then.get(name) != args.get(name)}
      if not differing and not os.path.exists(final):
        return RunRecord(folder, number)
      if not differing:
        finished = finished or read_json(final)
      elif not APART & differing and (
          not os.path.exists(final) or differing == {'max_steps'}):
        differences = words.short(', '.join(
            f'--{name} was {then.get(name)}, is {args.get(name)}'
            for name in sorted(differing)), 700)
        complaints.append(f'{path} was run with other flags: {differences}; to start '
                          f'another run, leave out --resume')
    except (OSError, ValueError, RecursionError) as error:
      complaints.append(f'cannot continue {path}: {error}')
  if finished is None and complaints:
    raise RunError(complaints[0])
  return finished


def _numbers(folder):
  """Numbers of the runs in a folder that were started, the newest first."""
  names = os.listdir(folder) if os.path.isdir(folder) else []
  return sorted((int(match.group(1)) for match in map(_RUN.match, names) if match
                 and os.path.exists(os.path.join(folder, match.group(), 'args.json'))),
                reverse=True)
