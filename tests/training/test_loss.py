import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import comhe_tf1
from comhe_tf1.training import loss


def slow_loss(logits, labels):
  classes = logits.shape[1]
  total = 0.
  for row, label in zip(logits.astype('float64'), labels):
    p = np.exp(row - row.max())
    p = p / p.sum() + 1e-4
    for k in range(classes):
      target = 0.01 / classes + (0.99 if k == label else 0.)
      total -= target * np.log(p[k])
  return total / len(labels)


@pytest.mark.parametrize('classes', [2, 10, 100])
def test_classification_loss(session, rng, classes):
  logits = 3. * rng.randn(6, classes).astype('float32')
  labels = rng.randint(0, classes, 6)
  value = session.run(comhe_tf1.classification_loss(tf.constant(logits), labels))
  assert value == pytest.approx(slow_loss(logits, labels), rel=1e-5)


def test_a_wholly_wrong_batch_costs_minus_ln_of_the_floor(session):
  logits = np.zeros((3, 100), 'float32')
  logits[:, 0] = 1e4
  value = session.run(comhe_tf1.classification_loss(
      tf.constant(logits), np.array([1, 2, 3])))
  # One class in a hundred is right about 0.01 / 100 of the target.
  assert value == pytest.approx(-np.log(1e-4), abs=1.1e-3)


def test_gradient_is_finite_for_saturated_logits(session):
  logits = tf.constant([[1e6, -1e6], [-1e6, 1e6]])
  gradient = tf.gradients(comhe_tf1.classification_loss(
      logits, np.array([1, 1])), logits)[0]
  assert np.isfinite(session.run(gradient)).all()


def test_weight_decay(session, rng):
  values = [rng.randn(3, 4).astype('float32'), rng.randn(5).astype('float32')]
  assert session.run(comhe_tf1.weight_decay(
      [tf.constant(value) for value in values])) == pytest.approx(
          5e-4 * sum((value ** 2).sum() for value in values) / 2., rel=1e-6)


def test_correct(session):
  logits = tf.constant([[1., 2., 0.], [3., 1., 2.], [0., 0., 1.]])
  labels = tf.constant([1, 2, 2], tf.int64)
  assert session.run(loss.correct(logits, labels)).tolist() == [1., 0., 1.]
