#!/usr/bin/env python
"""Measures what each method adds to a training step of CNN-9, batch 128, on CPUs.

    python benchmarks/term_cost.py [--methods half_mhe,random,reduced] [--rounds 12]
        [--before CHECKOUT] [--json FILE]

Every method is a process of its own (`stepper.py`), of which one at a time takes some steps
in a row, as a training does; the first of them, which finds the caches as another process
left them, does not count. In every round all take their turn, `none` too: a method's cost
is the median, over the rounds, of what a step of its took longer than one of `none` in the
same round, so that drifts of the machine fall out. `reduced` is random projection with
--draw reduced. --before adds all methods of a checkout of an earlier state of this
project, whose first steps must have the same terms, or no figure is shown and the status
is 1. Needs Linux.
"""
import argparse
import collections
import contextlib
import os
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [ROOT, os.path.join(ROOT, 'tests', 'helpers')]

import agreement
import measured_process
import numpy as np
import report
import run

from comhe_tf1.regularizers import methods
from comhe_tf1.utils import arguments
from comhe_tf1.utils import terminal
from comhe_tf1.utils import text_table

NONE, REDUCED = 'none', 'reduced'
KNOWN = tuple(methods.METHODS) + (REDUCED,)
METHODS = ['half_mhe', 'random', REDUCED, 'angle', 'adversarial']
TURN = 5   # steps in a row
QUARTILES = (25, 50, 75)
QUIET = 0.1      # part of the cores that others may keep busy when timing starts
PATIENCE = 60.   # seconds to wait for it


def stepper_of(method, checkout):
  """A process that takes training steps with a method of KNOWN."""
  regularizer, settings = ('random', {'draw': 'reduced'}) if method == REDUCED else (
      method, {})
  return measured_process.Stepper(
      method, checkout, regularizer=regularizer, settings=settings,
      cores=sorted(os.sched_getaffinity(0)))


def measure(chosen, checkouts, rounds):
  """Measures steps of all methods of all checkouts in turn.

  Args:
    chosen: list of methods beside `none`.
    checkouts: ordered dict from a title to a folder of this project.
    rounds: how often each has its turn.

  Returns:
    List of dicts: checkout, method, seconds (a step's median in each round), busy (part of
    the cores that others used just before), environment.

  Raises:
    agreement.Disagreement: the first steps of two checkouts differ.
    measured_process.ContenderError: a process has failed.
  """
  with contextlib.ExitStack() as stack:
    steppers, references = [], {}
    for title, folder in checkouts.items():
      for method in [NONE] + chosen:
        terminal.note('term_cost.py', 'starting %s%s' % (method, title and ', ' + title))
        stepper = stepper_of(method, folder)
        stack.callback(stepper.stop)
        stepper.start()
        values = stepper.ask(steps=1)['measures']
        del values['acc']   # one image more or less would be no disagreement
        agreement.compare(' '.join([method, title]), dict(values),
                          references.setdefault(method, values))
        steppers.append((stepper, {
            'checkout': title, 'method': method, 'seconds': [],
            'environment': stepper.environment}))
    busy = wait_for_quiet()
    terminal.note('term_cost.py', 'timing; others use %.0f %% of the cores' % (100. * busy))
    for _ in range(rounds):
      for stepper, row in steppers:
        row['seconds'].append(np.median(stepper.ask(steps=TURN)['seconds'][1:]))
    return [dict(row, busy=busy) for _, row in steppers]


def wait_for_quiet():
  """Waits a while for others to let the cores idle; returns their part at the end."""
  end = time.time() + PATIENCE
  while True:
    before = ticks()
    time.sleep(2.)
    idle, total = [now - then for now, then in zip(ticks(), before)]
    busy = 1. - idle / total
    if busy <= QUIET or time.time() > end:
      return busy


def ticks():
  """Time that the cores were idle, and in all, in ticks."""
  with open('/proc/stat') as file:
    counts = list(map(int, file.readline().split()[1:9]))
  return counts[3] + counts[4], sum(counts)


def lines(rows):
  """Quartiles of steps and of what a method adds, as lines."""
  table = [['', 'step, ms', 'quartiles', 'added, ms', 'quartiles', 'of the step, %']]
  plain = {row['checkout']: np.array(row['seconds']) for row in rows
           if row['method'] == NONE}
  for row in rows:
    seconds = np.array(row['seconds'])
    without = plain[row['checkout']]
    cells = [' '.join([row['method'], row['checkout']])] + _quartiles(seconds)
    if row['method'] != NONE:
      cells += _quartiles(seconds - without) + [
          '%.1f' % (100. * np.median(seconds - without) / np.median(without))]
    table.append(cells + [''] * (len(table[0]) - len(cells)))
  return text_table.aligned(table, {0})


def _quartiles(seconds):
  least, median, most = np.percentile(seconds, QUARTILES) * 1e3
  return ['%.1f' % median, '%.1f to %.1f' % (least, most)]


def checkout(text):
  """Type of --before."""
  if not os.path.isfile(os.path.join(text, 'comhe_tf1', 'training', 'graph.py')):
    raise argparse.ArgumentTypeError(
        'expected a checkout of this project, but there is no '
        'comhe_tf1/training/graph.py in %r' % text)
  return os.path.abspath(text)


def main(argv=None):
  parser = arguments.Parser(
      prog='term_cost.py',
      description='Measure what each method adds to a training step of CNN-9, on CPUs.')
  parser.add_argument(
      '--methods', type=run.names(KNOWN), default=METHODS, metavar='NAME,...',
      help='some of %s (default: %s)' % (', '.join(KNOWN[1:]), ', '.join(METHODS)))
  parser.add_argument(
      '--rounds', type=arguments.whole(1, 10 ** 6), default=12, metavar='N',
      help='how often each takes %d steps (default: 12)' % TURN)
  parser.add_argument(
      '--before', type=checkout, metavar='FOLDER',
      help='also time all methods of this earlier checkout')
  parser.add_argument('--json', metavar='FILE', help='where all samples go')
  args = parser.parse_args(argv)
  run.check_folder(parser, '--json', args.json)
  checkouts = collections.OrderedDict([('', ROOT)])
  if args.before:
    checkouts['before'] = args.before

  def show():
    rows = measure([method for method in args.methods if method != NONE], checkouts,
                   args.rounds)
    print('\n'.join(lines(rows)))
    if args.json:
      report.keep(args.json, rows)

  return run.finish('term_cost.py', show)


if __name__ == '__main__':
  terminal.print_anything()
  sys.exit(main())
