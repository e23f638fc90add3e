"""A convolutional network built from its plan.

Built first and alone: it offers its kernels with their roles, and knows nothing
of what regularizes them. Constants as the original's CNN-9.
"""
import operator

import numpy as np
import tensorflow.compat.v1 as tf

from comhe_tf1.networks import batch_norm
from comhe_tf1.networks import towers
from comhe_tf1.regularizers import roles

BN_DECAY = 0.999


class Network:
  """A convolutional network and its variables.

  Convolutions have no bias. Kernels start normal with standard deviation
  sqrt(2 / (size^2 c_in)), batch-norm scales at 1 and shifts at 0. The moving
  statistics both start at 0, without bias correction, as the original: this is
  why test accuracy stands at chance for the first thousands of steps.

  Variables: `<layer>/filter`, `<layer>/bn/gamma/bias` (scale),
  `<layer>/bn/beta/bias` (shift), `<layer>/bn/moving_mean`,
  `<layer>/bn/moving_variance`.

  Args:
    layers: list of `architectures.Layer`.
    op_seed_of: function from `<layer>/filter` to the op seed of its initial value,
      or to None; without it TensorFlow chooses.
    bn_decay: decay of the moving statistics, number in [0, 1) or scalar tensor.

  Attributes:
    kernels: list of `roles.Kernel`, one per layer, each read once.
    trainable: list of all trained variables; weight decay applies to each.

  >>> network = comhe_tf1.Network(comhe_tf1.cnn(classes=10, width=0.25))
  >>> logits, updates = network.logits(tf.zeros([2, 32, 32, 3], tf.uint8), training=True)
  >>> logits.shape.as_list(), network.kernels[0].name
  ([2, 10], 'conv1_0')
  """

  def __init__(self, layers, op_seed_of=None, bn_decay=BN_DECAY):
    self._layers = layers
    self._bn_decay = bn_decay
    self.kernels, self.trainable = [], []
    self._norms = {}
    for layer in layers:
      with tf.variable_scope(layer.name):
        self._create(layer, op_seed_of and op_seed_of(layer.name + '/filter'))

  def _create(self, layer, op_seed):
    shape = [layer.size, layer.size, layer.c_in, layer.c_out]
    stddev = np.sqrt(2. / np.prod(shape[:3]))
    kernel = self._variable('filter', shape,
                            tf.random_normal_initializer(0., stddev, op_seed))
    self.kernels.append(roles.Kernel(layer.name, kernel.read_value(), layer.role))
    if layer.batch_norm:
      with tf.variable_scope('bn'):
        self._norms[layer.name] = batch_norm.Parameters(
            scale=self._variable('gamma/bias', layer.c_out, tf.ones_initializer()),
            shift=self._variable('beta/bias', layer.c_out, tf.zeros_initializer()),
            mean=_variable('moving_mean', layer.c_out, tf.zeros_initializer()),
            variance=_variable('moving_variance', layer.c_out,
                               tf.zeros_initializer()))

  def _variable(self, name, shape, initializer):
    variable = _variable(name, shape, initializer, trainable=True)
    self.trainable.append(variable)
    return variable

  def logits(self, images, training):
    """The forward pass.

    Args:
      images: [batch, 32, 32, 3], values 0..255, any numeric type.
      training: whether batch norm takes its statistics from this batch (True)
        or from the moving ones (False); a Python bool.

    Returns:
      logits [batch, classes], and the list of operations that update the moving
      statistics from this batch (empty unless training).
    """
    logits, updates = self.spread_logits([images], training, towers.Towers())
    return logits[0], updates

  def spread_logits(self, parts, training, towers):
    """As `logits`, with the images spread over towers.

    All towers' operations of a layer are made together, since training statistics are
    taken over all images.

    Args:
      parts: list of images as above, one per tower.
      training: as above.
      towers: `towers.Towers`.

    Returns:
      List of logits, one per tower, and updates as above.
    """
    updates, outputs = [], {}
    previous = towers.each(
        lambda images: (tf.cast(images, tf.float32) - 127.5) / 128., parts)
    for layer, kernel in zip(self._layers, self.kernels):
      with tf.name_scope(layer.name):
        hidden = outputs[layer.source] if layer.source else previous
        hidden = towers.each(
            lambda part: _convolution(layer, kernel.tensor, part), hidden)
        if layer.batch_norm:
          norm = self._norms[layer.name]
          if training:
            hidden, mean, variance = batch_norm.by_batch(hidden, norm, towers)
            updates += [self._follow(norm.mean, mean),
                        self._follow(norm.variance, variance)]
          else:
            hidden = towers.each(
                lambda part: batch_norm.by_moving(part, norm), hidden)
        if layer.addend:
          hidden = towers.each(operator.add, hidden, outputs[layer.addend])
        if layer.relu:
          hidden = towers.each(tf.nn.relu, hidden)
      previous = outputs[layer.name] = hidden
    return towers.each(lambda part: tf.squeeze(part, [1, 2]), previous), updates

  def _follow(self, moving, value):
    return moving.assign_sub((1. - self._bn_decay) * (moving - value))


def _convolution(layer, kernel, hidden):
  """A layer's pool and convolution."""
  if layer.pool == 'max':
    hidden = tf.nn.max_pool(hidden, [1, 2, 2, 1], [1, 2, 2, 1], 'SAME')
  elif layer.pool == 'mean':
    hidden = tf.reduce_mean(hidden, [1, 2], keepdims=True)
  return tf.nn.conv2d(hidden, kernel, strides=[1, layer.stride, layer.stride, 1],
                      padding='SAME' if layer.batch_norm else 'VALID')


def _variable(name, shape, initializer, trainable=False):
  shape = [shape] if isinstance(shape, int) else shape
  return tf.get_variable(name, shape, tf.float32, initializer,
                         trainable=trainable, use_resource=True)
