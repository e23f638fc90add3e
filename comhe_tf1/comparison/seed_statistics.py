"""Means, standard deviations and Student's intervals of runs with different seeds."""
import math
import typing

import numpy as np

CONFIDENCE = 0.95


class Spread(typing.NamedTuple):
  """Estimated standard deviation of one run, and its degrees of freedom."""
  sd: float
  freedom: int


class Difference(typing.NamedTuple):
  """The mean difference of two groups of runs.

  mean: ours minus theirs. half_width: of its interval at CONFIDENCE, None with too few
  runs for one. paired: whether it is the mean over the seeds that both have. n: number of
  runs of ours and theirs that count.
  """
  mean: float
  half_width: float
  paired: bool
  n: tuple


def spread(values):
  """The spread of one run, from several: the root of sum (x - mean)^2 / (n - 1).

  Args:
    values: list of floats, at least two.

  Returns:
    `Spread` with n - 1 degrees of freedom.
  """
  return Spread(float(np.std(values, ddof=1)), len(values) - 1)


def pooled(spreads):
  """One spread from several that are assumed to estimate the same one.

  The root of the mean of their squares, weighted by their degrees of freedom.
  """
  freedom = sum(each.freedom for each in spreads)
  return Spread(math.sqrt(sum(each.freedom * each.sd ** 2 for each in spreads)
                          / freedom), freedom)


def half_width(spread_of_one, *counts):
  """Half the width of Student's interval: t sd sqrt(1/n), or of a difference of means.

  Args:
    spread_of_one: `Spread`.
    counts: number of runs of a mean, or of the two means.
  """
  return (student_t(spread_of_one.freedom) * spread_of_one.sd
          * math.sqrt(sum(1. / count for count in counts)))


def mean_interval(values):
  """Student's interval of the mean, pair of floats; at least two values."""
  mean, width = sum(values) / len(values), half_width(spread(values), len(values))
  return mean - width, mean + width


def mean_difference(ours, theirs):
  """The mean difference of two groups of runs, with Student's interval.

  Paired if at least two seeds are in both groups, or a single one and neither group has
  another: mean and spread of the differences of the same seed. Otherwise with the pooled
  spread of both groups.

  Args:
    ours, theirs: dicts from seed to figure, not empty.

  Returns:
    `Difference`.

  >>> mean_difference({1: 0.7, 2: 0.8}, {1: 0.6, 2: 0.7, 3: 0.1}).n
  (2, 2)
  """
  common = [seed for seed in ours if seed in theirs]
  if len(common) > 1 or len(ours) == len(theirs) == len(common):
    values = [ours[seed] - theirs[seed] for seed in common]
    return Difference(
        sum(values) / len(values),
        half_width(spread(values), len(values)) if len(values) > 1 else None,
        True, (len(values), len(values)))
  groups = [list(group.values()) for group in (ours, theirs)]
  counts = tuple(map(len, groups))
  spreads = [spread(values) for values in groups if len(values) > 1]
  means = [sum(values) / len(values) for values in groups]
  return Difference(
      means[0] - means[1], half_width(pooled(spreads), *counts) if spreads else None,
      False, counts)


def student_t(freedom):
  """The t for which |T| < t with probability CONFIDENCE in Student's distribution.

  From the area under its density, c (1 + t^2 / freedom)^(-(freedom + 1) / 2), by the
  trapezoidal rule; t is 12.7 for one degree of freedom, and less for more.

  >>> round(student_t(5), 3)
  2.571
  """
  step = 1e-3
  t = np.arange(0, 20, step)
  density = (1 + t ** 2 / freedom) ** (-(freedom + 1) / 2.)
  area = np.append(0, np.cumsum((density[1:] + density[:-1]) / 2)) * step
  half = math.sqrt(math.pi * freedom) / 2 * math.exp(
      math.lgamma(freedom / 2.) - math.lgamma((freedom + 1) / 2.))
  return float(np.interp(CONFIDENCE * half, area, t))
