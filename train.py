#!/usr/bin/env python
"""Trains CNN-9 with CoMHE on CIFAR-100, as the authors' three scripts do."""
import argparse
import contextlib
import math
import os
import re
import sys
import tempfile

import numpy as np

import cifar_input
import cifar_sample

# What each of the original's scripts takes as its own default.
VARIANTS = {
    'random': dict(pd=40, pn=20, pnd=0, random_seed=345),
    'angle': dict(pd=30, pn=1, iters=1, random_seed=345),
    'adversarial': dict(pd=30, pn=1, iters=10, random_seed=3456),
}
CIFAR100_FOLDER = 'cifar-100-python'


class Parser(argparse.ArgumentParser):
  """Reports a mistake in one line."""

  def error(self, message):
    self.exit(2, '%s: error: %s (see --help)\n' % (self.prog, message))


def whole(least, most=None):
  """Type of a flag: a whole number of at least `least` and at most `most`."""
  limits = ('of at least %d' % least if most is None
            else 'from %d to %d' % (least, most))

  def parse(text):
    if (not re.match(r'[+-]?\d+$', text) or int(text) < least
        or (most is not None and int(text) > most)):
      raise argparse.ArgumentTypeError('expected a whole number %s, got %r'
                                       % (limits, text))
    return int(text)
  return parse


def real(accepted, limits):
  """Type of a flag: a finite number for which `accepted` holds."""
  def parse(text):
    try:
      value = float(text)
    except ValueError:
      value = math.nan
    if not math.isfinite(value) or not accepted(value):
      raise argparse.ArgumentTypeError('expected a number %s, got %r'
                                       % (limits, text))
    return value
  return parse


def steps(text):
  """Type of --lr_drops: increasing step numbers, or none at all."""
  if text and not re.match(r'\d+(,\d+)*$', text):
    raise argparse.ArgumentTypeError(
        'expected step numbers separated by commas, got %r' % text)
  values = [int(value) for value in text.split(',')] if text else []
  if sorted(set(values)) != values:
    raise argparse.ArgumentTypeError('steps must increase, got %r' % text)
  return values


def gpus(text):
  """Type of --gpu_no: what CUDA_VISIBLE_DEVICES takes."""
  if not re.match(r'(-1|\d+(,\d+)*)?$', text):
    raise argparse.ArgumentTypeError(
        'expected the number of a GPU (or several, separated by commas), or -1 '
        'for the CPU, got %r' % text)
  return text


def make_parser():
  parser = Parser(
      prog='train.py', allow_abbrev=False,
      description='Train CNN-9 with CoMHE regularisation (Lin et al., CVPR 2020) '
                  'on CIFAR-100.',
      epilog='Defaults marked (original) are those of the authors\' scripts.')

  group = parser.add_argument_group('method')
  group.add_argument(
      '--regularizer', choices=list(VARIANTS), default='random',
      help='projection of the neurons (default: random, the first in the '
           'original\'s README)')
  group.add_argument(
      '--pd', type=whole(1), metavar='DIM',
      help='dimension projected to (default: 40 for random, 30 for angle and '
           'adversarial; original)')
  group.add_argument(
      '--pn', type=whole(1), metavar='N',
      help='projections per layer; for angle and adversarial only a label in the '
           'log folder\'s name (default: 20 for random, else 1; original)')
  group.add_argument(
      '--pnd', type=whole(0), metavar='N',
      help='random only: one projection per N neurons of a layer instead of --pn; '
           '0 is off (default: 0; original)')
  group.add_argument(
      '--iters', type=whole(0), metavar='STEPS',
      help='angle and adversarial only: gradient steps of the projections before '
           'each training step (default: 1 for angle, 10 for adversarial; '
           'original)')

  group = parser.add_argument_group('data')
  group.add_argument(
      '--dataset', choices=('cifar100', 'sample'), default='cifar100',
      help='cifar100 reads --data_dir; sample is a small SYNTHETIC set made on '
           'the spot, for trying things, and reads nothing (default: cifar100; '
           'original)')
  group.add_argument(
      '--data_dir', metavar='FOLDER', default=CIFAR100_FOLDER,
      help='folder of the pickles train and test (default: %(default)s, as the '
           'archive unpacks)')
  group.add_argument(
      '--batch_size', type=whole(1), default=128, metavar='IMAGES',
      help='training images per step (default: 128; original)')

  group = parser.add_argument_group('optimisation')
  group.add_argument(
      '--base_lr', type=real(lambda value: value > 0, 'above 0'), default=0.1,
      metavar='RATE', help='learning rate of step 0 (default: 0.1; original)')
  group.add_argument(
      '--lr_drops', type=steps, default=[30000, 50000, 65000], metavar='STEP,...',
      help='steps before which the rate is multiplied by 0.1; \'\' for none '
           '(default: 30000,50000,65000; original)')
  group.add_argument(
      '--max_steps', type=whole(1), default=75000, metavar='STEPS',
      help='training steps (default: 75000; original)')
  group.add_argument(
      '--bn_decay', type=real(lambda value: 0 <= value < 1, 'in [0, 1)'),
      default=0.999, metavar='DECAY',
      help='decay per step of the moving statistics that testing uses; smaller '
           'for runs of less than some 3,000 steps (default: 0.999; original)')

  group = parser.add_argument_group('reproduction')
  group.add_argument(
      '--random_seed', type=whole(0, 2 ** 32 - 1), metavar='SEED',
      help='seed of weights, projections, shuffling and augmentation (default: '
           '3456 for adversarial, else 345; original; the published log of random '
           'took 1234)')
  group.add_argument(
      '--op_seeds', choices=('tf1.12', 'tf1.14'), default='tf1.12',
      help='whose initial weights: those the original draws under TensorFlow 1.8 '
           'to 1.12 or under 1.14 (default: tf1.12, the published logs\')')
  group.add_argument(
      '--first_line', action='store_true',
      help='compute the first line of the three published logs, compare, and exit '
           '(0: all match, 1: not); needs no data')

  group = parser.add_argument_group('output')
  group.add_argument(
      '--log_dir', metavar='FOLDER', default='log',
      help='folder of the logs, which are named and numbered below it as the '
           'original\'s (default: log; original)')
  group.add_argument(
      '--log_every', type=whole(1), default=100, metavar='STEPS',
      help='steps between training lines (default: 100; original)')
  group.add_argument(
      '--eval_every', type=whole(1), default=500, metavar='STEPS',
      help='steps between test lines (default: 500; original)')

  group = parser.add_argument_group('device')
  group.add_argument(
      '--gpu_no', type=gpus, metavar='N',
      help='number of the GPU, -1 for the CPU (default: CUDA_VISIBLE_DEVICES if '
           'set, else 0; original: 0)')
  return parser


def parse(argv):
  """Returns the flags with the variant's own defaults filled in, and the parser."""
  parser = make_parser()
  args = parser.parse_args(argv)
  if args.first_line:
    for name, value in vars(parser.parse_args(['--first_line'])).items():
      if name != 'gpu_no' and getattr(args, name) != value:
        parser.error('--first_line takes no --%s: it runs the published settings'
                     % name)
  own = VARIANTS[args.regularizer]
  for name in ('pd', 'pn', 'pnd', 'iters', 'random_seed'):
    if getattr(args, name) is None:
      setattr(args, name, own.get(name))
    elif name not in own:
      parser.error('--%s does not apply to --regularizer %s'
                   % (name, args.regularizer))
  if args.gpu_no is None:
    args.gpu_no = os.environ.get('CUDA_VISIBLE_DEVICES', '0')
  return args, parser


def note(text):
  print('train.py: %s' % text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def quiet_stderr():
  """Holds back what is written to file descriptor 2, unless something fails."""
  with tempfile.TemporaryFile() as held:
    sys.stderr.flush()
    stderr = os.dup(2)
    os.dup2(held.fileno(), 2)
    try:
      yield
    except BaseException:
      held.seek(0)
      os.write(stderr, held.read())
      raise
    finally:
      os.dup2(stderr, 2)
      os.close(stderr)


def import_tensorflow(gpu_no):
  """Imports TensorFlow with the chosen GPU visible to it.

  Without its own messages, unless TF_CPP_MIN_LOG_LEVEL is set: some versions
  write a dozen lines as they load.
  """
  os.environ['CUDA_VISIBLE_DEVICES'] = gpu_no
  if 'TF_CPP_MIN_LOG_LEVEL' in os.environ:
    import tensorflow.compat.v1 as tf
  else:
    os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
    with quiet_stderr():
      import tensorflow.compat.v1 as tf
  tf.logging.set_verbosity(tf.logging.ERROR)
  return tf


def load_data(args):
  """Returns training batches, the test set, and a line about them."""
  if args.dataset == 'sample':
    rows = cifar_sample.generate()
    train_set, test_set = [cifar_input.from_rows(rows[name], 'the sample')
                           for name in ('train', 'test')]
    origin = 'SYNTHETIC sample, not CIFAR-100'
  else:
    train_set, test_set = cifar_input.load_folder(args.data_dir)
    origin = args.data_dir
  # Seeded just before training and used for nothing else, as the original.
  batches = cifar_input.TrainingBatches(
      train_set, args.batch_size, np.random.RandomState(args.random_seed))
  return batches, test_set, 'data: %s; %d training and %d test images' % (
      origin, len(train_set.images), len(test_set.images))


def device_line(tf, session, gpu_no):
  """A line on TensorFlow and its device; warns where no GPU is to be had."""
  gpu = any(device.device_type == 'GPU' for device in session.list_devices())
  if not gpu and gpu_no not in ('', '-1'):
    note('warning: TensorFlow finds no GPU %s (TF_CPP_MIN_LOG_LEVEL=0 may show '
         'why); running on the CPU' % gpu_no)
  return 'TensorFlow %s on the %s; %d operations in the graph' % (
      tf.__version__, 'GPU ' + gpu_no if gpu else 'CPU',
      len(session.graph.get_operations()))


def run(args, parser):
  """Does as the flags say; returns the exit status."""
  # Before TensorFlow, so that a mistake shows at once.
  data = None if args.first_line else load_data(args)
  tf = import_tensorflow(args.gpu_no)
  from comhe_tf1 import first_line
  config = tf.ConfigProto(allow_soft_placement=True)
  config.gpu_options.allow_growth = True
  try:
    if args.first_line:
      return 0 if first_line.check(print, config) else 1
    with tf.Graph().as_default(), tf.Session(config=config) as session:
      train(args, parser, tf, session, *data)
  except tf.errors.OpError as error:
    note('error: TensorFlow failed: %s' % str(error.message).split('\n')[0])
    return 1
  return 0


def train(args, parser, tf, session, batches, test_set, data_line):
  """Builds the graph and trains in `session`, in its default graph."""
  from comhe_tf1 import legacy_log, network, optimization, progress
  from comhe_tf1 import regularizer as regularizers, training

  settings = {name: getattr(args, name) for name in VARIANTS[args.regularizer]
              if name != 'random_seed'}
  regularizer = regularizers.REGULARIZERS[args.regularizer](**settings)
  try:
    handles = training.build(network.cnn9(), regularizer, args.regularizer,
                             args.op_seeds, args.random_seed, args.bn_decay)
  except ValueError as error:
    parser.error('--%s' % error)
  session.run(tf.global_variables_initializer())

  folder = legacy_log.folder(args.log_dir, regularizer,
                             synthetic=args.dataset == 'sample')
  with legacy_log.LegacyLog(folder) as log, progress.Progress(
      args.max_steps) as terminal:
    terminal.line('CoMHE, %s projection: %s; seed %d, op seeds %s' % (
        args.regularizer, ', '.join('%s %s' % item for item in settings.items()),
        args.random_seed, args.op_seeds))
    terminal.line(data_line)
    terminal.line(device_line(tf, session, args.gpu_no))
    terminal.line('logs: %s, %s' % (log.train_path, log.test_path))

    def on_train(step, measures):
      terminal.line(log.train(step, **measures._asdict()))

    def on_test(step, accuracy):
      terminal.line(log.test(step, accuracy))

    training.train(
        session, handles, batches, test_set,
        lambda step: optimization.learning_rate(step, args.base_lr, args.lr_drops),
        args.max_steps, args.log_every, args.eval_every,
        on_train, on_test, terminal.step)


def main(argv=None):
  args, parser = parse(argv)
  try:
    return run(args, parser)
  except KeyboardInterrupt:
    note('interrupted; the log files keep what was logged')
    return 130
  except BrokenPipeError:
    # Nobody reads the terminal's lines any more; closing must not fail on it too.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
  except (cifar_input.DataError, OSError) as error:
    note('error: %s' % error)
    return 1
  except ImportError as error:
    note('error: %s; install what is needed with pip install -r requirements.txt'
         % error)
    return 1


if __name__ == '__main__':
  sys.exit(main())
