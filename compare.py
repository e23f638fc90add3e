#!/usr/bin/env python
"""Compares runs with the authors' published ones, or with others."""

import argparse
import os
import sys
import time

FOLDER = os.path.dirname(os.path.realpath(__file__))
if FOLDER not in sys.path:   # with python -P, or run by another program
  sys.path.append(FOLDER)

from comhe_tf1.utils import signals

if __name__ == '__main__':
  signals.end_at_once()   # before what takes time

from comhe_tf1.utils import arguments  # first: it says what is missing

# isort: split
from comhe_tf1.comparison import report
from comhe_tf1.comparison import tables
from comhe_tf1.comparison import verdicts
from comhe_tf1.published import published_runs
from comhe_tf1.records import recorded_run
from comhe_tf1.utils import terminal

PICTURES = ('.pdf', '.png', '.svg')
PANELS = ('accuracy', 'late', 'fit', 'reg', 'thom', 'thomf', 'deviation', 'energy',
          'layers')
INTERVAL = 5   # seconds between the looks of --watch
EPILOG = '''RUN is one of these: a run's folder run_NN; a folder with log_train_NN.txt and
log_test_NN.txt, this project's or the authors' (all its runs are read); one of these two
files (the other is read too); another file with log lines. Runs that differ only in the
seed are pooled, and so are the logs of one folder. Exit status: 0, or 1 if something
could not be read or written; the rest is compared anyway.'''


def picture(text):
  """Type of --plot."""
  if os.path.splitext(arguments.path(text))[1] not in PICTURES:
    raise argparse.ArgumentTypeError(
        f'expected a file name ending in {", ".join(PICTURES)}, got {text!r}')
  return text


def panels(text):
  """Type of --panels."""
  names = text.split(',')
  for name in names:
    if name not in PANELS:
      raise argparse.ArgumentTypeError(
          f'expected names among {", ".join(PANELS)}, separated by commas, got {name!r}')
  return names


def against(text):
  """Type of --against."""
  if text not in published_runs.ALL and not os.path.exists(arguments.path(text)):
    raise argparse.ArgumentTypeError(
        f'expected a folder or file of logs, or one of {", ".join(published_runs.ALL)}, '
        f'got {text!r}')
  return text


def make_parser():
  parser = arguments.Parser(
      prog='compare.py', description='Compare runs with the published ones, or with '
      'others: first line, test accuracies, losses, and whether the final test accuracy '
      'is within the normal variation between seeds. Needs no TensorFlow.', epilog=EPILOG)
  parser.add_argument('runs', type=arguments.path, nargs='+', metavar='RUN',
                      help='run to compare; see the end of this help')
  parser.add_argument(
      '--against', type=against, metavar='WHAT',
      help=f'what to compare with: a published run ({", ".join(published_runs.ALL)}), or '
           f'another RUN, which is also compared line by line (default: the published '
           f'run of the same method)')
  group = parser.add_argument_group('output').add_mutually_exclusive_group()
  group.add_argument('--markdown', action='store_true', help='print Markdown')
  group.add_argument('--json', action='store_true',
                     help='print JSON: everything computed, and all test accuracies')
  group.add_argument(
      '--watch', action='store_true',
      help='print again after every new log line, until all runs are finished')
  parser.add_argument(
      '--plot', type=picture, metavar='FILE',
      help=f'draw curves to a file ending in {" or ".join(PICTURES)}; the seeds of one '
           f'setting become a band; needs matplotlib')
  parser.add_argument(
      '--panels', type=panels, metavar='NAME,...',
      help=f'panels to draw, from {", ".join(PANELS)} (default: all). late: test accuracy '
           f'after the last learning-rate decay step; energy: sum of the energies of all '
           f'layers but the last; layers: terms and energies of each layer. Energies need '
           f'runs with --energy_every')
  parser.add_argument(
      '--labels', type=lambda text: text.split(','), metavar='LABEL,...',
      help='one name per RUN for the plots, in order (default: method and seed)')
  parser.add_argument(
      '--report', type=arguments.path, metavar='FOLDER',
      help='write FOLDER/index.html: one page with tables, plots (if matplotlib is '
           'installed), environment and command of every run')
  return parser


def note(text):
  terminal.note('compare.py', text)


def collect(paths, problems):
  """Reads the runs that paths mean.

  Args:
    paths: list of str.
    problems: list of lines, to which everything that is wrong is added.

  Returns:
    Pair of lists of the same length: `recorded_run.Source` and `recorded_run.Run`.
  """
  names, sources, runs = {}, [], []
  for path in paths:
    try:
      named = recorded_run.find(path)
    except (recorded_run.ReadError, OSError) as error:
      problems.append(str(error))
      continue
    for source in named:
      key = recorded_run.key(source)
      if key in names:
        note(f'warning: {source.name} is {names[key]} again; taken once')
        continue
      names[key] = source.name
      try:
        run = recorded_run.read(source)
      except (recorded_run.ReadError, OSError) as error:
        problems.append(str(error))
        continue
      problems += run.problems
      sources.append(source)
      runs.append(run)
  return sources, runs


def look(args):
  """Compares the runs as they are now.

  Returns:
    `verdicts.Comparison`, or None if there is nothing to compare; list of
    `recorded_run.Source`, one for each run; list of lines about what is wrong.
  """
  problems = []
  sources, runs = collect(args.runs, problems)
  reference = None
  if args.against in published_runs.ALL:
    reference = verdicts.published_reference(args.against)
  elif args.against is not None:
    _, theirs = collect([args.against], problems)
    if not theirs:
      return None, sources, problems
    reference = verdicts.recorded_reference(args.against, theirs)
  return verdicts.compare(runs, reference) if runs else None, sources, problems


def formatted(args, compared):
  """What is printed."""
  if args.json:
    return tables.as_json(compared)
  render = tables.markdown if args.markdown else tables.text
  return '\n'.join(map(terminal.one_line, render(tables.blocks(compared))))


def watch(args):
  """Prints the comparison whenever it changes, until the runs are finished."""
  clear = '\x1b[H\x1b[2J' if sys.stdout.isatty() else ''
  shown = None
  while True:
    compared, sources, problems = look(args)
    lines = [f'error: {terminal.one_line(problem)}' for problem in problems]
    if compared:
      lines.append(formatted(args, compared))
    if lines != shown:
      now = time.strftime('%Y-%m-%d %H:%M:%S')
      print('\n'.join([f'{clear}{now}', ''] + lines + ['']), flush=True)
      shown = lines
    if compared and all(entry.finished for entry in compared.entries):
      return compared, sources, problems
    time.sleep(INTERVAL)


class NoPlots(Exception):
  """Plots were asked for and cannot be made; the message is for the user."""


def import_plots(args):
  """The module that plots, or None where nothing is to be plotted.

  Raises:
    NoPlots: it is needed and there is no matplotlib.
  """
  if not args.plot and not args.report:
    return None
  try:
    from comhe_tf1.comparison import plots
    return plots
  except ImportError as error:
    needed = f'matplotlib ({error}): pip install matplotlib'
    if args.plot:
      raise NoPlots(f'--plot needs {needed}, or leave --plot out')
    note(f'warning: no plots in the report, they need {needed}')
    return None


def draw(args, compared, sources, plots):
  """Writes the plots and the report; returns lines about what is wrong."""
  panels, problems = [], []
  if plots:
    energies = []
    for source in sources:
      by_kind, damaged = recorded_run.layer_energies(source)
      energies.append(by_kind)
      problems += damaged
    panels = plots.panels(compared, energies, args.panels, args.labels)
  try:
    if args.plot and panels:
      plots.write(panels, args.plot)
    elif args.plot:
      problems.append('--plot: none of these panels is recorded')
    if args.report:
      written = report.write(args.report, compared, [
          (panel.caption, plots.render([panel])) for panel in panels])
      note(f'wrote {written}')
  except OSError as error:
    problems.append(str(error))
  return problems


def run(args):
  """Does as the flags say; returns the exit status."""
  plots = import_plots(args)
  compared, sources, problems = (watch if args.watch else look)(args)
  if compared:
    count = len(sources)
    if args.labels and len(args.labels) != count:
      note(f'error: --labels has {len(args.labels)} names for {count} runs')
      return 2
    if not args.watch:
      print(formatted(args, compared), flush=True)
    problems += draw(args, compared, sources, plots)
  for problem in problems:
    note(f'error: {problem}')
  return 1 if problems or not compared else 0


def main(argv=None):
  return run(make_parser().parse_args(argv))


if __name__ == '__main__':
  terminal.command('compare.py', main, NoPlots, recorded_run.ReadError)
