"""The training graph and the session loop that runs it."""
import collections

import numpy as np
import tensorflow.compat.v1 as tf

from comhe_tf1 import loss
from comhe_tf1 import network as networks
from comhe_tf1 import op_seeds as seeds
from comhe_tf1 import optimization

SIDE = 32
EVALUATION_BATCH = 100

Measures = collections.namedtuple('Measures', 'fit reg thom thomf acc')
Measures.__doc__ = """What the original logs of a training step, before its update.

fit: classification loss; reg: weight decay; thom: hyperspherical energy of the
first and hidden layers; thomf: of the output layer, weighted; acc: accuracy on
the training batch. Tensors in a graph, floats in a log.
"""

TrainingGraph = collections.namedtuple(
    'TrainingGraph', 'images labels learning_rate measures energies before_step '
    'train_step test_fit test_correct network')
TrainingGraph.__doc__ = """Handles of a training graph.

images, labels, learning_rate: placeholders [batch, 32, 32, 3] uint8, [batch]
int64, scalar float32. measures: `Measures` of tensors. energies: layer name ->
energy. before_step, train_step: operations, the former may be None.
test_fit: classification loss, and test_correct: [batch], with the moving
statistics. network: the `network.Network`.
"""


def build(layers, regularizer, variant, numbering, random_seed,
          bn_decay=networks.BN_DECAY):
  """Builds everything a training runs into the default graph.

  Args:
    layers: plan of the network, list of `network.Layer`.
    regularizer: a configured regulariser of `regularizer`.
    variant, numbering: of the initial values, as `op_seeds.original_op_seeds`.
    random_seed: seed of the graph.
    bn_decay: decay of the moving statistics.

  Returns:
    `TrainingGraph`.

  Raises:
    ValueError: as `op_seeds.original_op_seeds` and the regulariser.
  """
  tf.set_random_seed(random_seed)
  op_seeds = seeds.original_op_seeds(variant, numbering, layers,
                                     regularizer.projections)
  images = tf.placeholder(tf.uint8, [None, SIDE, SIDE, 3], 'images')
  labels = tf.placeholder(tf.int64, [None], 'labels')
  learning_rate = tf.placeholder(tf.float32, [], 'learning_rate')

  network = networks.Network(layers, op_seeds, bn_decay)
  terms = regularizer(network.kernels, learning_rate, op_seeds)
  logits, updates = network.logits(images, training=True)
  measures = Measures(
      fit=loss.classification_loss(logits, labels),
      reg=loss.weight_decay(network.trainable),
      thom=terms.thom, thomf=terms.thomf,
      acc=tf.reduce_mean(loss.correct(logits, labels)))
  total = measures.fit + measures.reg + measures.thom + measures.thomf
  step = optimization.momentum_step(total, network.trainable, learning_rate,
                                    after=measures)
  with tf.name_scope('test'):
    test_logits, _ = network.logits(images, training=False)
  return TrainingGraph(
      images, labels, learning_rate, measures, terms.energies,
      terms.before_step, tf.group(step, *updates),
      loss.classification_loss(test_logits, labels),
      loss.correct(test_logits, labels), network)


def step(session, graph, images, labels, rate, measured=True):
  """One training step: the regulariser's own steps, then the network's.

  Returns:
    `Measures` of floats before the network's update, or None unless `measured`.
  """
  feed = {graph.learning_rate: rate}
  if graph.before_step is not None:
    session.run(graph.before_step, feed)
  feed.update({graph.images: images, graph.labels: labels})
  if not measured:
    session.run(graph.train_step, feed)
    return None
  return session.run([graph.train_step, graph.measures], feed)[1]


def evaluate(session, graph, images, labels):
  """Accuracy with the moving statistics over a whole set, in its order.

  In batches of 100, as the original; a last, smaller batch counts by its size.
  """
  total = 0.
  for i in range(0, len(images), EVALUATION_BATCH):
    feed = {graph.images: images[i:i + EVALUATION_BATCH],
            graph.labels: labels[i:i + EVALUATION_BATCH]}
    total += np.sum(session.run(graph.test_correct, feed))
  return total / len(images)


def train(session, graph, batches, test, rate_of, max_steps, log_every,
          eval_every, on_train, on_test, on_step=lambda: None):
  """Trains for `max_steps` steps.

  Args:
    session: with initialised variables.
    graph: `TrainingGraph`.
    batches: has `next()`, which returns images and labels.
    test: pair of test images and labels.
    rate_of: function from the step to its learning rate.
    max_steps: number of steps.
    log_every: steps between measured steps, step 0 included.
    eval_every: steps between evaluations, step 0 excluded; the last step is
      always evaluated, once. Evaluations follow the step's update.
    on_train: called with the step and its `Measures`.
    on_test: called with the step and the test accuracy.
    on_step: called after every step.
  """
  for i in range(max_steps):
    images, labels = batches.next()
    measured = i % log_every == 0
    measures = step(session, graph, images, labels, rate_of(i), measured)
    if measured:
      on_train(i, measures)
    if (i > 0 and i % eval_every == 0) or i == max_steps - 1:
      on_test(i, evaluate(session, graph, *test))
    on_step()
