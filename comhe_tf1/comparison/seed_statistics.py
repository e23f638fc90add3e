"""How far apart runs of different seeds may be expected to lie; NumPy only."""
import collections
import math

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 10000

Spread = collections.namedtuple('Spread', 'sd freedom')
Spread.__doc__ = """Estimated deviation of one run, and its degrees of freedom."""


def spread(values):
  """The spread of one run, from several: the root of sum (x - mean)^2 / (n - 1).

  Args:
    values: list of floats, at least two.

  Returns:
    `Spread` with n - 1 degrees of freedom.
  """
  return Spread(float(np.std(values, ddof=1)), len(values) - 1)


def pooled(spreads):
  """One spread from several that are taken to estimate the same one.

  The root of the mean of their squares, weighted by their degrees of freedom.
  """
  freedom = sum(each.freedom for each in spreads)
  return Spread(math.sqrt(sum(each.freedom * each.sd ** 2 for each in spreads)
                          / freedom), freedom)


def bootstrap_interval(values):
  """Percentile interval of the mean at CONFIDENCE, from RESAMPLES resamples.

  The same values give the same interval. For few values it is too narrow: it cannot
  know of runs further out than those seen.

  Args:
    values: list of floats.

  Returns:
    Pair of floats.
  """
  rng = np.random.RandomState(0)
  picked = rng.randint(len(values), size=(RESAMPLES, len(values)))
  means = np.asarray(values)[picked].mean(axis=1)
  tail = 50 * (1 - CONFIDENCE)
  low, high = np.percentile(means, [tail, 100 - tail])
  return float(low), float(high)


def student_t(freedom):
  """The t that |T| of Student's distribution stays below with probability CONFIDENCE.

  From the finite sums for whole degrees of freedom: Abramowitz and Stegun, Handbook of
  Mathematical Functions, 26.7.3 and 26.7.4.
  """
  low, high = 0., 1e3
  while high - low > 1e-9:
    middle = (low + high) / 2
    low, high = ((middle, high) if _within(middle, freedom) < CONFIDENCE
                 else (low, middle))
  return high


def _within(t, freedom):
  """Probability of |T| < t."""
  angle = math.atan(t / math.sqrt(freedom))
  odd = freedom % 2
  total, term = 0., math.cos(angle) if odd else 1.
  for i in range((freedom - odd) // 2):
    total += term
    # Next coefficient: 2/3, 4/5, ... where odd, else 1/2, 3/4, ...
    term *= math.cos(angle) ** 2 * (2. * i + 1 + odd) / (2 * i + 2 + odd)
  total *= math.sin(angle)
  return (angle + total) * 2 / math.pi if odd else total
