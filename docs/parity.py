#!/usr/bin/env python
"""Measures how closely this project follows what was recorded of the original.

    python docs/parity.py

under every TensorFlow that is to be measured: each adds its own figures to parity.json,
from which parity.md is written.
"""
import os
import sys

# First: it says where the others are.
import generated

# isort: split
import golden_run
import tensorflow.compat.v1 as tf

from comhe_tf1.published import published_runs
from comhe_tf1.records import environment
from comhe_tf1.training import first_line
from comhe_tf1.utils import terminal
from comhe_tf1.utils import tf_setup

NAME = 'parity'
FACTS = ('python', 'tensorflow', 'numpy', 'cpu', 'cpu_count')
INTRODUCTION = '''# Parity with the original

How closely this project follows what was recorded of the authors' code, measured.
Written by `docs/parity.py` from `docs/parity.json`; to measure anew, under each
interpreter in turn

    python docs/parity.py

which takes about a minute and replaces the figures of its own TensorFlow. Sums that
several threads share differ in their last bits from run to run, and what follows from
them too.

## Trajectories

20 training steps of the original, recorded under TensorFlow 1.12 and 1.14
(`tests/training/golden/README.md`: settings, and where the bounds come from), are taken
again with this project's code. *tf1.12* and *tf1.14* are the numberings of op seeds, the
TensorFlow that the original ran under; the column's other name is the TensorFlow that
this project ran under. Shown is the largest deviation, relative unless counted: of
`fit`, `reg`, `thom` and `thomf` from the recorded value, relative to that quantity's
largest over the 20 steps; of step 0, norms and evaluation relative to the recorded
value itself (shifts, moving averages and projections: to 0.01 where that is more); of
`acc` as such. *Bound* is what `tests/training/test_golden.py` asks for, from the same place
(`tests/helpers/golden_run.py`).

`fit` and the shifts, which start at zero, deviate most: a rounding that moves the gate
of one ReLU is amplified from step to step. The original's own code deviates so between
TensorFlow versions and CPUs (`tests/training/golden/README.md`). The evaluation says
little: with the moving statistics of 20 steps every image's loss is next to one of two
values, right or wrong.
'''
FIRST_LINE = '''## First line of the published logs

`python train.py --first_line` computes weight decay and energies of step 0 with the
published settings and compares them with the authors' logs. Where the official CIFAR-100
is at hand it compares `fit` and `acc` of the first batches too, which match as well under
both versions: 15 of 15.
'''
NOT_VERIFIED = '''## Not verified

- The final accuracies on CIFAR-100, published as
  %s.
  The trajectories above are of random images.
- More than 20 steps beside the original, and so its three drops of the rate.
- GPUs: not run on a GPU yet; its libraries are checked to load.
- Projections of the published sizes for more than step 0, which the first lines cover.
- Methods, networks and data sets that the authors did not release, for which there is
  nothing to compare with.
'''


def measure():
  """The figures of this TensorFlow."""
  tf_setup.tensorflow('-1')
  with tf.Graph().as_default(), tf.Session() as session:
    facts = environment.describe(session)
  lines = []
  first_line.check(lines.append)
  trajectories = {}
  for path in golden_run.PATHS:
    golden = golden_run.read(path)
    trajectories[title_of(path)] = golden_run.deviations(
        golden, golden_run.replay(golden))
  return {'environment': {name: facts[name] for name in FACTS}, 'first_line': lines,
          'trajectories': trajectories}


def title_of(path):
  return os.path.splitext(os.path.basename(path))[0]


def number(value):
  if value is None:
    return '-'
  return '%d' % value if value == int(value) else '%.1e' % value


def page(record):
  """The text of parity.md."""
  versions = sorted(record, key=lambda version: list(map(int, version.split('.'))))
  lines = [INTRODUCTION]
  recorded = [(title_of(path), golden_run.read(path)) for path in golden_run.PATHS]
  for variant in published_runs.RUNS:
    chosen = [(title, golden) for title, golden in recorded
              if golden['args']['variant'] == variant]
    columns = [(golden_run.NUMBERINGS[golden['tf']], version, title)
               for title, golden in chosen for version in versions]
    lines += ['### %s: %s' % (variant, settings(chosen[0][1]['args'])), '']
    rows = []
    for name, bound in golden_run.bounds().items():
      found = [record[version]['trajectories'][title][name]
               for _, version, title in columns]
      if any(value is not None for value in found):
        rows.append([name] + list(map(number, found)) + [number(bound)])
    lines += generated.table(
        ['largest deviation'] + ['%s, under %s' % column[:2] for column in columns]
        + ['bound'], rows) + ['']
  lines.append(FIRST_LINE)
  for version in versions:
    lines += ['TensorFlow %s:' % version, '']
    lines += ['    ' + line.rstrip() for line in record[version]['first_line']] + ['']
  lines.append(NOT_VERIFIED % ', '.join(
      '%.4f (%s)' % (run.last, name) for name, run in published_runs.RUNS.items()))
  lines += ['## Measured on', '']
  lines += generated.table(
      ['TensorFlow', 'Python', 'NumPy', 'CPU'],
      [[text.format(**record[version]['environment']) for text in (
          '{tensorflow}', '{python}', '{numpy}', '{cpu}, {cpu_count} cores')]
       for version in versions])
  return '\n'.join(lines) + '\n'


def settings(args):
  """A recorded run's settings, in words."""
  names = ('pd', 'pn') if args['variant'] == 'random' else ('pd', 'iters')
  return ', '.join('%s %d' % (name, args[name]) for name in names)


def main(argv=None):
  args = generated.parser(
      NAME, 'Measure how closely this project follows what was recorded of the '
      'original, under this TensorFlow.').parse_args(argv)

  def update(record):
    record[tf.__version__] = measure()

  return generated.main(NAME, args, update, page)


if __name__ == '__main__':
  terminal.print_anything()
  sys.exit(main())
