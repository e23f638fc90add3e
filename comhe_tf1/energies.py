"""Energy of every layer of a checkpoint, not projected: `python -m comhe_tf1.energies`."""
from comhe_tf1.regularizers import methods
from comhe_tf1.utils import arguments
from comhe_tf1.utils import terminal
from comhe_tf1.utils import text_table
from comhe_tf1.utils import tf_setup
from comhe_tf1.utils import version_check


def note(text):
  terminal.note('comhe_tf1.energies', text)


def main(argv=None):
  """Prints the table, as the flags say; returns the exit status."""
  parser = arguments.Parser(
      prog='comhe_tf1.energies',
      description='Print the energies of every layer of a checkpoint, in full and half '
                  'space, of the unprojected kernels, computed in float64.')
  parser.add_argument(
      'path', type=arguments.path, metavar='PATH',
      help='a checkpoint; or the folder of a run, for its newest checkpoint')
  parser.add_argument(
      '--power', choices=list(methods.POWERS) + ['all'], default='2', metavar='POWER',
      help='energy of a pair of neurons: %s, or all of them (default: 2)'
           % ', '.join(methods.POWERS))
  arguments.add_environment_flag(parser)
  args = parser.parse_args(argv)
  try:
    tf_setup.tensorflow('-1', skip_version_check=args.skip_version_check)
  except (version_check.Refusal, tf_setup.StartError) as error:
    note(f'error: {error}')
    return 1
  from comhe_tf1.records import checkpoints
  from comhe_tf1.regularizers import energy_monitor

  powers = list(methods.POWERS) if args.power == 'all' else [args.power]
  try:
    path, arrays, facts = checkpoints.find(args.path, lambda text: note(
        f'warning: {text}'))
    kernels = energy_monitor.kernels_from_checkpoint(arrays)
    if not kernels:
      raise checkpoints.CheckpointError(f'{path} holds no <layer>/filter')
  except checkpoints.CheckpointError as error:
    note(f'error: {error}')
    return 1
  print(terminal.one_line('checkpoint: %s, after %d steps' % (path, facts['steps'])))
  print('\n'.join(table(kernels, energy_monitor.energies_from_arrays(kernels, powers))),
        flush=True)
  return 0


def table(values, energies):
  """The table of kernels and their energies, and sums over the layers, as lines.

  Args:
    values, energies: as `energy_monitor.energies_from_arrays` takes and returns them.
  """
  spaces = ('full', 'half')
  rows = [['layer', 'kernel'] + [f'{space}, power {power}' for power in energies
                                 for space in spaces]]
  for layer, kernel in values.items():
    rows.append([layer, 'x'.join(map(str, kernel.shape))] + [
        f'{value:.6g}' for layers in energies.values() for value in layers[layer]])
  rows.append(['sum', ''] + [
      f'{sum(column):.6g}' for layers in energies.values()
      for column in zip(*layers.values())])
  return text_table.aligned(rows, left={0, 1})


if __name__ == '__main__':
  terminal.command('comhe_tf1.energies', main)
