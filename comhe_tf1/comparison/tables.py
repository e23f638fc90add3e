"""A comparison as blocks of headings, tables and notes; as text, Markdown and JSON."""
import collections
import json
import math
import textwrap
import typing

from comhe_tf1.comparison import agreement
from comhe_tf1.comparison import batches
from comhe_tf1.comparison import cells
from comhe_tf1.comparison import verdicts
from comhe_tf1.published import published_runs
from comhe_tf1.records import run_settings
from comhe_tf1.utils import text_table

NONE = '-'
WIDTH = 88
# Fields that JSON leaves out: whole logs, and lists as long as these.
_LARGE = frozenset(['run', 'curves', 'common_steps', 'deviations'])
_SAME_BATCHES = ((True, 'the same batches'), (False, 'different batches'),
                 (None, 'unclear'))


class Block(typing.NamedTuple):
  """A part of a comparison.

  notes: list of str, below the table. rows: list of lists of str, the first one the
  headings; empty for no table.
  """
  title: str
  notes: list
  rows: list = []


def blocks(compared):
  """The parts of a `verdicts.Comparison`, list of `Block`."""
  parts = [Block('Runs', list(map(describe, compared.entries))),
           _first_lines(compared.first_lines), _line_by_line(compared.line_by_line),
           _deviations(compared.line_by_line), _batches(compared.line_by_line)]
  for section in compared.sections:
    parts += [_accuracies(section), _last_lines(section), _seeds(section),
              _verdicts(section)]
  parts.append(_cells(compared.cells))
  # Headings alone are no table, and a table's explanation is nothing without it.
  parts = [part if part.rows[1:] else part._replace(rows=[]) for part in parts]
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
  return f'{entry.label} {entry.path}: {"; ".join(words)}'


def _different(values):
  return list(collections.OrderedDict.fromkeys(values))


def _show(form, value):
  return NONE if value is None else format(value, form)


def _sentence(text):
  return f'{text[:1].upper()}{text[1:]}.'


def _first_lines(lines):
  rows = [[''] + list(published_runs.QUANTITIES)]
  for line in lines:
    sides = [(line.entry.reference, 1), (line.entry, 0)] if line.figures else []
    for side, column in sides:
      row = [side.label] + [line.figures.get(name, (None, None))[column] or NONE
                            for name in published_runs.QUANTITIES]
      if row not in rows:   # a reference of several runs
        rows.append(row)
  return Block('First training line (iter_0)',
               [f'{line.entry.label}: {line.conclusion}.' for line in lines], rows)


def _line_by_line(compared):
  """How far runs agree with a log."""
  rows = [['', 'common lines', 'matching lines', 'last matching', 'first differing',
           'this run', 'the other']]
  for each in compared:
    for name, quantity in each.agreement.quantities.items():
      first = quantity.first_difference
      rows.append(
          [f'{each.entry.label} {name}', f'{quantity.lines:,}', f'{quantity.agreeing:,}',
           _show(',', quantity.last_matching_step)]
          + ([f'{first.step:,}', first.ours, first.theirs] if first else [NONE] * 3))
  notes = [f'{each.entry.label} and {each.label} have no step in common.'
           for each in compared if not each.agreement.quantities]
  notes += [f'Of {each.entry.label} and {each.label}, only steps before '
            f'{each.agreement.until:,} are compared: there the schedules begin to differ.'
            for each in compared if each.agreement.until is not None]
  return Block('Line by line: how many lines match from the start',
               notes + [agreement.HOW] * bool(rows[1:]), rows)


def _deviations(compared):
  """How far apart runs and a log are from their first difference on."""
  parts = [(f'{each.entry.label} {name}', quantity.parts) for each in compared
           for name, quantity in each.agreement.quantities.items() if quantity.parts]
  notes = ['Absolute deviation of the lines that both logs have: its maximum and, in '
           'brackets, its median, in each section between learning-rate decay steps.']
  return Block('Deviation from the first differing step on', notes if parts else [],
               _by_section(parts, lambda part: f'{_deviation(part.largest)} '
                                               f'({_deviation(part.median)})'))


def _deviation(value):
  return f'{value:.4f}' if value < 1e6 else f'{value:.4g}'


def _batches(compared):
  """Whether runs and a log used the same batches."""
  compared = [each for each in compared if each.batches]
  notes = []
  for each in compared:
    answers = [(words, [agreement.describe_section(section.begin, section.end)
                        for section in each.batches if section.same is same])
               for same, words in _SAME_BATCHES]
    notes.append(f'{each.entry.label} beside {each.label}: ' + '; '.join(
        f'{words}: {", ".join(where)}' for words, where in answers if where) + '.')
  return Block(
      'Are the batches the same? From the first differing step on',
      notes + [batches.HOW] * bool(notes), _by_section(
          [(each.entry.label, each.batches) for each in compared],
          lambda section: NONE if section.correlation is None else
          f'{section.correlation:.2f} ({section.error:.2f})'))


def _by_section(labelled, show):
  """Rows of a table with a column for each section, headings first.

  Args:
    labelled: list of pairs of a label and a list of records with begin and end.
    show: function of a record.
  """
  shown = [(label, {(record.begin, record.end): show(record) for record in records})
           for label, records in labelled]
  sections = sorted({section for _, by_section in shown for section in by_section},
                    key=lambda section: (section[0], section[1] or math.inf))
  return [[''] + [agreement.describe_section(*section) for section in sections]] + [
      [label] + [by_section.get(section, NONE) for section in sections]
      for label, by_section in shown]


def _side_by_side(corner, section, rows):
  """A table with a column for each run and reference, without empty rows and columns.

  Args:
    corner: heading of the first column.
    section: `verdicts.Section`.
    rows: list of label, format, and function of an entry or reference.
  """
  columns = section.entries + section.references
  figures = [[_show(form, figure(column)) for column in columns]
             for _, form, figure in rows]
  kept = [i for i in range(len(columns)) if any(row[i] != NONE for row in figures)]
  return [[corner] + [columns[i].label for i in kept]] + [
      [label] + [row[i] for i in kept] for (label, _, _), row in zip(rows, figures)
      if set(row) != {NONE}]


def _accuracies(section):
  def at(step):
    return lambda column: dict(column.tests).get(step)

  def final(figure, name, finished=True):
    # The final figures of a reference of another length are not comparable.
    return lambda column: (
        column.final[figure].get(name) if column.final and column.finished == finished
        and column.schedule.steps == section.steps else None)

  rows = [(f'{step:,}', '.4f', at(step)) for step in section.protocol.milestones
          if step < section.steps]
  rows += [
      ('newest (unfinished)', '.4f', final('last', 'test_acc', finished=False)),
      ('  after step', ',', final('last', 'step', finished=False)),
      (f'final (step {section.steps - 1:,})', '.4f', final('last', 'test_acc')),
      ('best (chosen on the test set)', '.4f', final('best', 'test_acc')),
      ('  after step', ',', final('best', 'step')),
      ('median of the last 20', '.4f', final('median_of_last_20', 'test_acc'))]
  notes = [f'{reference.label}: {reference.source}'
           f'{"; " + reference.note if reference.note else ""}.'
           for reference in section.references
           if reference.schedule.steps == section.steps
           or any(step < section.steps for step, _ in reference.tests)]
  short = [entry for entry in section.entries if entry.finished
           and entry.final['median_of_last_20']['evaluations'] < 20]
  if short:
    notes.append(f'{verdicts.numbers(short)}: the median is of fewer than 20 evaluations.')
  table = _side_by_side('after step', section, rows)
  return Block('Test accuracy: ' + section.title, notes if table[1:] else [], table)


def _last_lines(section):
  def figure(name):
    return lambda column: (
        dict(column.last_line[1], step=column.last_line[0]).get(name)
        if column.last_line and column.schedule.steps == section.steps else None)

  rows = [('step', ',', figure('step'))] + [
      (name, '.4f', figure(name)) for name in published_runs.QUANTITIES]
  return Block('Last training line: ' + section.title, [],
               _side_by_side('', section, rows))


def _seeds(section):
  rows = [['runs', 'n', 'mean', 'sd', '95 % interval']] + [
      [verdicts.numbers(seeds.entries), str(len(seeds.entries)), f'{seeds.mean:.4f}',
       f'{seeds.sd:.4f}', '{:.4f} to {:.4f}'.format(*seeds.interval)]
      for seeds in section.seeds]
  notes = ['n: number of seeds. sd: standard deviation of one run. The interval is that of '
           'the mean (Student\'s t).']
  return Block('Several seeds, final test accuracy: ' + section.title,
               notes if section.seeds else [], rows)


def _verdicts(section):
  rows = [['runs', 'final accuracy', 'compared with', 'final accuracy', 'difference',
           'difference / sd', 'limit']]
  rows += [[verdicts.numbers(verdict.entries), f'{verdict.ours:.4f}',
            verdict.reference.label, f'{verdict.theirs:.4f}', f'{verdict.difference:+.4f}',
            f'{verdict.difference / verdict.spread:+.2f}' if verdict.spread else NONE,
            f'{verdict.limit:.4f}'] for verdict in section.verdicts
           if verdict.limit is not None]
  notes = [f'{verdicts.numbers(verdict.entries)}: '
           f'{"; ".join([verdict.text] + verdict.notes)}.' for verdict in section.verdicts]
  notes += _different(_sentence(verdict.arithmetic) for verdict in section.verdicts
                      if verdict.arithmetic)
  return Block('Verdict on the final test accuracy: ' + section.title,
               notes + [verdicts.CAVEAT] * bool(rows[1:]), rows)


def _cells(beside):
  """Runs beside cells; the last column numbers the notes."""
  notes = _different(each.note for each in beside)
  rows = [['', 'published error', 'best error', 'final error', 'note']] + [
      [f'{each.entry.label}, {each.cell.label}', each.cell.shown_error,
       _show('.2f', each.best), _show('.2f', each.final), str(notes.index(each.note) + 1)]
      for each in beside]
  return Block('Beside the authors\' tables: test error, %', [cells.HOW] * bool(notes) + [
      f'({i}) {note}' for i, note in enumerate(notes, 1)], rows)


def text(parts):
  """Blocks as lines for the terminal."""
  lines = []
  for part in parts:
    lines += [part.title, '']
    if part.rows:
      # Headings of several words in two lines, which keeps the columns narrow.
      upper, lower = zip(*(cell.rpartition(' ')[::2] for cell in part.rows[0]))
      rows = [upper] * any(upper) + [lower] + part.rows[1:]
      lines += ['  ' + line for line in text_table.aligned(rows, {0})] + ['']
    for note in part.notes:
      lines += textwrap.wrap(note, WIDTH, initial_indent='  ', subsequent_indent='    ',
                             break_long_words=False, break_on_hyphens=False)
    lines += [''] * bool(part.notes)
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
