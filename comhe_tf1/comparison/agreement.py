"""How far two logs agree, line by line: the first difference, and how far apart from there.

Figures are compared as printed, in decimal arithmetic: as floats, 0.9000 and 0.8999 may
be more than 0.0001 apart. Only steps that both logs have are compared.
"""
import bisect
import collections
import decimal
import math
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
  number. largest, at: the largest deviation and its step. median.
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
  `Difference`, or None. parts: list of `Part`. only_ours, only_theirs: number of lines
  missing in the other log, between the first and the last step in both. common_steps,
  deviations: the steps in both and the absolute deviations there, infinite where only one
  is finite.
  """
  lines: int
  agreeing: int
  first_step: int
  last_matching_step: int
  first_difference: Difference
  parts: list
  only_ours: int
  only_theirs: int
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
  """How far a quantity agrees.

  Args:
    ours, theirs: `recorded_run.Curve` with places, steps ascending.
    drops: learning-rate decay steps, ascending.
    until: step before which is compared, or None.

  Returns:
    `Quantity`.
  """
  there = {step: i for i, step in enumerate(theirs.steps)}
  steps, pairs = [], []
  for i, step in enumerate(ours.steps):
    if step in there and (until is None or step < until):
      j = there[step]
      steps.append(step)
      pairs.append(((ours.values[i], ours.places[i]), (theirs.values[j], theirs.places[j])))
  deviations = [_deviation(here, other) for (here, _), (other, _) in pairs]
  agreeing = 0
  while agreeing < len(steps) and deviations[agreeing] <= _unit(*pairs[agreeing]):
    agreeing += 1
  difference = None
  if agreeing < len(steps):
    difference = Difference(steps[agreeing], *[_printed(*one) for one in pairs[agreeing]])
  deviations = list(map(float, deviations))
  return Quantity(
      lines=len(steps), agreeing=agreeing, first_step=steps[0] if steps else None,
      last_matching_step=steps[agreeing - 1] if agreeing else None,
      first_difference=difference,
      parts=_parts(steps[agreeing:], deviations[agreeing:], drops),
      only_ours=_alone(ours, steps), only_theirs=_alone(theirs, steps),
      common_steps=steps, deviations=deviations)


def compare_logs(ours, theirs, our_drops, their_drops):
  """How far two logs agree in all their quantities.

  Args:
    ours, theirs: dicts as `recorded_run.Run.curves`.
    our_drops, their_drops: learning-rate decay steps.

  Returns:
    `Agreement`.
  """
  until = min(set(our_drops) ^ set(their_drops), default=None)
  drops = sorted(set(our_drops) & set(their_drops))
  quantities = collections.OrderedDict()
  for name in NAMES:
    if name in ours and name in theirs:
      found = compare_curves(ours[name], theirs[name], drops, until)
      if found.lines:
        quantities[name] = found
  return Agreement(until, quantities, *_conclusion(ours, theirs, quantities))


def _deviation(ours, theirs):
  """Absolute deviation of two figures: a `Decimal`, or infinite."""
  if math.isfinite(ours) and math.isfinite(theirs):
    # The shortest text of a float is what was printed, up to 15 digits.
    return abs(decimal.Decimal(repr(ours)) - decimal.Decimal(repr(theirs)))
  same = ours == theirs or (math.isnan(ours) and math.isnan(theirs))
  return 0. if same else math.inf


def _unit(ours, theirs):
  """One unit of the last digit, of the shorter where one has more digits."""
  return decimal.Decimal(1).scaleb(-min(ours[1], theirs[1]))


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


def _parts(steps, deviations, drops):
  """The `Part`s that have lines."""
  found = []
  for begin, end, inside in by_section(steps, drops):
    values = sorted(deviations[inside])
    middle = len(values) // 2
    largest = values[-1]
    found.append(Part(
        begin, end, len(values), largest, steps[inside][deviations[inside].index(largest)],
        (values[middle] + values[-middle - 1]) / 2))
  return found


def _alone(curve, steps):
  """How many lines of a curve lie between the first and last of `steps`, not among them."""
  return (sum(steps[0] <= step <= steps[-1] for step in curve.steps) - len(steps)
          if steps else 0)


def _first_difference(quantities):
  """The first step at which one of them differs, or None."""
  return min((found.first_difference.step for found in quantities
              if found.first_difference), default=None)


def _conclusion(ours, theirs, quantities):
  """`Agreement.finding` and `Agreement.meaning`."""
  if not quantities:
    return 'no step is in both logs, so there is nothing to compare', ''
  training = [found for name, found in quantities.items() if name != TEST]
  first = _first_difference(training)
  reached = max((step for found in training for step in found.common_steps
                 if first is None or step < first), default=None)
  matching = _matching(quantities, reached)
  step = _first_difference(quantities.values())
  if step is None:
    return f'{matching}; no step differs', _SAME
  differing = [name for name, found in quantities.items()
               if found.first_difference and found.first_difference.step == step]
  at = f'first differing step: {step:,} ({", ".join(differing)})'
  if step == min(found.first_step for found in quantities.values()):
    return f'{at}, the first step that both logs have', _OTHERS
  if reached is not None and step > reached and (
      _leaves_plateau(ours, theirs, reached, first)):
    return f'{matching}; {at}, where the loss leaves its first plateau', (
        f'{_PLATEAU} {_AFTER}')
  return f'{matching}; {at}', f'{_ROUNDING} {_AFTER}'


def _matching(quantities, reached):
  """The last matching steps, in words."""
  names = [name for name in quantities if name != TEST]
  said = []
  if reached is not None:
    whole = len(names) == len(published_runs.QUANTITIES)
    said.append(f'{reached:,} in the training lines '
                f'({"all five figures" if whole else ", ".join(names)})')
  test = quantities.get(TEST)
  if test and test.last_matching_step is not None:
    said.append(f'{test.last_matching_step:,} in test acc')
  return f'last matching step: {", ".join(said)}'


def _leaves_plateau(ours, theirs, reached, first):
  """Whether both are on the plateau at one step, and one of them no longer at the next."""
  return (first is not None and _saturated(ours, reached) and _saturated(theirs, reached)
          and not (_saturated(ours, first) and _saturated(theirs, first)))


def _saturated(curves, step):
  """Whether every image of a training batch has a loss of about 0 or about `WRONG`."""
  values = [dict(zip(curves[name].steps, curves[name].values)).get(step)
            for name in ('fit', 'acc') if name in curves]
  if len(values) < 2 or None in values:
    return False
  fit, acc = values
  return acc < 0.5 and abs(fit - (1 - acc) * WRONG) <= 0.015 + 0.1 * acc


def describe_section(begin, end):
  """The steps of a section: 'before 30,000', '30,000 to 49,999'..."""
  if end is None:
    return f'from {begin:,}' if begin else 'all steps'
  return f'{begin:,} to {end - 1:,}' if begin else f'before {end:,}'


_SAME = (
    'If all lines match, the weights, the data and their order, the projections and the '
    'learning rates were the same, and so was the arithmetic, to the printed digits.')
_OTHERS = (
    'Logs that differ from the start are two different trainings: other weights, data or '
    'settings (see the first training line, above). The deviations are then those of two '
    'independent runs.')
_PLATEAU = (
    'On the first plateau the softmax is saturated: every wrong image has a loss of 9.21 = '
    '-ln 1e-4 and almost no gradient, and only weight decay trains, until one image '
    'leaves it. Rounding decides at which step: the order of sums depends on TensorFlow, '
    'the device and the number of threads. So two runs of one program differ here too, '
    'and more matching lines cannot be expected.')
_ROUNDING = (
    'Rounding errors grow during training. With another TensorFlow, device or number of '
    'threads two runs of one program differ too, sooner or later. But a real difference '
    'that starts at this step, such as another learning rate, an interruption or other '
    'data, looks the same.')
_AFTER = (
    'Before that step the weights, the data and their order, the projections and the '
    'learning rates were the same. After it these are two independent runs, and their '
    'deviation does not measure an error; compare the final test accuracies instead.')
