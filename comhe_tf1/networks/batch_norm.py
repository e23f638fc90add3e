"""Batch norm over the images and pixels of a batch, which towers may share."""
import typing

import tensorflow.compat.v1 as tf

EPSILON = 1e-3


class Parameters(typing.NamedTuple):
  """Variables [channels] of a batch norm.

  scale, shift: trained. mean, variance: the moving statistics.
  """
  scale: tf.Variable
  shift: tf.Variable
  mean: tf.Variable
  variance: tf.Variable


def by_batch(parts, parameters, towers):
  """scale (x - mean) / sqrt(variance + 1e-3) + shift with a batch's own statistics.

  These are of the whole batch, or of each tower's part if so says
  `towers.own_statistics`. Gradients pass through them, from tower to tower.

  Args:
    parts: list of tensors [images, height, width, channels], one per tower, of one
      shape.
    parameters: `Parameters`.
    towers: `towers.Towers`.

  Returns:
    List of the normalized tensors, and the batch's mean and (biased) variance
    [channels]; of towers with statistics of their own, means over the towers.
  """
  if len(towers) > 1 and not towers.own_statistics:
    return _whole(parts, parameters, towers)

  def normalize(part):
    return tf.nn.fused_batch_norm(part, parameters.scale, parameters.shift,
                                  epsilon=EPSILON)

  normalized, means, variances = zip(*towers.each(normalize, parts))
  return (list(normalized), towers.mean(means),
          towers.mean(variances) * _biased(normalized[0]))


def _whole(parts, parameters, towers):
  """As `by_batch`: towers send two vectors a layer, and are sent two.

  From the towers' means m_k and variances v_k: m = mean_k m_k and
  v = mean_k (v_k + (m_k - m)^2), which in float32 keeps the digits that the mean of
  squares less the squared mean would cancel (Chan, Golub, LeVeque 1983).
  """
  def moments(part):
    return tf.stack(tf.nn.moments(part, [0, 1, 2]))

  means, variances = tf.unstack(tf.stack(towers.each(moments, parts)), axis=1)
  mean = tf.reduce_mean(means, axis=0)
  variance = tf.reduce_mean(variances + tf.squared_difference(means, mean), axis=0)
  factor = parameters.scale * tf.rsqrt(variance + EPSILON)
  line = tf.stack([factor, parameters.shift - mean * factor])

  def normalize(part):
    here = tf.identity(line)   # fetched once a tower
    return part * here[0] + here[1]

  return towers.each(normalize, parts), mean, variance


def by_moving(hidden, parameters):
  """As `by_batch`, with the moving statistics in place of a batch's.

  Args:
    hidden: [images, height, width, channels].
    parameters: `Parameters`.
  """
  return tf.nn.fused_batch_norm(
      hidden, parameters.scale, parameters.shift, mean=parameters.mean,
      variance=parameters.variance, epsilon=EPSILON, is_training=False)[0]


def _biased(hidden):
  """What makes of the fused operation's unbiased variance the original's."""
  count = tf.cast(tf.reduce_prod(tf.shape(hidden)[:3]), tf.float32)
  return (count - 1.) / count
