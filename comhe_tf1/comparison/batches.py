"""Whether two trainings that differ still use the same batches.

A batch of hard images has a higher loss in both networks than the batches before and
after it, whatever their weights. So the scatter of `fit` from line to line is correlated
if both use the same images, cropped and mirrored alike, and only then.
"""
import math
import typing

import numpy as np

from comhe_tf1.comparison import agreement

# Sections with fewer lines say nothing.
MIN_LINES = 20
# Scatters three and more lines apart share no line.
SHIFTS = range(3, 11)
# Of x(i) - (x(i-1) + x(i+1)) / 2, for independent x.
_AUTOCORRELATIONS = (-2 / 3., 1 / 6.)
# Same batches: this many standard errors above 0. Other batches: this many below the
# smallest correlation of the same batches that was seen, 0.44 (CNN-9 and a quarter of its
# width, two methods; with the same method and width it is 0.7 and more).
_ABOVE, _BELOW, _SMALLEST = 3, 2, 0.44


class Section(typing.NamedTuple):
  """How the scatters of two logs correlate between two learning-rate decay steps.

  begin, end: as in `agreement.Part`. lines: number of scatters. correlation: of their
  ranks (Spearman), None if all are equal. error: its standard error around 0 if the
  batches differ. shifted: the largest correlation with one log moved by `SHIFTS` lines
  either way, or None. same: whether the batches are the same; False: there is no sign of
  it, and enough lines that there should be one; None: unclear.
  """
  begin: int
  end: int
  lines: int
  correlation: float
  error: float
  shifted: float
  same: bool


def scatter(values):
  """How far values are from the mean of their neighbours, n - 2 from n of them."""
  values = np.asarray(values, np.float64)
  return values[1:-1] - (values[:-2] + values[2:]) / 2


def standard_error(lines):
  """Standard error of the correlation of two unrelated scatters.

  Bartlett's formula: the root of sum rho^2 / n, over all lags of the autocorrelations
  rho, here 1, -2/3 and 1/6. (Ranks have slightly smaller ones.)
  """
  return math.sqrt((1 + 2 * sum(rho ** 2 for rho in _AUTOCORRELATIONS)) / lines)


def correlation(ours, theirs):
  """Spearman's rank correlation of two sequences; None if one is constant."""
  ranks = _ranks(ours), _ranks(theirs)
  return float(np.corrcoef(*ranks)[0, 1]) if all(map(np.ptp, ranks)) else None


def _ranks(values):
  """Ranks; equal values have the mean of theirs."""
  _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
  return (np.cumsum(counts) - (counts - 1) / 2.)[inverse]


def correlate_curves(ours, theirs, start, drops):
  """How the scatters of two curves correlate.

  Lines count if their neighbours are in the same section, at equal distances, and finite.

  Args:
    ours, theirs: `recorded_run.Curve`, steps ascending.
    start: first step that counts.
    drops: learning-rate decay steps of either schedule, ascending.

  Returns:
    List of `Section`, without those of fewer than `MIN_LINES` lines.
  """
  there = dict(zip(theirs.steps, theirs.values))
  lines = [(step, value, there[step]) for step, value in zip(ours.steps, ours.values)
           if step >= start and step in there]
  sections = []
  for begin, end, inside in agreement.by_section([step for step, _, _ in lines], drops):
    steps, here, other = np.array(lines[inside]).T
    with np.errstate(invalid='ignore', over='ignore'):
      here, other = scatter(here), scatter(other)
    kept = (scatter(steps) == 0) & np.isfinite(here) & np.isfinite(other)
    here, other = here[kept], other[kept]
    if len(here) >= MIN_LINES:
      moved = [correlation(*pair) for shift in SHIFTS for pair in (
          (here[shift:], other[:-shift]), (here[:-shift], other[shift:]))]
      figures = (correlation(here, other), standard_error(len(here)),
                 max((value for value in moved if value is not None), default=None))
      sections.append(Section(begin, end, len(here), *figures, same=_same(*figures)))
  return sections


def _same(correlated, error, shifted):
  if correlated is None or shifted is None:
    return None
  if correlated < _ABOVE * error:
    return False if correlated + _BELOW * error <= _SMALLEST else None
  # Where a trend is larger than the scatter, moved lines correlate as well.
  return True if correlated >= shifted + error else None


HOW = (
    'A batch of hard images has a higher fit than the batches before and after it, in both '
    'logs. The table shows the rank correlation of these deviations between the two logs. '
    'It is near 0, unless both use the same images in the same order, with the same crops '
    'and mirroring. In brackets: its standard error if the batches differ. '
    'docs/evidence/comparing.md says how the answer follows.')
