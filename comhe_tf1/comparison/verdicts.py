"""Compares runs with published ones, or with others; no TensorFlow.

The headline is the test accuracy after the last step. Figures of different protocols
never stand side by side: there is a section for each.
"""
import collections
import json
import os

from comhe_tf1.comparison import agreement
from comhe_tf1.comparison import seed_statistics
from comhe_tf1.published import published_runs
from comhe_tf1.records import recorded_run
from comhe_tf1.records import run_settings

Entry = collections.namedtuple(
    'Entry', 'number run settings schedule finished final reference')
Entry.__doc__ = """A run in a comparison.

number: from 1. run: `recorded_run.Run`. settings: see `run_settings.of_run`. schedule:
`run_settings.Schedule`. finished: whether the last of its steps was evaluated. final:
see `recorded_run.final`. reference: `Reference` it is compared with, or None.
"""

Reference = collections.namedtuple(
    'Reference', 'label schedule settings first tests lasts best median final_train '
                 'curves note source')
Reference.__doc__ = """What a run is compared with: a published run, or other runs.

label: heading of its column. schedule: `run_settings.Schedule`. settings: flags as far
as they are known, or None. first: dict of the figures of its line iter_0, or None.
tests: dict, step -> test accuracy. lasts: list of the test accuracies after the last
step, one a run; empty if unfinished. best: pair of accuracy and step, median: of the
last 20 test accuracies, final_train: pair of step and dict, each or None.
curves: list of dicts as `recorded_run.Run.curves`, empty for published facts.
note: what must be said with it, or None. source: in words.
"""

Group = collections.namedtuple('Group', 'entries repeats')
Group.__doc__ = """Runs whose settings but the seed agree.

entries: of different seeds. repeats: those with the seed of an earlier one.
"""

FirstLine = collections.namedtuple('FirstLine', 'entry figures matches conclusion')
FirstLine.__doc__ = """The line iter_0 of a run beside that of its reference.

figures: ordered dict from quantity to the pair of strings in the two lines. matches:
whether all agree to the last digit, None where they cannot be compared.
"""

Seeds = collections.namedtuple('Seeds', 'entries mean sd interval')
Seeds.__doc__ = """The last test accuracies of several seeds.

interval: bootstrap interval of the mean, see `seed_statistics`.
"""

Verdict = collections.namedtuple(
    'Verdict', 'entries reference ours theirs difference spread limit within text '
               'arithmetic notes')
Verdict.__new__.__defaults__ = (None,) * 8 + ((),)
Verdict.__doc__ = """How runs' last test accuracy lies to that of their reference.

ours, theirs: mean last test accuracies. difference: ours minus theirs. spread: of one
run. limit: what the difference stays within, with 95% confidence, if both sides are
draws of one distribution. within: whether it does. All of these are None where the
text, which is the verdict, says why there is none. arithmetic: where spread and limit
come from, in words. notes: list of what must be said with it.
"""

Section = collections.namedtuple(
    'Section', 'protocol steps entries groups references seeds verdicts')
Section.__doc__ = """The runs of one protocol and length; groups: list of `Group`."""

Comparison = collections.namedtuple(
    'Comparison', 'entries first_lines sections agreements')
Comparison.__doc__ = """Runs compared.

agreements: list of pairs of `Entry` and `agreement.Agreement`, with the first log of its
reference, for the entries whose reference has logs.
"""

# Last test accuracies of one network under one protocol, and of comparable methods.
_FAMILY = [facts.last for facts in published_runs.MHE_RUNS.values()
           if facts.regularizer == 'half_mhe']
SPREAD_SOURCE = (
    'standard deviation of the last test accuracies of the %d published half-space MHE '
    'runs (%s: CNN-9 on CIFAR-100, 42,500 steps, one run for each power, no seed set), '
    'taken to hold for both protocols; differences between the powers are in it too, '
    'so that it is rather too large' % (
        len(_FAMILY), ', '.join('%.4f' % value for value in _FAMILY)))
CAVEAT = (
    'A single published run says nothing about other seeds. How much its last 20 '
    'evaluations vary is the wobble of one run, and smaller; the sampling error of '
    '10,000 test images (0.0043 at 0.75) is not counted, since all runs are tested on '
    'the same images.')


def published_reference(name):
  """The `Reference` of a run of `published_runs.ALL`."""
  facts = published_runs.ALL[name]
  first = collections.OrderedDict(
      (quantity, getattr(facts, quantity)) for quantity in published_runs.QUANTITIES)
  return Reference(
      'published ' + name,
      run_settings.Schedule(facts.protocol, facts.protocol.steps, True),
      run_settings.of_published(facts), None if facts.fit is None else first,
      dict(facts.tests or {}), [facts.last], facts.best, facts.median,
      facts.final_train, [], facts.note,
      '%s, %d run' % (facts.source, facts.runs))


def recorded_reference(path, runs):
  """The `Reference` that recorded runs make; the first one's where it is about one.

  Raises:
    recorded_run.ReadError: they are not of one experiment.
  """
  entries = [_entry(number, run, lambda run: None)
             for number, run in enumerate(runs, 1)]
  groups = _groups(entries)
  if len(groups) > 1:
    raise recorded_run.ReadError(
        '%s holds runs of %d different settings; name one of them'
        % (path, len(groups)))
  first, final = entries[0], entries[0].final
  line = recorded_run.first_line(first.run)
  done = [entry for entry in groups[0].entries if entry.finished]
  return Reference(
      os.path.basename(os.path.normpath(path)), first.schedule, first.settings,
      line[1] if line and line[0] == 0 else None, dict(recorded_run.tests(first.run)),
      [entry.final['last']['test_acc'] for entry in done],
      final and (final['best']['test_acc'], final['best']['step']),
      final and final['median_of_last_20']['test_acc'],
      recorded_run.last_line(first.run),
      [entry.run.curves for entry in groups[0].entries], None, '%s, %d run%s' % (
          path, len(groups[0].entries), '' if len(groups[0].entries) == 1 else 's'))


def compare(runs, reference=None):
  """Compares runs.

  Args:
    runs: list of `recorded_run.Run`.
    reference: `Reference` for all of them, or None for the published run of each
      one's own method.

  Returns:
    `Comparison`.
  """
  known = {}

  def reference_of(run):
    if reference is not None:
      return reference
    name = run_settings.variant_of(run)
    if name is not None and name not in known:
      known[name] = published_reference(name)
    return known.get(name)

  entries = [_entry(number, run, reference_of) for number, run in enumerate(runs, 1)]
  sections = collections.OrderedDict()
  for entry in entries:
    length = entry.schedule.protocol, entry.schedule.steps
    sections.setdefault(length, []).append(entry)
  return Comparison(entries, [_first_line(entry) for entry in entries],
                    [_section(protocol, steps, members)
                     for (protocol, steps), members in sections.items()],
                    [(entry, _agreement(entry)) for entry in entries
                     if entry.reference and entry.reference.curves])


def _agreement(entry):
  reference = entry.reference
  return agreement.of_logs(
      reference.label, entry.run.curves, reference.curves[0],
      entry.schedule.protocol.lr_drops, reference.schedule.protocol.lr_drops)


def _entry(number, run, reference_of):
  schedule = run_settings.schedule_of(run)
  final = recorded_run.final(run)
  finished = bool(final) and final['last']['step'] == schedule.steps - 1
  return Entry(number, run, run_settings.of_run(run), schedule, finished, final,
               reference_of(run))


def numbers(entries):
  """'#1 #2 #5', or '#1 to #9' where that is long."""
  first, last = entries[0].number, entries[-1].number
  if last - first == len(entries) - 1 > 2:
    return '#%d to #%d' % (first, last)
  return ' '.join('#%d' % entry.number for entry in entries)


def _section(protocol, steps, entries):
  references = []
  for entry in entries:
    if entry.reference and entry.reference.schedule.protocol == protocol and (
        entry.reference not in references):
      references.append(entry.reference)
  groups = _groups(entries)
  return Section(protocol, steps, entries, groups, references,
                 list(filter(None, map(_seeds, groups))), list(map(_verdict, groups)))


def _groups(entries):
  """Pools runs of one experiment, whose seeds differ."""
  pools = collections.OrderedDict()
  for entry in entries:
    if entry.settings is None:
      # A bare log: those of one folder are taken to differ by their seeds alone.
      label = os.path.dirname(entry.run.key), entry.schedule
      seed = recorded_run.first_line(entry.run)
      seed = str(seed) if seed else entry.run.key
    else:
      label = json.dumps({name: value for name, value in entry.settings.items()
                          if name != 'random_seed'}, sort_keys=True)
      seed = str(entry.settings.get('random_seed'))
    pool = pools.setdefault(label, (collections.OrderedDict(), []))
    if seed in pool[0]:
      pool[1].append(entry)
    else:
      pool[0][seed] = entry
  return [Group(list(by_seed.values()), repeats) for by_seed, repeats in pools.values()]


def _lasts(entries):
  return [entry.final['last']['test_acc'] for entry in entries if entry.finished]


def _seeds(group):
  values = _lasts(group.entries)
  if len(values) < 2:
    return None
  return Seeds([entry for entry in group.entries if entry.finished],
               sum(values) / len(values), seed_statistics.spread(values).sd,
               seed_statistics.bootstrap_interval(values))


def _verdict(group):
  entries = [entry for entry in group.entries if entry.finished]
  first, reference = group.entries[0], group.entries[0].reference
  notes = ['%s repeats a seed and is left out' % numbers([entry])
           for entry in group.repeats]
  reason = _no_verdict(first, entries, reference)
  if reason:
    return Verdict(group.entries, reference, text=reason, notes=notes)
  ours, theirs = _lasts(entries), reference.lasts
  spreads, sources = _spreads(first, ours, theirs)
  if not spreads:
    return Verdict(group.entries, reference, notes=notes, text=(
        'none: one run each says nothing about the spread of seeds, and the published '
        'runs only about CNN-9 on CIFAR-100'))
  spread = seed_statistics.pooled(spreads)
  t = seed_statistics.student_t(spread.freedom)
  limit = t * spread.sd * (1. / len(ours) + 1. / len(theirs)) ** 0.5
  means = sum(ours) / len(ours), sum(theirs) / len(theirs)
  difference = means[0] - means[1]
  within = abs(difference) <= limit + 1e-9   # what rounding leaves of 0
  arithmetic = (
      'spread of one run: %.4f, %s. Limit: %.4f = %.3f x %.4f x sqrt(1/%d + 1/%d), '
      'with Student\'s t for 95%% and %d degree%s of freedom' % (
          spread.sd, '; pooled with '.join(sources), limit, t, spread.sd, len(ours),
          len(theirs), spread.freedom, '' if spread.freedom == 1 else 's'))
  if first.settings is None:
    notes.append('the log does not record its settings, which are taken to be the same')
  if len(entries) < len(group.entries):
    notes.append('without %s, not finished' % numbers(
        [entry for entry in group.entries if not entry.finished]))
  if reference.note:
    notes.append(reference.note)
  return Verdict(
      entries, reference, means[0], means[1], difference, spread.sd, limit, within,
      '%s the spread expected of one run' % (
          'within' if within else 'above' if difference > 0 else 'below'),
      arithmetic, notes)


def _no_verdict(first, finished, reference):
  """Why there is nothing to tell of a group, or None."""
  if reference is None:
    return ('none: no published run of this method is known; --against names one, or a '
            'folder of logs')
  if reference.schedule.protocol != first.schedule.protocol:
    return 'none: %s is of another protocol, %s' % (
        reference.label, protocol_in_words(*reference.schedule[:2]))
  if reference.schedule.steps != first.schedule.steps:
    return 'none: %s steps are trained, %s had %s' % (
        '{:,}'.format(first.schedule.steps), reference.label,
        '{:,}'.format(reference.schedule.steps))
  if first.settings is not None and reference.settings is not None:
    names = set(first.settings) - run_settings.DRAWS
    differing = run_settings.differences(first.settings, reference.settings, names)
    if differing:
      return 'none: other settings than %s: %s' % (
          reference.label, ', '.join(differing))
  if not finished:
    return 'not before the last step'
  if not reference.lasts:
    return 'none: %s is not finished' % reference.label
  return None


def _spreads(first, ours, theirs):
  """Estimates of the spread of one run, and where each comes from."""
  spreads, sources = [], []
  for values, whose in ((ours, 'runs here'), (theirs, 'runs compared with')):
    if len(values) > 1:
      spreads.append(seed_statistics.spread(values))
      sources.append('standard deviation of the %d %s' % (len(values), whose))
  network = dict(dataset='cifar100', model='cnn9', width=1, depth=9)
  if not run_settings.differences(first.settings or {}, network):
    spreads.append(seed_statistics.spread(_FAMILY))
    sources.append(SPREAD_SOURCE)
  return spreads, sources


def protocol_in_words(protocol, steps):
  """'75,000 steps, rate drops at 30,000, 50,000, 65,000'"""
  drops = ', '.join(map('{:,}'.format, protocol.lr_drops))
  text = '{:,} steps, {}'.format(
      protocol.steps, 'rate drops at ' + drops if drops else 'no rate drop')
  return text if steps == protocol.steps else 'the first {:,} of {}'.format(steps, text)


def _first_line(entry):
  reference = entry.reference
  line = recorded_run.first_line(entry.run)
  missing = _nothing_to_compare(line, reference)
  if missing:
    return FirstLine(entry, {}, None, missing)
  figures = collections.OrderedDict(
      (name, ('%.4f' % line[1][name] if name in line[1] else None,
              '%.4f' % reference.first[name]))
      for name in published_runs.QUANTITIES if name in reference.first)
  differing = [name for name, (ours, theirs) in figures.items() if ours != theirs]
  if not differing:
    return FirstLine(entry, figures, True,
                     'match: all figures of iter_0, to the last digit')
  return FirstLine(entry, figures, False, '%s. %s' % (
      _which_differ(figures, differing), _why(entry, reference, differing)))


def _nothing_to_compare(line, reference):
  """Why two lines of step 0 cannot be compared, or None."""
  if line is None:
    return 'there is no training line'
  if line[0] != 0:
    return ('its first training line is of step %s, not 0, so that there is nothing to '
            'compare' % '{:,}'.format(line[0]))
  if reference is None:
    return 'no published run of this method is known'
  if reference.first is None:
    return '%s has no line of step 0' % reference.label
  return None


def _which_differ(figures, differing):
  kept = [name for name in figures if name not in differing]
  text = '%s differ%s' % (' '.join(differing), 's' if len(differing) == 1 else '')
  if kept:
    text += '; %s match%s to the last digit' % (
        ' '.join(kept), 'es' if len(kept) == 1 else '')
  if {'reg', 'thom', 'thomf'} <= set(kept):
    text += ', so that the initial weights and projections are the same'
  return text


def _why(entry, reference, differing):
  """Why figures of the first line may differ."""
  if entry.settings is None or reference.settings is None:
    seed = (reference.settings or {}).get('random_seed')
    return ('A log does not say why: another seed%s, another numbering of op seeds '
            'than TensorFlow 1.8 to 1.12 give, other settings, data or batch size' % (
                '' if seed is None else ' than %s' % seed))
  names = {name for quantity in differing for name in run_settings.DECISIVE[quantity]}
  if 'iters' not in reference.settings:
    names.discard('base_lr')   # it only moves projections that are trained
  reasons = run_settings.differences(entry.settings, reference.settings, names)
  if reasons:
    return 'It has ' + ', '.join(reasons)
  return ('No recorded flag explains it%s sums in another order, if only the last digit '
          'differs' % (': other data, perhaps; or'
                       if entry.settings.get('data_md5') is None else ', and the data '
                       'are the same: another version of this project, perhaps; or'))
