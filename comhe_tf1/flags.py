"""The flags of train.py: their declaration, and the rules between them.

What is parsed has every setting of the method filled in, and only that method's.
"""
import argparse
import os
import re

from comhe_tf1.cluster import devices
from comhe_tf1.data import datasets
from comhe_tf1.networks import architectures
from comhe_tf1.networks import op_seeds
from comhe_tf1.records import run_settings
from comhe_tf1.regularizers import methods
from comhe_tf1.utils import arguments

MANY = 2 ** 31 - 1  # what TensorFlow counts with
WIDEST = 60          # wider, a 3x3 kernel of the last stage has more numbers than MANY
# Flags that stay as they were when a run is resumed: what is computed, and when.
FIXED = run_settings.MATERIAL | {'log_every', 'eval_every', 'energy_every'}
DEVICE = ('gpu_no', 'xla', 'tf32', 'deterministic', 'skip_version_check', 'gpu_required')
ORIGINAL = dict(model='cnn9', width=1, depth=9, power='2')  # what has recorded op seeds


def _steps(text):
  """Type of --lr_drops: increasing step numbers, or none at all."""
  if text and not re.fullmatch('[0-9]+(,[0-9]+)*', text):
    raise argparse.ArgumentTypeError(
        f'expected step numbers separated by commas, got {text!r}')
  values = [int(value) for value in text.split(',')] if text else []
  if sorted(set(values)) != values:
    raise argparse.ArgumentTypeError(f'steps must increase, got {text!r}')
  return values


def _master(text):
  """Type of --master: grpc://host:port."""
  if not re.fullmatch('grpc://[^/:@ ]+:[0-9]+', text):
    raise argparse.ArgumentTypeError(f'expected grpc://HOST:PORT, got {text!r}')
  return text


def _values(setting):
  """What argparse should take for a setting."""
  if setting.kind is int:
    return {'type': arguments.whole(setting.minimum, setting.maximum),
            'metavar': setting.metavar}
  if setting.kind is float:
    minimum, maximum = setting.minimum, setting.maximum
    return {'type': arguments.real(lambda value: minimum <= value <= maximum,
                                   f'from {minimum:g} to {maximum:g}'),
            'metavar': setting.metavar}
  return {'choices': setting.kind}   # which --help then shows


def _method_flags(group):
  group.add_argument(
      '--regularizer', choices=list(methods.METHODS), default='random',
      help='%s (default: random, the first in the original\'s README)' % '; '.join(
          '%s: %s' % (name, method.summary)
          for name, method in methods.METHODS.items()))
  for name, setting in methods.SETTINGS.items():
    group.add_argument(
        '--' + name, **dict(
            _values(setting), help='%s; for %s (default: %s; %s)' % (
                setting.help, methods.describe_owners(name),
                methods.describe_defaults(name), setting.origin)))


def _network_flags(group):
  group.add_argument(
      '--model', choices=list(architectures.MODELS), default='cnn9',
      help='network (default: cnn9; original)')
  group.add_argument(
      '--width', default=1., metavar='FACTOR',
      type=arguments.real(lambda value: 0 < value <= WIDEST, 'above 0, at most %d' % WIDEST),
      help='factor for the number of filters in every stage: %s at 1; fractions are '
           'allowed; fc6 of cnn9 always has %d (default: 1; original)' % (
               ', '.join(map(str, architectures.STAGES)), architectures.FC6))
  group.add_argument(
      '--depth', type=int, choices=list(architectures.DEPTHS),
      help='number of convolutions in the three stages, cnn9 only (default: 9; '
           'original)')


def _data_flags(group):
  group.add_argument(
      '--dataset', choices=list(datasets.DATASETS), default='cifar100',
      help='cifar100 and cifar10 are read from --data_dir; sample is a small SYNTHETIC '
           'data set that needs no files, for trying things out (default: cifar100; '
           'original)')
  group.add_argument(
      '--data_dir', type=arguments.path, metavar='FOLDER',
      help='folder of the pickles, or the folder that the archive was unpacked in '
           '(default: COMHE_DATA_DIR if set, otherwise %s)'
           % ' or '.join(row.folder for row in datasets.PICKLED.values()))
  group.add_argument(
      '--batch_size', type=arguments.whole(1, MANY), default=128, metavar='IMAGES',
      help='training images per step (default: 128; original)')


def _optimization_flags(group):
  group.add_argument(
      '--base_lr', type=arguments.real(lambda value: value > 0, 'above 0'), default=0.1,
      metavar='RATE', help='learning rate at step 0 (default: 0.1; original)')
  group.add_argument(
      '--lr_drops', type=_steps, default=[30000, 50000, 65000], metavar='STEP,...',
      help='learning-rate decay steps: before each of them the rate is multiplied by '
           '0.1; \'\' for none (default: '
           ' 30000,50000,65000; original)')
  group.add_argument(
      '--max_steps', type=arguments.whole(1, MANY), default=75000, metavar='STEPS',
      help='training steps (default: 75000; original)')
  group.add_argument(
      '--bn_decay', type=arguments.real(lambda value: 0 <= value < 1, 'in [0, 1)'),
      default=0.999, metavar='DECAY',
      help='decay per step of the moving averages of batch norm, which testing uses; '
           'use a smaller one for runs of fewer than about 3,000 steps (default: 0.999; '
           'original)')


def _reproduction_flags(group):
  group.add_argument(
      '--random_seed', type=arguments.whole(0, 2 ** 32 - 1), metavar='SEED',
      help='seed of weights, projections, shuffling and augmentation (default: '
           '3456 for adversarial, otherwise 345; original; the published log of random '
           'has 1234)')
  group.add_argument(
      '--op_seeds', choices=op_seeds.SCHEMES + (op_seeds.BY_NAME,),
      help='initial weights. tf1.12: those of the published logs, as the original draws '
           'them under TensorFlow 1.8 to 1.12; tf1.14: as it draws them under TensorFlow '
           '1.14; both exist only for its three methods, network and power. by_name: the '
           'same for every method, to compare methods (default: tf1.12 if it exists, '
           'otherwise by_name)')
  group.add_argument(
      '--check_first_line', action='store_true',
      help='compute the first line of the three published logs, compare, and exit with '
           '0 if all numbers match, otherwise 1; only fit and acc need CIFAR-100')


def _output_flags(group):
  group.add_argument(
      '--log_dir', type=arguments.path, metavar='FOLDER',
      help='folder of the logs; subfolders, names and numbers are as the original\'s '
           '(default: COMHE_LOG_DIR if set, otherwise log; original: log)')
  group.add_argument(
      '--log_every', type=arguments.whole(1, MANY), default=100, metavar='STEPS',
      help='steps between training lines (default: 100; original)')
  group.add_argument(
      '--eval_every', type=arguments.whole(1, MANY), default=500, metavar='STEPS',
      help='steps between test lines (default: 500; original)')
  group.add_argument(
      '--energy_every', type=arguments.whole(0, MANY), default=0, metavar='STEPS',
      help='steps between records of the energy of every layer, in full and half space, '
           'of the unprojected kernels, in metrics.jsonl and for TensorBoard; their power '
           'is --power, or 2 for methods without one; 0: no records (default: 0)')


def _checkpoints_flags(group):
  group.add_argument(
      '--save_every', type=arguments.whole(0, MANY), default=1000, metavar='STEPS',
      help='steps between checkpoints; another one is written after the last step; '
           '0: no checkpoints (default: 1000; the original has none)')
  group.add_argument(
      '--max_to_keep', type=arguments.whole(1, MANY), default=3, metavar='N',
      help='number of newest checkpoints to keep (default: 3)')
  group.add_argument(
      '--resume', action='store_true',
      help='continue the newest unfinished run with these flags, exactly from its '
           'newest checkpoint; if there is no run, start one; if the run is finished, '
           'print its results')
  group.add_argument(
      '--eval_only', type=arguments.path, metavar='PATH',
      help='print test accuracy and top-5 accuracy of a checkpoint (such as '
           'run_00/checkpoints/model.ckpt-75000), or of the newest one in a run\'s '
           'folder, and exit; the test set is that of --dataset and --data_dir')
  group.add_argument(
      '--recalibrate_bn', action='store_true',
      help='with --eval_only: also print the accuracy with the moving averages replaced '
           'by means over the training images; this is not the original\'s protocol')


def _device_flags(group):
  arguments.add_device_flags(group)
  group.add_argument(
      '--xla', action='store_true', help='compile with XLA where possible')
  group.add_argument(
      '--profile', type=arguments.whole(0, MANY), default=0, metavar='STEPS',
      help='write timelines of this many steps, after the first five, to the run\'s '
           'folder; ui.perfetto.dev opens them (default: 0)')


def _several_devices_flags(group):
  group.add_argument(
      '--devices', type=devices.parse_list, metavar='DEVICE,...',
      help='devices that share every batch, such as gpu:0,gpu:1, or '
           '/job:worker/task:0/gpu:0,/job:worker/task:1/gpu:0 with --master; their number '
           'must divide --batch_size; weights, terms and tests are on the first one '
           '(default: the one of --gpu_no)')
  group.add_argument(
      '--master', type=_master, metavar='grpc://HOST:PORT',
      help='address of a worker, started with python -m comhe_tf1.worker, whose cluster '
           'has the --devices (default: the devices of this process)')
  group.add_argument(
      '--bn_stats', choices=('batch', 'tower'), default='batch',
      help='images for the statistics of batch norm. batch: the whole batch, as on one '
           'device; tower: each device\'s part, which is A DIFFERENT EXPERIMENT with less '
           'communication (default: batch)')


GROUPS = (('method', _method_flags),
          ('network', _network_flags),
          ('data', _data_flags),
          ('optimization', _optimization_flags),
          ('reproduction', _reproduction_flags),
          ('output', _output_flags),
          ('checkpoints', _checkpoints_flags),
          ('device', _device_flags),
          ('several devices', _several_devices_flags))


def make_parser():
  """The parser of the declarations above."""
  parser = arguments.Parser(
      prog='train.py',
      description='Train a network with CoMHE regularization (Lin et al., CVPR 2020) '
                  'on CIFAR.',
      epilog='Where the defaults come from: original, the authors\' scripts; paper, the '
             'papers; otherwise this project.')
  for title, declare in GROUPS:
    declare(parser.add_argument_group(title))
  return parser


def parse(argv):
  """Returns the flags with the variant's own defaults filled in, and the parser.

  A mistake ends the process with status 2 and a line about the first rule it breaks.
  """
  parser = make_parser()
  args = parser.parse_args(argv)
  for rule in RULES:
    rule(args, parser)
  return args, parser


def _first_line_alone(args, parser):
  if args.check_first_line:
    for name, value in vars(parser.parse_args(['--check_first_line'])).items():
      if name not in DEVICE + ('data_dir',) and getattr(args, name) != value:
        parser.error(f'--check_first_line takes no --{name}: it runs the published '
                     'settings')


def _one_purpose(args, parser):
  if args.resume and args.eval_only:
    parser.error('--resume and --eval_only exclude each other')
  if args.recalibrate_bn and not args.eval_only:
    parser.error('--recalibrate_bn goes with --eval_only')


def _settings_of_the_method(args, parser):
  """Fills in the settings of the method; those of others stay None."""
  method = methods.METHODS[args.regularizer]
  given = {name: getattr(args, name) for name in methods.SETTINGS
           if getattr(args, name) is not None}
  for name in given:
    if name not in method.settings:
      parser.error(f'--{name} does not apply to --regularizer {args.regularizer}')
  vars(args).update(methods.resolve(args.regularizer, given))
  if args.random_seed is None:
    args.random_seed = method.random_seed


def _network(args, parser):
  if args.depth is not None and args.model != 'cnn9':
    parser.error(f'--depth does not apply to --model {args.model}')
  if args.model == 'cnn9' and args.depth is None:
    args.depth = 9
  try:
    architectures.plan(args.model, 1, args.width, args.depth)
  except methods.SettingError as error:
    parser.error(f'--{error}')


def _initial_weights(args, parser):
  recorded = op_seeds.has_original(args.regularizer) and all(
      getattr(args, name) == value for name, value in ORIGINAL.items())
  if args.op_seeds is None:
    args.op_seeds = op_seeds.SCHEMES[0] if recorded else op_seeds.BY_NAME
  elif args.op_seeds != op_seeds.BY_NAME and not recorded:
    parser.error('--op_seeds %s is recorded for --regularizer random, angle and '
                 'adversarial with %s only; leave it out' % (
                     args.op_seeds, ', '.join('--%s %s' % item
                                              for item in sorted(ORIGINAL.items()))))


def _data(args, parser):
  if args.dataset == 'sample' and args.data_dir is not None:
    parser.error('--data_dir does not apply to --dataset sample, which reads nothing')
  if args.dataset != 'sample' and args.data_dir is None and not args.check_first_line:
    args.data_dir = default_data_dir(args, parser)


def _logs(args, parser):
  if args.log_dir is None:
    args.log_dir = arguments.path_of_environment(parser, 'COMHE_LOG_DIR') or 'log'
  try:
    os.fsencode(args.log_dir).decode()
  except UnicodeDecodeError:
    parser.error(f'--log_dir {args.log_dir!r} is not in UTF-8, as TensorFlow takes paths')


def _devices_do_not_evaluate(args, parser):
  if args.eval_only:
    for name in ('devices', 'master', 'bn_stats'):
      if getattr(args, name) != parser.get_default(name):
        parser.error(f'--{name} does not apply to --eval_only')


def _devices_and_master(args, parser):
  if args.master and not args.devices:
    parser.error('--master needs --devices, such as /job:worker/task:0/gpu:0')
  for device in named_devices(args):
    if args.master and device.job is None:
      parser.error('--devices: with --master, %s needs its job and task, such as '
                   '/job:worker/task:0%s' % (device, device))
    if device.job is not None and not args.master:
      parser.error('--devices: %s is of a cluster; name one of its workers with --master '
                   'grpc://HOST:PORT' % str(device))


def _devices_share_the_batch(args, parser):
  count = len(named_devices(args))
  if count and args.batch_size % count:
    parser.error('--batch_size %d does not divide by the %d devices of --devices' % (
        args.batch_size, count))
  if args.bn_stats == 'tower' and count < 2:
    parser.error('--bn_stats tower needs two --devices or more')


def _visible_gpus(args, _):
  """Of several GPUs all must be visible; a client of workers computes nothing itself."""
  named = named_devices(args)
  own = [device.number for device in named if device.kind == 'GPU' and not args.master]
  if named and not own and args.gpu_no is None:
    args.gpu_no = '-1'
  args.gpu_required = args.gpu_no is not None and not args.master
  args.gpu_no = arguments.gpus_or_default(
      args.gpu_no, ','.join(map(str, range(max(own) + 1))) if own else '0')


RULES = (_first_line_alone, _one_purpose, _settings_of_the_method, _network,
         _initial_weights, _data, _logs, _devices_do_not_evaluate, _devices_and_master,
         _devices_share_the_batch, _visible_gpus)


def named_devices(args):
  """The devices of --devices, parsed; empty where it is not given."""
  return [devices.parse(name) for name in args.devices or ()]


def default_data_dir(args, parser):
  """Where the data are looked for without --data_dir."""
  return (arguments.path_of_environment(parser, 'COMHE_DATA_DIR')
          or datasets.DATASETS[args.dataset].folder)


def method_settings(args):
  """The settings of the method, by name."""
  return {name: getattr(args, name) for name in methods.METHODS[args.regularizer].settings}


def log_folder(args, settings):
  """Folder of the logs, named as the original's.

  Args:
    args: parsed flags.
    settings: of the regularizer, as its `settings`.
  """
  label = architectures.label(args.model, args.width, args.depth)
  if args.bn_stats == 'tower':
    label = (label or args.model) + f'_bntower{len(args.devices)}'
  levels = ('' if args.dataset == 'cifar100' else args.dataset, label) + (
      methods.folder(args.regularizer, settings))
  return os.path.join(args.log_dir, *filter(None, levels))


def recorded(args, data_md5):
  """The flags as args.json has them, a sum of the data, and what these are."""
  flags_of_run = dict(vars(args), data_md5=data_md5,
                      data=datasets.describe(args.dataset, data_md5))
  del flags_of_run['gpu_required']   # of the command, not of the run
  if args.bn_stats == 'tower':
    # Their number decides what is trained, elsewhere it does not.
    flags_of_run['bn_stats'] = f'tower of {len(args.devices)}'
  return flags_of_run
