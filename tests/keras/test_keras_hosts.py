"""The terms of a Keras model on replicas, in mixed precision, exported and recomputed."""
import sys

import numpy as np
import processes
import pytest
import tensorflow
import tensorflow.compat.v1 as tf

import comhe_tf1

pytestmark = pytest.mark.skipif(tf.__version__.startswith('1.'),
                                reason='as TensorFlow 2 has them')
POINTS = np.random.RandomState(0).rand(8, 6).astype('float32')
CLASSES = np.eye(3, dtype='float32')[[0, 1, 2, 0, 1, 2, 0, 1]]
SETTINGS = dict(pd=4, seed=3)


def network(keras):
  return keras.models.Sequential([keras.layers.Input((6,))] + [
      keras.layers.Dense(width, activation='relu', name='d%d' % number)
      for number, width in enumerate((6, 6, 5))] + [keras.layers.Dense(3, name='top')])


def fitted(keras, model):
  model.compile(keras.optimizers.SGD(0.01), 'mean_squared_error', jit_compile=False)
  return model.fit(POINTS, CLASSES, batch_size=8, epochs=2, verbose=0).history


# Two replicas want two devices, which a process has from its start.
REPLICAS = '''
import sys
import numpy as np
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices('CPU')[0], 2 * [tf.config.LogicalDeviceConfiguration()])
import comhe_tf1
import test_keras_hosts as hosts


def trained(keras, method, strategy):
  """Weights and history."""
  keras.utils.set_random_seed(1)
  with strategy.scope():
    model = hosts.network(keras)
    comhe_tf1.regularize(model, method, **hosts.SETTINGS)
    model.compile(keras.optimizers.SGD(0.01), 'mean_squared_error', jit_compile=False)
  history = model.fit(
      hosts.POINTS, hosts.CLASSES, batch_size=8, epochs=3, shuffle=False, verbose=0,
      validation_data=(hosts.POINTS, hosts.CLASSES)).history
  return model.get_weights() + [history[name] for name in sorted(history)]


mirrored = tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1'])
assert mirrored.num_replicas_in_sync == 2
for keras in map(__import__, sys.argv[1:]):
  for method in ('random', 'angle'):
    for two, one in zip(trained(keras, method, mirrored),
                        trained(keras, method, tf.distribute.get_strategy())):
      np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-5)
print('as one')
'''


@pytest.mark.slow
def test_replicas(keras):
  """Two do as one: terms count once, draws are the same, projections move once."""
  _, out, err = processes.finish(processes.start(
      sys.executable, '-c', 'import sys; sys.path[1:1] = ["tests/keras", "tests/helpers"]\n'
      + REPLICAS, keras.__name__), timeout=600)
  assert out == ['as one'], err[-30:]


@pytest.mark.parametrize('policy', ['mixed_float16', 'mixed_bfloat16'])
def test_mixed_precision(keras, policy):
  """Kernels are float32, and so are terms and their gradients."""
  plain = network(keras)
  policies = keras.mixed_precision
  before = policies.global_policy() if hasattr(policies, 'global_policy') else 'float32'
  policies.set_global_policy(policy)
  try:
    model = network(keras)
  finally:
    policies.set_global_policy(before)
  model.set_weights(plain.get_weights())
  found = []
  for each in (model, plain):
    regularization = comhe_tf1.regularize(each, **SETTINGS)
    kernels = [kernel.variable for kernel in regularization.kernels]
    kernels = [getattr(each, 'value', each) if keras.__name__ == 'keras' else each
               for each in kernels]
    with regularization.evaluation(), tf.GradientTape() as tape:
      loss, = each.losses
    found.append([loss] + tape.gradient(loss, kernels))
  for ours, theirs in zip(*found):
    assert ours.dtype == theirs.dtype == 'float32'
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
  # The scaling of losses for float16 takes them too, and is undone.
  terms = [fitted(keras, each)['comhe'] for each in (model, plain)]
  np.testing.assert_allclose(*terms, rtol=1e-2)


def test_export(keras, tmp_path):
  model = network(keras)
  comhe_tf1.regularize(model, **SETTINGS)
  fitted(keras, model)
  model.export(str(tmp_path))
  loaded = tensorflow.saved_model.load(str(tmp_path))
  np.testing.assert_allclose(loaded.serve(POINTS).numpy(),
                             model.predict(POINTS, verbose=0), rtol=1e-5)
  assert len(model.losses) == 1


@pytest.mark.parametrize('method', ['random', 'angle'])
def test_saved_models_of_keras_2(tmp_path, method):
  keras = pytest.importorskip('tf_keras')
  model = network(keras)
  regularization = comhe_tf1.regularize(model, method, **SETTINGS)
  fitted(keras, model)
  for name in ('with', 'removed'):
    path = str(tmp_path / name)
    model.save(path, save_format='tf')
    loaded = keras.models.load_model(path)
    assert loaded.losses == []
    for ours, theirs in zip(model.get_weights(), loaded.get_weights()):
      np.testing.assert_array_equal(ours, theirs)
    assert len(model.losses) == (name == 'with')
    regularization.remove()
  comhe_tf1.regularize(loaded, method, **SETTINGS)
  assert np.isfinite(fitted(keras, loaded)['comhe']).all()


def test_layers_that_compute_twice(keras):
  """Within a layer `tf.recompute_grad` leaves the terms alone."""
  class Recomputed(keras.layers.Dense):
    def call(self, inputs):
      return tensorflow.recompute_grad(super().call)(inputs)

  gradients = []
  for kind in (keras.layers.Dense, Recomputed):
    keras.utils.set_random_seed(1)
    model = keras.models.Sequential([
        keras.layers.Input((6,)), keras.layers.Dense(6), kind(5), keras.layers.Dense(3)])
    regularization = comhe_tf1.regularize(model, **SETTINGS)
    kernels = [each.variable for each in regularization.kernels]
    kernels = [each.value if keras.__name__ == 'keras' else each for each in kernels]
    with regularization.training(), tf.GradientTape() as tape:
      loss = tf.reduce_sum(model(POINTS, training=True)) + sum(model.losses)
    gradients.append([loss] + tape.gradient(loss, kernels))
  for ours, theirs in zip(*gradients):
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5)
