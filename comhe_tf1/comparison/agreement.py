"""How far two logs agree, line by line: the first difference, and how far apart from there.

Only steps that both logs have are compared, and figures as they were printed: 0.9000 and
0.8999 are one unit of the last digit apart.
"""
import bisect
import collections
import math
import statistics
import typing

from comhe_tf1.published import published_runs

NAMES = published_runs.QUANTITIES + ('test acc',)


class Difference(typing.NamedTuple):
  """The first line that does not agree; ours, theirs: as printed."""
  step: int
  ours: str
  theirs: str


class Part(typing.NamedTuple):
  """Absolute deviations in a section between learning-rate decay steps.

  Only lines from the first difference on count. begin: decay step with which the section
  begins, 0 for the first. end: decay step before which it ends, or None. lines: their
  number. largest, at: the maximum deviation and its step. median.
  """
  begin: int
  end: int
  lines: int
  largest: float
  at: int
  median: float


class Quantity(typing.NamedTuple):
  """How far a quantity agrees in two logs.

  lines: number of steps in both. agreeing: how many of these agree from the start, each
  to one unit of the last digit. last_matching_step: the last of these, or None.
  first_difference: `Difference`, or None. parts: list of `Part`. common_steps,
  deviations: the steps in both and the absolute deviations there, infinite where only one
  is finite.
  """
  lines: int
  agreeing: int
  last_matching_step: int
  first_difference: Difference
  parts: list
  common_steps: list
  deviations: list


class Agreement(typing.NamedTuple):
  """How far two logs agree.

  until: step at which the two schedules begin to differ; only steps before it are
  compared; or None. quantities: ordered dict from those of `NAMES` that both logs have
  to `Quantity`, without those that have no step in both.
  """
  until: int
  quantities: dict


def compare_curves(ours, theirs, drops=(), until=None):
  """How far a quantity agrees, as `Quantity`.

  Args:
    ours, theirs: `recorded_run.Curve` with places, steps ascending.
    drops: learning-rate decay steps, ascending.
    until: step before which is compared, or None.
  """
  there = dict(zip(theirs.steps, zip(theirs.values, theirs.places)))
  steps = [step for step in ours.steps
           if step in there and (until is None or step < until)]
  here = dict(zip(ours.steps, zip(ours.values, ours.places)))
  deviations = [_deviation(here[step], there[step]) for step in steps]
  agreeing = 0
  while agreeing < len(steps) and _within_one_unit(
      deviations[agreeing], here[steps[agreeing]][1], there[steps[agreeing]][1]):
    agreeing += 1
  differing = steps[agreeing:]
  return Quantity(
      lines=len(steps), agreeing=agreeing,
      last_matching_step=steps[agreeing - 1] if agreeing else None,
      first_difference=Difference(differing[0], *(
          _printed(*log[differing[0]]) for log in (here, there))) if differing else None,
      parts=_parts(differing, deviations[agreeing:], drops),
      common_steps=steps, deviations=deviations)


def compare_logs(ours, theirs, our_drops, their_drops):
  """How far two logs agree in all their quantities, as `Agreement`.

  Args:
    ours, theirs: dicts as `recorded_run.Run.curves`.
    our_drops, their_drops: learning-rate decay steps.
  """
  until = min(set(our_drops) ^ set(their_drops), default=None)
  drops = sorted(set(our_drops) & set(their_drops))
  compared = ((name, compare_curves(ours[name], theirs[name], drops, until))
              for name in NAMES if name in ours and name in theirs)
  return Agreement(until, collections.OrderedDict(
      (name, quantity) for name, quantity in compared if quantity.lines))


def _deviation(ours, theirs):
  """Absolute deviation of two pairs of a figure and its decimal places."""
  (here, places), (there, other_places) = ours, theirs
  if math.isfinite(here) and math.isfinite(there):
    # Without the rounding errors of floats: 0.0001, not 0.00009999999999998899.
    return round(abs(here - there), max(places, other_places))
  return 0. if repr(here) == repr(there) else math.inf


def _within_one_unit(deviation, *places):
  """Whether it is at most one unit of the last digit of the figure that has fewer."""
  return deviation < math.inf and round(deviation * 10. ** min(places), 9) <= 1


def _printed(value, places):
  """A figure as it was printed; in Python's way where that would be long."""
  return (f'{value:.{places}f}' if 0 <= places <= 15 and abs(value) < 1e15
          else repr(value))


def by_section(steps, drops):
  """Where the sections between learning-rate decay steps are in a list of steps.

  Args:
    steps: list, ascending.
    drops: learning-rate decay steps, ascending.

  Returns:
    List of (begin, end, slice) of the sections that have steps; begin and end as in `Part`.
  """
  edges = [0] + [drop for drop in drops if drop > 0]
  cuts = [0] + [bisect.bisect_left(steps, edge) for edge in edges[1:]] + [len(steps)]
  return [(begin, end, slice(first, last)) for begin, end, first, last in zip(
      edges, edges[1:] + [None], cuts, cuts[1:]) if first < last]


def describe_section(begin, end):
  """The steps of a section: 'before 30,000', '30,000 to 49,999'..."""
  if end is None:
    return f'from {begin:,}' if begin else 'all steps'
  return f'{begin:,} to {end - 1:,}' if begin else f'before {end:,}'


def _parts(steps, deviations, drops):
  """The `Part`s that have lines."""
  parts = []
  for begin, end, inside in by_section(steps, drops):
    values = deviations[inside]
    largest = max(values)
    parts.append(Part(begin, end, len(values), largest,
                      steps[inside][values.index(largest)], statistics.median(values)))
  return parts


HOW = (
    'Before the first differing step of any figure, the weights, the data and their order, '
    'the projections and the learning rates were the same. After it these are two '
    'independent runs, and their deviation does not measure an error; compare the final '
    'test accuracies instead. Rounding errors grow during training, so that two runs of '
    'one program differ too, sooner or later. But a real difference that starts at this '
    'step, such as another learning rate, an interruption or other data, looks the same. '
    'Logs that differ at step 0 are two different trainings: other weights, data or '
    'settings.')
