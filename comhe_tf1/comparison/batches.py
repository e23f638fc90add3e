"""Whether two trainings that parted still take the same batches.

A batch of hard images costs both networks more than the batches of the lines before and
after, whatever their weights. So the scatter of `fit` from line to line is correlated
where both take the same images, cropped and mirrored alike, and only there.
"""
import collections
import math

import numpy as np

from comhe_tf1.comparison import agreement

# Fewer lines of a section say nothing.
LEAST = 20
# Scatters of three and more lines further on share no line with those here.
SHIFTS = range(3, 11)
# Of x(i) - (x(i-1) + x(i+1)) / 2, where the x are independent.
_AUTOCORRELATIONS = (-2 / 3., 1 / 6.)
# What the same batches take above 0, in standard errors; and others, below the smallest
# correlation of the same that was seen, 0.44 (CNN-9 and a quarter of its width, two
# methods; one method and width have 0.7 and more).
_ABOVE, _BELOW, _SMALLEST = 3, 2, 0.44

Section = collections.namedtuple('Section', 'begin end lines correlation error shifted')
Section.__doc__ = """How the scatters of two logs correlate between two rate drops.

begin, end: as of `agreement.Part`. lines: how many scatters there are. correlation: of
their ranks (Spearman's), None where all are equal. error: the standard error around 0
that it has if the batches are others. shifted: the largest correlation with one log moved
by `SHIFTS` lines either way, or None likewise.
"""

Beside = collections.namedtuple('Beside', 'entry label sections')
Beside.__doc__ = """A run, `verdicts.Entry`, beside the log `label`: list of `Section`."""

HOW = ('The correlation of how far fit is from the mean of the lines before and after '
       '(ranks), from the line on at which the logs part. A batch of hard images costs '
       'both networks more, so that it is near 0 unless both take the same images, cropped '
       'and mirrored alike, in the same order. In brackets its standard error around 0 '
       'where the batches are others. "The same" takes %d of these, and one more than any '
       'correlation with one log moved by 3 to 10 lines; "no sign" takes a correlation '
       '%d of these below %s, the smallest of the same batches that was seen.' % (
           _ABOVE, _BELOW, _SMALLEST))


def scatter(values):
  """How far values are from the mean of their neighbours, n - 2 from n of them."""
  values = np.asarray(values, np.float64)
  return values[1:-1] - (values[:-2] + values[2:]) / 2


def standard_error(lines):
  """That of the correlation of two unrelated scatters.

  By Bartlett's formula: the root of sum rho^2 / n, over all lags of the autocorrelations
  rho, here 1, -2/3 and 1/6. (Ranks have slightly smaller ones.)
  """
  return math.sqrt((1 + 2 * sum(rho ** 2 for rho in _AUTOCORRELATIONS)) / lines)


def correlation(ours, theirs):
  """Spearman's rank correlation of two sequences; None where one is constant."""
  ranks = [_ranks(values) for values in (ours, theirs)]
  ranks = [each - each.mean() for each in ranks]
  squares = [float(each @ each) for each in ranks]
  return float(ranks[0] @ ranks[1]) / math.sqrt(squares[0] * squares[1]) if all(
      squares) else None


def _ranks(values):
  """Ranks; equal values have the mean of theirs."""
  _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
  return (np.cumsum(counts) - (counts - 1) / 2.)[inverse]


def of_curves(ours, theirs, start, drops):
  """How the scatters of two curves correlate.

  Lines count whose neighbours are in the same section, at equal distances, and finite.

  Args:
    ours, theirs: `recorded_run.Curve`, steps ascending.
    start: first step that counts.
    drops: steps before which either rate drops, ascending.

  Returns:
    List of `Section`, without those of fewer than `LEAST` lines.
  """
  there = dict(zip(theirs.steps, theirs.values))
  lines = [(step, value, there[step]) for step, value in zip(ours.steps, ours.values)
           if step >= start and step in there]
  found = []
  for begin, end, inside in agreement.by_section([step for step, _, _ in lines], drops):
    steps, here, other = np.array(lines[inside]).T
    with np.errstate(invalid='ignore', over='ignore'):
      here, other = scatter(here), scatter(other)
    kept = (scatter(steps) == 0) & np.isfinite(here) & np.isfinite(other)
    here, other = here[kept], other[kept]
    if len(here) >= LEAST:
      moved = [correlation(*pair) for shift in SHIFTS for pair in (
          (here[shift:], other[:-shift]), (here[:-shift], other[shift:]))]
      found.append(Section(
          begin, end, len(here), correlation(here, other), standard_error(len(here)),
          max((each for each in moved if each is not None), default=None)))
  return found


def same(section):
  """Whether the batches of a `Section` are the same: True, False, None if it says nothing.

  False means that there is no sign of it, and enough lines that there should be one.
  """
  found, error = section.correlation, section.error
  if found is None or section.shifted is None:
    return None
  if found < _ABOVE * error:
    return False if found + _BELOW * error <= _SMALLEST else None
  # Where a trend stands out from the scatter, moved lines correlate as well.
  return True if found >= section.shifted + error else None


def beside(agreements):
  """What the batches of runs and logs are, from where these part.

  Args:
    agreements: list of pairs of `verdicts.Entry` and `agreement.Agreement`.

  Returns:
    List of `Beside`, of those that there is something to say of.
  """
  told = []
  for entry, found in agreements:
    fit = found.quantities.get('fit')
    start = fit and (fit.parting.step if fit.parting else found.until)
    if start is None:
      continue
    reference = entry.reference
    drops = sorted(set(entry.schedule.protocol.lr_drops)
                   | set(reference.schedule.protocol.lr_drops))
    sections = of_curves(entry.run.curves['fit'], reference.curves[0]['fit'], start, drops)
    if sections:
      told.append(Beside(entry, found.label, sections))
  return told


_ANSWERS = collections.OrderedDict([
    (True, 'the same'), (False, 'no sign of the same'), (None, 'not to be told')])


def notes(told):
  """What is to be said below the table."""
  said = []
  for each in told:
    answers = [same(section) for section in each.sections]
    said.append('#%d beside %s: %s.' % (each.entry.number, each.label, '; '.join(
        '%s: %s' % (words, ', '.join(
            agreement.section_in_words(section.begin, section.end)
            for section, answer in zip(each.sections, answers) if answer is given))
        for given, words in _ANSWERS.items() if given in answers)))
  return said + [HOW] if said else []


def rows(told):
  """The rows of a table, headings first."""
  return agreement.table_by_section([('#%d' % each.entry.number, {
      (section.begin, section.end): '-' if section.correlation is None else
      '%.2f (%.2f)' % (section.correlation, section.error)
      for section in each.sections}) for each in told])


def as_json(told):
  """As content for JSON, one dict for every run."""
  return [{
      'run': each.entry.number, 'reference': each.label, 'sections': [
          dict(section._asdict(), same=same(section)) for section in each.sections]}
          for each in told]


def csv_rows(each):
  """Rows of quantity, step and value, of a `Beside`."""
  table = []
  for section in each.sections:
    if section.correlation is not None:
      name = 'fit_scatter_%s_' + agreement.section_as_name(section.begin, section.end)
      table += [[name % 'correlation', '', '%.4f' % section.correlation],
                [name % 'standard_error', '', '%.4f' % section.error]]
  return table
