"""Steps and evaluations of a training in a session."""
import numpy as np

EVALUATION_BATCH = 100


class NonFiniteError(Exception):
  """The training has broken down; the message is for the user."""


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


def check_finite(step_number, measures):
  """Raises NonFiniteError where a term of the loss is NaN or infinite."""
  broken = ['%s is %s' % item for item in measures._asdict().items()
            if not np.isfinite(item[1])]
  if broken:
    raise NonFiniteError('the loss is not finite at step %d: %s; try a smaller '
                         '--base_lr or --energy_weight' % (
                             step_number, ', '.join(broken)))
