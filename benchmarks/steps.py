"""What all that take training steps share; needs no TensorFlow.

Batches, the clock, and the file that brings CNN-9's first steps to a contender of another
library: its initial variables and the draws of every step. The batches it makes itself,
of the same seed.
"""
import os
import time

import numpy as np

import cifar_input
from comhe_tf1.regularizers import methods

BATCH = 128
# So many steps are compared. Of these, the second shows the first update, and the third
# momentum, which an update after the first one has.
FIRST = 3
# TensorFlow's name for the momentum of a variable, kept beside it. After the first update
# it is the gradient.
MOMENTUM = 'Momentum'
# The scales and shifts of other batch norms have a further one behind them, and gradients
# that nearly cancel: in float32 their squares are off by 0.1 to 0.4 percent in either
# library (beside PyTorch in float64). Nothing is concluded from them.
LAST_BATCH_NORM = 'conv3_2/bn/'


def random_seed_of(variant):
  """The seed of a method's runs."""
  return methods.METHODS[variant].random_seed


def batches_of(variant, data):
  """The training batches of a run on the data set in a folder."""
  train_set, _ = cifar_input.load_folder(data)
  return cifar_input.TrainingBatches(
      train_set, BATCH, np.random.RandomState(random_seed_of(variant)))


class Timer(object):
  """Seconds within a `with` statement."""

  def __enter__(self):
    self._start = time.perf_counter()
    return self

  def __exit__(self, *error):
    self.seconds = time.perf_counter() - self._start


def values_of(step, measures, squares=None):
  """Values of a step by names for `agreement.compare`.

  Args:
    step: its number.
    measures: dict of what was measured before its update.
    squares: of step 0, whose roundings no update has blown up yet: dict from the names of
      momenta and moving statistics to the sums of their squares after the update.
  """
  # One image more or less would be no disagreement.
  values = {'%s of step %d' % (name, step): float(value)
            for name, value in measures.items() if name != 'acc'}
  for name, value in (squares or {}).items():
    variable, _, kept = name.rpartition('/')
    if kept != MOMENTUM:
      values['statistic ' + name] = float(value)
    elif variable.endswith('/filter') or variable.startswith(LAST_BATCH_NORM):
      values['gradient of ' + variable] = float(value)
  return values


def _path(variant, data):
  return os.path.join(data, 'cnn9_%s.npz' % variant)


def _of_draw(step, d, op_seed):
  return 'draw %d %d %d' % (step, d, op_seed)


def keep(variant, data, variables, draws):
  """Writes the file of a method's first steps.

  Args:
    variant: name of the method.
    data: folder.
    variables: dict from their names in TensorFlow to the initial values of all that is
      trained.
    draws: list, by steps, of dicts from (d, op seed) to a projection [pd, d].
  """
  np.savez(_path(variant, data), **dict(variables, **{
      _of_draw(step, *key): drawn
      for step, of_step in enumerate(draws) for key, drawn in of_step.items()}))


class Kept(object):
  """What `keep` wrote.

  Args:
    variant, data: as there.
  """

  def __init__(self, variant, data):
    with np.load(_path(variant, data)) as file:
      self._arrays = dict(file)

  def variable(self, name):
    """Initial value of a variable."""
    return self._arrays[name]

  def draw(self, step, d, op_seed):
    """A projection [pd, d] that a step drew."""
    return self._arrays[_of_draw(step, d, op_seed)]
