"""Computes a comparison: everything that is shown, as plain data; no TensorFlow.

The result of a run is its final test accuracy, after the last step. Figures of different
protocols are never side by side: each protocol has its own section.
"""
import collections
import json
import os
import typing

from comhe_tf1.comparison import agreement
from comhe_tf1.comparison import batches
from comhe_tf1.comparison import cells
from comhe_tf1.comparison import first_lines
from comhe_tf1.comparison import seed_statistics
from comhe_tf1.published import published_runs
from comhe_tf1.records import recorded_run
from comhe_tf1.records import run_settings


class Reference(typing.NamedTuple):
  """What a run is compared with: a published run, or other runs.

  lasts: final test accuracies, one per run; empty if unfinished. curves: list of
  `recorded_run.Run.curves`, empty for published figures. note: what must be said with it,
  or None. source: in words. The rest as in `Entry`; of several runs, of the first one.
  """
  label: str
  settings: dict
  schedule: run_settings.Schedule
  finished: bool
  final: dict
  tests: list
  first_line: tuple
  last_line: tuple
  lasts: list
  curves: list
  note: str
  source: str


class Entry(typing.NamedTuple):
  """A run in a comparison.

  number: from 1. run: `recorded_run.Run`. settings: see `run_settings.get_settings`.
  finished: whether the last of its steps was evaluated. final: see `recorded_run.final`.
  tests: pairs of step and test accuracy. first_line, last_line: step and figures of its
  first and last training line, or None. newest: last step of its logs. reference:
  `Reference` or None.
  """
  number: int
  path: str
  run: recorded_run.Run
  settings: dict
  schedule: run_settings.Schedule
  finished: bool
  final: dict
  tests: list
  first_line: tuple
  last_line: tuple
  newest: int
  environments: list
  reference: Reference

  @property
  def label(self):
    return f'#{self.number}'

  @property
  def seed(self):
    return (self.settings or {}).get('random_seed')


class Group(typing.NamedTuple):
  """Runs with the same settings except for the seed.

  entries: of different seeds. repeats: those with the seed of an earlier one.
  """
  entries: list
  repeats: list


class LineByLine(typing.NamedTuple):
  """A run's log beside the first log of its reference.

  label: of the reference. batches: list of `batches.Section`.
  """
  entry: Entry
  label: str
  agreement: agreement.Agreement
  batches: list


class Seeds(typing.NamedTuple):
  """The final test accuracies of several seeds; interval: Student's, of the mean."""
  entries: list
  mean: float
  sd: float
  interval: tuple


class Verdict(typing.NamedTuple):
  """How runs' final test accuracy compares with that of their reference.

  text: the verdict, or why there is none; then the figures are None. ours, theirs: mean
  final test accuracies. difference: ours minus theirs. spread: of one run. limit: what
  the difference stays within, with 95% confidence, if both sides are draws from one
  distribution. within: whether it does. arithmetic: where spread and limit come from, in
  words. notes: what must be said with it.
  """
  entries: list
  reference: Reference
  text: str
  notes: list
  ours: float = None
  theirs: float = None
  difference: float = None
  spread: float = None
  limit: float = None
  within: bool = None
  arithmetic: str = None


class Section(typing.NamedTuple):
  """The runs of one protocol and length; groups: list of `Group`."""
  protocol: published_runs.Protocol
  steps: int
  entries: list
  groups: list
  references: list
  seeds: list
  verdicts: list

  @property
  def title(self):
    return describe_protocol(self.protocol, self.steps)


class Comparison(typing.NamedTuple):
  """Runs compared; line_by_line: for the runs whose reference has logs."""
  entries: list
  references: list
  first_lines: list
  line_by_line: list
  sections: list
  cells: list


# Final test accuracies of one network under one protocol, and of comparable methods.
_FAMILY = [facts.last for facts in published_runs.MHE_RUNS.values()
           if facts.regularizer == 'half_mhe']
SPREAD_SOURCE = (
    f'from the final test accuracies of the {len(_FAMILY)} published half-space MHE runs '
    f'({", ".join(f"{value:.4f}" for value in _FAMILY)}: CNN-9 on CIFAR-100, 42,500 steps, '
    f'one run per power, no seed set). It is assumed to hold for 75,000 steps too, and is '
    f'rather too large, since it includes differences between the powers')
CAVEAT = (
    'A single published run does not show how much other seeds vary. Its last 20 '
    'evaluations vary less, since they are of one run. The sampling error of 10,000 test '
    'images (0.0043 at 0.75) is not counted: all runs use the same test images.')


def published_reference(name):
  """The `Reference` of a run of `published_runs.ALL`."""
  facts = published_runs.ALL[name]
  return Reference(
      label='published ' + name, settings=run_settings.get_published_settings(facts),
      schedule=run_settings.Schedule(facts.protocol, facts.protocol.steps, True),
      finished=True, final={
          'last': {'test_acc': facts.last, 'step': facts.protocol.steps - 1},
          'best': dict(zip(('test_acc', 'step'), facts.best)),
          'median_of_last_20': {'test_acc': facts.median}},
      tests=list((facts.tests or {}).items()),
      first_line=facts.first_line and (0, facts.first_line),
      last_line=facts.final_train, lasts=[facts.last], curves=[], note=facts.note,
      source=facts.source + ', 1 run')


def recorded_reference(path, runs):
  """The `Reference` that recorded runs make; the first one's where it is about one.

  Raises:
    recorded_run.ReadError: they do not have the same settings.
  """
  groups = _groups([_entry(number, run, None) for number, run in enumerate(runs, 1)])
  if len(groups) > 1:
    raise recorded_run.ReadError(
        f'{path} holds runs of {len(groups)} different settings; name one of them')
  members = groups[0].entries
  return Reference(
      label=os.path.basename(os.path.normpath(path)), lasts=_lasts(members),
      curves=[entry.run.curves for entry in members], note=None,
      source=f'{path}, {len(members)} run{"s" if members[1:] else ""}',
      **{name: getattr(members[0], name) for name in (
          'settings', 'schedule', 'finished', 'final', 'tests', 'first_line',
          'last_line')})


def compare(runs, reference=None):
  """Compares runs.

  Args:
    runs: list of `recorded_run.Run`.
    reference: `Reference` for all of them, or None for the published run of each
      one's own method.

  Returns:
    `Comparison`.
  """
  variants = [None if reference else run_settings.variant_of(run) for run in runs]
  published = collections.OrderedDict(
      (name, published_reference(name)) for name in variants if name)
  entries = [_entry(number, run, published.get(name, reference))
             for number, (run, name) in enumerate(zip(runs, variants), 1)]
  sections = collections.OrderedDict()
  for entry in entries:
    length = entry.schedule.protocol, entry.schedule.steps
    sections.setdefault(length, []).append(entry)
  return Comparison(
      entries=entries, references=[reference] if reference else list(published.values()),
      first_lines=list(map(first_lines.compare, entries)),
      line_by_line=[_line_by_line(entry) for entry in entries
                    if entry.reference and entry.reference.curves],
      sections=[_section(protocol, steps, members)
                for (protocol, steps), members in sections.items()],
      cells=cells.beside(entries))


def _entry(number, run, reference):
  schedule, final = run_settings.schedule_of(run), recorded_run.final(run)
  return Entry(
      number=number, path=run.name, run=run, settings=run_settings.get_settings(run),
      schedule=schedule,
      finished=bool(final) and final['last']['step'] == schedule.steps - 1, final=final,
      tests=recorded_run.tests(run), first_line=recorded_run.train_line(run, 0),
      last_line=recorded_run.train_line(run, -1),
      newest=max(curve.steps[-1] for curve in run.curves.values()),
      environments=run.environments, reference=reference)


def _line_by_line(entry):
  ours, theirs = entry.run.curves, entry.reference.curves[0]
  drops = [side.schedule.protocol.lr_drops for side in (entry, entry.reference)]
  agreed = agreement.compare_logs(ours, theirs, *drops)
  fit = agreed.quantities.get('fit')
  # From the first difference on; without one, from where the schedules part.
  start = fit and (fit.first_difference.step if fit.first_difference else agreed.until)
  sections = [] if start is None else batches.correlate_curves(
      ours['fit'], theirs['fit'], start, sorted(set().union(*drops)))
  return LineByLine(entry, entry.reference.label, agreed, sections)


def numbers(entries):
  """'#1 #2 #5', or '#1 to #9' where that is long."""
  first, last = entries[0], entries[-1]
  if last.number - first.number == len(entries) - 1 > 2:
    return f'{first.label} to {last.label}'
  return ' '.join(entry.label for entry in entries)


def _section(protocol, steps, entries):
  references = collections.OrderedDict(
      (entry.reference.label, entry.reference) for entry in entries
      if entry.reference and entry.reference.schedule.protocol == protocol)
  groups = _groups(entries)
  return Section(protocol, steps, entries, groups, list(references.values()),
                 list(filter(None, map(_seeds, groups))), list(map(_verdict, groups)))


def _groups(entries):
  """Pools runs of one experiment, whose seeds differ."""
  pools = collections.OrderedDict()
  for entry in entries:
    if entry.settings is None:
      # A bare log: those of one folder are assumed to differ by their seeds alone.
      label = os.path.dirname(entry.run.key), entry.schedule
      seed = str(entry.first_line) if entry.first_line else entry.run.key
    else:
      label = without_seed(entry.settings)
      seed = str(entry.seed)
    by_seed, repeats = pools.setdefault(label, (collections.OrderedDict(), []))
    if seed in by_seed:
      repeats.append(entry)
    else:
      by_seed[seed] = entry
  return [Group(list(by_seed.values()), repeats) for by_seed, repeats in pools.values()]


def without_seed(settings):
  """All settings but the seed, as text."""
  return json.dumps({name: value for name, value in settings.items()
                     if name != 'random_seed'}, sort_keys=True)


def _lasts(entries):
  return [entry.final['last']['test_acc'] for entry in entries if entry.finished]


def _mean(values):
  return sum(values) / len(values)


def _seeds(group):
  values = _lasts(group.entries)
  if len(values) < 2:
    return None
  return Seeds([entry for entry in group.entries if entry.finished], _mean(values),
               seed_statistics.spread(values).sd, seed_statistics.mean_interval(values))


def _verdict(group):
  first, reference = group.entries[0], group.entries[0].reference
  notes = [f'{entry.label} has the seed of an earlier run and is left out'
           for entry in group.repeats]
  ours = _lasts(group.entries)
  reason = _no_verdict(first, ours, reference)
  if reason:
    return Verdict(group.entries, reference, 'no verdict: ' + reason, notes)
  theirs = reference.lasts
  spreads, sources = _spreads(first, ours, theirs)
  spread = seed_statistics.pooled(spreads)
  limit = seed_statistics.half_width(spread, len(ours), len(theirs))
  difference = _mean(ours) - _mean(theirs)
  within = abs(difference) <= limit + 1e-9   # what rounding leaves of 0
  if first.settings is None:
    notes.append('the log does not record its settings, which are assumed to be the same')
  unfinished = [entry for entry in group.entries if not entry.finished]
  if unfinished:
    notes.append(f'without {numbers(unfinished)}, not finished')
  if reference.note:
    notes.append(reference.note)
  return Verdict(
      [entry for entry in group.entries if entry.finished], reference,
      text=f'{"within" if within else "above" if difference > 0 else "below"} the normal '
           f'variation between seeds',
      notes=notes, ours=_mean(ours), theirs=_mean(theirs), difference=difference,
      spread=spread.sd, limit=limit, within=within, arithmetic=(
          f'sd, the standard deviation of one run: {spread.sd:.4f}, '
          f'{"; pooled with that ".join(sources)}. Limit of the difference: {limit:.4f} = '
          f'{seed_statistics.student_t(spread.freedom):.3f} x {spread.sd:.4f} x '
          f'sqrt(1/{len(ours)} + 1/{len(theirs)}), with Student\'s t for 95% and '
          f'{spread.freedom} degree{"" if spread.freedom == 1 else "s"} of freedom'))


def _no_verdict(first, ours, reference):
  """Why there is no verdict on a group, or None.

  Args:
    first: the group's first run.
    ours: its final test accuracies.
    reference: `Reference` or None.
  """
  if reference is None:
    return ('no published run of this method is known; choose one, or a folder of logs, '
            'with --against')
  theirs = reference.schedule
  if theirs.protocol != first.schedule.protocol:
    return (f'{reference.label} was trained for '
            f'{describe_protocol(theirs.protocol, theirs.steps)}')
  if theirs.steps != first.schedule.steps:
    return (f'this run has {first.schedule.steps:,} steps, {reference.label} had '
            f'{theirs.steps:,}')
  if first.settings is not None and reference.settings is not None:
    differing = run_settings.differences(
        first.settings, reference.settings, set(first.settings) - run_settings.DRAWS)
    if differing:
      return f'the settings differ from {reference.label}: {"; ".join(differing)}'
  if not ours:
    return 'not finished'
  if not reference.lasts:
    return f'{reference.label} is not finished'
  if not _spreads(first, ours, reference.lasts)[0]:
    return ('one run on each side does not show how much seeds vary, and the published '
            'runs show it only for CNN-9 on CIFAR-100')
  return None


def _spreads(first, ours, theirs):
  """Estimates of the spread of one run, and where each comes from."""
  estimates = [(values, f'from the {len(values)} {whose}') for values, whose in (
      (ours, 'runs here'), (theirs, 'runs compared with')) if len(values) > 1]
  network = dict(dataset='cifar100', model='cnn9', width=1, depth=9)
  if not run_settings.differences(first.settings or {}, network):
    estimates.append((_FAMILY, SPREAD_SOURCE))
  return ([seed_statistics.spread(values) for values, _ in estimates],
          [source for _, source in estimates])


def describe_protocol(protocol, steps):
  """'75,000 steps, learning-rate decay steps 30,000, 50,000, 65,000'"""
  drops = ', '.join(f'{drop:,}' for drop in protocol.lr_drops)
  text = (f'{protocol.steps:,} steps, '
          f'{"learning-rate decay steps " + drops if drops else "no learning-rate decay"}')
  return text if steps == protocol.steps else f'the first {steps:,} of {text}'
