import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import comhe_tf1
from comhe_tf1.networks import architectures
from comhe_tf1.networks import network as networks


def test_variables_of_cnn9(session):
  network = comhe_tf1.Network(comhe_tf1.cnn())
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
  network = comhe_tf1.Network(comhe_tf1.cnn(), {'conv1_0/filter': 14}.get)
  tf.set_random_seed(345)
  session.run(tf.global_variables_initializer())
  for kernel, layer in zip(network.kernels, comhe_tf1.cnn()):
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
  return [architectures.Layer('a', 3, 3, 2, comhe_tf1.FIRST, 1, None, True, True, None,
                              None),
          architectures.Layer('b', 2, 2, 3, comhe_tf1.OUTPUT, 1, 'max', False, False, None,
                              None)]


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


def bottleneck():
  """A residual block with stride and shortcut, and a mean pool: 6x6 images."""
  def layer(name, size, c_in, c_out, role, **others):
    return architectures.Layer(name, size, c_in, c_out, role, 1, None, True, True, None,
                               None)._replace(**others)
  return [layer('stem', 1, 3, 2, comhe_tf1.FIRST),
          layer('one', 1, 2, 4, comhe_tf1.HIDDEN, stride=2),
          layer('shortcut', 1, 2, 4, comhe_tf1.HIDDEN, stride=2, relu=False,
                source='stem'),
          layer('two', 1, 4, 4, comhe_tf1.HIDDEN, source='one', addend='shortcut'),
          layer('three', 1, 4, 4, comhe_tf1.HIDDEN, addend='two'),
          layer('score', 1, 4, 5, comhe_tf1.OUTPUT, pool='mean', batch_norm=False,
                relu=False)]


def test_residual_blocks(session, rng):
  """Against the same in NumPy; kernels of size 1 make convolutions products."""
  images = rng.randint(0, 256, (3, 6, 6, 3)).astype('uint8')
  network = networks.Network(bottleneck())
  logits, updates = network.logits(tf.constant(images), training=True)
  assert len(updates) == 10
  session.run(tf.global_variables_initializer())
  for variable in network.trainable:
    if '/bn/' in variable.op.name:
      variable.load(rng.rand(*variable.shape.as_list()), session)
  w = {kernel.name: session.run(kernel.tensor)[0, 0] for kernel in network.kernels}
  bn = {variable.op.name: session.run(variable) for variable in network.trainable}

  def layer(name, x):
    y = np.dot(x, w[name])
    y = (y - y.mean((0, 1, 2))) / np.sqrt(y.var((0, 1, 2)) + 1e-3)
    return y * bn[name + '/bn/gamma/bias'] + bn[name + '/bn/beta/bias']

  stem = np.maximum(layer('stem', (images - 127.5) / 128.), 0.)
  one = np.maximum(layer('one', stem[:, ::2, ::2]), 0.)
  two = np.maximum(layer('two', one) + layer('shortcut', stem[:, ::2, ::2]), 0.)
  three = np.maximum(layer('three', two) + two, 0.)
  np.testing.assert_allclose(session.run(logits), np.dot(three.mean((1, 2)), w['score']),
                             rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('plan', [
    comhe_tf1.cnn(7), comhe_tf1.cnn(7, width=0.25, depth=6),
    comhe_tf1.resnet32(7, width=0.125)], ids=['cnn9', 'cnn6', 'resnet32'])
def test_whole_images_give_one_row_of_logits_each(session, plan):
  network = comhe_tf1.Network(plan)
  for training in (True, False):
    logits, updates = network.logits(tf.zeros([2, 32, 32, 3], tf.uint8), training)
    assert logits.shape.as_list() == [2, 7]
    assert bool(updates) == training
