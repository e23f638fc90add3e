#!/usr/bin/env python
"""Measures time and memory of energies of many neurons, value and gradient.

    python benchmarks/large_layers.py [--neurons 1024,8192] [--inputs 512]
        [--projections 20] [--repeats 3] [--torch PYTHON] [--json FILE]

Every figure comes from a process of its own (`large_layer.py`, which says what the
contenders are), one at a time. A contender that holds all cosines at once is left out
where they would not fit in the memory that is free. All must agree in value and
gradient with the first contender, or no figure is shown and the status is 1. The tables
are those of docs/speed.md. Needs Linux.
"""
import collections
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HERE = os.path.join(ROOT, 'benchmarks')
sys.path[:0] = [ROOT, os.path.join(ROOT, 'tests', 'helpers')]

import agreement
import measured_process
import numpy as np
import report
import run

from comhe_tf1.utils import arguments
from comhe_tf1.utils import terminal
from comhe_tf1.utils import tf_setup

NEURONS = [1024, 2048, 4096, 8192, 16384, 32768, 65536]
# Those that hold all cosines: as many matrices of them at a time, at most.
MATRICES = {'whole': 8, 'torch': 8}


def free_bytes():
  """Memory that can be had without swapping."""
  with open('/proc/meminfo') as file:
    return 1024 * int(re.search(r'MemAvailable:\s*(\d+) kB', file.read()).group(1))


def measured(contender, python, neurons, args):
  """The reply of a fresh process, or None where the cosines would not fit."""
  sets = max(1, args.projections)
  if 4. * sets * neurons ** 2 * MATRICES.get(contender, 0) > free_bytes():
    return None
  terminal.note('large_layers.py', 'measuring %s, %d neurons' % (contender, neurons))
  process = subprocess.Popen(
      [python, os.path.join(HERE, 'large_layer.py'), contender] + [
          str(each) for each in (neurons, args.inputs, args.projections, args.repeats)],
      stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
      env=dict(tf_setup.ENVIRONMENT, **dict(os.environ, CUDA_VISIBLE_DEVICES='-1')))
  try:
    out, said = process.communicate()
  finally:
    process.kill()
  if process.returncode:
    lines = said.strip().split('\n')
    raise measured_process.ContenderError(
        '%s of %d neurons under %s failed with status %d: %s' % (
            contender, neurons, python, process.returncode, lines[-1]))
  return json.loads(out)


def table(rows):
  """Lines of Markdown: median seconds and MB, a row for each number of neurons."""
  names = list(collections.OrderedDict.fromkeys(row['contender'] for row in rows))
  lines = ['| neurons | %s |' % ' | '.join(
      '%s, s | MB' % name for name in names), '|' + '---|' * (1 + 2 * len(names))]
  for neurons in sorted({row['neurons'] for row in rows}):
    found = {row['contender']: row for row in rows if row['neurons'] == neurons}
    cells = [('%.3g' % np.median(found[name]['seconds']), '%.0f' % found[name]['MB'])
             if name in found else ('-', '-') for name in names]
    lines.append('| %s | %s |' % ('{:,}'.format(neurons),
                                  ' | '.join(' | '.join(pair) for pair in cells)))
  return lines


def measure(args):
  """Measures, compares and reports."""
  pythons = collections.OrderedDict(
      (name, sys.executable) for name in ('ours', 'whole', 'products'))
  if args.torch:
    pythons['torch'] = args.torch
  rows = []
  for neurons in args.neurons:
    reference = None
    for contender, python in pythons.items():
      reply = measured(contender, python, neurons, args)
      if reply is None:
        continue
      if contender != 'products':
        values = {name: reply[name] for name in ('value', 'gradient')}
        reference = reference or values
        agreement.compare('%s of %d neurons' % (contender, neurons), values, reference)
      rows.append(dict(reply, contender=contender, neurons=neurons))
  print('\n'.join(table(rows)))
  if args.json:
    report.keep(args.json, {'arguments': vars(args), 'rows': rows})


def counts(text):
  """Type of --neurons."""
  return [arguments.whole(2, 2 ** 20)(each) for each in text.split(',')]


def parse(argv):
  parser = arguments.Parser(
      prog='large_layers.py',
      description='Measure time and memory of energies of many neurons.')
  parser.add_argument(
      '--neurons', type=counts, default=NEURONS, metavar='N,...',
      help='how many (default: %s)' % ','.join(map(str, NEURONS)))
  parser.add_argument(
      '--inputs', type=arguments.whole(1, 10 ** 6), default=512, metavar='D',
      help='of a neuron (default: 512)')
  parser.add_argument(
      '--projections', type=arguments.whole(0, 4096), default=0, metavar='N',
      help='to 40 dimensions; 0 is none (default)')
  parser.add_argument(
      '--repeats', type=arguments.whole(1, 10 ** 6), default=3, metavar='N',
      help='timed repetitions of each, after one that is not (default: 3)')
  parser.add_argument(
      '--torch', type=run.executable, metavar='PATH',
      help='an interpreter with PyTorch, to be measured beside')
  parser.add_argument('--json', metavar='FILE', help='where all samples go')
  args = parser.parse_args(argv)
  run.check_folder(parser, '--json', args.json)
  return args


def main(argv=None):
  args = parse(argv)
  return run.finish('large_layers.py', lambda: measure(args))


if __name__ == '__main__':
  terminal.print_anything()
  sys.exit(main())
