"""A layer's regularizer wherever TensorFlow and its Kerases take one."""
import os
import subprocess
import sys

import ground_truth
import numpy as np
import processes
import pytest
import tensorflow
import tensorflow.compat.v1 as tf

import comhe_tf1

TF1 = tf.__version__.startswith('1.')
keras = tensorflow.keras


def energy_of(kernel):
  return ground_truth.half_space_energy(
      kernel.reshape(-1, kernel.shape[-1]).astype('float64'))


# Beside each layer the order of axes in which its neurons are the last.
def layers_of(keras):
  regularizer = comhe_tf1.kernel_regularizer
  return [
      (keras.layers.Conv2D(5, 3, kernel_regularizer=regularizer(
          'half_mhe', role=comhe_tf1.FIRST)), (0, 1, 2, 3)),
      (keras.layers.DepthwiseConv2D(3, depthwise_regularizer=regularizer(
          'half_mhe', axis=(-2, -1))), None),
      (keras.layers.Conv2DTranspose(6, 3, kernel_regularizer=regularizer(
          'half_mhe', axis=-2)), (0, 1, 3, 2)),
      (keras.layers.Reshape((36, 6)), None),
      (keras.layers.Conv1D(4, 3, kernel_regularizer=regularizer('half_mhe')), (0, 1, 2)),
      (keras.layers.Flatten(), None),
      (keras.layers.Dense(7, kernel_regularizer=regularizer(
          'random', pd=4, pn=3, seed=1)), None),
      (keras.layers.Dense(5, kernel_regularizer=regularizer('srip', seed=2)), None),
      (keras.layers.Dense(3, kernel_regularizer=regularizer(
          'half_mhe', weight=0.25, seed=4)), (0, 1))]


IMAGES = np.random.RandomState(0).rand(4, 8, 8, 3).astype('float32')
CLASSES = np.eye(3, dtype='float32')[[0, 1, 2, 0]]


def model_of(keras, **how):
  layers = layers_of(keras)
  inputs = keras.layers.Input((8, 8, 3))
  outputs = inputs
  for layer, _ in layers:
    outputs = layer(outputs)
  model = keras.models.Model(inputs, outputs)
  model.compile(keras.optimizers.SGD(0.01), 'mean_squared_error', **how)
  return model, layers


def losses_of(model):
  values = model.losses if tf.executing_eagerly() else keras.backend.get_session().run(
      model.losses)
  return [float(value) for value in values]


def check_losses(model, layers):
  """Those that draw nothing against slow NumPy, and their place in the total."""
  losses = losses_of(model)
  orders = [order for layer, order in layers if layer.get_weights()]
  kernels = [layer.get_weights()[0] for layer, _ in layers if layer.get_weights()]
  assert len(losses) == len(kernels) == 7
  weights = 6 * [1.] + [0.25]
  for order, kernel, loss, weight in zip(orders, kernels, losses, weights):
    assert np.isfinite(loss)
    if order:
      assert loss == pytest.approx(weight * energy_of(kernel.transpose(order)), rel=1e-4)
  depthwise = kernels[1].reshape(9, 5)
  assert losses[1] == pytest.approx(energy_of(depthwise), rel=1e-4)


def check_keras(keras, path, **how):
  """Training, its loss, a copy, and saving and loading."""
  (tf.set_random_seed if TF1 else keras.utils.set_random_seed)(1)
  model, layers = model_of(keras, **how)
  check_losses(model, layers)
  before = [layer.get_weights()[0] for layer, _ in layers if layer.get_weights()]
  history = model.fit(IMAGES, CLASSES, epochs=2, batch_size=4, verbose=0).history
  for layer, was in zip((layer for layer, _ in layers if layer.get_weights()), before):
    assert not np.array_equal(layer.get_weights()[0], was)
  assert np.isfinite(history['loss']).all()
  check_losses(model, layers)
  # Without draws the total is the error and the terms; with them another every time.
  predicted = model.predict(IMAGES, verbose=0)
  total = [model.evaluate(IMAGES, CLASSES, verbose=0) for _ in range(2)]
  drawn = [each - np.mean((predicted - CLASSES) ** 2) - sum(
      loss for i, loss in enumerate(losses_of(model)) if i not in (4, 5))
           for each in total]
  assert drawn[0] != drawn[1] and min(drawn) > 0.3   # half-space energies are
  copy = keras.models.clone_model(model)
  model.save(path)
  loaded = keras.models.load_model(path)
  for other in (copy, loaded):
    ours, theirs = ([layer.kernel_regularizer for layer in each.layers
                     if getattr(layer, 'kernel_regularizer', None)]
                    for each in (model, other))
    assert len(ours) == 6 and not set(ours) & set(theirs)
    assert [each.get_config() for each in theirs] == [each.get_config() for each in ours]
  check_losses(loaded, list(zip(loaded.layers[1:], [order for _, order in layers])))
  assert np.isfinite(loaded.fit(IMAGES, CLASSES, verbose=0).history['loss']).all()


def test_keras(tmp_path):
  """Keras 3 compiles its step by XLA by itself; that of 1.14 builds a graph."""
  if TF1:
    with tf.Graph().as_default(), tf.Session() as session:
      keras.backend.set_session(session)
      check_keras(keras, str(tmp_path / 'model.h5'))
      keras.backend.set_session(None)
  else:
    check_keras(keras, str(tmp_path / 'model.keras'))


@pytest.mark.skipif(TF1, reason='Keras 2 of 1.14 is tested above')
def test_keras_2(tmp_path):
  """Of current TensorFlow, a package of its own."""
  check_keras(pytest.importorskip('tf_keras'), str(tmp_path / 'model.keras'))


@pytest.mark.skipif(TF1, reason='1.14 has no such policies')
@pytest.mark.parametrize('policy', ['mixed_float16', 'mixed_bfloat16', 'float16',
                                    'bfloat16'])
def test_mixed_precision(policy):
  keras.utils.set_random_seed(1)
  keras.config.set_dtype_policy(policy)
  try:
    dense = keras.layers.Dense(3, kernel_regularizer=comhe_tf1.kernel_regularizer(
        'half_mhe'))
    drawing = keras.layers.Dense(4, kernel_regularizer=comhe_tf1.kernel_regularizer(
        'random', pd=4, pn=2))
    model = keras.models.Sequential([keras.layers.Input((6,)), drawing, dense])
  finally:
    keras.config.set_dtype_policy('float32')
  # Small steps: energies of nearly parallel neurons have slopes too large for float16.
  model.compile(keras.optimizers.SGD(1e-3), 'mean_squared_error')
  history = model.fit(IMAGES[:, 0, :2].reshape(4, 6), CLASSES, epochs=2, verbose=0).history
  assert np.isfinite(history['loss']).all()
  drawn, loss = model.losses
  assert drawn.dtype == loss.dtype == 'float32' and np.isfinite(drawn.numpy())
  assert dense.kernel.dtype == ('float32' if 'mixed' in policy else policy)
  assert loss.numpy() == pytest.approx(
      energy_of(tf.cast(dense.kernel.value, tf.float32).numpy()), rel=1e-5)


@pytest.mark.skipif(TF1, reason='1.14 has no such policies')
def test_seed_makes_a_training_reproducible():
  """Of models that are made one after the other in one process, compiled by Keras."""
  def trained(seed):
    keras.utils.set_random_seed(1)
    model = keras.models.Sequential([
        keras.layers.Input((6,)), keras.layers.Dense(
            6, kernel_regularizer=comhe_tf1.kernel_regularizer(
                'random', pd=5, pn=1, seed=seed))])
    model.compile('sgd', 'mean_squared_error', jit_compile=True)
    model.fit(IMAGES[:, 0, :2].reshape(4, 6), np.zeros([4, 6]), epochs=2, verbose=0)
    return model.get_weights()[0]

  first = trained(3)
  np.testing.assert_array_equal(first, trained(3))
  assert not np.array_equal(first, trained(4))


@pytest.mark.skipif(TF1, reason='add_loss of current Keras')
def test_add_loss(rng):
  regularizer = comhe_tf1.kernel_regularizer('half_mhe')

  class Layer(keras.layers.Layer):
    def build(self, _):
      self.w = self.add_weight(shape=(5, 4))

    def call(self, inputs):
      self.add_loss(regularizer(self.w))
      return inputs @ self.w

  layer = Layer()
  layer(np.ones([2, 5], 'float32'))
  assert layer.losses[0].numpy() == pytest.approx(energy_of(layer.w.numpy()), rel=1e-5)


@pytest.mark.skipif(not TF1, reason='TensorFlow 2 has no tf.layers')
def test_tf_layers_and_contrib(session):
  images = tf.constant(IMAGES)
  tf.layers.conv2d(images, 6, 3, name='a',
                   kernel_regularizer=comhe_tf1.kernel_regularizer('half_mhe'))
  tf.layers.conv2d_transpose(images, 6, 3, name='b', kernel_regularizer=(
      comhe_tf1.kernel_regularizer('half_mhe', axis=-2)))
  contrib = tensorflow.contrib.layers
  contrib.conv2d(images, 6, 3, scope='c', weights_regularizer=(
      comhe_tf1.kernel_regularizer('half_mhe', weight=2.)))
  contrib.fully_connected(
      tf.reshape(images, [4, -1]), 5, scope='d',
      weights_regularizer=comhe_tf1.kernel_regularizer('random', pd=3, pn=2))
  losses = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
  kernels = [variable for variable in tf.trainable_variables()
             if variable.shape.ndims > 1]
  session.run(tf.global_variables_initializer())
  values, found = session.run([kernels, losses])
  assert [each.shape for each in values] == [
      (3, 3, 3, 6), (3, 3, 6, 3), (3, 3, 3, 6), (192, 5)]
  expected = [energy_of(values[0]), energy_of(values[1].transpose(0, 1, 3, 2)),
              2. * energy_of(values[2])]
  assert found[:3] == pytest.approx(expected, rel=1e-4)
  again = session.run(losses)
  assert again[3] != found[3] and again[:3] == found[:3]
  total = tf.losses.get_regularization_loss()
  for gradient in session.run(tf.gradients(total, kernels)):
    assert np.isfinite(gradient).all() and gradient.any()


@pytest.mark.skipif(not TF1, reason='as Keras does with TensorFlow 2')
def test_biases_are_refused(session):
  """A regularizer of a whole scope is asked of them too."""
  with tf.variable_scope('net', regularizer=comhe_tf1.kernel_regularizer('mhe')):
    with pytest.raises(ValueError, match='biases and scales have no neurons'):
      tf.layers.dense(tf.constant(IMAGES[:, 0, 0]), 5)


# Two replicas want two devices, which a process has from its start.
REPLICAS = '''
import sys
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices('CPU')[0]
tf.config.set_logical_device_configuration(
    cpu, 2 * [tf.config.LogicalDeviceConfiguration()])
import comhe_tf1
import ground_truth


def trained(keras, strategy):
  keras.utils.set_random_seed(1)
  with strategy.scope():
    model = keras.models.Sequential([keras.layers.Input((6,))] + [
        keras.layers.Dense(6, kernel_regularizer=regularizer) for regularizer in (
            comhe_tf1.kernel_regularizer('random', pd=5, pn=2, weight=0.1, seed=3),
            comhe_tf1.kernel_regularizer('half_mhe'))])
    model.compile('sgd', 'mean_squared_error', jit_compile=False)
  x = np.random.RandomState(0).rand(8, 6).astype('float32')
  history = model.fit(x, 0. * x, batch_size=4, epochs=2, shuffle=False, verbose=0).history
  # Outside of the strategy again, where regularizers may still be called.
  return model.get_weights(), history['loss'], [float(loss) for loss in model.losses]


mirrored = tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1'])
assert mirrored.num_replicas_in_sync == 2
for keras in [tf.keras] + [__import__(name) for name in sys.argv[1:]]:
  two = trained(keras, mirrored)
  one = trained(keras, tf.distribute.get_strategy())
  # The replicas draw the same, so that two do as one.
  for ours, theirs in zip(two[0], one[0]):
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(two[1], one[1], rtol=1e-4)
  assert np.isfinite(two[2][0])
  np.testing.assert_allclose(
      two[2][1], ground_truth.half_space_energy(two[0][2].astype('float64')), rtol=1e-4)
print('as one')
'''


@pytest.mark.skipif(TF1, reason='devices and strategies of TensorFlow 2')
def test_replicas():
  try:
    __import__('tf_keras')
    further = ['tf_keras']
  except ImportError:
    further = []
  _, out, err = processes.call(
      sys.executable, '-c', 'import sys; sys.path.insert(1, "tests/helpers")\n' + REPLICAS,
      *further)
  assert out == ['as one'], err[-30:]


OTHER_BACKEND = '''
import tensorflow as tf
import comhe_tf1
dense = tf.keras.layers.Dense(3, kernel_regularizer=comhe_tf1.kernel_regularizer('mhe'))
dense.build([None, 4])
try:
  dense.losses
except TypeError as error:
  print(error)
'''


@pytest.mark.skipif(TF1, reason='Keras 2 has no backends')
def test_another_backend_of_keras_is_refused(root):
  pytest.importorskip('jax')
  out = subprocess.check_output(
      [sys.executable, '-c', OTHER_BACKEND], cwd=root, universal_newlines=True,
      env=dict(os.environ, KERAS_BACKEND='jax'), stderr=subprocess.DEVNULL)
  assert out == (
      'kernel must be of TensorFlow or NumPy, got keras.src.backend.Variable: the gradient '
      'of its term would be lost. With Keras 3 set KERAS_BACKEND=tensorflow\n')


class Foreign:
  """Of a library that TensorFlow knows only as something to copy, as torch and jax."""
  shape = (4, 3)

  def __array__(self, dtype=None, copy=None):
    return np.ones(self.shape, dtype)


@pytest.mark.parametrize('energy', [
    lambda kernel: comhe_tf1.kernel_regularizer('random')(kernel),
    comhe_tf1.half_space_energy, comhe_tf1.full_space_energy, comhe_tf1.cosines,
    lambda kernel: comhe_tf1.neurons_last(kernel, 0),
    lambda kernel: comhe_tf1.angle_distortion(kernel, np.ones((3, 3))),
    lambda kernel: comhe_tf1.random_projection_energy(kernel, np.ones((1, 2, 4))),
    lambda kernel: comhe_tf1.create('random')([
        comhe_tf1.Kernel('a', kernel, comhe_tf1.HIDDEN)])])
def test_foreign_kernels_are_refused(session, energy):
  with pytest.raises(TypeError, match='must be of TensorFlow or NumPy, got .*Foreign: the '
                                      'gradient of its term would be lost'):
    energy(Foreign())
