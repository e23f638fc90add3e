"""A comparison as headings, lines and tables: text, Markdown, JSON, CSV."""
import collections
import csv
import io
import json
import math
import textwrap

from comhe_tf1.comparison import agreement
from comhe_tf1.comparison import batches
from comhe_tf1.comparison import cells
from comhe_tf1.comparison import seed_statistics
from comhe_tf1.comparison import verdicts
from comhe_tf1.published import published_runs
from comhe_tf1.records import recorded_run
from comhe_tf1.records import run_settings
from comhe_tf1.utils import text_table

Block = collections.namedtuple('Block', 'title notes rows')
Block.__doc__ = """A part of a comparison.

title: str. notes: list of str, below the table. rows: list of lists of str, the first
one the headings; empty for no table.
"""

NONE = '-'
WIDTH = 88


def blocks(compared):
  """The parts of a `verdicts.Comparison`, list of `Block`."""
  parts = [Block('Runs', [entry_in_words(entry) for entry in compared.entries], []),
           _first_lines(compared)] + _agreements(compared)
  for section in compared.sections:
    parts += _section(section)
  found = cells.beside(compared.entries)
  if found:
    parts.append(Block('The authors\' tables', cells.notes(found), cells.rows(found)))
  return [part for part in parts if part.rows or part.notes]


def entry_in_words(entry):
  """A line on a run: number, path, settings, seed, how far it is."""
  if entry.settings is None:
    words = ['a log, which does not record its settings']
  else:
    words = [run_settings.described(entry.settings),
             'seed %s' % entry.settings.get('random_seed')]
    words += filter(None, [run_settings.data(entry.settings)])
  if entry.run.environments:
    words.append('TensorFlow %s' % ' then '.join(_different(
        str(each.get('tensorflow')) for each in entry.run.environments)))
  words.append('finished' if entry.finished else
               'newest line of step %s of %s' % (_steps(_newest(entry)),
                                                 _steps(entry.schedule.steps)))
  if not entry.schedule.known:
    words.append('its protocol concluded from the lines')
  return '#%d %s: %s' % (entry.number, entry.run.name, '; '.join(words))


def _different(values):
  return list(collections.OrderedDict.fromkeys(values))


def _newest(entry):
  return max(curve.steps[-1] for curve in entry.run.curves.values())


def _steps(step):
  return '{:,}'.format(step)


def _accuracy(value):
  return NONE if value is None else '%.4f' % value


def _first_lines(compared):
  rows, notes = [[''] + list(published_runs.QUANTITIES)], []
  for line in compared.first_lines:
    notes.append('#%d: %s.' % (line.entry.number, line.conclusion))
    if line.figures:
      for name, column in ((line.entry.reference.label, 1),
                           ('#%d' % line.entry.number, 0)):
        row = [name] + [line.figures.get(quantity, (None, None))[column] or NONE
                        for quantity in published_runs.QUANTITIES]
        if row not in rows:
          rows.append(row)
  return Block('First line (iter_0), exact digits', notes, rows if rows[1:] else [])


def _agreements(compared):
  """Line by line: how far runs agree with a log, and how far they lie from it then."""
  rows = [['', 'in common', 'agree', 'through step', 'part at', 'run', 'reference']]
  findings, meanings, cells = [], [], []
  for entry, found in compared.agreements:
    finding, meaning = agreement.conclusion(found)
    findings.append('#%d beside %s: %s.%s' % (
        entry.number, found.label, finding, _agreement_notes(found)))
    meanings += [meaning] if meaning else []
    for name, quantity in found.quantities.items():
      label = '#%d %s' % (entry.number, name)
      parting = quantity.parting
      rows.append([label, _steps(quantity.lines), _steps(quantity.agreeing),
                   NONE if quantity.through is None else _steps(quantity.through)] + (
                       [_steps(parting.step), parting.ours, parting.theirs] if parting
                       else [NONE] * 3))
      if parting:
        cells.append((label, {(part.begin, part.end): '%s (%s)' % (
            _deviation(part.largest), _deviation(part.median))
                              for part in quantity.parts}))
  told = batches.beside(compared.agreements)
  return [
      Block('Line by line, to one unit of the last digit', findings + _different(meanings),
            rows if rows[1:] else []),
      Block('Deviation from the line on at which they part',
            ['The largest and, in brackets, the median absolute deviation of the lines '
             'that both have, in each section between rate drops.'] if cells else [],
            agreement.table_by_section(cells) if cells else []),
      Block('Batches after that line, by the scatter of fit', batches.notes(told),
            batches.rows(told) if told else [])]


def _agreement_notes(found):
  """What was left out of a comparison line by line, as sentences."""
  notes = ''
  if found.until is not None:
    notes += ' Compared before step %s, where the schedules part.' % _steps(found.until)
  for whose, field in (('the run', 'only_ours'), (found.label, 'only_theirs')):
    count = sum(getattr(quantity, field) for name, quantity in found.quantities.items()
                if name in ('fit', agreement.TEST))
    if count:
      notes += ' %s line%s of %s alone between those in common %s out.' % (
          _steps(count), '' if count == 1 else 's', whose,
          'is left' if count == 1 else 'are left')
  return notes


def _deviation(value):
  return '%.4f' % value if value < 1e6 else '%.4g' % value


def _section(section):
  title = verdicts.protocol_in_words(section.protocol, section.steps)
  names = ['#%d' % entry.number for entry in section.entries]
  # References of another length have their milestones only.
  same_length = [reference if reference.schedule.steps == section.steps else None
                 for reference in section.references]
  names += [reference.label for reference in section.references]
  parts = [
      _table('Test accuracy: ' + title, 'after step', names, _accuracy_rows(
          section, same_length), _accuracy_notes(section)),
      _table('Last training line: ' + title, '', names, _loss_rows(
          section, same_length), [])]
  if section.seeds:
    parts.append(Block('Several seeds, last test accuracy: ' + title, [
        'sd: standard deviation of one run. Interval: %g%% bootstrap interval of the '
        'mean (%s resamples, percentile), too narrow for a handful of runs.' % (
            100 * seed_statistics.CONFIDENCE,
            _steps(seed_statistics.RESAMPLES))], [
                ['runs', 'n', 'mean', 'sd', 'interval of the mean']] + [
                    [verdicts.numbers(seeds.entries), str(len(seeds.entries)),
                     '%.4f' % seeds.mean, '%.4f' % seeds.sd,
                     '%.4f to %.4f' % seeds.interval] for seeds in section.seeds]))
  return parts + [_verdicts('Verdict: ' + title, section.verdicts)]


def _verdicts(title, told):
  rows = [['runs', 'last', 'compared with', 'last', 'difference', 'in spreads',
           'limit']]
  sayings, notes = [], []
  for verdict in told:
    runs = verdicts.numbers(verdict.entries)
    sayings.append('%s: %s%s.' % (runs, verdict.text, ''.join(
        '; ' + note for note in verdict.notes)))
    if verdict.within is None:
      continue
    rows.append([runs, '%.4f' % verdict.ours, verdict.reference.label,
                 '%.4f' % verdict.theirs, '%+.4f' % verdict.difference,
                 '%+.2f' % (verdict.difference / verdict.spread) if verdict.spread
                 else NONE, '%.4f' % verdict.limit])
    notes.append('%s%s.' % (verdict.arithmetic[:1].upper(), verdict.arithmetic[1:]))
  if notes:
    notes.append(verdicts.CAVEAT)
  return Block(title, sayings + _different(notes), rows if rows[1:] else [])


def _table(title, corner, names, rows, notes):
  """A block without the columns in which there is nothing."""
  kept = [i for i in range(len(names)) if any(row[i + 1] != NONE for row in rows)]
  table = [[corner] + [names[i] for i in kept]] + [
      [row[0]] + [row[i + 1] for i in kept] for row in rows]
  return Block(title, notes, table if kept else [])


def _accuracy_rows(section, same_length):
  return (_milestone_rows(section) + _unfinished_rows(section)
          + _final_rows(section, same_length))


def _milestone_rows(section):
  curves = [dict(recorded_run.tests(entry.run)) for entry in section.entries]
  curves += [reference.tests for reference in section.references]
  return [[_steps(step)] + [_accuracy(curve.get(step)) for curve in curves]
          for step in section.protocol.milestones
          if step < section.steps and any(step in curve for curve in curves)]


def _unfinished_rows(section):
  unfinished = [entry for entry in section.entries
                if not entry.finished and entry.final]
  if not unfinished:
    return []
  return [[label] + [show(entry.final['last'][name]) if entry in unfinished else NONE
                     for entry in section.entries] + [NONE] * len(section.references)
          for label, show, name in (('newest, not finished', _accuracy, 'test_acc'),
                                    ('  of step', _steps, 'step'))]


def _final_rows(section, same_length):
  """The headline and what else is told of a finished run; see `recorded_run.final`."""
  finals = [entry.final if entry.finished else None for entry in section.entries]

  def row(label, of_final, of_reference):
    return [label] + [NONE if final is None else of_final(final) for final in finals] + [
        NONE if reference is None else of_reference(reference)
        for reference in same_length]

  return [
      row('last (%s), the headline' % _steps(section.steps - 1),
          lambda final: _accuracy(final['last']['test_acc']),
          lambda reference: _accuracy(reference.lasts[0] if reference.lasts else None)),
      row('best, chosen on the test set',
          lambda final: _accuracy(final['best']['test_acc']),
          lambda reference: _accuracy(reference.best and reference.best[0])),
      row('  of step', lambda final: _steps(final['best']['step']),
          lambda reference: _steps(reference.best[1]) if reference.best else NONE),
      row('median of the last 20',
          lambda final: _accuracy(final['median_of_last_20']['test_acc']),
          lambda reference: _accuracy(reference.median))]


def _accuracy_notes(section):
  notes = ['%s: %s%s.' % (
      reference.label, reference.source,
      '; ' + reference.note if reference.note else '')
           for reference in section.references if (
               reference.schedule.steps == section.steps
               or min(reference.tests or [section.steps]) < section.steps)]
  short = [entry for entry in section.entries if entry.finished
           and entry.final['median_of_last_20']['evaluations'] < 20]
  if short:
    notes.append('%s: fewer than 20 evaluations, all of which the median is of.'
                 % verdicts.numbers(short))
  return notes


def _loss_rows(section, same_length):
  lines = [recorded_run.last_line(entry.run) for entry in section.entries]
  lines += [reference and reference.final_train for reference in same_length]
  rows = [['step'] + [_steps(line[0]) if line else NONE for line in lines]]
  for name in published_runs.QUANTITIES:
    rows.append([name] + ['%.4f' % line[1][name] if line and name in line[1] else NONE
                          for line in lines])
  return rows


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
      cells = [[_escaped(cell) for cell in row] for row in part.rows]
      cells.insert(1, ['---'] + ['---:'] * (len(part.rows[0]) - 1))
      lines += ['| %s |' % ' | '.join(row) for row in cells] + ['']
    for note in part.notes:
      lines.append('- ' + _escaped(note))
    if part.notes:
      lines.append('')
  return lines[:-1]


def _escaped(cell):
  for character in '\\`*_[]<>|#':
    cell = cell.replace(character, '\\' + character)
  return cell


def as_json(compared):
  """A comparison as JSON text; what is not finite is null."""
  return json.dumps(_plain({
      'runs': [{
          'number': entry.number, 'path': entry.run.name, 'settings': entry.settings,
          'protocol': _protocol(entry.schedule.protocol),
          'protocol_recorded': entry.schedule.known, 'steps': entry.schedule.steps,
          'finished': entry.finished, 'final': entry.final,
          'test_acc': recorded_run.tests(entry.run),
          'last_train_line': recorded_run.last_line(entry.run),
          'environments': entry.run.environments} for entry in compared.entries],
      'first_lines': [{
          'run': line.entry.number, 'match': line.matches,
          'reference': line.entry.reference and line.entry.reference.label,
          'figures': {name: {'run': ours, 'reference': theirs}
                      for name, (ours, theirs) in line.figures.items()},
          'conclusion': line.conclusion} for line in compared.first_lines],
      'agreements': [_agreement_as_json(*pair) for pair in compared.agreements],
      'batches': batches.as_json(batches.beside(compared.agreements)),
      'published_cells': cells.as_json(cells.beside(compared.entries)),
      'sections': [{
          'protocol': _protocol(section.protocol), 'steps': section.steps,
          'runs': [entry.number for entry in section.entries],
          'references': [{
              'label': reference.label, 'source': reference.source,
              'note': reference.note, 'settings': reference.settings,
              'test_acc': sorted(reference.tests.items()), 'last': reference.lasts,
              'best_chosen_on_the_test_set': reference.best,
              'median_of_last_20': reference.median,
              'last_train_line': reference.final_train,
              'first_line': reference.first} for reference in section.references],
          'seeds': [dict(seeds._asdict(), entries=_numbers(seeds.entries))
                    for seeds in section.seeds],
          'verdicts': [dict(verdict._asdict(), entries=_numbers(verdict.entries),
                            reference=verdict.reference and verdict.reference.label)
                       for verdict in section.verdicts]}
                   for section in compared.sections]}), indent=2, sort_keys=True)


def _agreement_as_json(entry, found):
  finding, meaning = agreement.conclusion(found)
  return {
      'run': entry.number, 'reference': found.label, 'compared_before_step': found.until,
      'conclusion': finding, 'meaning': meaning, 'quantities': {
          name: {
              'lines_in_common': quantity.lines, 'agreeing_from_the_start':
                  quantity.agreeing, 'first_step': quantity.first,
              'through_step': quantity.through, 'lines_of_the_run_alone':
                  quantity.only_ours, 'lines_of_the_reference_alone':
                  quantity.only_theirs,
              'parting': quantity.parting and {
                  'step': quantity.parting.step, 'run': quantity.parting.ours,
                  'reference': quantity.parting.theirs},
              'deviations': [part._asdict() for part in quantity.parts]}
          for name, quantity in found.quantities.items()}}


def _numbers(entries):
  return [entry.number for entry in entries]


def _protocol(protocol):
  return {'steps': protocol.steps, 'lr_drops': protocol.lr_drops}


def _plain(content):
  if isinstance(content, dict):
    return {name: _plain(value) for name, value in content.items()}
  if isinstance(content, (list, tuple)):
    return [_plain(value) for value in content]
  return (None if isinstance(content, float) and not math.isfinite(content)
          else content)


def as_csv(compared):
  """A comparison as CSV text: a figure a row, each with its protocol."""
  file = io.StringIO()
  writer = csv.writer(file, lineterminator='\n')
  writer.writerow(['protocol', 'run', 'path_or_source', 'quantity', 'step', 'value'])
  agreements = {entry.number: found for entry, found in compared.agreements}
  told = {each.entry.number: each for each in batches.beside(compared.agreements)}
  for section in compared.sections:
    protocol = verdicts.protocol_in_words(section.protocol, section.steps)
    for entry in section.entries:
      tests = dict(recorded_run.tests(entry.run))
      final = entry.final if entry.finished else None
      best = final and (final['best']['test_acc'], final['best']['step'])
      _write(writer, [protocol, '#%d' % entry.number, entry.run.name], {
          step: tests[step] for step in section.protocol.milestones if step in tests},
             final and final['last']['test_acc'], best,
             final and final['median_of_last_20']['test_acc'],
             recorded_run.last_line(entry.run), section.steps)
      if entry.number in agreements:
        _write_agreement(writer, [protocol, '#%d' % entry.number, entry.run.name],
                         agreements[entry.number])
      if entry.number in told:
        writer.writerows([protocol, '#%d' % entry.number, entry.run.name] + row
                         for row in batches.csv_rows(told[entry.number]))
    for reference in section.references:
      whole = reference.schedule.steps == section.steps
      _write(writer, [protocol, reference.label, reference.source], {
          step: value for step, value in sorted(reference.tests.items())
          if step in section.protocol.milestones and step < section.steps},
             reference.lasts[0] if whole and reference.lasts else None,
             reference.best if whole else None, reference.median if whole else None,
             reference.final_train if whole else None, section.steps)
  writer.writerows(cells.as_csv(cells.beside(compared.entries)))
  return file.getvalue()


def _write(writer, head, milestones, last, best, median, train, steps):
  def row(quantity, step, value):
    if value is not None:
      writer.writerow(head + [quantity, step, '%.4f' % value])

  for step, value in milestones.items():
    row('test_acc', step, value)
  row('last_test_acc', steps - 1, last)
  if best:
    row('best_test_acc_chosen_on_the_test_set', best[1], best[0])
  row('median_of_last_20_test_acc', '', median)
  if train:
    for name, value in train[1].items():
      row('train_' + name, train[0], value)


def _write_agreement(writer, head, found):
  """Rows on a run's log beside another; a step is the one that the value is of."""
  for name, quantity in found.quantities.items():
    name = name.replace(' ', '_')
    writer.writerow(head + [name + '_lines_in_common', '', quantity.lines])
    writer.writerow(head + [name + '_lines_agreeing_from_the_start',
                            '' if quantity.through is None else quantity.through,
                            quantity.agreeing])
    if quantity.parting:
      writer.writerow(head + [name + '_first_differing', quantity.parting.step,
                              quantity.parting.ours])
    for part in quantity.parts:
      where = agreement.section_as_name(part.begin, part.end)
      for kind, step, value in (('largest', part.at, part.largest),
                                ('median', '', part.median)):
        writer.writerow(head + ['%s_%s_deviation_%s' % (name, kind, where), step,
                                _deviation(value)])
