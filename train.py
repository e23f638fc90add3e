#!/usr/bin/env python
"""Trains a network with CoMHE on CIFAR, as the authors' three scripts do and beyond."""
from __future__ import print_function  # so that Python 2 gets as far as its refusal

import argparse
import errno
import os
import re
import signal
import sys

import comhe_cli  # first: it says what is missing
import cifar_input
import cifar_sample
import numpy as np
from comhe_cli import Parser, path, real, whole
from comhe_tf1 import architectures, cluster, compatibility, devices, interruption
from comhe_tf1 import methods, op_seeds, run_settings

MANY = 2 ** 31 - 1  # what TensorFlow counts with
WIDEST = 60          # wider, a 3x3 kernel of the last stage has more numbers than MANY
# Flags that may change when a run is resumed: where things are, not what is computed.
FREE = run_settings.IMMATERIAL - {'log_every', 'eval_every', 'energy_every'}
DEVICE = ('gpu_no', 'xla', 'tf32', 'deterministic', 'any_environment')
ORIGINAL = dict(model='cnn9', width=1, depth=9, power='2')  # what has recorded op seeds


def steps(text):
  """Type of --lr_drops: increasing step numbers, or none at all."""
  if text and not re.fullmatch('[0-9]+(,[0-9]+)*', text):
    raise argparse.ArgumentTypeError(
        'expected step numbers separated by commas, got %r' % text)
  values = [int(value) for value in text.split(',')] if text else []
  if sorted(set(values)) != values:
    raise argparse.ArgumentTypeError('steps must increase, got %r' % text)
  return values


def device_list(text):
  """Type of --devices."""
  try:
    return [str(device) for device in devices.parse_list(text)]
  except devices.DeviceError as error:
    raise argparse.ArgumentTypeError(str(error))


def master(text):
  """Type of --master: grpc://host:port."""
  address = text[len('grpc://'):] if text.startswith('grpc://') else None
  if cluster.parse_address(address) is None:
    raise argparse.ArgumentTypeError('expected grpc://HOST:PORT, got %r' % text)
  return text


def _values(setting):
  """What argparse should take for a setting."""
  if setting.kind is int:
    return {'type': whole(setting.least, setting.most)}
  if setting.kind is float:
    return {'type': real(lambda value: setting.least <= value <= setting.most,
                         'from %g to %g' % (setting.least, setting.most))}
  return {'choices': setting.kind}


def make_parser():
  parser = Parser(
      prog='train.py',
      description='Train a network with CoMHE regularisation (Lin et al., CVPR 2020) '
                  'on CIFAR.',
      epilog='Defaults marked (original) are those of the authors\' scripts.')

  group = parser.add_argument_group('method')
  group.add_argument(
      '--regularizer', choices=list(methods.METHODS), default='random',
      help='%s (default: random, the first in the original\'s README)' % '; '.join(
          '%s: %s' % (name, method.summary)
          for name, method in methods.METHODS.items()))
  for name, setting in methods.SETTINGS.items():
    group.add_argument(
        '--' + name, metavar=setting.metavar, **dict(
            _values(setting), help='%s; of %s (default: %s; %s)' % (
                setting.help, methods.owners_of(name), methods.defaults_of(name),
                setting.origin)))

  group = parser.add_argument_group('network')
  group.add_argument(
      '--model', choices=list(architectures.MODELS), default='cnn9',
      help='network (default: cnn9; original)')
  group.add_argument(
      '--width', type=real(lambda value: 0 < value <= WIDEST, 'above 0, at most %d' % WIDEST),
      default=1., metavar='FACTOR',
      help='factor of the filters of every stage, %s at 1; a fraction will do; fc6 '
           'of cnn9 keeps its %d (default: 1; original)' % (
               ', '.join(map(str, architectures.STAGES)), architectures.FC6))
  group.add_argument(
      '--depth', type=int, choices=list(architectures.DEPTHS),
      help='cnn9 only: convolutions in the three stages together (default: 9; '
           'original)')

  group = parser.add_argument_group('data')
  group.add_argument(
      '--dataset', choices=list(cifar_input.LAYOUTS) + ['sample'], default='cifar100',
      help='cifar100 and cifar10 read --data_dir; sample is a small SYNTHETIC set made on '
           'the spot, for trying things, and reads nothing (default: cifar100; '
           'original)')
  group.add_argument(
      '--data_dir', type=path, metavar='FOLDER',
      help='folder of the set\'s pickles, or the one the archive was unpacked in '
           '(default: COMHE_DATA_DIR if set, else %s, as the archives unpack)'
           % ' or '.join(layout.folder for layout in cifar_input.LAYOUTS.values()))
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
      '--op_seeds', choices=op_seeds.NUMBERINGS + (op_seeds.BY_NAME,),
      help='whose initial weights: those the original draws under TensorFlow 1.8 '
           'to 1.12 or under 1.14, which are recorded for its three methods and its '
           'network, or by_name: the same for all methods, to compare them from one '
           'start (default: tf1.12, the published logs\', where recorded, else '
           'by_name)')
  group.add_argument(
      '--first_line', action='store_true',
      help='compute the first line of the three published logs, compare, and exit '
           '(0: all match, 1: not); needs no data')

  group = parser.add_argument_group('output')
  group.add_argument(
      '--log_dir', type=path, metavar='FOLDER',
      default=os.environ.get('COMHE_LOG_DIR') or 'log',
      help='folder of the logs, which are named and numbered below it as the '
           'original\'s (default: COMHE_LOG_DIR if set, else log; original: log)')
  group.add_argument(
      '--log_every', type=whole(1, MANY), default=100, metavar='STEPS',
      help='steps between training lines (default: 100; original)')
  group.add_argument(
      '--eval_every', type=whole(1, MANY), default=500, metavar='STEPS',
      help='steps between test lines (default: 500; original)')
  group.add_argument(
      '--energy_every', type=whole(0, MANY), default=0, metavar='STEPS',
      help='steps between records of every layer\'s energy, full and half space, of '
           'the kernels as they are, not projected, in metrics.jsonl and for '
           'TensorBoard, with --power, or 2 where there is none; 0 for none (default: '
           '0)')

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
      '--eval_only', type=path, metavar='PATH',
      help='print the test accuracy and top-5 accuracy of a checkpoint\'s network, or '
           'of the newest one of a run\'s folder, on --dataset or --data_dir, and exit')
  group.add_argument(
      '--recalibrate_bn', action='store_true',
      help='with --eval_only: also with the moving statistics replaced by their mean '
           'over the training images, which is not the original\'s protocol')

  group = parser.add_argument_group('device')
  comhe_cli.add_device_flags(group)
  group.add_argument(
      '--xla', action='store_true', help='let XLA compile what it can')
  group.add_argument(
      '--profile', type=whole(0, MANY), default=0, metavar='STEPS',
      help='write timelines of so many steps, after five others, to the run\'s folder, '
           'for ui.perfetto.dev (default: 0)')

  group = parser.add_argument_group('several devices')
  group.add_argument(
      '--devices', type=device_list, metavar='DEVICE,...',
      help='devices that share every batch, such as gpu:0,gpu:1, or '
           '/job:worker/task:0/gpu:0,/job:worker/task:1/gpu:0 with --master; their number '
           'must divide --batch_size, all but the batch is on the first (default: the '
           'one of --gpu_no)')
  group.add_argument(
      '--master', type=master, metavar='grpc://HOST:PORT',
      help='a worker, started with python -m comhe_tf1.worker, in whose cluster '
           '--devices are (default: they are in this process)')
  group.add_argument(
      '--bn_stats', choices=('batch', 'tower'), default='batch',
      help='what batch norm takes its statistics of: batch, the whole of it, as on one '
           'device; or tower, each device\'s part, which is ANOTHER EXPERIMENT and '
           'exchanges less (default: batch)')
  return parser


def parse(argv):
  """Returns the flags with the variant's own defaults filled in, and the parser."""
  parser = make_parser()
  args = parser.parse_args(argv)
  if args.first_line:
    for name, value in vars(parser.parse_args(['--first_line'])).items():
      if name not in DEVICE and getattr(args, name) != value:
        parser.error('--first_line takes no --%s: it runs the published settings'
                     % name)
  if args.resume and args.eval_only:
    parser.error('--resume and --eval_only exclude each other')
  if args.recalibrate_bn and not args.eval_only:
    parser.error('--recalibrate_bn goes with --eval_only')
  resolve_method(args, parser)
  if args.depth is not None and args.model != 'cnn9':
    parser.error('--depth does not apply to --model %s' % args.model)
  if args.model == 'cnn9' and args.depth is None:
    args.depth = 9
  try:
    layers_of(vars(args), classes=1)
  except methods.SettingError as error:
    parser.error('--%s' % error)
  recorded = op_seeds.has_original(args.regularizer) and all(
      getattr(args, name) == value for name, value in ORIGINAL.items())
  if args.op_seeds is None:
    args.op_seeds = op_seeds.NUMBERINGS[0] if recorded else op_seeds.BY_NAME
  elif args.op_seeds != op_seeds.BY_NAME and not recorded:
    parser.error('--op_seeds %s is recorded for --regularizer random, angle and '
                 'adversarial with %s only; leave it out' % (
                     args.op_seeds, ', '.join('--%s %s' % item
                                              for item in sorted(ORIGINAL.items()))))
  if args.dataset == 'sample' and args.data_dir is not None:
    parser.error('--data_dir does not apply to --dataset sample, which reads nothing')
  if args.dataset != 'sample' and args.data_dir is None:
    args.data_dir = os.environ.get('COMHE_DATA_DIR') or layout_of(args).folder
  check_devices(args, parser)
  return args, parser


def check_devices(args, parser):
  """Checks what can be said of --devices before TensorFlow is there."""
  named = [devices.parse(name) for name in args.devices or ()]
  if args.eval_only:
    for name in ('devices', 'master', 'bn_stats'):
      if getattr(args, name) != parser.get_default(name):
        parser.error('--%s does not apply to --eval_only' % name)
  if args.master and not named:
    parser.error('--master needs --devices, such as /job:worker/task:0/gpu:0')
  for device in named:
    if args.master and device.job is None:
      parser.error('--devices: with --master, %s needs its job and task, such as '
                   '/job:worker/task:0%s' % (device, device))
    if device.job is not None and not args.master:
      parser.error('--devices: %s is of a cluster; name one of its workers with --master '
                   'grpc://HOST:PORT' % str(device))
  if named and args.batch_size % len(named):
    parser.error('--batch_size %d does not divide by the %d devices of --devices' % (
        args.batch_size, len(named)))
  if args.bn_stats == 'tower' and len(named) < 2:
    parser.error('--bn_stats tower needs two --devices or more')
  own = [device.number for device in named if device.kind == 'GPU' and not args.master]
  if named and not own and args.gpu_no is None:
    args.gpu_no = '-1'   # a client of workers computes nothing itself
  # Of several GPUs all must be visible.
  args.gpu_no = comhe_cli.gpus_or_default(
      args.gpu_no, ','.join(map(str, range(max(own) + 1))) if own else '0')


def resolve_method(args, parser):
  """Fills in the settings of the method; those of others stay None."""
  method = methods.METHODS[args.regularizer]
  given = {name: getattr(args, name) for name in methods.SETTINGS
           if getattr(args, name) is not None}
  for name in given:
    if name not in method.settings:
      parser.error('--%s does not apply to --regularizer %s' % (name, args.regularizer))
  vars(args).update(methods.resolve(args.regularizer, given))
  if args.random_seed is None:
    args.random_seed = method.random_seed


def layout_of(args):
  """Layout of the data set; the sample's is CIFAR-100's."""
  return cifar_input.LAYOUTS['cifar100' if args.dataset == 'sample' else args.dataset]


def layers_of(network, classes):
  """Plan of a network, from the flags' names and values."""
  settings = {'width': network['width']}
  if network['depth'] is not None:
    settings['depth'] = network['depth']
  return architectures.MODELS[network['model']](classes, **settings)


def note(text):
  comhe_cli.note('train.py', text)


def warn(text):
  note('warning: %s' % text)


def load_data(args):
  """Returns the training set, its batches, the test set, and a line about them."""
  if args.dataset == 'sample':
    rows = cifar_sample.generate()
    train_set, test_set = [cifar_input.from_rows(rows[name], 'the sample')
                           for name in ('train', 'test')]
    origin = 'SYNTHETIC sample, not CIFAR-100'
  else:
    train_set, test_set = cifar_input.load_folder(args.data_dir, layout_of(args))
    origin = args.data_dir
  # Seeded just before training and used for nothing else, as the original.
  batches = cifar_input.TrainingBatches(
      train_set, args.batch_size, np.random.RandomState(args.random_seed))
  line = 'data: %s; %d training and %d test images' % (
      origin, len(train_set.images), len(test_set.images))
  return train_set, batches, test_set, line


def device_line(tf, session, args):
  """A line on TensorFlow and its devices; warns where no GPU is to be had."""
  if args.devices:
    where = ', '.join(args.devices)
  elif any(device.device_type == 'GPU' for device in session.list_devices()):
    where = 'the GPU ' + args.gpu_no
  else:
    where = 'the CPU'
    if args.gpu_no not in ('', '-1'):
      warn('TensorFlow finds no GPU %s (TF_CPP_MIN_LOG_LEVEL=0 may show why); running '
           'on the CPU' % args.gpu_no)
  return 'TensorFlow %s on %s; %d operations in the graph' % (
      tf.__version__, where, len(session.graph.get_operations()))


def run(args, parser):
  """Does as the flags say; returns the exit status."""
  # Before TensorFlow, so that a mistake shows at once.
  data = None if args.first_line else load_data(args)
  tf, config = comhe_cli.start_tensorflow(
      *[getattr(args, name) for name in DEVICE])
  from comhe_tf1 import checkpoint, first_line, remote, run_record, training
  workers = {}
  try:
    if args.first_line:
      return 0 if first_line.check(print, config) else 1
    named = [devices.parse(name) for name in args.devices or ()]
    if args.master:
      workers = remote.workers(
          args.master, named, cluster.card(tf.__version__, args.tf32, args.deterministic))
      remote.configure(config, workers)
    else:
      config.device_count['CPU'] = devices.cpus(named)
    with tf.Graph().as_default(), (
        remote.session(args.master, config, workers, give_up)) as session:
      if args.eval_only:
        evaluate(args, session, *data)
        return 0
      present = [device.name for device in session.list_devices()]
      for device in devices.missing(named, present):
        raise devices.DeviceError('there is no %s; there are %s%s' % (
            device, ', '.join(present), '' if device.kind == 'CPU' or args.master else
            ' (GPUs %r are to be visible)' % args.gpu_no))
      return train(args, tf, session, workers, *data)
  except (tf.errors.OpError, remote.LostError) as error:
    text = error if isinstance(error, remote.LostError) else (
        comhe_cli.tensorflow_failure(tf, error))
    if workers:
      give_up(text)
    note('error: %s' % text)
  except methods.SettingError as error:
    parser.error('--%s' % error)
  except devices.DeviceError as error:
    parser.error('--devices: %s' % error)
  except (checkpoint.CheckpointError, cluster.ClusterError, run_record.RunError,
          training.NonFiniteError) as error:
    note('error: %s' % error)
  return 1


def give_up(text):
  """Ends the process at once: its session waits for workers that may be gone.

  All files are valid at any moment.
  """
  try:
    note('error: %s' % text)
    sys.stdout.flush()
  finally:
    os._exit(1)


def train(args, tf, session, workers, train_set, batches, test_set, data_line):
  """Builds the graph and trains in `session`; returns the exit status."""
  from comhe_tf1 import environment, final_figures, legacy_log
  from comhe_tf1 import optimization, parameter_table, prefetch, profiling, progress
  from comhe_tf1 import run_record, towers, training

  diagnosed_power = args.power or '2'
  settings = {name: getattr(args, name)
              for name in methods.METHODS[args.regularizer].settings}
  regularizer = methods.create(args.regularizer, **settings)
  network = dict(model=args.model, width=args.width, depth=args.depth,
                 classes=layout_of(args).classes)
  handles = training.build(
      layers_of(network, network['classes']), regularizer, args.op_seeds,
      args.random_seed, args.bn_decay, diagnosed_power if args.energy_every else None,
      towers.Towers(args.devices or (), args.bn_stats == 'tower'))
  session.run(tf.global_variables_initializer())
  label = architectures.label(args.model, args.width, args.depth)
  flags = dict(vars(args), data_md5=cifar_input.digest(train_set, test_set))
  if args.bn_stats == 'tower':
    # Their number decides what is trained, elsewhere it does not.
    flags['bn_stats'] = 'tower of %d' % len(args.devices)
    label = (label or args.model) + '_bntower%d' % len(args.devices)
  folder = legacy_log.folder(args.log_dir, args.dataset, label, *methods.folder(
      args.regularizer, regularizer.settings))
  with (run_record.resume(folder, flags, FREE) if args.resume
        else run_record.start(folder, flags)) as record:
    print('\n'.join(parameter_table.lines(handles.network, regularizer,
                                          handles.energies, handles.decayed)))
    print('%s: %s; seed %d, op seeds %s' % (
        args.regularizer, ', '.join('%s %s' % item for item in settings.items())
        or 'no settings', args.random_seed, args.op_seeds))
    print(data_line)
    print(device_line(tf, session, args))
    print('logs: %s, %s; run: %s' % (
        record.log.train_file.name, record.log.test_file.name, record.path), flush=True)
    done = resume(session, handles, batches, record, network) if args.resume else 0
    record.begin(session, dict(environment.describe(session), workers=workers), done)
    interrupted = interruption.Interruption()
    profiler = profiling.Profiler(session, os.path.join(record.path, 'timelines'), done,
                                  args.profile)

    def rate_of(step):
      return optimization.learning_rate(step, args.base_lr, args.lr_drops)

    def on_train(step, measures, energies):
      terminal.line(record.train(step, measures, energies, rate_of(step)))

    def on_test(step, accuracy):
      terminal.line(record.test(step, accuracy))

    def on_energies(step, energies):
      record.energies(step, diagnosed_power, energies)

    def on_step(steps):
      terminal.step()
      profiler.begin(steps)
      last = interrupted.signal or steps == args.max_steps
      if args.save_every and (last or steps % args.save_every == 0):
        save(session, made_ahead, record, steps, {
            'data_md5': flags['data_md5'], 'network': network}, args.keep)
      if interrupted.signal and steps < args.max_steps:
        raise Stopped(steps)

    try:
      with interrupted, progress.Progress(args.max_steps, done) as terminal, (
          prefetch.Prefetched(batches)) as made_ahead:
        training.train(profiler, handles, made_ahead, test_set, rate_of, done,
                       args.max_steps, args.log_every, args.eval_every,
                       args.energy_every, on_train, on_test, on_energies, on_step)
    except Stopped as stopped:
      note('stopped after %s steps; %s' % (stopped, (
          'the same command with --resume continues' if args.save_every
          else '--save_every 0 keeps no checkpoint to continue from')))
      return interruption.exit_status(interrupted.signal)
    for line in final_figures.lines(record.finish()):
      print(line)
  return 0


class Stopped(Exception):
  """A signal ended the training after so many steps."""


def save(session, batches, record, steps, facts, keep):
  """Saves all that `resume` and `evaluate` need, `facts` among it."""
  from comhe_tf1 import checkpoint, training

  arrays, numbers = batches.state()
  arrays.update(training.state(session))
  checkpoint.save(record.checkpoints, steps, arrays,
                  dict(facts, steps=steps, batches=numbers, sizes=record.sync()), keep)


def resume(session, handles, batches, record, network):
  """Restores the newest good checkpoint; returns the number of steps done."""
  from comhe_tf1 import checkpoint, progress, training

  found = checkpoint.newest(record.checkpoints, warn)
  if not found:
    record.cut({})
    print('no checkpoint yet: starting again from step 0', flush=True)
    return 0
  checkpoint_path, arrays, facts = found
  steps = facts['steps']
  restore(session, network, arrays, checkpoint_path)
  batches.restore(arrays, facts['batches'])
  record.cut(facts['sizes'])
  print('continuing after %d steps, from %s' % (steps, checkpoint_path), flush=True)
  with progress.Progress(steps, label='advancing the random streams') as terminal:
    training.advance(session, handles, steps, terminal.step)
  return steps


def restore(session, network, arrays, path):
  """Restores the variables of a network from a checkpoint's arrays."""
  from comhe_tf1 import checkpoint, training

  fc6 = arrays.get('fc6/filter')
  if network['model'] == 'cnn9' and fc6 is not None and (
      fc6.shape[-1:] not in ((), (architectures.FC6,))):
    raise checkpoint.CheckpointError(
        '%s is of an earlier version, whose --width multiplied the filters of fc6 too: '
        '%d of them, now always %d. That is another network: train it anew'
        % (path, fc6.shape[-1], architectures.FC6))
  training.restore(session, arrays, path)


def evaluate(args, session, train_set, _, test_set, data_line):
  """Prints the test accuracy of a checkpoint."""
  from comhe_tf1 import checkpoint, evaluation

  found, arrays, facts = checkpoint.find(args.eval_only, warn)
  # Version 0.1.0 knew one network and did not say which.
  network = facts.get('network', dict(ORIGINAL, classes=100))
  classes = layout_of(args).classes
  if network['classes'] != classes:
    raise checkpoint.CheckpointError(
        '%s has %d classes, --dataset %s has %d; name the data set it was trained on'
        % (found, network['classes'], args.dataset, classes))
  handles = evaluation.build(layers_of(network, classes))
  restore(session, network, arrays, found)
  if facts.get('data_md5') != cifar_input.digest(train_set, test_set):
    warn('%s was trained with other data than this' % found)
  print(data_line)
  print('checkpoint: %s' % found)
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
  # Also where this is the first process of a container, which no signal ends by itself.
  signal.signal(signal.SIGTERM, interruption.leave)
  try:
    return run(args, parser)
  except KeyboardInterrupt:
    note('interrupted')
    return 130
  except BrokenPipeError:
    comhe_cli.give_up_stdout()
    return 1
  except (cifar_input.DataError, OSError) as error:
    full = getattr(error, 'errno', None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    note('error: %s%s' % (error, '; make room, then continue with --resume' if full
                          else ''))
    return 1
  except ImportError as error:
    note('error: %s; %s' % (error, compatibility.INSTALL))
    return 1
  except compatibility.Refusal as error:
    note('error: %s' % error)
    return 1


if __name__ == '__main__':
  comhe_cli.print_anything()
  sys.exit(main())
