"""Momentum SGD and the step-wise learning rate, as the original."""
import tensorflow.compat.v1 as tf

MOMENTUM = 0.9
DROP_FACTOR = 0.1


def learning_rate(step, base_lr, drops):
  """The rate of a training step: base_lr times 0.1 for every drop reached.

  Args:
    step: training step, from 0.
    base_lr: rate of step 0.
    drops: steps before which the rate is multiplied by 0.1.

  Returns:
    Python float.
  """
  rate = base_lr
  for drop in drops:
    if step >= drop:
      rate *= DROP_FACTOR
  return rate


def momentum_step(loss, variables, rate, after=(), colocate=False):
  """One step of momentum SGD (0.9, not Nesterov) on `loss`.

  Args:
    loss: scalar tensor.
    variables: list of resource variables to train.
    rate: scalar tensor.
    after: tensors or operations to be finished before any variable changes, so
      that what is fetched with the step shows the values before it.
    colocate: whether gradients are computed on the devices of what they are of, which
      towers need.

  Returns:
    The operation.
  """
  optimizer = tf.train.MomentumOptimizer(rate, MOMENTUM)
  gradients = optimizer.compute_gradients(
      loss, var_list=variables, colocate_gradients_with_ops=colocate)
  with tf.control_dependencies(list(after)):
    return optimizer.apply_gradients(gradients)
