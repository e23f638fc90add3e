"""The session loop: steps, evaluations and energies of layers, each in its turn."""
import typing

import numpy as np

EVALUATION_BATCH = 100


class NonFiniteError(Exception):
  """The training has broken down; the message is for the user."""


class Stopped(Exception):
  """Somebody wished the training to end.

  Attributes:
    steps: number of steps done.
  """

  def __init__(self, steps):
    super().__init__('stopped after %d steps' % steps)
    self.steps = steps


class Schedule(typing.NamedTuple):
  """When a training does what, in steps.

  max_steps: number of steps in all. log_every: between logged steps, step 0 included.
  eval_every: between evaluations, step 0 excluded; the last step is always evaluated,
  once; evaluations follow the step's update. energy_every: between the layers' energies,
  step 0 included, and once more after the last step; 0 for none; they precede the step's
  update.
  """
  max_steps: int
  log_every: int
  eval_every: int
  energy_every: int


class Listener(typing.NamedTuple):
  """Functions that a training calls.

  on_train: with a logged step, its `Measures` and its layers' energies. on_test: with the
  step and the test accuracy. on_energies: with the number of steps done and the
  `graph.unprojected_energies`. on_step: with the number of steps done, after each; all that
  is due after a step has been done by then. stop: without arguments, between any two
  calls of the session; whether to end.
  """
  on_train: typing.Callable
  on_test: typing.Callable
  on_energies: typing.Callable
  on_step: typing.Callable
  stop: typing.Callable


def step(session, graph, images, labels, rate, with_energies=False):
  """One training step: the regularizer's own steps and the network's, in one call.

  Returns:
    `Measures` of floats before the network's update, and the dict of the layers'
    energies (empty unless `with_energies`).
  """
  feed = {graph.learning_rate: rate, graph.images: images, graph.labels: labels}
  energies = graph.energies if with_energies else {}
  return session.run([graph.measures, energies, graph.train_step], feed)[:2]


def evaluate(session, graph, images, labels, stop=lambda: False):
  """Accuracy with the moving statistics over a whole set, in its order.

  In batches of 100, as the original; a last, smaller batch counts by its size.

  Returns:
    The accuracy, or None if `stop` became true.
  """
  return mean_over(session, graph.test_correct, graph, images=images, labels=labels,
                   stop=stop)


def mean_over(session, per_image, graph, images, labels, stop=lambda: False):
  """Mean of a tensor [..., batch] over all images of a set; see `evaluate`."""
  total = 0.
  for i in range(0, len(images), EVALUATION_BATCH):
    if stop():
      return None
    feed = {graph.images: images[i:i + EVALUATION_BATCH],
            graph.labels: labels[i:i + EVALUATION_BATCH]}
    total += np.sum(session.run(per_image, feed), axis=-1, dtype=np.float64)
  return total / len(images)


def is_evaluated(step_number, schedule):
  """Whether the test set is evaluated after a step, see `Schedule`."""
  return (step_number > 0 and step_number % schedule.eval_every == 0) or (
      step_number == schedule.max_steps - 1)


def train(session, graph, batches, test, rate_of, first_step, schedule, listener,
          evaluate_first=False):
  """Trains from `first_step` until `schedule.max_steps` are done.

  Args:
    session: with initialized variables.
    graph: `TrainingGraph`.
    batches: has `next()`, which returns images and labels.
    test: pair of test images and labels.
    rate_of: function from the step to its learning rate.
    first_step: first step to be trained.
    schedule: `Schedule`.
    listener: `Listener`.
    evaluate_first: whether the evaluation after the step before `first_step`, which an
      earlier call was stopped in, is to be made up for.

  Raises:
    NonFiniteError: a term of the loss is NaN or infinite.
    Stopped: `listener.stop` became true before the training's end. What was being
      evaluated is dropped.
  """
  def test_after(i):
    accuracy = evaluate(session, graph, *test, stop=listener.stop)
    if accuracy is None:
      raise Stopped(i + 1)
    listener.on_test(i, accuracy)

  def energies_after(steps):
    if listener.stop():
      raise Stopped(steps)
    listener.on_energies(steps, session.run(graph.unprojected_energies))

  if evaluate_first:
    test_after(first_step - 1)
  for i in range(first_step, schedule.max_steps):
    if schedule.energy_every and i % schedule.energy_every == 0:
      energies_after(i)
    images, labels = batches.next()
    logged = i % schedule.log_every == 0
    measures, energies = step(session, graph, images, labels, rate=rate_of(i),
                              with_energies=logged)
    _check_finite(i, measures)
    if logged:
      listener.on_train(i, measures, energies)
    if is_evaluated(i, schedule):
      test_after(i)
    listener.on_step(i + 1)
    if listener.stop() and i + 1 < schedule.max_steps:
      raise Stopped(i + 1)
  if schedule.energy_every:
    energies_after(schedule.max_steps)


def _check_finite(step_number, measures):
  broken = ['%s is %s' % item for item in measures._asdict().items()
            if not np.isfinite(item[1])]
  if broken:
    raise NonFiniteError('the loss is not finite at step %d: %s; try a smaller '
                         '--base_lr or --energy_weight' % (
                             step_number, ', '.join(broken)))
