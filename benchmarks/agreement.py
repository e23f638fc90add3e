"""What all contenders must compute alike before a timing of theirs is shown.

Small kernels with given projections are held against the slow NumPy versions of
tests/helpers/ground_truth.py, step 0 of CNN-9 against what was recorded from the
original, and the first repetition of everything timed against the reference's. Needs no
TensorFlow.
"""
import json
import os

import ground_truth
import numpy as np

from comhe_tf1.networks import op_seeds
from comhe_tf1.regularizers import kernels as roles

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RATE = 0.1   # the learning rate of everything measured
SMALL = {'random': {'pd': 4, 'pn': 2}, 'angle': {'pd': 4, 'iters': 2},
         'adversarial': {'pd': 4, 'iters': 2}}
GOLDEN = {'random': 'random_pd10_pn3', 'angle': 'angle_pd30',
          'adversarial': 'adversarial_pd30_iters3'}

# Relative, by the first word of a value's name. Gradients and convolutions are long
# sums of float32, whose order differs between contenders; batches are exact.
TOLERANCES = {'gradient': 1e-3, 'fit': 1e-3, 'batch': 0.}
TOLERANCE = 1e-5
FOUR_DECIMALS = 1e-4   # for values read off a log

_DECAY = 1e-3 * 5e-4


class Disagreement(Exception):
  """Two contenders do not compute the same; the message says what differs."""


def compare(whose, actual, expected, least=0.):
  """Compares values, dicts from name to number, by the names that both have.

  Args:
    whose: for the message.
    least: tolerance that no value need be closer than.

  Raises:
    Disagreement: a value differs, or there is nothing to compare.
  """
  common = sorted(set(actual) & set(expected))
  if not common:
    raise Disagreement('%s: nothing to compare' % whose)
  for name in common:
    tolerance = max(least, TOLERANCES.get(name.split()[0], TOLERANCE))
    # A NaN differs too.
    if not abs(actual[name] - expected[name]) <= tolerance * abs(expected[name]):
      raise Disagreement('%s: %s is %.9g, expected %.9g'
                         % (whose, name, actual[name], expected[name]))


def small_kernels():
  """List of name, role and array [..., N] of one kernel for each role."""
  # This seed's projections keep neurons apart that rounding could move far.
  rng = np.random.RandomState(7)
  return [(name, role, rng.standard_normal(shape).astype(np.float32))
          for name, role, shape in (('first', roles.FIRST, (1, 2, 3, 4)),
                                    ('hidden', roles.HIDDEN, (1, 2, 3, 4)),
                                    ('output', roles.OUTPUT, (1, 1, 6, 4)))]


def draw(shape, op_seed):
  """The numbers that stand in for a contender's standard normal ones."""
  return np.random.RandomState(op_seed).standard_normal(shape).astype(np.float32)


def truth(variant, reduced=False):
  """Values of the small kernels, as `worker.update_of`; gradients by differences."""
  functions = {'first': ground_truth.half_space_energy,
               'hidden': _reduced() if reduced else _hidden(variant),
               'output': lambda w: 10. * ground_truth.full_space_energy(w)}
  neurons = {name: kernel.reshape(-1, kernel.shape[-1]).astype(np.float64)
             for name, _, kernel in small_kernels()}
  terms = {name: functions[name](w) for name, w in neurons.items()}
  values = {'thom': terms['first'] + terms['hidden'], 'thomf': terms['output']}
  for name, w in neurons.items():
    # Wider steps than those within the hidden terms, whose rounding they amplify.
    values['gradient of ' + name] = np.sum(
        ground_truth.gradient(functions[name], w, 1e-4) ** 2)
  return values


def _hidden(variant):
  """The term of the small hidden layer as a function of its neurons."""
  settings = SMALL[variant]
  _, _, kernel = small_kernels()[1]
  c_in, d = kernel.shape[-2], kernel.size // kernel.shape[-1]
  if variant == 'random':
    drawn = [draw([settings['pd'], d], c_in + i) for i in range(settings['pn'])]
    return lambda w: ground_truth.random_projection_energy(w, drawn)
  sign, loss = {'angle': (1., ground_truth.angle_distortion),
                'adversarial': (-1., ground_truth.projected_energy)}[variant]
  start = draw([settings['pd'], d], op_seeds.by_name('hidden/project'))
  stepped = start.astype(np.float64)

  def slope(projection, w):
    return sign * ground_truth.gradient(lambda value: loss(value, w), projection)

  at = kernel.reshape(d, -1).astype(np.float64)
  # The steps before the training step are no function of W to the network.
  for _ in range(settings['iters']):
    stepped = stepped - RATE * (slope(stepped, at) + _DECAY * stepped)
  return lambda w: ground_truth.half_space_energy(
      np.dot(stepped - RATE * slope(stepped, w), w))


def _reduced():
  """The same with the reduced draw: its projections are those at hand, held constant."""
  settings = SMALL['random']
  _, _, kernel = small_kernels()[1]
  w = kernel.reshape(-1, kernel.shape[-1]).astype(np.float64)
  directions = w / np.sqrt(np.sum(w ** 2, axis=0) + 1e-4)
  factor = np.linalg.cholesky(np.dot(directions.T, directions))
  held = [np.dot(draw([settings['pd'], w.shape[1]], kernel.shape[-2] + i),
                 np.linalg.solve(factor, directions.T)) for i in range(settings['pn'])]
  return lambda w: ground_truth.random_projection_energy(w, held)


def floor_truth():
  """Value of the small kernels, as `worker.floor_of`."""
  settings = SMALL['random']
  _, _, kernel = small_kernels()[1]
  w = kernel.reshape(-1, kernel.shape[-1])
  projections = np.concatenate([draw([settings['pd'], len(w)], kernel.shape[-2] + i)
                                for i in range(settings['pn'])])
  return {'products of hidden': np.sum(
      np.dot(projections.T, np.dot(projections, w)).astype(np.float64) ** 2)}


def golden(variant):
  """Arguments and values of a recorded run's step 0, under TensorFlow 1.14."""
  with open(os.path.join(ROOT, 'tests', 'training', 'golden',
                         GOLDEN[variant] + '_tf114.json')) as file:
    recorded = json.load(file)
  return recorded['args'], dict(zip(('reg', 'thom', 'thomf'), recorded['rows'][0][1:]))
