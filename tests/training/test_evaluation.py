import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import comhe_tf1
from comhe_tf1.networks import architectures
from comhe_tf1.records import environment
from comhe_tf1.training import evaluation


@pytest.fixture
def graph(session):
  """An evaluation graph of a two-layer network with 7 classes."""
  tf.set_random_seed(1)
  handles = evaluation.build([
      architectures.Layer('a', 3, 3, 4, comhe_tf1.FIRST, 1, None, True, True, None, None),
      architectures.Layer('b', 32, 4, 7, comhe_tf1.OUTPUT, 1, None, False, False, None,
                          None)])
  session.run(tf.global_variables_initializer())
  return handles


@pytest.fixture
def images(rng):
  return rng.randint(0, 256, (250, 32, 32, 3)).astype('uint8')


def moving(session):
  return [session.run(variable) for variable in tf.global_variables()
          if 'moving' in variable.op.name]


def test_top_1_and_top_5_over_the_whole_set(session, graph, images, rng):
  labels = rng.randint(0, 7, 250)
  logits = session.graph.get_tensor_by_name('Squeeze_1:0')
  values = session.run(logits, {graph.images: images})
  order = np.argsort(-values, axis=1)
  expected = [np.mean(order[:, 0] == labels),
              np.mean((order[:, :5] == labels[:, None]).any(axis=1))]
  np.testing.assert_allclose(
      evaluation.accuracy(session, graph, images, labels), expected, atol=1e-9)


def test_ties_are_no_hits_for_all(session, graph, images):
  """Of equal logits the first classes count: 5 of 7 labels, not all of them."""
  session.run([variable.assign(tf.zeros_like(variable)) for variable in tf.global_variables()
               if variable.op.name.startswith('b/')])
  labels = np.arange(250) % 7
  np.testing.assert_allclose(
      evaluation.accuracy(session, graph, images, labels),
      [np.mean(labels == 0), np.mean(labels < 5)], atol=1e-9)


def test_recalibration_takes_the_mean_of_the_batches_statistics(
    session, graph, images):
  evaluation.recalibrate(session, graph, images, 100)   # 50 images are left out
  kernel = session.graph.get_tensor_by_name('a/filter/Read/ReadVariableOp:0')
  convolved = tf.nn.conv2d((tf.cast(images[:200], tf.float32) - 127.5) / 128., kernel,
                           strides=[1, 1, 1, 1], padding='SAME')
  batches = session.run(convolved).reshape(2, -1, 4)
  mean, variance = moving(session)
  np.testing.assert_allclose(mean, batches.mean(1).mean(0), rtol=1e-4, atol=1e-6)
  np.testing.assert_allclose(variance, batches.var(1).mean(0), rtol=1e-4)
  # The same from any statistics before.
  evaluation.recalibrate(session, graph, images, 100)
  np.testing.assert_allclose(moving(session), [mean, variance], rtol=1e-6)


def test_environment_outside_a_checkout(session, tmp_path, monkeypatch):
  monkeypatch.setattr(environment, '__file__', str(tmp_path / 'environment.py'))
  facts = environment.describe(session)
  assert facts['git_commit'] is None and facts['git_changes'] is None
  assert facts['tensorflow'] == tf.__version__
  assert any('CPU' in device for device in facts['devices'])
