#!/usr/bin/env python
"""Measures time and memory of energies of many neurons, value and gradient.

    python benchmarks/large_layers.py [--neurons 1024 8192] [--inputs 512]
        [--projections 20] [--contenders ours products] [--repeats 3] [--torch PYTHON]
        [--json FILE]

Contenders: `ours`, by blocks where the neurons are many; `whole`, with all cosines at
once; `products`, only the matrix products of the plain formula; `torch`, that formula as
one would write it in PyTorch. With projections, all to 40 dimensions, the mean over them.
Every figure comes from a process of its own, one at a time, on the CPU: median seconds,
and MB that the first repetition took at most beyond what the process had with its
libraries, its input and a built graph. `whole` and `torch` hold up to eight matrices of
all cosines at a time: leave them out where these would not fit in the memory. All but
`products` must agree in value and gradient with the first of them, or no figure is shown
and the status is 1. The tables are those of docs/evidence/speed.md. Needs Linux.
"""
import statistics
import sys

import agreement
import measured_process
import report

from comhe_tf1.utils import arguments
from comhe_tf1.utils import terminal

NEURONS = [1024, 2048, 4096, 8192, 16384]
CONTENDERS = ['ours', 'whole', 'products']


def contender_of(name, neurons, args):
  """A process that computes the energy of so many neurons."""
  settings = {'measure': 'layer', 'neurons': neurons, 'inputs': args.inputs,
              'projections': args.projections}
  return measured_process.Contender(
      f'{name} of {neurons} neurons', measured_process.script(
          args.torch, 'torch_contender.py', **settings) if name == 'torch' else
      measured_process.script(sys.executable, 'tensorflow_contender.py', contender=name,
                              gpu_no='-1', **settings))


def measured(neurons, args):
  """Rows of all contenders: neurons, contender, samples.

  Raises:
    agreement.Disagreement: they differ.
    measured_process.ContenderError: one has failed.
  """
  rows, reference = [], None
  for name in args.contenders + (['torch'] if args.torch else []):
    terminal.note('large_layers.py', f'measuring {name}, {neurons} neurons')
    with contender_of(name, neurons, args) as contender:
      if name != 'products':
        reference = reference or contender.values
        agreement.compare(contender.name, contender.values, reference)
      samples, = measured_process.in_turn([contender], args.repeats)
      rows.append({'neurons': neurons, 'contender': name, 'samples': samples,
                   'environment': contender.environment})
  return rows


def table(rows):
  """Lines of Markdown: median seconds and MB, a row for each number of neurons."""
  names = list({row['contender']: None for row in rows})
  lines = [f'| neurons | {" | ".join(name + ", s | MB" for name in names)} |',
           '|' + '---|' * (1 + 2 * len(names))]
  for neurons in sorted({row['neurons'] for row in rows}):
    found = {row['contender']: row['samples'] for row in rows
             if row['neurons'] == neurons}
    cells = [f'{statistics.median(found[name]["time, s"]):.3g} | {found[name]["MB"][0]:.0f}'
             for name in names]
    lines.append(f'| {neurons:,} | {" | ".join(cells)} |')
  return lines


def parse(argv):
  parser = arguments.Parser(
      prog='large_layers.py',
      description='Measure time and memory of energies of many neurons.')
  parser.add_argument(
      '--neurons', type=arguments.whole(2, 2 ** 20), nargs='+', default=NEURONS,
      metavar='N', help=f'how many (default: {" ".join(map(str, NEURONS))})')
  parser.add_argument(
      '--inputs', type=arguments.whole(1, 10 ** 6), default=512, metavar='D',
      help='of a neuron (default: 512)')
  parser.add_argument(
      '--projections', type=arguments.whole(0, 4096), default=0, metavar='N',
      help='to 40 dimensions; 0 is none (default)')
  parser.add_argument(
      '--contenders', choices=CONTENDERS, nargs='+', default=CONTENDERS, metavar='NAME',
      help=f'some of {", ".join(CONTENDERS)} (default: all)')
  parser.add_argument(
      '--repeats', type=arguments.whole(1, 10 ** 6), default=3, metavar='N',
      help='timed repetitions of each, after one that is not (default: 3)')
  parser.add_argument(
      '--torch', metavar='PATH',
      help='an interpreter with PyTorch, to be measured beside')
  parser.add_argument('--json', metavar='FILE', help='where all samples go')
  return parser.parse_args(argv)


def run(args):
  """Measures and reports."""
  rows = [row for neurons in args.neurons for row in measured(neurons, args)]
  print('\n'.join(table(rows)))
  report.keep(args.json, {'arguments': vars(args), 'rows': rows})


def main(argv=None):
  args = parse(argv)
  return report.finish('large_layers.py', lambda: run(args))


if __name__ == '__main__':
  sys.exit(main())
