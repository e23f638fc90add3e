"""Runs beside the cells of the authors' tables that they have the settings of.

No verdict: a cell is one run, mostly of unknown schedule and choice of step, and the
lowest of many test errors is chosen on the test set.
"""
import collections

from comhe_tf1.comparison import published_tables
from comhe_tf1.comparison import verdicts

Beside = collections.namedtuple('Beside', 'entry cell lowest last saying')
Beside.__doc__ = """A run, `verdicts.Entry`, beside a cell, `published_tables.Cell`.

lowest, last: 100 - 100 * best, and last, test accuracy of the run; None where it is not
finished. saying: what is known of the cell, and what the run has otherwise.
"""

HOW = ('Test errors in percent; published: of the authors\' slides (%s), one run each. '
       'Ten of their cells are the lowest of all test errors of one released log, so '
       'that the run\'s lowest, 100 - 100 best, stands beside them. It is chosen on the '
       'test set; the headline is the last. No verdict follows from these.'
       % published_tables.SOURCE)
HEADINGS = ['', 'published', 'lowest', 'last', 'note']


def beside(entries):
  """The cells that runs have the settings of.

  Args:
    entries: list of `verdicts.Entry`.

  Returns:
    List of `Beside`; a run may be beside several cells, or none.
  """
  found = []
  for entry in entries:
    for match in published_tables.matches(entry.settings or {}):
      final = entry.final if entry.finished else None
      found.append(Beside(
          entry, match.cell, final and error_of(final['best']),
          final and error_of(final['last']), saying(match)))
  return found


def error_of(figure):
  """Test error in percent of a figure of `final_figures`."""
  return 100 - 100 * figure['test_acc']


def saying(match):
  """What must be said of a cell beside a run, in words."""
  words = published_tables.known_of(match.cell)
  if match.otherwise:
    words += '; this run has ' + ', '.join(match.otherwise)
  return words[:1].upper() + words[1:] + '.'


def rows(found):
  """The rows of a table, headings first; the last column is of marks, see `notes`."""
  marks = _marks(found)
  return [HEADINGS] + [[
      '#%d, %s' % (each.entry.number, published_tables.label(each.cell)),
      published_tables.shown_error(each.cell)] + [
          '-' if error is None else '%.2f' % error
          for error in (each.lowest, each.last)] + [marks[each.saying]]
          for each in found]


def notes(found):
  """What is to be said below the table, with the marks of the rows it is of."""
  return [HOW] + ['(%s) %s' % (mark, text) for text, mark in _marks(found).items()]


def _marks(found):
  """A number for every saying."""
  sayings = collections.OrderedDict.fromkeys(each.saying for each in found)
  return collections.OrderedDict(
      (text, str(i)) for i, text in enumerate(sayings, 1))


def as_json(found):
  """As content for JSON, one dict for every run beside a cell."""
  return [{
      'run': each.entry.number, 'lowest_chosen_on_the_test_set': each.lowest,
      'last': each.last, 'saying': each.saying, 'cell': {
          'label': published_tables.label(each.cell),
          'test_error_percent': each.cell.error,
          'places': [place._asdict() for place in each.cell.places],
          'source': published_tables.SOURCE, 'settings': each.cell.settings,
          'settings_not_stated': sorted(each.cell.doubtful),
          'lowest_of_log': each.cell.log,
          'steps': [protocol.steps for protocol in each.cell.protocols]}}
          for each in found]


def as_csv(found):
  """As rows for CSV, in the columns of `tables.as_csv`.

  A cell's row has its run's number, and what is known of the cell's own schedule.
  """
  table, told = [], set()
  for each in found:
    entry, protocols = each.entry, each.cell.protocols
    number = '#%d' % entry.number
    if each.cell.error is not None:
      table.append([' or '.join('%d steps' % protocol.steps for protocol in protocols)
                    + ('' if each.cell.log else ', concluded' if not protocols[1:] else
                       ', not known which'), number,
                    published_tables.SOURCE, 'published_test_error_percent: '
                    + published_tables.label(each.cell), '', '%.2f' % each.cell.error])
    if each.last is not None and number not in told:
      told.add(number)
      words = verdicts.protocol_in_words(entry.schedule.protocol, entry.schedule.steps)
      for quantity, name, error in (
          ('lowest_test_error_percent_chosen_on_the_test_set', 'best', each.lowest),
          ('last_test_error_percent', 'last', each.last)):
        table.append([words, number, entry.run.name, quantity,
                      entry.final[name]['step'], '%.2f' % error])
  return table
