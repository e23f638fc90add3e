"""How far two logs agree, line by line: where they part, and how far from there on.

Figures are compared as they were printed, in decimal arithmetic: with floats 0.9000 and
0.8999 may lie more than 0.0001 apart. Only steps that both logs have count.
"""
import bisect
import collections
import decimal
import math

from comhe_tf1.published import published_runs

TEST = 'test acc'
NAMES = published_runs.QUANTITIES + (TEST,)
# What an image costs whose class has a probability of 0: -ln of the floor, see
# training/loss.py. Right ones cost less than 0.1.
WRONG = -math.log(1e-4)

Quantity = collections.namedtuple(
    'Quantity', 'lines agreeing first through parting parts only_ours only_theirs '
                'steps deviations')
Quantity.__doc__ = """How far a quantity agrees in two logs.

lines: number of steps that both have. agreeing: how many of these agree from the start,
each to one unit of the last digit. first, through: the first step in common, and the
last of those that agree; None if there is none. parting: `Parting`, or None. parts: list
of `Part`, the lines from the parting on. only_ours, only_theirs: number of lines that
one log lacks, between the first and the last in common. steps, deviations: lists, the
absolute deviation at every step in common, infinite where one alone is finite.
"""

Parting = collections.namedtuple('Parting', 'step ours theirs')
Parting.__doc__ = """The first line that does not agree; ours, theirs: as printed."""

Part = collections.namedtuple('Part', 'begin end lines largest at median')
Part.__doc__ = """Absolute deviations in a section of the schedule, from the parting on.

begin: rate drop that it begins with, 0 for the first. end: rate drop before which it
ends, or None. lines: how many there are. largest, at: the largest and its step. median.
"""

Agreement = collections.namedtuple('Agreement', 'label until quantities reached left')
Agreement.__doc__ = """How far a run's log agrees with another.

label: of the other log. until: step at which the two schedules part, before which is
compared, or None. quantities: ordered dict from those of `NAMES` that both logs have, to
`Quantity`, without those that have no step in common. reached: last step that both have
a training line of before they part, or None. left: whether the loss is on its first
plateau there, and at the next step in common no longer, in one of them at least.
"""


def of_curves(ours, theirs, drops=(), until=None):
  """How far a quantity agrees.

  Args:
    ours, theirs: `recorded_run.Curve` with places, steps ascending.
    drops: steps before which the rate drops, ascending.
    until: step before which is compared, or None.

  Returns:
    `Quantity`.
  """
  steps, pairs = _in_common(ours, theirs, until)
  deviations = [_deviation(*pair) for pair in pairs]
  agreeing = 0
  while agreeing < len(steps) and deviations[agreeing] <= _unit(*pairs[agreeing]):
    agreeing += 1
  parting = None
  if agreeing < len(steps):
    parting = Parting(steps[agreeing], *[_printed(*value) for value in pairs[agreeing]])
  deviations = list(map(float, deviations))
  return Quantity(
      len(steps), agreeing, steps[0] if steps else None,
      steps[agreeing - 1] if agreeing else None, parting,
      _parts(steps[agreeing:], deviations[agreeing:], drops),
      _between(ours, steps), _between(theirs, steps), steps, deviations)


def of_logs(label, ours, theirs, our_drops, their_drops):
  """How far two logs agree in all that they have.

  Args:
    label: of theirs.
    ours, theirs: dicts as `recorded_run.Run.curves`.
    our_drops, their_drops: steps before which the rate drops.

  Returns:
    `Agreement`.
  """
  until = min(set(our_drops) ^ set(their_drops), default=None)
  drops = sorted(set(our_drops) & set(their_drops))
  quantities = collections.OrderedDict()
  for name in NAMES:
    if name in ours and name in theirs:
      found = of_curves(ours[name], theirs[name], drops, until)
      if found.lines:
        quantities[name] = found
  reached = _reached(quantities)
  return Agreement(label, until, quantities, reached,
                   _left(ours, theirs, quantities, reached))


def _in_common(ours, theirs, until):
  """Steps that two curves have, and pairs of (value, places) pairs there."""
  there = {step: i for i, step in enumerate(theirs.steps)}
  kept = [(i, there[step]) for i, step in enumerate(ours.steps)
          if step in there and (until is None or step < until)]
  return [ours.steps[i] for i, _ in kept], [
      tuple((curve.values[index], curve.places[index])
            for curve, index in ((ours, i), (theirs, j))) for i, j in kept]


def _deviation(ours, theirs):
  """Absolute deviation of two (value, places) pairs: a `Decimal`, or infinite."""
  (here, _), (there, _) = ours, theirs
  if math.isfinite(here) and math.isfinite(there):
    # The shortest text of a float is what was printed, up to 15 digits.
    return abs(decimal.Decimal(repr(here)) - decimal.Decimal(repr(there)))
  same = here == there or (math.isnan(here) and math.isnan(there))
  return 0. if same else math.inf


def _unit(ours, theirs):
  """One unit of the last digit, of the shorter where one has more digits."""
  return decimal.Decimal(1).scaleb(-min(ours[1], theirs[1]))


def _printed(value, places):
  """A figure as it was printed; in Python's way where that would be long."""
  return '%.*f' % (places, value) if 0 <= places <= 15 and abs(value) < 1e15 else (
      repr(value))


def by_section(steps, drops):
  """Where the sections between rate drops are in steps.

  Args:
    steps: list, ascending.
    drops: steps before which the rate drops, ascending.

  Returns:
    List of (begin, end, slice) of the sections in which there are steps; begin and end
    as of `Part`.
  """
  edges = [0] + [drop for drop in drops if drop > 0]
  cuts = [0] + [bisect.bisect_left(steps, edge) for edge in edges[1:]] + [len(steps)]
  return [(begin, end, slice(first, last)) for begin, end, first, last in zip(
      edges, edges[1:] + [None], cuts, cuts[1:]) if first < last]


def _parts(steps, deviations, drops):
  """The `Part`s in which there are lines."""
  found = []
  for begin, end, inside in by_section(steps, drops):
    values = sorted(deviations[inside])
    middle = len(values) // 2
    largest = values[-1]
    found.append(Part(
        begin, end, len(values), largest, steps[inside][deviations[inside].index(largest)],
        (values[middle] + values[-middle - 1]) / 2))
  return found


def _between(curve, steps):
  """How many lines of a curve are between the first and last of `steps`, but no such."""
  return (sum(steps[0] <= step <= steps[-1] for step in curve.steps) - len(steps)
          if steps else 0)


def _training(quantities):
  return [found for name, found in quantities.items() if name != TEST]


def _parting(quantities):
  """The first step at which one of them does not agree, or None."""
  return min((found.parting.step for found in quantities if found.parting), default=None)


def _reached(quantities):
  parting = _parting(_training(quantities))
  return max((step for found in _training(quantities) for step in found.steps
              if parting is None or step < parting), default=None)


def _left(ours, theirs, quantities, reached):
  parting = _parting(_training(quantities))
  if parting is None or reached is None:
    return False
  return _saturated(ours, reached) and _saturated(theirs, reached) and not (
      _saturated(ours, parting) and _saturated(theirs, parting))


def _saturated(curves, step):
  """Whether all images of a training batch are wholly right or wholly wrong."""
  values = [dict(zip(curves[name].steps, curves[name].values)).get(step)
            for name in ('fit', 'acc') if name in curves]
  if len(values) < 2 or None in values:
    return False
  fit, acc = values
  return acc < 0.5 and abs(fit - (1 - acc) * WRONG) <= 0.015 + 0.1 * acc


def conclusion(agreement):
  """How far two logs agree, and what that means.

  Returns:
    Pair of str, the finding about these two, and the explanation, '' for none.
  """
  quantities = agreement.quantities
  if not quantities:
    return 'they have no step in common, so that there is nothing to compare', ''
  parting = _parting(quantities.values())
  if parting is None:
    return '%s; none differs' % _how_far(agreement), _SAME
  differing = [name for name, found in quantities.items()
               if found.parting and found.parting.step == parting]
  at = 'at step {:,} {} differ{}'.format(
      parting, ' '.join(differing), '' if differing[1:] else 's')
  if parting == min(found.first for found in quantities.values()):
    return at + ', the first that they have in common', _OTHERS
  if agreement.left and parting > agreement.reached:
    return '%s; %s, where the loss leaves its first plateau' % (
        _how_far(agreement), at), _PLATEAU + ' ' + _AFTER
  return '%s; %s' % (_how_far(agreement), at), _ROUNDING + ' ' + _AFTER


def _how_far(agreement):
  """Through which steps which quantities agree, in words."""
  names = [name for name in agreement.quantities if name != TEST]
  said = []
  if agreement.reached is not None:
    said.append('%s of the training lines agree through step %s' % (
        'all five quantities' if len(names) == len(published_runs.QUANTITIES)
        else ' '.join(names), '{:,}'.format(agreement.reached)))
  test = agreement.quantities.get(TEST)
  if test and test.through is not None:
    said.append('test acc%s through step %s' % (
        '' if said else ' agrees', '{:,}'.format(test.through)))
  return ', '.join(said)


def section_in_words(begin, end):
  """The steps between two rate drops: 'before 30,000', '30,000 to 49,999'..."""
  if end is None:
    return 'from {:,}'.format(begin) if begin else 'all steps'
  return ('before {1:,}' if begin == 0 else '{0:,} to {2:,}').format(begin, end, end - 1)


def section_as_name(begin, end):
  """The same as part of a name: 'before_30000'."""
  return section_in_words(begin, end).replace(',', '').replace(' ', '_')


def table_by_section(cells):
  """Rows of a table with a column for each section, headings first.

  Args:
    cells: list of pairs of a label and a dict, (begin, end) -> str.
  """
  # As the sections follow each other in a schedule.
  sections = sorted({section for _, of_label in cells for section in of_label},
                    key=lambda section: (section[0], section[1] or math.inf))
  return [[''] + [section_in_words(*section) for section in sections]] + [
      [label] + [of_label.get(section, '-') for section in sections]
      for label, of_label in cells]


_SAME = ('Where all lines agree, weights, data and their order, projections and rates '
         'were the same, and so was the arithmetic, as far as the printed digits show.')
_OTHERS = (
    'Logs that differ from the start are of two trainings: other weights, data or '
    'settings, of which the section on the first line tells. Deviations are then '
    'those of two draws.')
_PLATEAU = (
    'The first plateau: softmaxes are saturated, every wrong image costs 9.21 = -ln 1e-4 '
    'and has next to no gradient, and weight decay alone trains, until an image gets '
    'off. Rounding decides at which step that is: the order of sums, which changes with '
    'TensorFlow, device and number of threads, so that a program parts from itself as '
    'well. More agreement than until there is not to be expected.')
_ROUNDING = (
    'Rounding grows along a training, so that with another TensorFlow, device or number '
    'of threads a program parts from itself as well, sooner or later. But a difference '
    'that takes effect there, as a rate drop, an interruption or other data would, looks '
    'the same.')
_AFTER = (
    'Agreement before means the same weights, data and their order, projections and '
    'rates. Deviations after it are those of two draws, and no measure of an error; how '
    'good the trainings are, the test accuracies at the end tell.')
