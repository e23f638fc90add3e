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
  that stay. profile: number of steps of which there is a timeline. max_steps: number of
  steps in all. log_every: between logged steps, step 0 included. eval_every: between
  evaluations, step 0 excluded; the last step is always evaluated, once; evaluations follow
  the step's update. energy_every: between the layers' energies, step 0 included, and once
  more after the last step; 0 for none; they precede the step's update.
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

  def is_evaluated(self, step):
    """Whether the test set is evaluated after a step."""
    return (step > 0 and step % self.eval_every == 0) or step == self.max_steps - 1


class Interrupted(Exception):
  """A signal ended the training; what was asked to be saved is saved.

  Attributes:
    steps: number of steps done.
    signal: number of the signal.
  """

  def __init__(self, steps, number):
    super().__init__(f'stopped after {steps} steps')
    self.steps, self.signal = steps, number


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
      Interrupted: a signal came before all was done. What was being evaluated is dropped.
      loop.NonFiniteError: a term of the loss is NaN or infinite.
    """
    session, record, began = self._session, self._record, None
    if schedule.profile:
      session = profiling.Profiler(
          session, os.path.join(record.path, 'timelines'), done, schedule.profile)
    self._saved = done or None

    def stop_at_signal(steps):
      if interrupted.signal is not None:
        raise Interrupted(steps, interrupted.signal)

    def test_after(i):
      accuracy = loop.evaluate(session, self._graph, *test_set,
                               stop=lambda: interrupted.signal is not None)
      if accuracy is None:
        raise Interrupted(i + 1, interrupted.signal)
      terminal.line(record.test(i, accuracy))

    def energies_after(steps):
      stop_at_signal(steps)
      record.energies(steps, power, session.run(self._graph.unprojected_energies))

    def save(steps):
      if schedule.save_every and steps != self._saved:
        self._save(writer, batches, steps)
        self._saved = steps

    with signals.Interruption() as interrupted, (
        progress.Progress(schedule.max_steps, done)) as terminal, (
            prefetch.Prefetched(self._batches)) as batches, (
                checkpoints.Writer(record.checkpoints, schedule.max_to_keep)) as writer:
      try:
        # What an earlier process was stopped in.
        if done and schedule.is_evaluated(done - 1) and not record.is_tested(done - 1):
          test_after(done - 1)
        for i in range(done, schedule.max_steps):
          if schedule.energy_every and i % schedule.energy_every == 0:
            energies_after(i)
          images, labels = batches.next()
          rate = optimization.learning_rate(i, schedule.base_lr, schedule.lr_drops)
          logged = i % schedule.log_every == 0
          measures, energies = loop.step(session, self._graph, images, labels, rate=rate,
                                         with_energies=logged)
          loop.check_finite(i, measures)
          if logged:
            terminal.line(record.train(i, measures, energies, rate))
          if schedule.is_evaluated(i):
            test_after(i)
          terminal.step()
          if schedule.profile:
            session.begin(i + 1)
          if i == done:   # the first step takes longer
            began = time.time()
          elif i == done + TIMED:
            self._tell_time_left(time.time() - began, schedule.max_steps - i - 1)
          if schedule.save_every and (i + 1) % schedule.save_every == 0:
            save(i + 1)
          if i + 1 < schedule.max_steps:
            stop_at_signal(i + 1)
        save(schedule.max_steps)
        if schedule.energy_every:
          energies_after(schedule.max_steps)
      except Interrupted as stopped:
        save(stopped.steps)
        raise

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
