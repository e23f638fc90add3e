"""The terms of a whole Keras model: values, training, saving, weights, draws."""
import ground_truth
import numpy as np
import pytest
import tensorflow
import tensorflow.compat.v1 as tf

import comhe_tf1
from comhe_tf1.keras import terms
from comhe_tf1.regularizers import methods

TF1 = tf.__version__.startswith('1.')
needs_tensorflow_2 = pytest.mark.skipif(TF1, reason='eager execution')
POINTS = np.random.RandomState(0).rand(8, 6).astype('float32')
CLASSES = np.eye(3, dtype='float32')[[0, 1, 2, 0, 1, 2, 0, 1]]
SMALL = dict(pd=4, pn=3)
STATELESS = ['mhe', 'half_mhe', 'random', 'random_max', 'group', 'orthogonal', 'srip']


def network(keras, *widths):
  """Dense layers, all hidden ones of 6 inputs but the first."""
  inputs = outputs = keras.layers.Input((6,))
  for number, width in enumerate(widths or (6, 6, 5)):
    outputs = keras.layers.Dense(width, activation='relu', name='d%d' % number)(outputs)
  outputs = keras.layers.Dense(3, name='top')(outputs)
  return keras.models.Model(inputs, outputs)


def compiled(keras, model, **how):
  if not TF1:
    how.setdefault('jit_compile', False)   # XLA takes seconds for each; see 'compiled'
  model.compile(keras.optimizers.SGD(0.01), 'mean_squared_error', **how)
  return model


def columns(model):
  return {layer.name: layer.get_weights()[0].astype('float64') for layer in model.layers
          if layer.get_weights()}


def numbers(keras, tensors):
  return [float(each) for each in (tensors if tf.executing_eagerly()
                                   else keras.backend.get_session().run(tensors))]


def half(w):
  return ground_truth.half_space_energy(w)


def without_draws(model):
  """half_mhe of a `network`."""
  w = columns(model)
  top = w.pop('top')
  return sum(map(half, w.values())) + 10. * ground_truth.full_space_energy(top)


def test_terms_of_a_model(keras):
  model = network(keras)
  for method, weight in [('half_mhe', 1.), ('half_mhe', 0.25), ('mhe', 2.)]:
    comhe_tf1.regularize(model, method, weight=weight)   # replaces the one before
    expected = weight * (without_draws(model) if method == 'half_mhe' else sum(
        (10. if name == 'top' else 1.) * ground_truth.full_space_energy(w)
        for name, w in columns(model).items()))
    assert numbers(keras, model.losses) == [pytest.approx(expected, rel=1e-4)]
  comhe_tf1.unregularize(model)
  comhe_tf1.unregularize(model)
  assert model.losses == []


def test_other_losses_stay(keras):
  inputs = keras.layers.Input((6,))
  outputs = keras.layers.Dense(4, kernel_regularizer='l2')(inputs)
  model = keras.models.Model(inputs, keras.layers.Dense(3, name='top')(outputs))
  before = numbers(keras, model.losses)
  regularization = comhe_tf1.regularize(model, 'half_mhe')
  assert sorted(numbers(keras, model.losses)) == pytest.approx(
      sorted(before + [without_draws(model)]), rel=1e-4)
  regularization.remove()
  regularization.remove()
  assert numbers(keras, model.losses) == before


def drawn_by(monkeypatch):
  """A list that gets what is drawn from now on."""
  drawn = []
  original = terms._projected

  def projected(regularizer, *args):
    normal = regularizer.normal
    regularizer.normal = lambda *args: drawn.append(normal(*args)) or drawn[-1]
    return original(regularizer, *args)

  monkeypatch.setattr(terms, '_projected', projected)
  return drawn


@needs_tensorflow_2
@pytest.mark.parametrize('how', [None, {}, {'jit_compile': True}],
                         ids=['eager', 'function', 'compiled'])
@pytest.mark.parametrize('method, over', [('random', np.mean), ('random_max', np.max)])
def test_random_projections(keras, monkeypatch, method, over, how):
  """Value and gradient, from what was drawn; all layers share it."""
  model = network(keras)
  regularization = comhe_tf1.regularize(model, method, **SMALL)
  kernels = [each.variable for each in regularization.kernels]
  variables = [getattr(each, 'value', each) if keras.__name__ == 'keras' else each
               for each in kernels]
  drawn = drawn_by(monkeypatch)

  def step():
    del drawn[:]
    with tensorflow.GradientTape() as tape:
      loss, = model.losses
    return loss, tape.gradient(loss, variables), drawn[0][0]

  if how is not None:
    step = tensorflow.function(step, autograph=False, **how)
  seen = []
  for _ in range(2):
    loss, gradients, found = step()
    projections = found.numpy().astype('float64').reshape(3, 4, 6)
    seen.append(loss.numpy())

    def expected(w):
      return over(ground_truth.random_projection_energies(w, projections))

    w = columns(model)
    assert loss.numpy() == pytest.approx(
        half(w['d0']) + expected(w['d1']) + expected(w['d2'])
        + 10. * ground_truth.full_space_energy(w['top']), rel=1e-4)
    np.testing.assert_allclose(gradients[2].numpy(), ground_truth.gradient(
        expected, w['d2']), rtol=1e-2, atol=1e-3)
  assert seen[0] != seen[1]


@needs_tensorflow_2
def test_a_step_is_traced_once(keras):
  """No variable is made in it, which would let TensorFlow trace it again."""
  regularization = comhe_tf1.regularize(network(keras), **SMALL)
  traced = []

  def step():
    traced.append(step)
    return regularization.loss()

  function = tensorflow.function(step, autograph=False)
  assert float(function()) != float(function())
  assert len(traced) == 1


@pytest.mark.parametrize('method', ['half_mhe', 'random', 'random_max'])
@pytest.mark.parametrize('settings', [dict(pd=5, pn=1), dict(pd=5, pnd=9)])
def test_side_by_side_is_as_layer_by_layer(keras, monkeypatch, method, settings):
  """What the methods' classes give for the same numbers, one projection a layer."""
  if method == 'half_mhe':
    settings = {}
  widths = 9, 9, 10, 9
  regularization = comhe_tf1.regularize(network(keras, *widths), method, **settings)

  def normal(shape, dtype, op_seeds):
    """Of fewer inputs, the first numbers of each row."""
    rows, d = shape
    return [tf.constant(np.random.RandomState(7).randn(rows, 10)[:, :d], dtype)
            for _ in op_seeds]

  monkeypatch.setattr(regularization, '_normal', lambda: normal)
  ours, = numbers(keras, [regularization.loss()])
  monkeypatch.setattr(terms, 'METHODS', {})
  again, = numbers(keras, [regularization.loss()])
  assert ours == pytest.approx(again, rel=1e-5)


@pytest.mark.parametrize('method', STATELESS)
def test_training_as_before(keras, tmp_path, method):
  """Compiled, fitted, evaluated, saved and loaded; the file knows nothing of it."""
  model = network(keras)
  regularization = comhe_tf1.regularize(
      model, method, weight=0.1, **(SMALL if 'random' in method else {}))
  compiled(keras, model)
  before = columns(model)
  history = model.fit(POINTS, CLASSES, epochs=2, batch_size=4, verbose=0,
                      validation_data=(POINTS, CLASSES)).history
  assert np.isfinite(history['loss']).all() and np.isfinite(history['val_loss']).all()
  assert all(not np.array_equal(before[name], now)
             for name, now in columns(model).items())
  if not TF1:
    assert set(history) == {'loss', 'comhe', 'val_loss', 'val_comhe'}
    assert all(0. < term < loss for term, loss in zip(history['comhe'], history['loss']))
    # Draws of an evaluation are the same every time.
    assert model.evaluate(POINTS, CLASSES, verbose=0) == model.evaluate(
        POINTS, CLASSES, verbose=0)
  path = str(tmp_path / ('model.h5' if TF1 else 'model.keras'))
  model.save(path)
  loaded = keras.models.load_model(path)
  assert loaded.losses == [] and keras.models.clone_model(model).losses == []
  for ours, theirs in zip(model.get_weights(), loaded.get_weights()):
    np.testing.assert_array_equal(ours, theirs)
  if not TF1:
    comhe_tf1.regularize(loaded, method)
    assert np.isfinite(loaded.fit(POINTS, CLASSES, verbose=0).history['loss'][0])
    assert regularization.remove() is None
    error = model.evaluate(POINTS, CLASSES, verbose=0)
    assert error == pytest.approx(np.mean((model.predict(
        POINTS, verbose=0) - CLASSES) ** 2), rel=1e-4)


@needs_tensorflow_2
def test_the_loss_of_a_step(keras):
  """Error and term, once each, in fit's first step, and in a model compiled before."""
  model = compiled(keras, network(keras), metrics=['mae'])
  model.fit(POINTS, CLASSES, batch_size=8, verbose=0)   # its step is traced already
  comhe_tf1.regularize(model, 'half_mhe')
  error = np.mean((model.predict(POINTS, verbose=0) - CLASSES) ** 2)
  term = without_draws(model)
  history = model.fit(POINTS, CLASSES, batch_size=8, verbose=0).history
  assert history['comhe'] == [pytest.approx(term, rel=1e-4)]
  assert history['loss'] == [pytest.approx(error + term, rel=1e-4)]
  assert 'mae' in history


@needs_tensorflow_2
def test_training_does_not_depend_on_evaluations(keras):
  def trained(validation, seed=3):
    keras.utils.set_random_seed(1)
    model = network(keras)
    comhe_tf1.regularize(model, seed=seed, **SMALL)
    compiled(keras, model).fit(POINTS, CLASSES, epochs=3, batch_size=4, verbose=0,
                               shuffle=False, validation_data=validation)
    return model.get_weights()

  plain, with_validation = trained(None), trained((POINTS, CLASSES))
  for ours, theirs in zip(plain, with_validation):
    np.testing.assert_array_equal(ours, theirs)
  assert not np.array_equal(plain[2], trained(None, seed=4)[2])


@needs_tensorflow_2
def test_frozen_layers(keras):
  """Transfer: a frozen base, then all of it."""
  base = network(keras, 6, 6)
  model = keras.models.Sequential([base, keras.layers.Dense(4, name='new')])
  model.build((None, 6))
  base.trainable = False
  regularization = comhe_tf1.regularize(model, 'half_mhe')
  assert str(regularization).count('frozen') == 3
  kernel = model.layers[1].get_weights()[0].astype('float64')
  output = 10. * ground_truth.full_space_energy(kernel)
  assert numbers(keras, model.losses) == [pytest.approx(output, rel=1e-4)]
  before = base.get_weights()
  labels = np.zeros([8, 4], 'float32')
  compiled(keras, model).fit(POINTS, labels, verbose=0)
  for ours, was in zip(base.get_weights(), before):
    np.testing.assert_array_equal(ours, was)
  base.trainable = True
  compiled(keras, model).fit(POINTS, labels, verbose=0)
  assert str(regularization).count('frozen') == 0
  # The base's own last layer is a hidden one of the whole.
  kernel = model.layers[1].get_weights()[0].astype('float64')
  assert numbers(keras, model.losses) == [pytest.approx(sum(
      map(half, columns(base).values())) + 10. * ground_truth.full_space_energy(kernel),
                                                        rel=1e-4)]


@needs_tensorflow_2
def test_weights_over_the_training(keras):
  model = network(keras)
  variable = tensorflow.Variable(0.5)
  comhe_tf1.regularize(model, 'half_mhe', weight=variable)
  for value in (0.5, 0.):
    variable.assign(value)
    assert numbers(keras, model.losses) == [
        pytest.approx(value * without_draws(model), rel=1e-4)]
  schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1, 2], [3., 2., 0.])
  for weight in (schedule, lambda step: tf.where(
      step < 2, 3. - tf.cast(tf.maximum(step - 1, 0), tf.float32), 0.)):
    regularization = comhe_tf1.regularize(model, 'half_mhe', weight=weight)
    for step in range(3):   # a loop of one's own, without an optimizer of Keras
      with regularization.training():
        assert numbers(keras, model.losses)[0] == pytest.approx(
            float(weight(tf.constant(step))) * without_draws(model), rel=1e-4)
  regularization = comhe_tf1.regularize(model, 'half_mhe', weight=lambda step: tf.where(
      step < 2, 1., 0.))
  assert 'weight' in str(regularization)
  history = compiled(keras, model).fit(POINTS, CLASSES, batch_size=4, epochs=2,
                                       verbose=0).history
  assert history['comhe'][0] > 1. and history['comhe'][1] == 0.


@needs_tensorflow_2
@pytest.mark.parametrize('space', ['half', 'full'])
def test_energies_by_epoch(keras, tmp_path, space):
  model = compiled(keras, network(keras))
  regularization = comhe_tf1.regularize(model, **SMALL)
  callback = regularization.callback(space, log_dir=tmp_path / 'log')
  history = model.fit(POINTS, CLASSES, epochs=2, verbose=0, callbacks=[callback]).history
  truth = {'half': half, 'full': ground_truth.full_space_energy}[space]
  for name, w in columns(model).items():
    values = history['energy/' + name]
    assert values == callback.history['energy/' + name] and len(values) == 2
    assert values[1] == pytest.approx(truth(w), rel=1e-4)
  events, = (tmp_path / 'log').iterdir()
  found = {}
  for event in tf.train.summary_iterator(str(events)):
    for value in event.summary.value:
      found.setdefault(value.tag, []).append(value.simple_value)
  assert found == {name: [pytest.approx(value) for value in values]
                   for name, values in callback.history.items()}


def test_table(keras):
  layers = keras.layers
  inputs = layers.Input((8, 8, 3))
  x = layers.BatchNormalization(name='norm')(layers.Conv2D(8, 3, name='stem')(inputs))
  x = layers.Conv2D(5, 3, name='wide')(layers.Conv2D(6, 1, name='thin')(x))
  x = layers.Dense(4, name='top')(layers.Flatten()(x))
  model = keras.models.Model(inputs, x)
  lines = str(comhe_tf1.regularize(model, weight=0.5)).splitlines()
  assert [line.split() for line in lines] == [
      'layer kernel neurons x inputs role term weight'.split(),
      'stem 3x3x3x8 8 x 27 first E_h(W) 0.5'.split(),
      'thin 1x1x8x6 6 x 8 hidden, d <= pd E_h(W) 0.5'.split(),
      'wide 3x3x6x5 5 x 54 hidden mean_i E_h(P_i W) 0.5'.split(),
      'top 80x4 4 x 80 output E(W) 5'.split(),
      'left out: BatchNormalization has no kernel (1): norm'.split()]
  assert max(map(len, lines)) <= 92
  lines = str(comhe_tf1.regularize(model, roles={'thin': 'hidden'})).splitlines()
  assert 'mean_i E_h(P_i W)' in lines[2]


@pytest.mark.parametrize('method', ['none', 'rand'])
def test_unknown_methods(keras, method):
  with pytest.raises(methods.SettingError, match="method must be one of mhe, .* got '%s'"
                     % method):
    comhe_tf1.regularize(network(keras), method)


@pytest.mark.parametrize('settings, error, words', [
    (dict(weight=-1), ValueError, 'weight must be a number .*got -1'),
    (dict(weight='1'), ValueError, "weight must be .*got '1'"),
    (dict(pd=0), ValueError, 'pd must be .*got 0'),
    (dict(dims=3), TypeError, "random has no setting 'dims', only pd, pn"),
    (dict(method='group', groups=4), ValueError, 'groups must .*got 4, but d1 has 6'),
    (dict(pd=4, pnd=6), ValueError, 'pnd must be at most 5'),
    (dict(skip='nothing'), ValueError, "name 'nothing'"),
    (dict(method='angle') if TF1 else dict(pn=0), ValueError, 'angle trains|pn must be')])
def test_mistakes_change_nothing(keras, settings, error, words):
  model = network(keras)
  comhe_tf1.regularize(model, 'half_mhe')
  with pytest.raises(error, match=words) as raised:
    comhe_tf1.regularize(model, **settings)
  assert '\n' not in str(raised.value)
  assert len(model.losses) == 1


def test_something_else_than_a_model(keras):
  for model in (keras.layers.Dense(3), 'model', None):
    with pytest.raises(TypeError, match='model must be a keras.Model'):
      comhe_tf1.regularize(model)
  with pytest.raises(ValueError, match="space must be 'half' or 'full'"):
    comhe_tf1.regularize(network(keras)).energies('both')


@pytest.mark.skipif(not TF1, reason='later ones trace the step anew')
def test_compiled_before_in_tensorflow_1(keras):
  model = compiled(keras, network(keras))
  with pytest.raises(ValueError, match='in TensorFlow 1 call regularize before compile'):
    comhe_tf1.regularize(model)


@needs_tensorflow_2
def test_float64_and_mixed_precision(keras):
  for policy in ('float64', 'mixed_bfloat16'):
    before = keras.mixed_precision.global_policy() if hasattr(
        keras.mixed_precision, 'global_policy') else 'float32'
    keras.mixed_precision.set_global_policy(policy)
    try:
      model = network(keras)
    finally:
      keras.mixed_precision.set_global_policy(before)
    comhe_tf1.regularize(model, 'half_mhe', weight=0.5)
    loss, = model.losses
    assert loss.dtype == 'float32'   # as the model's error, by Keras' floatx
    assert float(loss) == pytest.approx(0.5 * without_draws(model), rel=1e-4)
    assert np.isfinite(compiled(keras, model).fit(
        POINTS, CLASSES, verbose=0).history['loss'][0])
