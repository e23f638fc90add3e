"""Evaluation of a checkpoint's network, without training."""
import collections

import tensorflow.compat.v1 as tf

from comhe_tf1 import loss
from comhe_tf1 import network as networks
from comhe_tf1 import training

TOP = 5

Evaluation = collections.namedtuple(
    'Evaluation', 'images labels hits averaged update')
Evaluation.__doc__ = """Handles of an evaluation graph.

images, labels: placeholders as `training.TrainingGraph`. hits: [2, batch], 1 where
the label's logit is the largest and where it is among the largest five.
averaged: placeholder, number of batches that the moving statistics are the mean of
so far. update: operations that take one more batch into that mean.
"""


def build(layers):
  """Builds the network alone, for testing, into the default graph.

  Args:
    layers: plan of the network, list of `architectures.Layer`.

  Returns:
    `Evaluation`.
  """
  images, labels = training.image_placeholders()
  averaged = tf.placeholder(tf.float32, [], 'averaged')
  # Decay k / (k + 1) makes of an exponential average the plain mean.
  network = networks.Network(layers, bn_decay=averaged / (averaged + 1.))
  _, update = network.logits(images, training=True)
  logits, _ = network.logits(images, training=False)
  hits = tf.stack([loss.correct(logits, labels),
                   tf.cast(tf.nn.in_top_k(logits, labels, TOP), tf.float32)])
  return Evaluation(images, labels, hits, averaged, update)


def accuracy(session, graph, images, labels):
  """Accuracy and top-5 accuracy with the moving statistics, over a whole set."""
  return training.mean_over(session, graph.hits, graph, images, labels)


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
