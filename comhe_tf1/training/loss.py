"""Classification loss, weight decay and accuracy, as the original."""
import tensorflow.compat.v1 as tf

WEIGHT_DECAY = 5e-4
# Added to every probability: a wholly wrong batch costs -ln 1e-4 = 9.2103.
PROBABILITY_FLOOR = 1e-4
LABEL_SMOOTHING = 0.01


def classification_loss(logits, labels):
  """Smoothed cross entropy with a floor under the probabilities (logged `fit`).

  mean over the batch of -sum(t log p), p = softmax(logits) + 1e-4 (not
  normalized again), t = (1 - 0.01) one_hot(labels) + 0.01 / classes.

  Args:
    logits: [batch, classes].
    labels: [batch], integers in [0, classes).

  Returns:
    Scalar tensor.

  >>> evaluate(comhe_tf1.classification_loss(tf.zeros([1, 2]), tf.constant([0])))
  0.6929
  """
  classes = logits.shape.as_list()[-1]
  targets = ((1. - LABEL_SMOOTHING) * tf.one_hot(labels, classes)
             + LABEL_SMOOTHING / classes)
  log_p = tf.log(tf.nn.softmax(logits) + PROBABILITY_FLOOR)
  return tf.reduce_mean(-tf.reduce_sum(targets * log_p, axis=-1))


def weight_decay(variables):
  """5e-4 * sum over variables of (sum of squares) / 2 (logged `reg`).

  Args:
    variables: list of tensors or variables; the original's are all kernels and
      all batch-norm scales and shifts.

  Returns:
    Scalar tensor.

  >>> evaluate(comhe_tf1.weight_decay([tf.constant([2., 4.])]))   # 5e-4 * 20 / 2
  0.005
  """
  return tf.add_n([WEIGHT_DECAY * tf.nn.l2_loss(value) for value in variables])


def correct(logits, labels):
  """1 for every image whose largest logit is its label's, else 0.

  Of equal logits the first class counts, as in the original.

  Args:
    logits: [batch, classes].
    labels: [batch], integers.

  Returns:
    Tensor [batch], float32; its mean is the `accuracy`.
  """
  predicted = tf.argmax(logits, axis=-1, output_type=labels.dtype)
  return tf.cast(tf.equal(predicted, labels), tf.float32)


def correct_among(count, logits, labels):
  """As `correct`, where the label is among the first `count` classes by their logits."""
  first = tf.nn.top_k(logits, count).indices   # of equal ones the first
  matches = tf.equal(tf.cast(first, labels.dtype), labels[:, tf.newaxis])
  return tf.cast(tf.reduce_any(matches, axis=-1), tf.float32)


def accuracy(logits, labels):
  """Mean of `correct` over the batch."""
  return tf.reduce_mean(correct(logits, labels))
