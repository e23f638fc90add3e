#!/usr/bin/env python
"""Trains CNN-9 with CoMHE on CIFAR-100, as the authors' three scripts do."""
import argparse
import contextlib
import errno
import os
import re
import sys
import tempfile

import numpy as np

import cifar_input
import cifar_sample
import comhe_cli
from comhe_cli import Parser, real, whole

# What each of the original's scripts takes as its own default.
VARIANTS = {
    'random': dict(pd=40, pn=20, pnd=0, random_seed=345),
    'angle': dict(pd=30, pn=1, iters=1, random_seed=345),
    'adversarial': dict(pd=30, pn=1, iters=10, random_seed=3456),
}
CIFAR100_FOLDER = 'cifar-100-python'
MANY = 2 ** 31 - 1  # what TensorFlow counts with
# Flags that may change when a run is resumed: where things are, not what is computed.
FREE = ('log_dir', 'data_dir', 'gpu_no', 'save_every', 'keep', 'resume', 'eval_only',
        'recalibrate_bn', 'first_line')


def steps(text):
  """Type of --lr_drops: increasing step numbers, or none at all."""
  if text and not re.fullmatch('[0-9]+(,[0-9]+)*', text):
    raise argparse.ArgumentTypeError(
        'expected step numbers separated by commas, got %r' % text)
  values = [int(value) for value in text.split(',')] if text else []
  if sorted(set(values)) != values:
    raise argparse.ArgumentTypeError('steps must increase, got %r' % text)
  return values


def gpus(text):
  """Type of --gpu_no: what CUDA_VISIBLE_DEVICES takes."""
  if not re.fullmatch('(-1|[0-9]+(,[0-9]+)*)?', text):
    raise argparse.ArgumentTypeError(
        'expected the number of a GPU (or several, separated by commas), or -1 '
        'for the CPU, got %r' % text)
  return text


def make_parser():
  parser = Parser(
      prog='train.py',
      description='Train CNN-9 with CoMHE regularisation (Lin et al., CVPR 2020) '
                  'on CIFAR-100.',
      epilog='Defaults marked (original) are those of the authors\' scripts.')

  group = parser.add_argument_group('method')
  group.add_argument(
      '--regularizer', choices=list(VARIANTS), default='random',
      help='projection of the neurons (default: random, the first in the '
           'original\'s README)')
  group.add_argument(
      '--pd', type=whole(1, 65536), metavar='DIM',
      help='dimension projected to (default: 40 for random, 30 for angle and '
           'adversarial; original)')
  group.add_argument(
      '--pn', type=whole(1, 4096), metavar='N',
      help='projections per layer; for angle and adversarial only a label in the '
           'log folder\'s name (default: 20 for random, else 1; original)')
  group.add_argument(
      '--pnd', type=whole(0, MANY), metavar='N',
      help='random only: one projection per N neurons of a layer instead of --pn; '
           '0 is off (default: 0; original)')
  group.add_argument(
      '--iters', type=whole(0, MANY), metavar='STEPS',
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
      '--data_dir', metavar='FOLDER',
      help='folder of the pickles train and test (default: cifar-100-python, as the '
           'archive unpacks)')
  group.add_argument(
      '--batch_size', type=whole(1, MANY), default=128, metavar='IMAGES',
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
      '--max_steps', type=whole(1, MANY), default=75000, metavar='STEPS',
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
      '--log_every', type=whole(1, MANY), default=100, metavar='STEPS',
      help='steps between training lines (default: 100; original)')
  group.add_argument(
      '--eval_every', type=whole(1, MANY), default=500, metavar='STEPS',
      help='steps between test lines (default: 500; original)')

  group = parser.add_argument_group('checkpoints')
  group.add_argument(
      '--save_every', type=whole(0, MANY), default=1000, metavar='STEPS',
      help='steps between checkpoints, one more after the last step; 0 for none '
           '(default: 1000; the original has none)')
  group.add_argument(
      '--keep', type=whole(1, MANY), default=3, metavar='N',
      help='checkpoints kept, the newest ones (default: 3)')
  group.add_argument(
      '--resume', action='store_true',
      help='continue the newest unfinished run with these flags, exactly where its '
           'newest checkpoint left it')
  group.add_argument(
      '--eval_only', metavar='PATH',
      help='print the test accuracy and top-5 accuracy of a checkpoint, or of the '
           'newest one of a run\'s folder, on --dataset or --data_dir, and exit')
  group.add_argument(
      '--recalibrate_bn', action='store_true',
      help='with --eval_only: also with the moving statistics replaced by their mean '
           'over the training images, which is not the original\'s protocol')

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
  if args.resume and args.eval_only:
    parser.error('--resume and --eval_only exclude each other')
  if args.recalibrate_bn and not args.eval_only:
    parser.error('--recalibrate_bn goes with --eval_only')
  own = VARIANTS[args.regularizer]
  for name in ('pd', 'pn', 'pnd', 'iters', 'random_seed'):
    if getattr(args, name) is None:
      setattr(args, name, own.get(name))
    elif name not in own:
      parser.error('--%s does not apply to --regularizer %s'
                   % (name, args.regularizer))
  if args.dataset == 'sample' and args.data_dir is not None:
    parser.error('--data_dir does not apply to --dataset sample, which reads nothing')
  if args.dataset == 'cifar100' and args.data_dir is None:
    args.data_dir = CIFAR100_FOLDER
  if args.gpu_no is None:
    args.gpu_no = os.environ.get('CUDA_VISIBLE_DEVICES', '0')
  return args, parser


def note(text):
  comhe_cli.note('train.py', text)


def warn(text):
  note('warning: %s' % text)


@contextlib.contextmanager
def quiet_stderr():
  """Holds back what is written to file descriptor 2, unless something fails."""
  with tempfile.TemporaryFile() as held:
    stderr = os.dup(2)
    os.dup2(held.fileno(), 2)
    try:
      yield
    except Exception:
      held.seek(0)
      os.write(stderr, held.read())
      raise
    finally:
      os.dup2(stderr, 2)
      os.close(stderr)


def start_tensorflow(gpu_no):
  """Imports TensorFlow with the chosen GPU visible to it; returns it and a config.

  Without its own messages, unless TF_CPP_MIN_LOG_LEVEL is set: some versions write
  a dozen lines as they load and with the first session.
  """
  os.environ['CUDA_VISIBLE_DEVICES'] = gpu_no
  quiet = 'TF_CPP_MIN_LOG_LEVEL' not in os.environ
  if quiet:
    os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
  with quiet_stderr() if quiet else contextlib.ExitStack():
    import tensorflow.compat.v1 as tf
    tf.logging.set_verbosity(tf.logging.ERROR)
    config = tf.ConfigProto(allow_soft_placement=True)
    config.gpu_options.allow_growth = True
    with tf.Graph().as_default(), tf.Session(config=config) as session:
      session.run(tf.no_op())
  return tf, config


def load_data(args):
  """Returns the training set, its batches, the test set, and a line about them."""
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
  line = 'data: %s; %d training and %d test images' % (
      origin, len(train_set.images), len(test_set.images))
  return train_set, batches, test_set, line


def device_line(tf, session, gpu_no):
  """A line on TensorFlow and its device; warns where no GPU is to be had."""
  gpu = any(device.device_type == 'GPU' for device in session.list_devices())
  if not gpu and gpu_no not in ('', '-1'):
    warn('TensorFlow finds no GPU %s (TF_CPP_MIN_LOG_LEVEL=0 may show why); running '
         'on the CPU' % gpu_no)
  return 'TensorFlow %s on the %s; %d operations in the graph' % (
      tf.__version__, 'GPU ' + gpu_no if gpu else 'CPU',
      len(session.graph.get_operations()))


def tensorflow_failure(tf, error):
  """What to tell of a failure within TensorFlow: a line and, if known, a remedy."""
  if isinstance(error, tf.errors.ResourceExhaustedError):
    return 'out of memory; try a smaller --batch_size, --pd or --pn'
  # TensorFlow 2 puts headings before what happened.
  lines = [line for line in error.message.splitlines() if line.strip()
           and not line.startswith(('Graph execution error', 'Detected at node'))]
  return 'TensorFlow failed: %s' % (lines[0] if lines else type(error).__name__)


def run(args, parser):
  """Does as the flags say; returns the exit status."""
  # Before TensorFlow, so that a mistake shows at once.
  data = None if args.first_line else load_data(args)
  tf, config = start_tensorflow(args.gpu_no)
  from comhe_tf1 import checkpoint, first_line, run_record, training
  try:
    if args.first_line:
      return 0 if first_line.check(print, config) else 1
    with tf.Graph().as_default(), tf.Session(config=config) as session:
      if args.eval_only:
        evaluate(args, session, *data)
        return 0
      return train(args, parser, tf, session, *data)
  except tf.errors.OpError as error:
    note('error: %s' % tensorflow_failure(tf, error))
  except (checkpoint.CheckpointError, run_record.RunError,
          training.NonFiniteError) as error:
    note('error: %s' % error)
  return 1


def train(args, parser, tf, session, train_set, batches, test_set, data_line):
  """Builds the graph and trains in `session`; returns the exit status."""
  from comhe_tf1 import environment, interruption, kernels, legacy_log, network
  from comhe_tf1 import optimization, progress, regularizer as regularizers
  from comhe_tf1 import run_record, training

  settings = {name: getattr(args, name) for name in VARIANTS[args.regularizer]
              if name != 'random_seed'}
  regularizer = regularizers.REGULARIZERS[args.regularizer](**settings)
  layers = network.cnn9()
  try:
    for layer in layers:
      if layer.role == kernels.HIDDEN:
        regularizer.projections(layer.c_out)
  except ValueError as error:
    parser.error('--%s' % error)
  handles = training.build(layers, regularizer, args.op_seeds, args.random_seed,
                           args.bn_decay)
  session.run(tf.global_variables_initializer())
  folder = legacy_log.folder(args.log_dir, regularizer,
                             synthetic=args.dataset == 'sample')
  flags = dict(vars(args), data_md5=cifar_input.digest(train_set, test_set))
  with (run_record.resume(folder, flags, FREE) if args.resume
        else run_record.start(folder, flags)) as record:
    print('CoMHE, %s projection: %s; seed %d, op seeds %s' % (
        args.regularizer, ', '.join('%s %s' % item for item in settings.items()),
        args.random_seed, args.op_seeds))
    print(data_line)
    print(device_line(tf, session, args.gpu_no))
    print('logs: %s, %s; run: %s' % (
        record.log.train_file.name, record.log.test_file.name, record.path), flush=True)
    done = resume(session, handles, batches, record) if args.resume else 0
    record.begin(session, environment.describe(session), done)
    interrupted = interruption.Interruption()

    def rate_of(step):
      return optimization.learning_rate(step, args.base_lr, args.lr_drops)

    def on_train(step, measures, energies):
      terminal.line(record.train(step, measures, energies, rate_of(step)))

    def on_test(step, accuracy):
      terminal.line(record.test(step, accuracy))

    def on_step(steps):
      terminal.step()
      last = interrupted.signal or steps == args.max_steps
      if args.save_every and (last or steps % args.save_every == 0):
        save(session, batches, record, steps, flags['data_md5'], args.keep)
      if interrupted.signal and steps < args.max_steps:
        raise Stopped(steps)

    try:
      with interrupted, progress.Progress(args.max_steps, done) as terminal:
        training.train(session, handles, batches, test_set, rate_of, done,
                       args.max_steps, args.log_every, args.eval_every,
                       on_train, on_test, on_step)
    except Stopped as stopped:
      note('stopped after %s steps; %s' % (stopped, (
          'the same command with --resume continues' if args.save_every
          else '--save_every 0 keeps no checkpoint to continue from')))
      return interruption.exit_status(interrupted.signal)
    for line in run_record.final_lines(record.finish()):
      print(line)
  return 0


class Stopped(Exception):
  """A signal ended the training after so many steps."""


def save(session, batches, record, steps, data_md5, keep):
  """Saves all that `resume` needs."""
  from comhe_tf1 import checkpoint, training

  arrays, numbers = batches.state()
  arrays.update(training.state(session))
  checkpoint.save(record.checkpoints, steps, arrays,
                  {'steps': steps, 'batches': numbers, 'sizes': record.sync(),
                   'data_md5': data_md5}, keep)


def resume(session, handles, batches, record):
  """Restores the newest good checkpoint; returns the number of steps done."""
  from comhe_tf1 import checkpoint, progress, training

  found = checkpoint.newest(record.checkpoints, warn)
  if not found:
    record.cut({})
    print('no checkpoint yet: starting again from step 0', flush=True)
    return 0
  path, arrays, facts = found
  steps = facts['steps']
  training.restore(session, arrays, path)
  batches.restore(arrays, facts['batches'])
  record.cut(facts['sizes'])
  print('continuing after %d steps, from %s' % (steps, path), flush=True)
  with progress.Progress(steps, label='advancing the random streams') as terminal:
    training.advance(session, handles, steps, terminal.step)
  return steps


def evaluate(args, session, train_set, _, test_set, data_line):
  """Prints the test accuracy of a checkpoint."""
  from comhe_tf1 import checkpoint, evaluation, network, training

  path, arrays, facts = checkpoint.find(args.eval_only, warn)
  handles = evaluation.build(network.cnn9())
  training.restore(session, arrays, path)
  if facts['data_md5'] != cifar_input.digest(train_set, test_set):
    warn('%s was trained with other data than this' % path)
  print(data_line)
  print('checkpoint: %s' % path)
  last_step = facts['steps'] - 1

  def report(label):
    accuracy, top = evaluation.accuracy(session, handles, *test_set)
    print('%s++++iter_%d: test acc=%.4f, top-5 acc=%.4f'
          % (label, last_step, accuracy, top), flush=True)

  report('')
  if args.recalibrate_bn:
    evaluation.recalibrate(session, handles, train_set.images, args.batch_size)
    report('batch norm recalibrated on the training images, not the original\'s '
           'protocol: ')


def main(argv=None):
  args, parser = parse(argv)
  try:
    return run(args, parser)
  except KeyboardInterrupt:
    note('interrupted')
    return 130
  except BrokenPipeError:
    # Nobody reads the terminal's lines any more; closing must not fail on it too.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
  except (cifar_input.DataError, OSError) as error:
    full = getattr(error, 'errno', None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    note('error: %s%s' % (error, '; make room, then continue with --resume' if full
                          else ''))
    return 1
  except ImportError as error:
    note('error: %s; install what is needed with pip install -r requirements.txt'
         % error)
    return 1


if __name__ == '__main__':
  comhe_cli.print_anything()
  sys.exit(main())
