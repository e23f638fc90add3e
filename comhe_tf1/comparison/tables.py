"""A comparison as blocks of headings, tables and notes; as text, Markdown and JSON."""
import collections
import json
import math
import textwrap
import typing

from comhe_tf1.comparison import agreement
from comhe_tf1.comparison import batches
from comhe_tf1.comparison import cells
from comhe_tf1.comparison import seed_statistics
from comhe_tf1.comparison import verdicts
from comhe_tf1.published import published_runs
from comhe_tf1.records import run_settings
from comhe_tf1.utils import text_table

NONE = '-'
WIDTH = 88
# Fields that JSON leaves out: whole logs, and lists as long as these.
_LARGE = frozenset(['run', 'curves', 'common_steps', 'deviations'])


class Block(typing.NamedTuple):
  """A part of a comparison.

  notes: list of str, below the table. rows: list of lists of str, the first one the
  headings; empty for no table.
  """
  title: str
  notes: list
  rows: list


def blocks(compared):
  """The parts of a `verdicts.Comparison`, list of `Block`."""
  parts = [Block('Runs', list(map(describe, compared.entries)), []),
           _first_lines(compared.first_lines)]
  parts += _line_by_line(compared.line_by_line)
  for section in compared.sections:
    parts += _section(section)
  parts.append(_cells(compared.cells))
  return [part for part in parts if part.rows or part.notes]


def describe(entry):
  """A line on a run: number, path, settings, seed, how far it is."""
  if entry.settings is None:
    words = ['a log, which does not record its settings']
  else:
    words = [run_settings.described(entry.settings), f'seed {entry.seed}']
    words += filter(None, [run_settings.data(entry.settings)])
  if entry.environments:
    words.append('TensorFlow ' + ' then '.join(_different(
        str(each.get('tensorflow')) for each in entry.environments)))
  words.append('finished' if entry.finished else
               f'unfinished: at step {entry.newest:,} of {entry.schedule.steps:,}')
  if not entry.schedule.known:
    words.append('its schedule is not recorded; it is assumed from the lines')
  return f'#{entry.number} {entry.path}: {"; ".join(words)}'


def _different(values):
  return list(collections.OrderedDict.fromkeys(values))


def _show(form, value):
  return NONE if value is None else format(value, form)


def _if_any(title, notes, rows):
  """A block, without its table if that has headings alone."""
  return Block(title, notes, rows if rows[1:] else [])


def _first_lines(lines):
  rows, notes = [[''] + list(published_runs.QUANTITIES)], []
  for line in lines:
    notes.append(f'#{line.entry.number}: {line.conclusion}.')
    if line.figures:
      for name, column in ((line.entry.reference.label, 1), (f'#{line.entry.number}', 0)):
        row = [name] + [line.figures.get(quantity, (None, None))[column] or NONE
                        for quantity in published_runs.QUANTITIES]
        if row not in rows:
          rows.append(row)
  return _if_any('First training line (iter_0)', notes, rows)


def _line_by_line(compared):
  """How far runs agree with a log, how far apart they are then, and the batches."""
  rows = [['', 'common lines', 'matching lines', 'last matching', 'first differing',
           'this run', 'the other']]
  findings, meanings, deviations = [], [], []
  for entry, label, agreed, _ in compared:
    findings.append(f'#{entry.number} beside {label}: {agreed.finding}.'
                    + _left_out(label, agreed))
    meanings += filter(None, [agreed.meaning])
    for name, found in agreed.quantities.items():
      name, first = f'#{entry.number} {name}', found.first_difference
      rows.append([name, f'{found.lines:,}', f'{found.agreeing:,}',
                   _show(',', found.last_matching_step)] + (
                       [f'{first.step:,}', first.ours, first.theirs] if first
                       else [NONE] * 3))
      if first:
        deviations.append((name, {
            (part.begin, part.end): f'{_deviation(part.largest)} '
                                    f'({_deviation(part.median)})'
            for part in found.parts}))
  return [
      _if_any('Line by line: how many lines match from the start',
              findings + _different(meanings), rows),
      Block('Deviation from the first differing step on',
            ['The largest and, in brackets, the median absolute deviation of the lines '
             'that both have, in each section between learning-rate decay steps.'],
            _by_section(deviations)) if deviations else Block('', [], []),
      _batches([each for each in compared if each.batches])]


def _left_out(label, agreed):
  """What was left out of a comparison line by line, as sentences."""
  notes = ''
  if agreed.until is not None:
    notes += (f' Only steps before {agreed.until:,} are compared: there the schedules '
              f'begin to differ.')
  for whose, field in (('the run', 'only_ours'), (label, 'only_theirs')):
    count = sum(getattr(found, field) for name, found in agreed.quantities.items()
                if name in ('fit', agreement.TEST))
    if count:
      notes += (f' {count:,} line{"" if count == 1 else "s"} of {whose} that the other '
                f'does not have {"is" if count == 1 else "are"} left out.')
  return notes


def _deviation(value):
  return f'{value:.4f}' if value < 1e6 else f'{value:.4g}'


def _by_section(labelled):
  """Rows of a table with a column for each section, headings first.

  Args:
    labelled: list of pairs of a label and a dict, (begin, end) -> str.
  """
  sections = sorted({section for _, values in labelled for section in values},
                    key=lambda section: (section[0], section[1] or math.inf))
  return [[''] + [agreement.describe_section(*section) for section in sections]] + [
      [label] + [values.get(section, NONE) for section in sections]
      for label, values in labelled]


_ANSWERS = ((True, 'the same batches'), (False, 'different batches'), (None, 'unclear'))


def _batches(compared):
  title = 'Are the batches the same? From the first differing step on'
  if not compared:
    return Block(title, [], [])
  notes = []
  for entry, label, _, sections in compared:
    answers = [(words, [agreement.describe_section(section.begin, section.end)
                        for section in sections if section.same is same])
               for same, words in _ANSWERS]
    notes.append(f'#{entry.number} beside {label}: ' + '; '.join(
        f'{words}: {", ".join(where)}' for words, where in answers if where) + '.')
  return Block(title, notes + [batches.HOW], _by_section([(f'#{entry.number}', {
      (section.begin, section.end): NONE if section.correlation is None else
                                    f'{section.correlation:.2f} ({section.error:.2f})'
      for section in sections}) for entry, _, _, sections in compared]))


def _section(section):
  title = verdicts.describe_protocol(section.protocol, section.steps)
  names = [f'#{entry.number}' for entry in section.entries]
  names += [reference.label for reference in section.references]
  # References of another length have their milestones only.
  same_length = [reference if reference.schedule.steps == section.steps else None
                 for reference in section.references]
  return [
      _table('Test accuracy: ' + title, 'after step', names,
             _milestone_rows(section) + _unfinished_rows(section)
             + _final_rows(section, same_length), _accuracy_notes(section)),
      _table('Last training line: ' + title, '', names,
             _loss_rows(section, same_length), []),
      _seeds('Several seeds, final test accuracy: ' + title, section.seeds),
      _verdicts('Verdict on the final test accuracy: ' + title, section.verdicts)]


def _table(title, corner, names, rows, notes):
  """A block without empty columns."""
  kept = [i for i in range(len(names)) if any(row[i + 1] != NONE for row in rows)]
  table = [[corner] + [names[i] for i in kept]] + [
      [row[0]] + [row[i + 1] for i in kept] for row in rows]
  return Block(title, notes, table if kept else [])


def _milestone_rows(section):
  curves = [dict(entry.tests) for entry in section.entries]
  curves += [reference.tests for reference in section.references]
  return [[f'{step:,}'] + [_show('.4f', curve.get(step)) for curve in curves]
          for step in section.protocol.milestones
          if step < section.steps and any(step in curve for curve in curves)]


def _unfinished_rows(section):
  finals = [None if entry.finished else entry.final for entry in section.entries]
  if not any(finals):
    return []
  return [[label] + [NONE if final is None else format(final['last'][name], form)
                     for final in finals] + [NONE] * len(section.references)
          for label, form, name in (('newest (unfinished)', '.4f', 'test_acc'),
                                    ('  after step', ',', 'step'))]


def _final_rows(section, same_length):
  """The final figures of finished runs; see `recorded_run.final`."""
  finals = [entry.final if entry.finished else {} for entry in section.entries]
  theirs = [each and (each.lasts[:1] or [None], each.best or (None, None), each.median)
            for each in same_length]

  def row(label, form, figure, name, of_reference):
    return [label] + [_show(form, final.get(figure, {}).get(name)) for final in finals] + [
        NONE if each is None else _show(form, of_reference(each)) for each in theirs]

  return [
      row(f'final (step {section.steps - 1:,})', '.4f', 'last', 'test_acc',
          lambda each: each[0][0]),
      row('best (chosen on the test set)', '.4f', 'best', 'test_acc',
          lambda each: each[1][0]),
      row('  after step', ',', 'best', 'step', lambda each: each[1][1]),
      row('median of the last 20', '.4f', 'median_of_last_20', 'test_acc',
          lambda each: each[2])]


def _accuracy_notes(section):
  notes = [f'{reference.label}: {reference.source}'
           f'{"; " + reference.note if reference.note else ""}.'
           for reference in section.references if (
               reference.schedule.steps == section.steps
               or min(reference.tests or [section.steps]) < section.steps)]
  short = [entry for entry in section.entries if entry.finished
           and entry.final['median_of_last_20']['evaluations'] < 20]
  if short:
    notes.append(f'{verdicts.numbers(short)}: the median is of fewer than 20 evaluations.')
  return notes


def _loss_rows(section, same_length):
  lines = [entry.last_line for entry in section.entries]
  lines += [reference and reference.last_line for reference in same_length]
  return [['step'] + [_show(',', line and line[0]) for line in lines]] + [
      [name] + [_show('.4f', line and line[1].get(name)) for line in lines]
      for name in published_runs.QUANTITIES]


def _seeds(title, groups):
  if not groups:
    return Block(title, [], [])
  note = (f'n: number of seeds. sd: standard deviation of one run. The interval is that of '
          f'the mean, at {100 * seed_statistics.CONFIDENCE:g} % (Student\'s t).')
  return Block(title, [note], [['runs', 'n', 'mean', 'sd', '95 % interval']] + [
      [verdicts.numbers(seeds.entries), str(len(seeds.entries)), f'{seeds.mean:.4f}',
       f'{seeds.sd:.4f}', '{:.4f} to {:.4f}'.format(*seeds.interval)] for seeds in groups])


def _verdicts(title, given):
  rows = [['runs', 'final accuracy', 'compared with', 'final accuracy', 'difference',
           'difference / sd', 'limit']]
  verdict_notes, notes = [], []
  for verdict in given:
    runs = verdicts.numbers(verdict.entries)
    verdict_notes.append(f'{runs}: {"; ".join([verdict.text] + verdict.notes)}.')
    if verdict.within is None:
      continue
    rows.append([runs, f'{verdict.ours:.4f}', verdict.reference.label,
                 f'{verdict.theirs:.4f}', f'{verdict.difference:+.4f}',
                 f'{verdict.difference / verdict.spread:+.2f}' if verdict.spread else NONE,
                 f'{verdict.limit:.4f}'])
    notes.append(f'{verdict.arithmetic[:1].upper()}{verdict.arithmetic[1:]}.')
  if notes:
    notes.append(verdicts.CAVEAT)
  return _if_any(title, verdict_notes + _different(notes), rows)


def _cells(found):
  """Runs beside cells; the last column numbers the notes."""
  notes = _different(each.note for each in found)
  rows = [['', 'published error', 'best error', 'final error', 'note']] + [
      [f'#{each.entry.number}, {each.cell.label}', each.cell.shown_error,
       _show('.2f', each.best), _show('.2f', each.final), str(notes.index(each.note) + 1)]
      for each in found]
  return _if_any('Beside the authors\' tables: test error, %', [cells.HOW] + [
      f'({i}) {note}' for i, note in enumerate(notes, 1)] if found else [], rows)


def text(parts):
  """Blocks as lines for the terminal."""
  lines = []
  for part in parts:
    lines += [part.title, '']
    if part.rows:
      # Headings of two words in two lines, which keeps the columns narrow.
      headings = [cell.split(' ', 1) if i else ['', cell]
                  for i, cell in enumerate(part.rows[0])]
      upper = [cell[-2] if len(cell) > 1 else '' for cell in headings]
      rows = [[cell[-1] for cell in headings]] + part.rows[1:]
      if any(upper):
        rows.insert(0, upper)
      lines += ['  ' + line for line in text_table.aligned(rows, {0})]
      lines.append('')
    for note in part.notes:
      lines += textwrap.wrap(note, WIDTH, initial_indent='  ', subsequent_indent='    ',
                             break_long_words=False, break_on_hyphens=False)
    if part.notes:
      lines.append('')
  return lines[:-1]


def markdown(parts):
  """Blocks as lines of Markdown."""
  lines = []
  for part in parts:
    lines += ['### ' + _escaped(part.title), '']
    if part.rows:
      table = [[_escaped(cell) for cell in row] for row in part.rows]
      table.insert(1, ['---'] + ['---:'] * (len(part.rows[0]) - 1))
      lines += ['| ' + ' | '.join(row) + ' |' for row in table] + ['']
    if part.notes:
      lines += ['- ' + _escaped(note) for note in part.notes] + ['']
  return lines[:-1]


def _escaped(cell):
  for character in '\\`*_[]<>|#':
    cell = cell.replace(character, '\\' + character)
  return cell


def as_json(compared):
  """A `verdicts.Comparison` as JSON text; what is not finite is null.

  Runs and references are there once, and are referred to by number and label.
  """
  content = _fields(compared)
  del content['entries']
  content['runs'] = [_fields(entry) for entry in compared.entries]
  content['references'] = [_fields(each) for each in compared.references]
  return json.dumps(content, indent=2, sort_keys=True)


def _fields(record):
  return {name: _plain(value) for name, value in record._asdict().items()
          if name not in _LARGE}


def _plain(value):
  if isinstance(value, verdicts.Entry):
    return value.number
  if isinstance(value, verdicts.Reference):
    return value.label
  if hasattr(value, '_asdict'):
    return _fields(value)
  if isinstance(value, dict):
    return {str(name): _plain(item) for name, item in value.items()}
  if isinstance(value, (list, tuple)):
    return [_plain(item) for item in value]
  return None if isinstance(value, float) and not math.isfinite(value) else value
