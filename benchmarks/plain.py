"""The terms as the original builds them, to measure against.

Written from the method's description, term by term: one small graph per projection
and layer, the 2N neurons [W, -W] stacked, pairs i < j gathered from the full matrix of
their cosines by a mask, gradients left to TensorFlow, a session call for every step of
a projection, no draw shared. The same values as `comhe_tf1` has, the long way.
"""
import collections

import numpy as np
import tensorflow.compat.v1 as tf

from comhe_tf1.regularizers import base
from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import roles

NORM_FLOOR = 1e-4
PROJECTION_DECAY = 5e-4          # of |P|^2 / 2,
PROJECTION_DECAY_WEIGHT = 1e-3   # and what that counts beside the projection's loss


def cosines(neurons):
  """Cosines [N, N] of neurons [d, N]."""
  norms = tf.sqrt(tf.reduce_sum(tf.square(neurons), 0, keepdims=True) + NORM_FLOOR)
  return (tf.matmul(neurons, neurons, transpose_a=True)
          / tf.matmul(norms, norms, transpose_a=True))


def full_space_energy(neurons):
  """Mean over pairs i < j of 1 / (2 - 2 c_ij)."""
  count = neurons.shape.as_list()[1]
  pairs = tf.boolean_mask(cosines(neurons), np.triu(np.ones([count, count], bool), 1))
  return tf.reduce_mean(1. / (2. - 2. * pairs))


def half_space_energy(neurons):
  """The same of the 2N neurons [W, -W]."""
  return full_space_energy(tf.concat([neurons, -neurons], 1))


class Plain:
  """`random`, `angle` or `adversarial`, to be used as a `base.Regularizer`.

  `before_step`, known once it has been called, is a single step of all projections: run
  it `settings['iters']` times before a training step.

  Args:
    variant: name of the method.
    **settings: as `methods.create`.
  """

  def __init__(self, variant, **settings):
    self.name = variant
    self.settings = methods.resolve(variant, settings)
    self.before_step = None

  def projections(self, neurons):
    """Number of projections of a layer, for `op_seeds`."""
    del neurons
    return self.settings['pn'] if self.name == 'random' else 1

  def __call__(self, kernels, learning_rate, op_seed_of):
    """Returns the `base.Terms` of `kernels`."""
    energies, losses, variables = collections.OrderedDict(), [], []
    for kernel in kernels:
      c_in, count = kernel.tensor.shape.as_list()[-2:]
      neurons = tf.reshape(kernel.tensor, [-1, count])
      if kernel.role == roles.FIRST:
        energy = half_space_energy(neurons)
      elif kernel.role == roles.OUTPUT:
        energy = full_space_energy(neurons)
      elif self.name == 'random':
        energy = self._random(neurons, c_in)
      else:
        with tf.variable_scope(kernel.name):
          variable = tf.get_variable(
              'project', [self.settings['pd'], neurons.shape.as_list()[0]],
              initializer=tf.random_normal_initializer(
                  seed=op_seed_of(kernel.name + '/project')),
              trainable=False, use_resource=True)
        loss, energy = self._trained(variable.read_value(), neurons, learning_rate)
        losses.append(loss)
        variables.append(variable)
      energies[kernel.name] = energy

    def total(*counted):
      return tf.add_n([energies[kernel.name] for kernel in kernels
                       if kernel.role in counted])

    self.before_step = self._before_step(losses, variables, learning_rate)
    return base.Terms(
        energies, self.settings['energy_weight'] * total(roles.FIRST, roles.HIDDEN),
        self.settings['output_energy_weight'] * total(roles.OUTPUT), None)

  def _random(self, neurons, c_in):
    """Mean of E_h(P_i W), every P_i drawn anew."""
    shape = [self.settings['pd'], neurons.shape.as_list()[0]]
    return tf.add_n([
        half_space_energy(tf.matmul(tf.random_normal(shape, seed=c_in + i), neurons))
        for i in range(self.settings['pn'])]) / self.settings['pn']

  def _trained(self, projection, neurons, learning_rate):
    """Signed loss of P, and E_h(P' W) after one more step of P."""
    projected = tf.matmul(projection, neurons)
    if self.name == 'angle':
      gap = cosines(projected) - cosines(neurons)
      loss = tf.sqrt(tf.reduce_sum(tf.square(gap)))
    else:
      loss = -full_space_energy(projected)
    stepped = projection - learning_rate * tf.gradients(loss, projection)[0]
    return loss, half_space_energy(tf.matmul(stepped, neurons))

  def _before_step(self, losses, variables, learning_rate):
    if not variables:
      return None
    decay = tf.add_n([PROJECTION_DECAY * tf.nn.l2_loss(value) for value in variables])
    return tf.train.GradientDescentOptimizer(learning_rate).minimize(
        tf.add_n(losses) + PROJECTION_DECAY_WEIGHT * decay, var_list=variables)
