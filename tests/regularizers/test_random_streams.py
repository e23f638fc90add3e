"""The numbers are TensorFlow's own, and go on from any step."""
import numpy as np
import pytest
import tensorflow
import tensorflow.compat.v1 as tf

from comhe_tf1.regularizers import streams

SHAPE = [4, 54]


@pytest.mark.parametrize('dtype', [tf.float32, tf.float64])
@pytest.mark.parametrize('graph_seed, op_seed', [(345, 64), (None, 64), (345, None)])
def test_numbers_are_those_of_random_normal(session, dtype, graph_seed, op_seed):
  tf.set_random_seed(graph_seed)
  mine, = streams.normal(SHAPE, dtype, [op_seed])
  # TensorFlow's own choice of an op seed is not the same twice.
  seed, chosen = session.run(tf.global_variables()[0].initializer.inputs[1])[:0:-1]
  original = tf.random_normal(SHAPE, dtype=dtype, seed=op_seed or chosen)
  assert (original.op.inputs[0].op.inputs[0].op.get_attr('seed'),
          original.op.inputs[0].op.inputs[0].op.get_attr('seed2')) == (seed, chosen)
  session.run(tf.global_variables_initializer())
  drawn = [session.run([mine, original]) for _ in range(4)]
  for each in drawn:
    np.testing.assert_array_equal(*each)
  assert (drawn[0][0] != drawn[1][0]).all()


def test_streams_of_one_call_differ_and_are_named_by_shape_and_op_seed(session):
  tf.set_random_seed(345)
  with tf.name_scope('random'):
    drawn = streams.normal(SHAPE, tf.float32, [6, 7])
  session.run(tf.global_variables_initializer())
  first, second = session.run(drawn)
  assert (first != second).all()
  assert [variable.op.name for variable in tf.global_variables()] == [
      'random/stream_4x54_6', 'random/stream_4x54_7']
  assert not tf.trainable_variables()


def test_positions(session):
  """After so many steps; and set to one of them, a stream draws what comes then."""
  tf.set_random_seed(345)
  drawn = streams.normal(SHAPE, tf.float32, [6, 7])
  variables = {variable.op.name: variable for variable in tf.global_variables()}
  session.run(tf.global_variables_initializer())
  start = session.run(variables)
  history = [session.run(drawn) for _ in range(5)]
  end = session.run(variables)

  def position(name, steps):   # the counter moves by 256 for each number
    return start[name] + [steps * 256 * np.prod(SHAPE), 0, 0]

  for name, value in end.items():
    np.testing.assert_array_equal(value, position(name, 5))
  for steps in (3, 0, 4):
    for name in variables:
      variables[name].load(position(name, steps), session)
    np.testing.assert_array_equal(session.run(drawn), history[steps])


def test_without_any_seed_sessions_differ():
  with tf.Graph().as_default():
    drawn, = streams.normal(SHAPE, tf.float32, [None])
    values = []
    for _ in range(2):
      with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        values.append(session.run(drawn))
  assert (values[0] != values[1]).all()


def test_in_branches(session):
  """The position lies outside of them."""
  tf.set_random_seed(345)
  branch = tf.cond(tf.placeholder_with_default(True, []),
                   lambda: streams.normal(SHAPE, tf.float32, [6])[0],
                   lambda: tf.zeros(SHAPE))
  straight = tf.random_normal(SHAPE, seed=6)
  session.run(tf.global_variables_initializer())
  for _ in range(2):
    np.testing.assert_array_equal(session.run(branch), session.run(straight))


def test_functions_draw_anew_at_every_call():
  if not tf.executing_eagerly():
    pytest.skip('TensorFlow 1.x is in graph mode')

  def draw():
    return streams.normal(SHAPE, tf.float32, [6])[0]

  for function in (draw, tensorflow.function(draw)):
    assert (function().numpy() != function().numpy()).all()
