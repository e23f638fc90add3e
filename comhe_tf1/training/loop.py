"""The session loop: steps, evaluations and diagnoses, each in its turn."""
import numpy as np

EVALUATION_BATCH = 100


class NonFiniteError(Exception):
  """The training has broken down; the message is for the user."""


def step(session, graph, images, labels, rate, with_energies=False):
  """One training step: the regulariser's own steps and the network's, in one call.

  Returns:
    `Measures` of floats before the network's update, and the dict of the layers'
    energies (empty unless `with_energies`).
  """
  feed = {graph.learning_rate: rate, graph.images: images, graph.labels: labels}
  energies = graph.energies if with_energies else {}
  return session.run([graph.measures, energies, graph.train_step], feed)[:2]


def evaluate(session, graph, images, labels):
  """Accuracy with the moving statistics over a whole set, in its order.

  In batches of 100, as the original; a last, smaller batch counts by its size.
  """
  return mean_over(session, graph.test_correct, graph, images, labels)


def mean_over(session, per_image, graph, images, labels):
  """Mean of a tensor [..., batch] over all images of a set; see `evaluate`."""
  total = 0.
  for i in range(0, len(images), EVALUATION_BATCH):
    feed = {graph.images: images[i:i + EVALUATION_BATCH],
            graph.labels: labels[i:i + EVALUATION_BATCH]}
    total += np.sum(session.run(per_image, feed), axis=-1, dtype=np.float64)
  return total / len(images)


def train(session, graph, batches, test, rate_of, first_step, max_steps, log_every,
          eval_every, energy_every, on_train, on_test, on_energies, on_step):
  """Trains from `first_step` until `max_steps` are done.

  Args:
    session: with initialised variables.
    graph: `TrainingGraph`.
    batches: has `next()`, which returns images and labels.
    test: pair of test images and labels.
    rate_of: function from the step to its learning rate.
    first_step: first step to be trained.
    max_steps: number of steps in all.
    log_every: steps between logged steps, step 0 included.
    eval_every: steps between evaluations, step 0 excluded; the last step is
      always evaluated, once. Evaluations follow the step's update.
    energy_every: steps between diagnoses, step 0 included, and once more after the
      last step; 0 for none. They precede the step's update.
    on_train: called with the step, its `Measures` and its energies.
    on_test: called with the step and the test accuracy.
    on_energies: called with the number of steps done and the `diagnosis`.
    on_step: called with the number of steps done, after each.

  Raises:
    NonFiniteError: a term of the loss is NaN or infinite.
  """
  for i in range(first_step, max_steps):
    if energy_every and i % energy_every == 0:
      on_energies(i, session.run(graph.diagnosis))
    images, labels = batches.next()
    logged = i % log_every == 0
    measures, energies = step(session, graph, images, labels, rate_of(i), logged)
    broken = ['%s is %s' % item for item in measures._asdict().items()
              if not np.isfinite(item[1])]
    if broken:
      raise NonFiniteError('the loss is not finite at step %d: %s; try a smaller '
                           '--base_lr or --energy_weight' % (i, ', '.join(broken)))
    if logged:
      on_train(i, measures, energies)
    if (i > 0 and i % eval_every == 0) or i == max_steps - 1:
      on_test(i, evaluate(session, graph, *test))
    on_step(i + 1)
  if energy_every:
    on_energies(max_steps, session.run(graph.diagnosis))
