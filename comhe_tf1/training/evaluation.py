"""Evaluation of a checkpoint's network, without training."""
import typing

import tensorflow.compat.v1 as tf

from comhe_tf1.networks import architectures
from comhe_tf1.networks import network as networks
from comhe_tf1.records import checkpoints
from comhe_tf1.training import graph as graphs
from comhe_tf1.training import loop
from comhe_tf1.training import loss
from comhe_tf1.training import variables
from comhe_tf1.utils import terminal

TOP = 5


class Evaluation(typing.NamedTuple):
  """Handles of an evaluation graph.

  images, labels: placeholders as `graph.TrainingGraph`. hits: [2, batch], 1 where
  the label's logit is the largest and where it is among the largest five.
  averaged: placeholder, number of batches that the moving statistics are the mean of
  so far. update: operations that take one more batch into that mean.
  """
  images: tf.Tensor
  labels: tf.Tensor
  hits: tf.Tensor
  averaged: tf.Tensor
  update: list


def build(layers):
  """Builds the network alone, for testing, into the default graph.

  Args:
    layers: plan of the network, list of `architectures.Layer`.

  Returns:
    `Evaluation`.
  """
  tf.set_random_seed(0)   # --deterministic needs one, though nothing that is drawn stays
  images, labels = graphs.image_placeholders()
  averaged = tf.placeholder(tf.float32, [], 'averaged')
  # Decay k / (k + 1) makes of an exponential average the plain mean.
  network = networks.Network(layers, bn_decay=averaged / (averaged + 1.))
  _, update = network.logits(images, training=True)
  logits, _ = network.logits(images, training=False)
  hits = tf.stack([loss.correct(logits, labels),
                   loss.correct_among(TOP, logits, labels)])
  return Evaluation(images=images, labels=labels, hits=hits, averaged=averaged,
                    update=update)


def accuracy(session, graph, images, labels):
  """Accuracy and top-5 accuracy with the moving statistics, over a whole set."""
  return loop.mean_over(session, graph.hits, graph, images=images, labels=labels)


def recalibrate(session, graph, images, batch_size):
  """Replaces the moving statistics by their mean over a set; not the original's.

  Args:
    session: with the checkpoint's variables.
    graph: `Evaluation`.
    images: set of images, taken in order, not augmented; a remainder of less than
      a batch is left out.
    batch_size: at most the number of images.
  """
  for k in range(len(images) // batch_size):
    session.run(graph.update, {
        graph.images: images[k * batch_size:(k + 1) * batch_size],
        graph.averaged: k})


def evaluate(session, path, title, classes, data, batch_size, warn):
  """Prints the test accuracy of a checkpoint's network.

  Args:
    session: on a graph with nothing in it.
    path: as `checkpoints.find`.
    title: name of the data set, for messages.
    classes: its number of classes.
    data: `cifar_input.Data`; its line is printed first.
    batch_size: of the training images that the batch norm is recalibrated with, which
      is printed too; None for no recalibration.
    warn: called with a line about what is not as it should be.

  Raises:
    checkpoints.CheckpointError: it cannot be used, or has another number of classes.
  """
  prefix, values, facts = checkpoints.find(path, warn)
  network = facts.get('network')
  try:
    layers = architectures.plan(**network)
  except (KeyError, TypeError, ValueError):
    raise checkpoints.CheckpointError('checkpoint %s is of no network that this version '
                                      'knows: %.200r' % (prefix, network))
  if network['classes'] != classes:
    raise checkpoints.CheckpointError(
        '%s has %d classes, --dataset %s has %d; name the data set it was trained on'
        % (prefix, network['classes'], title, classes))
  handles = build(layers)
  variables.restore(session, values, prefix)
  if facts.get('test_md5', data.test_md5) != data.test_md5:
    warn(f'{prefix} was trained with other data than this')
  print(terminal.one_line(data.line))
  print(terminal.one_line(f'checkpoint: {prefix}'))

  def report(label):
    correct, top = accuracy(session, handles, *data.test)
    print('%s++++iter_%d: test acc=%.4f, top-5 acc=%.4f'
          % (label, facts['steps'] - 1, correct, top), flush=True)

  report('')
  if batch_size is not None:
    recalibrate(session, handles, data.train.images, batch_size)
    report('batch norm recalibrated on the training images, not the original\'s '
           'protocol: ')
