#!/usr/bin/env python
"""Measures what each method adds to a training step of CNN-9, batch 128.

    python benchmarks/term_cost.py [--methods half_mhe random reduced] [--rounds 12]
        [--json FILE]

Every method is a process of its own, of which one at a time takes some steps in a row, as
a training does. In every round all take their turn, `none` too: a method's cost is the
median, over the rounds, of what a step of its took longer than one of `none` in the same
round, so that drifts of the machine fall out. `reduced` is random projection with --draw
reduced. All start from the same weights and images: the first measures that no term is
part of must agree, or no figure is shown and the status is 1.
"""
import contextlib
import statistics
import sys
import tempfile

import agreement
import measured_process
import numpy as np
import report
import step_data

from comhe_tf1.networks import op_seeds
from comhe_tf1.regularizers import methods
from comhe_tf1.utils import arguments
from comhe_tf1.utils import terminal
from comhe_tf1.utils import text_table

NONE, REDUCED = 'none', 'reduced'
METHODS = [name for name in methods.METHODS if name != NONE] + [REDUCED]
DEFAULT = ['half_mhe', 'random', REDUCED, 'angle', 'adversarial']
TURN = 5   # steps in a row
SAME = ('fit of step 0', 'reg of step 0', 'batch')
SEED = 1


def contender_of(method, folder, batch_size):
  """A process that takes training steps with one of `METHODS` or with none."""
  regularizer, settings = ('random', {'draw': 'reduced'}) if method == REDUCED else (
      method, {})
  return measured_process.Contender(method, measured_process.script(
      sys.executable, 'tensorflow_contender.py', measure='step', network='cnn9',
      contender='ours', method=regularizer, settings=settings,
      scheme=op_seeds.BY_NAME, random_seed=SEED, data=folder, batch_size=batch_size))


def measured(args, folder):
  """Measures steps of all methods in turn.

  Returns:
    List of dicts: method, seconds (a step's median in each round), environment.

  Raises:
    agreement.Disagreement: the methods do not start from the same.
    measured_process.ContenderError: a process has failed.
  """
  with contextlib.ExitStack() as stack:
    contenders = []
    for method in [NONE] + args.methods:
      terminal.note('term_cost.py', f'starting {method}')
      contender = contender_of(method, folder, args.batch_size)
      contenders.append(stack.enter_context(contender))
      agreement.compare(method, contender.values, {
          name: contenders[0].values[name] for name in SAME})
    samples = measured_process.in_turn(contenders, args.rounds, TURN)
    return [{'method': contender.name, 'seconds': found['step, s'],
             'environment': contender.environment}
            for contender, found in zip(contenders, samples)]


def lines(rows):
  """Quartiles of steps and of what a method adds, as lines."""
  table = [['', 'step, ms', 'quartiles', 'added, ms', 'quartiles', 'of the step, %']]
  without = np.array(rows[0]['seconds'])
  for row in rows:
    added = np.array(row['seconds']) - without
    cells = [] if row['method'] == NONE else quartiles(added) + [
        f'{100. * np.median(added) / statistics.median(without):.1f}']
    table.append([row['method']] + quartiles(row['seconds']) + (cells or 3 * ['']))
  return text_table.aligned(table, {0})


def quartiles(seconds):
  """Cells of milliseconds: median, and the quartiles."""
  lower, median, upper = np.percentile(seconds, (25, 50, 75)) * 1e3
  return [f'{median:.1f}', f'{lower:.1f} to {upper:.1f}']


def main(argv=None):
  parser = arguments.Parser(
      prog='term_cost.py',
      description='Measure what each method adds to a training step of CNN-9.')
  parser.add_argument(
      '--methods', choices=METHODS, nargs='+', default=DEFAULT, metavar='NAME',
      help=f'some of {", ".join(METHODS)} (default: {", ".join(DEFAULT)})')
  parser.add_argument(
      '--rounds', type=arguments.whole(1, 10 ** 6), default=12, metavar='N',
      help=f'how often each takes {TURN} steps (default: 12)')
  parser.add_argument(
      '--batch_size', type=arguments.whole(1, step_data.TRAIN), default=128,
      metavar='IMAGES', help='of a step (default: 128)')
  parser.add_argument('--json', metavar='FILE', help='where all samples go')
  args = parser.parse_args(argv)

  def show():
    with tempfile.TemporaryDirectory() as folder:
      step_data.write_images(folder)
      rows = measured(args, folder)
    print('\n'.join(lines(rows)))
    report.keep(args.json, rows)

  return report.finish('term_cost.py', show)


if __name__ == '__main__':
  sys.exit(main())
