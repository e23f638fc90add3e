"""Runs beside the cells of the authors' tables that have the same settings.

There is no verdict: a cell is one run, mostly of unknown schedule and step, and the
best of many test errors is chosen on the test set.
"""
import typing

from comhe_tf1.data import datasets
from comhe_tf1.published import published_runs
from comhe_tf1.records import run_settings


class Match(typing.NamedTuple):
  """A cell whose settings a run has.

  otherwise: list of strings such as '--power 2, not 0', about doubtful settings that
  are different in the run.
  """
  cell: published_runs.Cell
  otherwise: list


class Beside(typing.NamedTuple):
  """A run, `verdicts.Entry`, beside a cell.

  best, final: test errors of the run, in percent; None if it is not finished. note: what
  is known of the cell, and what is different in the run.
  """
  entry: object
  cell: published_runs.Cell
  best: float
  final: float
  note: str


HOW = (f'Published: from the authors\' slides ({published_runs.SOURCE}), one run each, '
       f'where known its minimum error over all evaluations. So compare it with the best '
       f'error. That is chosen on the test set: the result of a run is its final error. '
       f'There is no verdict here.')


def protocol_of(settings):
  """The authors' `published_runs.Protocol` that flags follow to its end, or None."""
  for protocol in (published_runs.MHE, published_runs.COMHE):
    if settings.get('max_steps') == protocol.steps and (
        settings.get('lr_drops') == list(protocol.lr_drops)):
      return protocol
  return None


def matches(settings):
  """The cells that a run is to be shown beside.

  Args:
    settings: flags of the run, as `run_settings.get_settings`.

  Returns:
    List of `Match`: every cell whose settings the run has, except for doubtful ones, and
    whose protocol, or one of them, the run follows. Empty if the data are recorded and
    are not the official ones.
  """
  if 'data_md5' in settings and not datasets.is_official(
      settings.get('dataset'), settings['data_md5']):
    return []
  protocol = protocol_of(settings)
  compared = (Match(cell, _otherwise(cell, settings)) for cell in published_runs.CELLS
              if protocol in cell.protocols)
  return [match for match in compared if match.otherwise is not None]


def _otherwise(cell, settings):
  """As `Match.otherwise`; None if the settings are not the cell's."""
  differing = [name for name, value in cell.settings.items()
               if settings.get(name) != value]
  if any(settings.get(name) not in cell.doubtful.get(name, ()) for name in differing):
    return None
  return run_settings.differences(settings, cell.settings, differing)


def beside(entries):
  """List of `Beside`: for each run the cells that have its settings, maybe none."""
  rows = []
  for entry in entries:
    final = entry.final if entry.finished else None
    for match in matches(entry.settings or {}):
      rows.append(Beside(entry, match.cell, final and error_of(final['best']),
                         final and error_of(final['last']), _note(match)))
  return rows


def error_of(figure):
  """Test error in percent of a figure of `summary_metrics`."""
  return 100 - 100 * figure['test_acc']


def _note(match):
  """What is known of a cell and what is different in the run, as a sentence."""
  cell = match.cell
  if cell.log:
    words = (f'The best test error of the MHE authors\' log {cell.log}, whose schedule is '
             f'known')
  elif cell.protocols[1:]:
    steps = ' or '.join(f'{protocol.steps:,}' for protocol in cell.protocols)
    words = (f'At which step it was measured is not known; the authors\' run had {steps} '
             f'steps')
  else:
    words = ('At which step it was measured is not known; the schedule is assumed from '
             'other cells of the table')
  if cell.doubtful:
    words += '; assumed, not stated by the authors: ' + ', '.join(
        f'--{name} {run_settings.shown(cell.settings[name])}'
        for name in sorted(cell.doubtful))
  if cell.settings['regularizer'] == 'mhe':
    words += f' ({published_runs.ALL["mhe_0"].note})'
  if cell.read_off:
    words += f'; read off a plot, +-{cell.read_off:g}'
  if match.otherwise:
    words += '; this run has ' + '; '.join(match.otherwise)
  return words + '.'
