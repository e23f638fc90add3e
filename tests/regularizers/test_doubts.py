"""What is doubtful about a regularizer of one kernel is said once, with its name."""
import warnings

import numpy as np
import pytest
import tensorflow
import tensorflow.compat.v1 as tf

import comhe_tf1
from comhe_tf1.regularizers import doubts

keras = tensorflow.keras


@pytest.mark.parametrize('name, shape, axis, role, pd, words', [
    ('a', [3, 3, 4, 1], -1, 'hidden', None, ['one neuron, which has no pair']),
    ('a', [3, 3, 4, 8], -1, 'hidden', 36, ['36 inputs are projected to pd = 36']),
    ('a', [3, 3, 4, 8], -1, 'hidden', 35, []),
    ('a', [3, 3, 4, 8], -1, 'first', 40, []),
    ('depthwise_conv2d/kernel', [3, 3, 4, 2], -1, 'hidden', None, [r'axis \(-2, -1\)']),
    ('depthwise_conv2d/kernel', [3, 3, 8], (-2, -1), 'hidden', None, []),
    ('conv2d_transpose/kernel', [3, 3, 4, 2], -1, 'hidden', None, ['axis -2, not -1']),
    ('embedding/embeddings', [1000, 16], -1, 'hidden', None, ['axis 0, not -1']),
    ('lstm/lstm_cell/kernel', [4, 16], -1, 'hidden', None, ['comhe_tf1.regularize does'])])
def test_doubts(name, shape, axis, role, pd, words):
  found = doubts.about(name, shape, axis, role, pd)
  assert len(found) == len(words)
  for sentence, word in zip(found, words):
    with pytest.raises(AssertionError, match=word):
      raise AssertionError(sentence)


def test_warned_once(session):
  regularizer = comhe_tf1.kernel_regularizer('half_mhe')
  kernel = tf.get_variable('only', initializer=np.ones((4, 1), 'float32'))
  with pytest.warns(UserWarning, match='kernel_regularizer of only.*: it has one neuron'):
    regularizer(kernel)
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    regularizer(kernel)


@pytest.mark.skipif(tf.__version__.startswith('1.'), reason='as Keras 3 names kernels')
def test_the_layer_is_named():
  layer = keras.layers.Dense(3, name='mine', kernel_regularizer=(
      comhe_tf1.kernel_regularizer('random', pd=4)))
  layer.build((None, 4))
  with pytest.warns(UserWarning, match='mine/kernel: its 4 inputs are projected to pd = 4'):
    assert len(layer.losses) == 1
