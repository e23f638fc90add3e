"""A run: the session loop with its record, its checkpoints and the signals that end it."""
import os
import time
import typing

import numpy as np

from comhe_tf1.records import checkpoints
from comhe_tf1.training import loop
from comhe_tf1.training import optimization
from comhe_tf1.training import prefetch
from comhe_tf1.training import profiling
from comhe_tf1.training import variables
from comhe_tf1.utils import progress
from comhe_tf1.utils import signals
from comhe_tf1.utils import tf_setup

TIMED = 100   # steps that the time left is told from


class Schedule(typing.NamedTuple):
  """When a run does what; all in steps but `base_lr` and `max_to_keep`.

  base_lr, lr_drops: as `optimization.learning_rate`. save_every: between checkpoints, one
  more after the last step and at a signal; 0 for none. max_to_keep: number of checkpoints
  that stay. profile: number of steps of which there is a timeline. The others: as
  `loop.Schedule`.
  """
  base_lr: float
  lr_drops: list
  save_every: int
  max_to_keep: int
  profile: int
  max_steps: int
  log_every: int
  eval_every: int
  energy_every: int


class Interrupted(Exception):
  """A signal ended the training; what was asked to be saved is saved.

  Attributes:
    signal: number of the signal.
  """

  def __init__(self, text, number):
    super().__init__(text)
    self.signal = number


class Run:
  """One run in one session.

  Args:
    session: with initialized variables of `graph`.
    graph: `graph.TrainingGraph`.
    batches: `cifar_input.TrainingBatches`.
    record: `run_record.RunRecord`.
    facts: dict that JSON can hold, of every checkpoint; `network` among them, the
      arguments of `architectures.plan`.
    note: called with a line for standard error.
  """

  def __init__(self, session, graph, batches, record, facts, note):
    self._session, self._graph, self._batches = session, graph, batches
    self._record, self._facts, self._note = record, facts, note
    self._saved = None   # number of steps of the newest checkpoint

  def resume(self, warn):
    """Restores the newest good checkpoint, and cuts the record back to it.

    Args:
      warn: called with a line about every damaged one that is passed over.

    Returns:
      Number of steps done, 0 if there is no checkpoint.

    Raises:
      checkpoints.CheckpointError: none can be used.
      run_record.RunError: logs would be lost.
    """
    checkpoint = checkpoints.newest(self._record.checkpoints, warn)
    if not checkpoint:
      self._record.cut(0)
      print('no checkpoint yet: starting again from step 0', flush=True)
      return 0
    path, values, facts = checkpoint
    variables.restore(self._session, values, path)
    try:
      batches = facts['batches']
      self._batches.restore({name: np.array(values, dtype)
                             for name, (dtype, values) in batches['arrays'].items()},
                            batches['numbers'])
    except (KeyError, TypeError, ValueError):
      raise checkpoints.CheckpointError(
          '%s.json does not say how to go on with this data set; the checkpoint before '
          'may, once this one is moved away' % path)
    self._record.cut(facts['steps'])
    print('continuing after %d steps, from %s' % (facts['steps'], path), flush=True)
    return facts['steps']

  def train(self, test_set, schedule, done, power):
    """Trains to the end of the schedule, and writes all lines.

    Args:
      test_set: pair of images and labels.
      schedule: `Schedule`.
      done: number of steps done.
      power: of the energies that are recorded.

    Raises:
      Interrupted: a signal came before all was done.
      loop.NonFiniteError: as `loop.train`.
    """
    record = self._record
    session = self._session
    if schedule.profile:
      session = profiling.Profiler(
          session, os.path.join(record.path, 'timelines'), done, schedule.profile)
    interrupted = signals.Interruption()
    steps_of = loop.Schedule(**{name: getattr(schedule, name)
                                for name in loop.Schedule._fields})
    self._saved = done or None
    began = []

    def rate_of(step):
      return optimization.learning_rate(step, schedule.base_lr, schedule.lr_drops)

    def on_train(step, measures, energies):
      terminal.line(record.train(step, measures, energies, rate_of(step)))

    def on_test(step, accuracy):
      terminal.line(record.test(step, accuracy))

    def on_energies(step, energies):
      record.energies(step, power, energies)

    def save(steps):
      if schedule.save_every and steps != self._saved:
        self._save(writer, made_ahead, steps)
        self._saved = steps

    def on_step(steps):
      terminal.step()
      if schedule.profile:
        session.begin(steps)
      began.append(time.time())
      if len(began) == TIMED + 1:
        self._tell_time_left(began[-1] - began[0], schedule.max_steps - steps)
      if steps == schedule.max_steps or (
          schedule.save_every and steps % schedule.save_every == 0):
        save(steps)

    listener = loop.Listener(
        on_train=on_train, on_test=on_test, on_energies=on_energies, on_step=on_step,
        stop=lambda: interrupted.signal is not None)
    evaluate_first = done > 0 and loop.is_evaluated(done - 1, steps_of) and (
        not record.is_tested(done - 1))
    with interrupted, progress.Progress(schedule.max_steps, done) as terminal, (
        prefetch.Prefetched(self._batches)) as made_ahead, (
            checkpoints.Writer(record.checkpoints, schedule.max_to_keep)) as writer:
      try:
        loop.train(session, self._graph, made_ahead, test_set, rate_of=rate_of,
                   first_step=done, schedule=steps_of, listener=listener,
                   evaluate_first=evaluate_first)
      except loop.Stopped as stopped:
        save(stopped.steps)
        raise Interrupted(str(stopped), interrupted.signal)

  def _tell_time_left(self, seconds, steps):
    """Says how long a long training on the CPU will take."""
    hours = seconds / TIMED * steps / 3600
    if not tf_setup.gpus(self._session) and hours > 1:
      self._note('%.2f s a step on the CPU: about %.0f hours for the %d steps left' % (
          seconds / TIMED, hours, steps))

  def _save(self, writer, batches, steps):
    """Saves all that `resume` and `evaluation.evaluate` need."""
    arrays, numbers = batches.state()
    writer.save(steps, variables.state(self._session), dict(self._facts, batches=dict(
        numbers=numbers, arrays={name: [array.dtype.name, array.tolist()]
                                 for name, array in arrays.items()})))
