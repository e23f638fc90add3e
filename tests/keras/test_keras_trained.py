"""Trained projections on a Keras model, held to those of the graph."""
import numpy as np
import pytest
import tensorflow
import tensorflow.compat.v1 as tf

import comhe_tf1
from comhe_tf1.regularizers import roles

pytestmark = pytest.mark.skipif(tf.__version__.startswith('1.'),
                                reason='TensorFlow 1 has the graph version')
TRAINED = ['angle', 'adversarial', 'angle_alternating']
RATE, STEPS = 1e-3, 4
SETTINGS = dict(pd=3, iters=2)
POINTS, CLASSES = np.ones([8, 5], 'float32'), np.zeros([8, 3], 'float32')


def network(keras):
  """Two hidden layers of one shape and one of another."""
  inputs = outputs = keras.layers.Input((5,))
  for name, width in [('a', 6), ('b', 6), ('c', 6), ('d', 4), ('top', 3)]:
    outputs = keras.layers.Dense(width, name=name, use_bias=False)(outputs)
  return keras.models.Model(inputs, outputs)


def state_of(model, regularization):
  """Kernels and projections as arrays."""
  kernels = {layer.name: layer.get_weights()[0] for layer in model.layers
             if layer.get_weights()}
  return kernels, {name: variable.numpy()
                   for name, variable in regularization.state.projections.items()}


def check_state(found, expected):
  for ours, theirs in zip(found, expected):
    assert sorted(ours) == sorted(theirs)
    for name, value in theirs.items():
      np.testing.assert_allclose(ours[name], value, rtol=2e-4, atol=2e-5, err_msg=name)


def by_the_graph(method, kernels, projections):
  """The sum of the terms before each step, and the state after all."""
  with tf.Graph().as_default(), tf.Session() as session:
    variables = {name: tf.Variable(value) for name, value in kernels.items()}
    role = {'a': roles.FIRST, 'top': roles.OUTPUT}
    terms = comhe_tf1.create(method, **SETTINGS)([
        comhe_tf1.Kernel(name, variable, role.get(name, roles.HIDDEN))
        for name, variable in variables.items()], tf.constant(RATE))
    loss = terms.loss
    gradients = tf.gradients(loss, list(variables.values()))
    found = {variable.op.name.split('/project')[0]: variable
             for variable in tf.global_variables() if variable.op.name.endswith('/project')}
    session.run(tf.global_variables_initializer())
    for name, value in projections.items():
      found[name].load(value, session)
    losses = []
    # What is kept of the projections is of the kernels before their own step.
    with tf.control_dependencies([terms.update] + gradients):
      step = tf.group(*[variable.assign_sub(RATE * gradient) for variable, gradient in zip(
          variables.values(), gradients)])
    for _ in range(STEPS):
      losses.append(session.run([loss, step])[0])
    return losses, session.run([variables, found])


def in_a_loop(keras, model, regularization, wrap):
  """Steps of a loop of one's own: the losses."""
  variables = [getattr(each.variable, 'value', each.variable) if keras.__name__ == 'keras'
               else each.variable for each in regularization.kernels]

  def step():
    with regularization.training(RATE), tensorflow.GradientTape() as tape:
      loss, = model.losses
    for variable, gradient in zip(variables, tape.gradient(loss, variables)):
      variable.assign_sub(RATE * gradient)
    return loss

  step = wrap(step)
  return [float(step()) for _ in range(STEPS)]


def in_fit(keras, model, regularization, wrap):
  """A model without an error of its own."""
  model.compile(keras.optimizers.SGD(RATE), lambda labels, outputs: 0. * outputs,
                jit_compile=False)   # XLA takes seconds for each; see 'compiled'
  history = model.fit(POINTS, CLASSES, batch_size=8, epochs=STEPS, verbose=0,
                      validation_data=(POINTS, CLASSES)).history
  np.testing.assert_allclose(history['comhe'], history['loss'], rtol=1e-6)
  return history['comhe']


HOWS = {'eager': (in_a_loop, lambda step: step),
        'function': (in_a_loop, lambda step: tensorflow.function(step, autograph=False)),
        'compiled': (in_a_loop, lambda step: tensorflow.function(
            step, autograph=False, jit_compile=True)),
        'fit': (in_fit, None)}


@pytest.mark.parametrize('how', HOWS)
@pytest.mark.parametrize('method', TRAINED)
def test_as_the_graph(keras, method, how):
  model = network(keras)
  regularization = comhe_tf1.regularize(model, method, seed=3, **SETTINGS)
  assert sorted(regularization.state.projections) == ['b', 'c', 'd']
  losses, state = by_the_graph(method, *state_of(model, regularization))
  run, wrap = HOWS[how]
  np.testing.assert_allclose(run(keras, model, regularization, wrap), losses, rtol=2e-4)
  check_state(state_of(model, regularization), state)


@pytest.mark.parametrize('method', TRAINED)
def test_evaluations_move_no_projection(keras, method):
  model = network(keras)
  regularization = comhe_tf1.regularize(model, method, **SETTINGS)
  model.compile(keras.optimizers.SGD(RATE), 'mean_squared_error', jit_compile=False)
  before = state_of(model, regularization)
  values = [model.evaluate(POINTS, CLASSES, verbose=0) for _ in range(2)]
  assert values[0] == values[1]
  model.predict(POINTS, verbose=0)
  with regularization.evaluation():
    assert float(model.losses[0]) == pytest.approx(values[0][1], rel=1e-4)
  assert float(regularization.loss()) == pytest.approx(values[0][1], rel=1e-4)
  for ours, theirs in zip(state_of(model, regularization), before):
    for name, value in theirs.items():
      np.testing.assert_array_equal(ours[name], value)


def test_projections_are_seeded_and_kept(keras, tmp_path):
  model = network(keras)
  first, again, other = (
      {name: each.numpy() for name, each in comhe_tf1.regularize(
          model, 'angle', seed=seed, **SETTINGS).state.projections.items()}
      for seed in (3, 3, 4))
  for name, value in first.items():
    np.testing.assert_array_equal(value, again[name])
    assert not np.array_equal(value, other[name])
  assert not np.array_equal(first['b'], first['c'])
  regularization = comhe_tf1.regularize(model, 'angle', seed=3, **SETTINGS)
  path = tensorflow.train.Checkpoint(comhe=regularization.state).save(str(tmp_path / 'a'))
  regularization = comhe_tf1.regularize(model, 'angle', seed=4, **SETTINGS)
  tensorflow.train.Checkpoint(comhe=regularization.state).restore(path).assert_consumed()
  np.testing.assert_array_equal(regularization.state.projections['b'].numpy(), first['b'])


def test_rate(keras):
  """Of the optimizer, whatever its schedule says; else it must be given."""
  model = network(keras)
  regularization = comhe_tf1.regularize(model, 'angle', **SETTINGS)
  with pytest.raises(ValueError, match='compile the model, or give one to training'):
    regularization.loss()
  for rate in (RATE, keras.optimizers.schedules.PiecewiseConstantDecay([0], [RATE, 0.])):
    regularization = comhe_tf1.regularize(model, 'angle', seed=1, **SETTINGS)
    model.compile(keras.optimizers.SGD(rate), 'mean_squared_error', jit_compile=False)
    before = regularization.state.projections['b'].numpy()
    model.fit(POINTS, CLASSES, verbose=0)
    after = regularization.state.projections['b'].numpy()
    assert not np.array_equal(before, after)
  model.fit(POINTS, CLASSES, verbose=0)
  np.testing.assert_array_equal(regularization.state.projections['b'].numpy(), after)
