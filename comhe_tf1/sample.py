"""Writes the synthetic sample: `python -m comhe_tf1.sample FOLDER [--dataset cifar10]`."""
from comhe_tf1.data import sample
from comhe_tf1.utils import arguments
from comhe_tf1.utils import terminal


def main(argv=None):
  """Writes the sample, as the flags say; returns the exit status."""
  parser = arguments.Parser(
      prog='comhe_tf1.sample',
      description='Write the synthetic sample as pickles, in the layout of a CIFAR data '
                  'set.')
  parser.add_argument('folder', type=arguments.path, help='where to write the pickles')
  parser.add_argument(
      '--dataset', choices=sorted(sample.LAYOUTS), default='cifar100',
      help='layout. cifar100: train, test and meta, 100 classes; cifar10: data_batch_1 to '
           'data_batch_5, test_batch and batches.meta, 10 classes (default: cifar100)')
  args = parser.parse_args(argv)
  try:
    sample.write(args.folder, args.dataset)
  except OSError as error:
    terminal.note('comhe_tf1.sample', f'error: cannot write the sample: {error}')
    return 1
  print(f'wrote the synthetic sample to {args.folder}', flush=True)
  return 0


if __name__ == '__main__':
  terminal.command('comhe_tf1.sample', main)
