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

TEST = 'test acc'
NAMES = published_runs.QUANTITIES + (TEST,)
# The loss of an image whose class has a probability of 0: -ln of the floor in
# training/loss.py. An image that is classified right has a loss below 0.1.
WRONG = -math.log(1e-4)


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
  to one unit of the last digit. first_step, last_matching_step: the first step in both,
  and the last of those that agree from the start; or None. first_difference:
  `Difference`, or None. parts: list of `Part`. common_steps, deviations: the steps in both
  and the absolute deviations there, infinite where only one is finite.
  """
  lines: int
  agreeing: int
  first_step: int
  last_matching_step: int
  first_difference: Difference
  parts: list
  common_steps: list
  deviations: list


class Agreement(typing.NamedTuple):
  """How far two logs agree.

  until: step at which the two schedules begin to differ; only steps before it are
  compared; or None. quantities: ordered dict from those of `NAMES` that both logs have
  to `Quantity`, without those that have no step in both. finding: what is found, in
  words. meaning: what that means, '' for nothing to say.
  """
  until: int
  quantities: dict
  finding: str
  meaning: str


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
      lines=len(steps), agreeing=agreeing, first_step=steps[0] if steps else None,
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
  quantities = collections.OrderedDict(
      (name, quantity) for name, quantity in compared if quantity.lines)
  return Agreement(until, quantities, *_conclusion(ours, theirs, quantities))


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


def _first_difference(quantities):
  """The first step at which one of them differs, or None."""
  return min((quantity.first_difference.step for quantity in quantities
              if quantity.first_difference), default=None)


def _conclusion(ours, theirs, quantities):
  """`Agreement.finding` and `Agreement.meaning`."""
  if not quantities:
    return 'no step is in both logs, so there is nothing to compare', ''
  training = [quantity for name, quantity in quantities.items() if name != TEST]
  first = _first_difference(training)
  last_matching = max((step for quantity in training for step in quantity.common_steps
                       if first is None or step < first), default=None)
  matching = _describe_matching(quantities, last_matching)
  step = _first_difference(quantities.values())
  if step is None:
    return f'{matching}; no step differs', _SAME
  differing = [name for name, quantity in quantities.items()
               if quantity.first_difference and quantity.first_difference.step == step]
  at = f'first differing step: {step:,} ({", ".join(differing)})'
  if step == min(quantity.first_step for quantity in quantities.values()):
    return f'{at}, the first step that both logs have', _OTHERS
  # Both are on the plateau at one step, and one of them no longer at the next.
  if last_matching is not None and first is not None and step > last_matching and all(
      _is_saturated(log, last_matching) for log in (ours, theirs)) and not all(
          _is_saturated(log, first) for log in (ours, theirs)):
    return f'{matching}; {at}, where the loss leaves its first plateau', (
        f'{_PLATEAU} {_AFTER}')
  return f'{matching}; {at}', f'{_ROUNDING} {_AFTER}'


def _describe_matching(quantities, last_matching):
  """The last matching steps, in words."""
  names = [name for name in quantities if name != TEST]
  steps = []
  if last_matching is not None:
    whole = len(names) == len(published_runs.QUANTITIES)
    steps.append(f'{last_matching:,} in the training lines '
                 f'({"all five figures" if whole else ", ".join(names)})')
  if TEST in quantities and quantities[TEST].agreeing:
    steps.append(f'{quantities[TEST].last_matching_step:,} in test acc')
  return f'last matching step: {", ".join(steps)}'


def _is_saturated(curves, step):
  """Whether every image of a training batch has a loss of about 0 or about `WRONG`."""
  fit, acc = (dict(zip(curves[name].steps, curves[name].values)).get(step)
              if name in curves else None for name in ('fit', 'acc'))
  if fit is None or acc is None:
    return False
  return acc < 0.5 and abs(fit - (1 - acc) * WRONG) <= 0.015 + 0.1 * acc


_SAME = (
    'So the weights, the data and their order, the projections and the learning rates were '
    'the same, and so was the arithmetic, to the printed digits.')
_OTHERS = (
    'Logs that differ from the start are two different trainings: other weights, data or '
    'settings. See the first training line, above.')
_PLATEAU = (
    'On this plateau the softmax is saturated, and only weight decay trains. Rounding '
    'decides at which step an image leaves it, so that two runs of one program differ here '
    'too.')
_ROUNDING = (
    'Rounding errors grow during training, so that two runs of one program differ too, '
    'sooner or later. But a real difference that starts at this step, such as another '
    'learning rate, an interruption or other data, looks the same.')
_AFTER = (
    'Before that step the weights, the data and their order, the projections and the '
    'learning rates were the same. After it these are two independent runs, and their '
    'deviation does not measure an error; compare the final test accuracies instead.')
