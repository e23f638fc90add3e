"""A run: the session loop with its record, its checkpoints and the signals that end it."""
import collections
import os

from comhe_tf1.records import checkpoint
from comhe_tf1.training import loop
from comhe_tf1.training import optimization
from comhe_tf1.training import prefetch
from comhe_tf1.training import profiling
from comhe_tf1.training import variables
from comhe_tf1.utils import progress
from comhe_tf1.utils import signals

Schedule = collections.namedtuple(
    'Schedule', 'base_lr lr_drops max_steps log_every eval_every energy_every save_every '
                'keep profile')
Schedule.__doc__ = """When a run does what; all in steps but `base_lr` and `keep`.

base_lr, lr_drops: as `optimization.learning_rate`. max_steps, log_every, eval_every,
energy_every: as `loop.train`. save_every: between checkpoints, one more after the last
step and at a signal; 0 for none. keep: number of checkpoints that stay. profile: number
of steps of which there is a timeline.
"""


class Stopped(Exception):
  """A signal ended the training; what was asked to be saved is saved.

  Attributes:
    steps: number of steps done.
    signal: number of the signal.
  """

  def __init__(self, steps, number):
    super(Stopped, self).__init__('stopped after %d steps' % steps)
    self.steps, self.signal = steps, number


class Run(object):
  """One run in one session.

  Args:
    session: with initialised variables of `graph`.
    graph: `graph.TrainingGraph`.
    batches: `cifar_input.TrainingBatches`.
    record: `run_record.RunRecord`.
    facts: dict that JSON can hold, of every checkpoint; `network` among them, the
      arguments of `architectures.plan`.
  """

  def __init__(self, session, graph, batches, record, facts):
    self._session, self._graph, self._batches = session, graph, batches
    self._record, self._facts = record, facts

  def resume(self, warn):
    """Restores the newest good checkpoint, and cuts the record back to it.

    Args:
      warn: called with a line about every damaged one that is passed over.

    Returns:
      Number of steps done, 0 if there is no checkpoint.

    Raises:
      checkpoint.CheckpointError: none can be used.
      run_record.RunError: a file of the record was changed.
    """
    found = checkpoint.newest(self._record.checkpoints, warn)
    if not found:
      self._record.restart()
      print('no checkpoint yet: starting again from step 0', flush=True)
      return 0
    path, arrays, facts = found
    steps = facts['steps']
    variables.restore_network(self._session, self._facts['network'], arrays, path,
                              steps)
    try:
      self._batches.restore(arrays, facts['batches'])
      self._record.cut(facts['sizes'])
    except (KeyError, TypeError, ValueError):
      raise checkpoint.CheckpointError(
          'checkpoint %s does not say how to go on; the one before may, once this one is '
          'moved away' % path)
    print('continuing after %d steps, from %s' % (steps, path), flush=True)
    return steps

  def train(self, test_set, schedule, done, power):
    """Trains to the end of the schedule, and writes all lines.

    Args:
      test_set: pair of images and labels.
      schedule: `Schedule`.
      done: number of steps done.
      power: of the energies that are recorded.

    Raises:
      Stopped: a signal came before the last step was done.
      loop.NonFiniteError: as `loop.train`.
    """
    record = self._record
    profiler = profiling.Profiler(
        self._session, os.path.join(record.path, 'timelines'), done, schedule.profile)
    interrupted = signals.Interruption()

    def rate_of(step):
      return optimization.learning_rate(step, schedule.base_lr, schedule.lr_drops)

    def on_train(step, measures, energies):
      terminal.line(record.train(step, measures, energies, rate_of(step)))

    def on_test(step, accuracy):
      terminal.line(record.test(step, accuracy))

    def on_energies(step, energies):
      record.energies(step, power, energies)

    def on_step(steps):
      terminal.step()
      profiler.begin(steps)
      last = interrupted.signal or steps == schedule.max_steps
      if schedule.save_every and (last or steps % schedule.save_every == 0):
        self._save(made_ahead, steps, schedule.keep)
      if interrupted.signal and steps < schedule.max_steps:
        raise Stopped(steps, interrupted.signal)

    with interrupted, progress.Progress(schedule.max_steps, done) as terminal, (
        prefetch.Prefetched(self._batches)) as made_ahead:
      loop.train(profiler, self._graph, made_ahead, test_set, rate_of, done,
                 schedule.max_steps, schedule.log_every, schedule.eval_every,
                 schedule.energy_every, on_train, on_test, on_energies, on_step)

  def _save(self, batches, steps, keep):
    """Saves all that `resume` and `evaluation.evaluate` need."""
    arrays, numbers = batches.state()
    arrays.update(variables.state(self._session))
    checkpoint.save(
        self._record.checkpoints, steps, arrays,
        dict(self._facts, steps=steps, batches=numbers, sizes=self._record.sync()), keep)
