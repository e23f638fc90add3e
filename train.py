#!/usr/bin/env python
"""Trains a network with CoMHE on CIFAR, as the authors' three scripts do and beyond.

From here one sees what a training is made of: flags, data, graph, record, loop.
"""
import errno
import os
import sys

FOLDER = os.path.dirname(os.path.realpath(__file__))
if FOLDER not in sys.path:   # with python -P, or run by another program
  sys.path.append(FOLDER)

from comhe_tf1.utils import signals

if __name__ == '__main__':
  signals.end_at_once()   # before what takes time

from comhe_tf1 import flags  # first: it says what is missing

# isort: split
import cifar_input
from comhe_tf1.cluster import devices
from comhe_tf1.data import datasets
from comhe_tf1.networks import architectures
from comhe_tf1.published import published_runs
from comhe_tf1.regularizers import methods
from comhe_tf1.utils import terminal
from comhe_tf1.utils import tf_setup
from comhe_tf1.utils import version_check


def note(text):
  terminal.note('train.py', text)


def warn(text):
  note(f'warning: {text}')


def load_data(args):
  """Returns the data set and the batches of its training set, if that is needed."""
  if args.eval_only and not args.recalibrate_bn:
    return cifar_input.read(args.dataset, args.data_dir, with_train=False), None
  data = cifar_input.read(args.dataset, args.data_dir)
  return data, cifar_input.batches(data.train, args.batch_size, args.random_seed)


def first_batches(args, parser):
  """Returns a function from seeds to CIFAR-100's first batch, or None, and a line."""
  folder = args.data_dir or flags.default_data_dir(args, parser)
  try:
    data = cifar_input.read(args.dataset, folder)
  except cifar_input.DataError as error:
    if args.data_dir:
      raise
    return None, str(error).split(';')[0]
  if not datasets.is_official(args.dataset, data.md5):
    return None, data.line
  return (lambda seed: cifar_input.batches(data.train, published_runs.BATCH_SIZE, seed).next(),
          data.line)


def run(args, parser):
  """Does as the flags say; returns the exit status."""
  # Before TensorFlow, so that a mistake shows at once.
  if args.check_first_line:
    first_batch, data_line = first_batches(args, parser)
  else:
    data, batches = load_data(args)
  tf, config = tf_setup.tensorflow(**{name: getattr(args, name) for name in flags.DEVICE})
  from comhe_tf1.cluster import remote
  from comhe_tf1.records import checkpoints
  from comhe_tf1.records import run_record
  from comhe_tf1.training import first_line
  from comhe_tf1.training import loop
  try:
    if args.check_first_line:
      return 0 if first_line.check(print, config, first_batch, data_line) else 1
    with tf.Graph().as_default(), opened(args, tf, config) as session:
      if args.eval_only:
        return evaluate(args, session, data)
      return train(args, tf, session, data=data, batches=batches)
  except (tf.errors.OpError, remote.WorkerError) as error:
    text = error if isinstance(error, remote.WorkerError) else tf_setup.failure(tf, error)
    if args.master:
      give_up(text)
    note(f'error: {text}')
  except methods.SettingError as error:
    parser.error(f'--{error}')
  except devices.DeviceError as error:
    parser.error(f'--devices: {error}')
  except (checkpoints.CheckpointError, run_record.RunError,
          loop.NonFiniteError) as error:
    note(f'error: {error}')
  return 1


def give_up(text):
  """Ends the process at once: Python's end would wait for workers that may be gone."""
  note(f'error: {text}')
  sys.stdout.flush()
  os._exit(1)


def opened(args, tf, config):
  """A context manager of the session, in this process or on the workers of --master."""
  from comhe_tf1.cluster import remote

  named = flags.named_devices(args)
  if not args.master:
    config.device_count['CPU'] = devices.cpus(named)
    return tf.Session(config=config)
  processes = sorted({device.process for device in named})
  remote.check(args.master, processes)
  return remote.session(args.master, processes, config)


def evaluate(args, session, data):
  """Prints the test accuracy of a checkpoint; returns the exit status."""
  from comhe_tf1.training import evaluation

  evaluation.evaluate(
      session, args.eval_only, title=args.dataset,
      classes=datasets.DATASETS[args.dataset].classes, data=data,
      batch_size=args.batch_size if args.recalibrate_bn else None, warn=warn)
  return 0


def train(args, tf, session, data, batches):
  """Builds the graph and trains in `session`; returns the exit status."""
  from comhe_tf1.networks import towers
  from comhe_tf1.records import environment
  from comhe_tf1.records import run_record
  from comhe_tf1.records import summary_metrics
  from comhe_tf1.training import graph
  from comhe_tf1.training import runner
  from comhe_tf1.training import summary

  devices.check_present(flags.named_devices(args),
                        [device.name for device in session.list_devices()])
  settings = flags.method_settings(args)
  regularizer = methods.create(args.regularizer, **settings)
  network = dict(model=args.model, width=args.width, depth=args.depth,
                 classes=datasets.DATASETS[args.dataset].classes)
  power = args.power or '2'   # of the energies that are recorded
  handles = graph.build(
      architectures.plan(**network), regularizer, args.op_seeds, args.random_seed,
      bn_decay=args.bn_decay, monitored_power=power if args.energy_every else None,
      towers=towers.Towers(args.devices or (), args.bn_stats == 'tower'))
  session.run(tf.global_variables_initializer())

  folder = flags.log_folder(args, regularizer.settings)
  recorded = flags.recorded(args, data.md5)
  resumed = run_record.resume(folder, recorded, flags.FIXED) if args.resume else None
  if isinstance(resumed, dict):   # final figures
    print('this run is finished', *summary_metrics.lines(resumed), sep='\n')
    return 0
  if args.resume and not resumed:
    print(f'no run to continue in {terminal.one_line(folder)}: starting one')
  with resumed or run_record.start(folder, recorded) as record:
    device = summary.device_line(tf, session, devices=args.devices, gpu_no=args.gpu_no,
                                 warn=warn)
    summary.show(handles, regularizer, settings, random_seed=args.random_seed,
                 scheme=args.op_seeds, data_line=data.line, device=device,
                 record=record, warn=warn)
    one_run = runner.Run(session, handles, batches, record=record, note=note,
                         facts=dict(test_md5=data.test_md5, network=network))
    done = one_run.resume(warn) if resumed else 0
    record.begin(session, environment.describe(session), done)
    try:
      one_run.train(data.test, runner.Schedule(**{
          name: getattr(args, name) for name in runner.Schedule._fields}), done, power)
    except runner.Interrupted as stopped:
      note('%s; %s' % (stopped, 'the same command with --resume continues'
                       if args.save_every
                       else '--save_every 0 keeps no checkpoint to continue from'))
      return signals.exit_status(stopped.signal)
    for line in summary_metrics.lines(record.finish()):
      print(line)
  return 0


def main(argv=None):
  args, parser = flags.parse(argv)
  try:
    return run(args, parser)
  except tf_setup.NoGpuError as error:
    parser.error(f'--gpu_no {args.gpu_no}: {error}')
  except OSError as error:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
      raise
    note(f'error: {error}; make room, then continue with --resume')
  return 1


if __name__ == '__main__':
  terminal.command('train.py', main, cifar_input.DataError, version_check.Refusal,
                  tf_setup.StartError)
