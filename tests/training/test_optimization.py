import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from comhe_tf1.training import optimization


def test_learning_rate():
  drops = [30000, 50000, 65000]
  rates = {step: optimization.learning_rate(step, 0.1, drops)
           for step in (0, 29999, 30000, 49999, 50000, 64999, 65000, 74999)}
  assert rates == pytest.approx({
      0: 0.1, 29999: 0.1, 30000: 0.01, 49999: 0.01, 50000: 1e-3, 64999: 1e-3,
      65000: 1e-4, 74999: 1e-4})
  assert optimization.learning_rate(10 ** 6, 0.5, []) == 0.5


def test_momentum_without_nesterov_and_values_before_the_update(session):
  start = np.array([1., -2., 3.], 'float32')
  variable = tf.get_variable('w', initializer=start, use_resource=True)
  rate = tf.placeholder(tf.float32, [])
  loss = tf.nn.l2_loss(variable.read_value())
  step = optimization.momentum_step(loss, [variable], rate, after=[loss])
  session.run(tf.global_variables_initializer())
  value, velocity = start.astype('float64'), 0.
  for current in (0.1, 0.1, 0.01, 0.01):
    logged, _ = session.run([loss, step], {rate: current})
    assert logged == pytest.approx((value ** 2).sum() / 2., rel=1e-5)
    velocity = 0.9 * velocity + value
    value = value - current * velocity
    np.testing.assert_allclose(session.run(variable), value, rtol=1e-5)
