#!/usr/bin/env python
"""Prints the hyperspherical energy of every layer of a checkpoint, not projected."""
import sys

import comhe_cli
from comhe_tf1 import compatibility, methods


def note(text):
  comhe_cli.note('energies.py', text)


def main(argv=None):
  """Prints the table, as the flags say; returns the exit status."""
  parser = comhe_cli.Parser(
      prog='energies.py',
      description='Print the energy in full and in half space of every layer of a '
                  'checkpoint: of the kernels as they are, not projected, computed in '
                  'float64.')
  parser.add_argument(
      'path', type=comhe_cli.path, metavar='PATH',
      help='a checkpoint, or the folder of a run, whose newest one is taken')
  parser.add_argument(
      '--power', choices=list(methods.POWERS) + ['all'], default='2', metavar='POWER',
      help='energy of a pair of neurons: %s, or all of them (default: 2)'
           % ', '.join(methods.POWERS))
  comhe_cli.add_environment_flag(parser)
  args = parser.parse_args(argv)
  try:
    comhe_cli.start_tensorflow('-1', any_environment=args.any_environment)
  except (compatibility.Refusal, ImportError) as error:
    note('error: %s' % error)
    return 1
  from comhe_tf1 import checkpoint, diagnosis

  powers = list(methods.POWERS) if args.power == 'all' else [args.power]
  try:
    path, arrays, facts = checkpoint.find(args.path, lambda text: note(
        'warning: %s' % text))
    kernels = diagnosis.kernels_of(arrays)
    if not kernels:
      raise checkpoint.CheckpointError('%s holds no <layer>/filter' % path)
  except checkpoint.CheckpointError as error:
    note('error: %s' % error)
    return 1
  print('checkpoint: %s, after %d steps' % (path, facts['steps']))
  print('\n'.join(diagnosis.table(kernels, diagnosis.of_arrays(kernels, powers))),
        flush=True)
  return 0


if __name__ == '__main__':
  comhe_cli.print_anything()
  try:
    sys.exit(main())
  except KeyboardInterrupt:
    note('interrupted')
    sys.exit(130)
  except BrokenPipeError:
    comhe_cli.give_up_stdout()
    sys.exit(1)
