import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import comhe_tf1
from comhe_tf1 import network as networks


def test_plan_of_cnn9():
  plan = comhe_tf1.cnn9()
  assert [layer.name for layer in plan] == [
      'conv1_0', 'conv1_1', 'conv1_2', 'conv2_0', 'conv2_1', 'conv2_2',
      'conv3_0', 'conv3_1', 'conv3_2', 'fc6', 'score']
  assert [layer[1:4] for layer in plan] == [
      (3, 3, 64), (3, 64, 64), (3, 64, 64), (3, 64, 128), (3, 128, 128),
      (3, 128, 128), (3, 128, 256), (3, 256, 256), (3, 256, 256), (4, 256, 256),
      (1, 256, 100)]
  assert [layer.role for layer in plan] == (
      [comhe_tf1.FIRST] + 9 * [comhe_tf1.HIDDEN] + [comhe_tf1.OUTPUT])
  assert [layer.name for layer in plan if layer.pool_before] == [
      'conv2_0', 'conv3_0', 'fc6']


def test_variables_of_cnn9(session):
  network = comhe_tf1.Network(comhe_tf1.cnn9())
  count = sum(v.shape.num_elements() for v in network.trainable)
  kernels = sum(k.tensor.shape.num_elements() for k in network.kernels)
  assert kernels == 9 * (3 * 64 + 2 * 64 ** 2 + 64 * 128 + 2 * 128 ** 2
                         + 128 * 256 + 2 * 256 ** 2) + 16 * 256 ** 2 + 25600
  assert count == kernels + 2 * 3 * (64 + 128 + 256)
  assert tf.trainable_variables() == network.trainable
  names = [v.op.name for v in tf.global_variables()]
  assert names[:5] == ['conv1_0/' + name for name in (
      'filter', 'bn/gamma/bias', 'bn/beta/bias', 'bn/moving_mean',
      'bn/moving_variance')]
  assert names[-2:] == ['fc6/filter', 'score/filter']


def test_initial_values(session):
  network = comhe_tf1.Network(comhe_tf1.cnn9(), {'conv1_0/filter': 14})
  tf.set_random_seed(345)
  session.run(tf.global_variables_initializer())
  for kernel, layer in zip(network.kernels, comhe_tf1.cnn9()):
    value = session.run(kernel.tensor)
    assert np.std(value) == pytest.approx(
        np.sqrt(2. / (layer.size ** 2 * layer.c_in)), rel=0.05)
  for variable in tf.global_variables():
    name = variable.op.name
    if not name.endswith('filter'):
      expected = 1. if name.endswith('gamma/bias') else 0.
      assert (session.run(variable) == expected).all(), name


def small():
  """One layer with batch norm, one without: 4x4 images, 2 channels, 3 classes."""
  return [comhe_tf1.network.Layer('a', 3, 3, 2, comhe_tf1.FIRST, False, True),
          comhe_tf1.network.Layer('b', 2, 2, 3, comhe_tf1.OUTPUT, True, False)]


def slow_forward(images, kernels, statistics=None, scale=1., shift=0.):
  """The forward pass of `small`, in NumPy; returns logits and statistics."""
  x = (images - 127.5) / 128.
  padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], 'constant')
  y = np.zeros(x.shape[:3] + (2,))
  for row in range(3):
    for column in range(3):
      y += np.dot(padded[:, row:row + 4, column:column + 4], kernels[0][row, column])
  mean, variance = statistics or (y.mean((0, 1, 2)), y.var((0, 1, 2)))
  y = np.maximum((y - mean) / np.sqrt(variance + 1e-3) * scale + shift, 0.)
  y = y.reshape(-1, 2, 2, 2, 2, 2).max((2, 4))
  return np.einsum('nhwc,hwck->nk', y, kernels[1]), (mean, variance)


def test_forward_pass_and_moving_statistics(session, rng):
  images = rng.randint(0, 256, (5, 4, 4, 3)).astype('uint8')
  network = networks.Network(small(), bn_decay=0.9)
  placeholder = tf.placeholder(tf.uint8, [None, 4, 4, 3])
  logits, updates = network.logits(placeholder, training=True)
  tested, none = network.logits(placeholder, training=False)
  assert len(updates) == 2 and not none
  variables = {v.op.name: v for v in tf.global_variables()}
  assert len(variables) == 6   # testing made none of its own
  session.run(tf.global_variables_initializer())
  variables['a/bn/gamma/bias'].load([1.5, 0.5], session)
  variables['a/bn/beta/bias'].load([0.1, -0.2], session)
  affine = dict(scale=np.array([1.5, 0.5]), shift=np.array([0.1, -0.2]))
  kernels = session.run([kernel.tensor for kernel in network.kernels])

  feed = {placeholder: images}
  expected, (mean, variance) = slow_forward(images, kernels, **affine)
  np.testing.assert_allclose(session.run(logits, feed), expected, rtol=1e-4,
                             atol=1e-5)
  # From zero, without bias correction: at first nearly nothing.
  moving = np.zeros(2), np.zeros(2)
  for _ in range(3):
    np.testing.assert_allclose(
        session.run(tested, feed),
        slow_forward(images, kernels, moving, **affine)[0], rtol=1e-4, atol=1e-4)
    session.run(updates, feed)
    moving = 0.9 * moving[0] + 0.1 * mean, 0.9 * moving[1] + 0.1 * variance
    np.testing.assert_allclose(
        session.run(variables['a/bn/moving_mean']), moving[0], rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(
        session.run(variables['a/bn/moving_variance']), moving[1], rtol=1e-4)


def test_whole_images_give_one_row_of_logits_each(session):
  network = comhe_tf1.Network(comhe_tf1.cnn9(7))
  logits, _ = network.logits(tf.zeros([2, 32, 32, 3], tf.uint8), training=False)
  assert logits.shape.as_list() == [2, 7]
