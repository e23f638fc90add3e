"""The graph of a training: network, loss, regularizer, optimizer."""
import collections
import typing

import tensorflow.compat.v1 as tf

from comhe_tf1.networks import network as networks
from comhe_tf1.networks import op_seeds as seeds
from comhe_tf1.networks import towers
from comhe_tf1.regularizers import energy_monitor
from comhe_tf1.training import loss
from comhe_tf1.training import optimization

SIDE = 32


class Measures(typing.NamedTuple):
  """What the original logs of a training step, before its update.

  fit: classification loss; reg: weight decay; thom: hyperspherical energy of the
  first and hidden layers; thomf: of the output layer, weighted; acc: accuracy on
  the training batch. Tensors in a graph, floats in a log.
  """
  fit: tf.Tensor
  reg: tf.Tensor
  thom: tf.Tensor
  thomf: tf.Tensor
  acc: tf.Tensor


class TrainingGraph(typing.NamedTuple):
  """Handles of a training graph.

  images, labels, learning_rate: placeholders [batch, 32, 32, 3] uint8, [batch]
  int64, scalar float32. measures: `Measures` of tensors. energies: layer name ->
  energy. train_step: operation, all updates. test_fit: classification loss, and
  test_correct: [batch], with the moving statistics. network: the `network.Network`.
  unprojected_energies: as `energy_monitor.unprojected_energies`, or None.
  """
  images: tf.Tensor
  labels: tf.Tensor
  learning_rate: tf.Tensor
  measures: Measures
  energies: collections.OrderedDict
  train_step: tf.Operation
  test_fit: tf.Tensor
  test_correct: tf.Tensor
  network: networks.Network
  unprojected_energies: collections.OrderedDict


def image_placeholders():
  """Placeholders of images [batch, 32, 32, 3] uint8 and labels [batch] int64."""
  return (tf.placeholder(tf.uint8, [None, SIDE, SIDE, 3], 'images'),
          tf.placeholder(tf.int64, [None], 'labels'))


def build(layers, regularizer, scheme, random_seed, bn_decay=networks.BN_DECAY,
          monitored_power=None, towers=towers.ONE):
  """Builds everything a training runs into the default graph.

  Args:
    layers: plan of the network, list of `architectures.Layer`.
    regularizer: a configured `base.Regularizer`.
    scheme: of the initial values: 'by_name', or as `op_seeds.original_op_seeds`.
    random_seed: seed of the graph.
    bn_decay: decay of the moving statistics.
    monitored_power: power of `unprojected_energies`; None for none of these.
    towers: `towers.Towers`, which share the forward and backward pass of a training
      step; all else is placed on the first.

  Returns:
    `TrainingGraph`.

  Raises:
    ValueError: as `op_seeds.original_op_seeds` and the regularizer.
    methods.SettingError: a setting does not fit the network.
  """
  tf.set_random_seed(random_seed)
  op_seed_of = seeds.by_name if scheme == seeds.BY_NAME else (
      seeds.original_op_seeds(regularizer.name, scheme, layers,
                              regularizer.projections).get)
  with towers.first():
    images, labels = image_placeholders()
    learning_rate = tf.placeholder(tf.float32, [], 'learning_rate')

    network = networks.Network(layers, op_seed_of, bn_decay)
    terms = regularizer(network.kernels, learning_rate, op_seed_of)
    logits, updates = network.spread_logits(towers.split(images), True, towers)
    parts = logits, towers.split(labels)
    measures = Measures(
        fit=towers.mean(towers.each(loss.classification_loss, *parts)),
        reg=loss.weight_decay(network.trainable),
        thom=terms.thom, thomf=terms.thomf,
        acc=towers.mean(towers.each(loss.accuracy, *parts)))
    total = measures.fit + measures.reg + measures.thom + measures.thomf
    step = optimization.momentum_step(total, network.trainable, learning_rate,
                                      after=measures, colocate=len(towers) > 1)
    with tf.name_scope('test'):
      test_logits, _ = network.logits(images, training=False)
    return TrainingGraph(
        images=images, labels=labels, learning_rate=learning_rate, measures=measures,
        energies=terms.energies,
        train_step=tf.group(
            step, *(updates + ([] if terms.update is None else [terms.update]))),
        test_fit=loss.classification_loss(test_logits, labels),
        test_correct=loss.correct(test_logits, labels),
        network=network,
        unprojected_energies=None if monitored_power is None
        else energy_monitor.unprojected_energies(network.kernels, monitored_power))
