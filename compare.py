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
from comhe_tf1.comparison import tables
from comhe_tf1.comparison import verdicts
from comhe_tf1.published import published_runs
from comhe_tf1.records import recorded_run
from comhe_tf1.utils import terminal

PICTURES = ('.pdf', '.png', '.svg')
DAY = 86400
EPILOG = '''RUN is a run's folder run_NN; a folder with log_train_NN.txt and
log_test_NN.txt, of this project or of the authors' (all of its runs are meant); one of
these files, which stands for both; or another file of log lines. Runs whose settings
agree but for the seed are pooled as seeds, logs of one folder too. Exit status: 0, or
1 if something could not be read or written; what could be read is compared anyway.'''


def picture(text):
  """Type of --plot."""
  if os.path.splitext(arguments.path(text))[1] not in PICTURES:
    raise argparse.ArgumentTypeError('expected a file name ending in %s, got %r' % (
        ', '.join(PICTURES), text))
  return text


def against(text):
  """Type of --against."""
  if text not in published_runs.ALL and not os.path.exists(arguments.path(text)):
    raise argparse.ArgumentTypeError(
        'expected a folder or file of logs that is there, or one of %s, got %r'
        % (', '.join(published_runs.ALL), text))
  return text


def make_parser():
  parser = arguments.Parser(
      prog='compare.py', description='Compare runs with the published ones, or with '
      'others: first line, test accuracies, losses, and a verdict on the last test '
      'accuracy. Needs no TensorFlow.', epilog=EPILOG)
  parser.add_argument('runs', type=arguments.path, nargs='+', metavar='RUN',
                      help='see below')
  parser.add_argument(
      '--against', type=against, metavar='WHAT',
      help='what to compare with: a published run (%s) or RUN as below (default: the '
           'published run of each one\'s own method); logs are compared line by line '
           'too' % ', '.join(published_runs.ALL))
  group = parser.add_argument_group('output').add_mutually_exclusive_group()
  group.add_argument('--markdown', action='store_true', help='print Markdown')
  group.add_argument('--json', action='store_true',
                     help='print JSON, with all test accuracies of the runs')
  group.add_argument('--csv', action='store_true', help='print CSV, a figure a row')
  group.add_argument(
      '--watch', action='store_true',
      help='print again whenever something was logged, until all runs are finished')
  parser.add_argument(
      '--interval', type=arguments.whole(1, DAY), default=10, metavar='SECONDS',
      help='between two looks of --watch (default: 10)')
  parser.add_argument(
      '--plot', type=picture, metavar='FILE',
      help='draw test accuracy, losses and, where recorded, the layers\' energies and '
           'their sum over the steps, as %s; needs matplotlib' % ' or '.join(PICTURES))
  parser.add_argument(
      '--report', type=arguments.path, metavar='FOLDER',
      help='write FOLDER/index.html: one page with tables, plots (with matplotlib), '
           'environment and command of every run')
  return parser


def note(text):
  terminal.note('compare.py', text)


def collect(paths, complain):
  """Reads the runs that paths mean.

  Args:
    paths: list of str.
    complain: called with a line for everything that is wrong.

  Returns:
    Pair of lists of the same length: `recorded_run.Source` and `recorded_run.Run`.
  """
  sources, runs, seen = [], [], {}
  for path in paths:
    try:
      found = recorded_run.find(path)
    except (recorded_run.ReadError, OSError) as error:
      complain(str(error))
      continue
    for source in found:
      key = recorded_run.key(source)
      if key in seen:
        note('warning: %s is %s again; taken once' % (source.name, seen[key]))
        continue
      seen[key] = source.name
      try:
        run = recorded_run.read(source)
      except (recorded_run.ReadError, OSError) as error:
        complain(str(error))
        continue
      for problem in run.problems:
        complain(problem)
      sources.append(source)
      runs.append(run)
  return sources, runs


class Look(object):
  """One look at the runs: what they are, what they are like, what is wrong.

  Attributes: sources, compared (None without a run), problems.
  """

  def __init__(self, args):
    self.problems = []
    self.sources, runs = collect(args.runs, self.problems.append)
    reference = args.against
    if reference in published_runs.ALL:
      reference = verdicts.published_reference(reference)
    elif reference is not None:
      _, theirs = collect([reference], self.problems.append)
      if not theirs:
        runs = []
      else:
        reference = verdicts.recorded_reference(args.against, theirs)
    self.compared = verdicts.compare(runs, reference) if runs else None


def formatted(args, compared):
  """What is printed."""
  if args.json:
    return tables.as_json(compared)
  if args.csv:
    return tables.as_csv(compared).rstrip('\n')
  parts = tables.blocks(compared)
  render = tables.markdown if args.markdown else tables.text
  return '\n'.join(map(terminal.one_line, render(parts)))


def watch(args):
  """Prints the comparison whenever it changes, until the runs are finished."""
  terminal = sys.stdout.isatty()
  shown = None
  while True:
    look = Look(args)
    lines = ['error: %s' % terminal.one_line(problem) for problem in look.problems]
    if look.compared:
      lines.append(formatted(args, look.compared))
    text = '\n'.join(lines)
    if text != shown:
      # Erases the screen where there is one.
      print('%s%s\n\n%s\n' % ('\x1b[H\x1b[2J' if terminal else '',
                              time.strftime('%Y-%m-%d %H:%M:%S'), text), flush=True)
      shown = text
    if look.compared and all(entry.finished for entry in look.compared.entries):
      return look
    time.sleep(args.interval)


def plotting(args):
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
    needed = 'matplotlib (%s): pip install matplotlib' % error
    if args.plot:
      raise NoPlots('--plot needs %s, or leave --plot out' % needed)
    note('warning: no plots in the report, they need %s' % needed)
    return None


class NoPlots(Exception):
  """Plots were asked for and cannot be made; the message is for the user."""


def draw(args, look, plots):
  """Writes the plots and the report; what goes wrong joins the problems."""
  panels = plots_of(look, plots) if plots else []
  try:
    if args.plot:
      plots.write(panels, args.plot)
    if args.report:
      from comhe_tf1.comparison import report
      note('wrote %s' % report.write(args.report, look.compared, [
          (panel.caption, plots.image(panel)) for panel in panels]))
  except OSError as error:
    look.problems.append(str(error))


def plots_of(look, plots):
  """The panels of a comparison; what is wrong with their records joins the problems."""
  energies = []
  for source in look.sources:
    by_kind, problems = recorded_run.layer_energies(source)
    look.problems += problems
    energies.append(by_kind)
  return plots.panels(look.compared, energies)


def run(args):
  """Does as the flags say; returns the exit status."""
  plots = plotting(args)
  look = watch(args) if args.watch else Look(args)
  if look.compared:
    if not args.watch:
      print(formatted(args, look.compared), flush=True)
    if args.plot or args.report:
      draw(args, look, plots)
  for problem in look.problems:
    note('error: %s' % problem)
  return 1 if look.problems or not look.compared else 0


def main(argv=None):
  return run(make_parser().parse_args(argv))


if __name__ == '__main__':
  terminal.command('compare.py', main, NoPlots, recorded_run.ReadError)
