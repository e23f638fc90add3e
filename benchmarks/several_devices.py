#!/usr/bin/env python
"""Measures what `train.py --devices` takes and moves: CNN-9, batch 128, on CPUs.

    python benchmarks/several_devices.py [--repeats 8] [--before CHECKOUT] [--json FILE]

Contenders, each a process of its own (`stepper.py`), of which one at a time takes a
step, in turn; workers are real ones (`python -m comhe_tf1.worker`), on loopback, each
held to one core. --before adds a checkout of an earlier state of this project. Before
anything is timed, the terms of the first step must agree. Bytes are those of the
loopback interface, which others use too: it is watched at rest just before. Needs Linux
and two cores.
"""
import argparse
import collections
import contextlib
import functools
import json
import os
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HERE = os.path.join(ROOT, 'benchmarks')
sys.path[:0] = [ROOT, os.path.join(ROOT, 'tests', 'helpers')]

import agreement
import measured_process
import processes
import report
import run

from comhe_tf1.utils import arguments
from comhe_tf1.utils import terminal

CORES = (0, 1)
WORKERS = 4
WARM_UPS = 2
METHODS = ('random', 'none')
QUIET = 0.1      # part of the cores that others may keep busy when timing starts
PATIENCE = 60.   # seconds to wait for it

Setup = collections.namedtuple('Setup', 'title towers workers bn_stats cores before')
Setup.__doc__ = """How a contender computes.

title: for tables. towers: number of --devices, 0 for none given. workers: whether
these are workers, task k on core k modulo 2. bn_stats: as the flag. cores: of the
contender's own process, which with workers only sends and waits. before: whether it
runs the earlier checkout.
"""
Setup.__new__.__defaults__ = (0, False, 'batch', CORES, False)

BEFORE = Setup('one device, the checkout before', before=True)
ONE = Setup('one device')
NAMED = Setup('one of --devices', 1)
TWO = Setup('two towers in one process', 2)
FOUR = Setup('four towers in one process', 4)
ONE_CORE = Setup('one device, one core', cores=(0,))
WORKER = Setup('one worker, one core', 1, True, cores=(0,))
WORKERS_2 = Setup('two workers, a core each', 2, True)
OWN_2 = Setup('two workers, --bn_stats tower', 2, True, 'tower')
WORKERS_4 = Setup('four workers on two cores', 4, True)
OWN_4 = Setup('four workers, --bn_stats tower', 4, True, 'tower')

TIMED = (BEFORE, ONE, NAMED, TWO, FOUR, ONE_CORE, WORKER, WORKERS_2, OWN_2)
COUNTED = (WORKER, WORKERS_2, WORKERS_4, OWN_2, OWN_4)


def stepper_of(setup, regularizer, checkout, addresses):
  """A process that takes training steps.

  Args:
    setup: `Setup`.
    regularizer: name of the method.
    checkout: folder of this project.
    addresses: of the workers.

  Returns:
    `measured_process.Stepper`.
  """
  place = '/job:worker/task:%d/cpu:0' if setup.workers else 'cpu:%d'
  return measured_process.Stepper(
      setup.title, checkout, regularizer=regularizer, settings={},
      bn_stats=setup.bn_stats, cores=setup.cores,
      devices=[place % i for i in range(setup.towers)],
      master='grpc://' + addresses[0] if setup.workers else None)


@contextlib.contextmanager
def workers():
  """Starts the workers of a cluster, and ends them; yields their addresses."""
  with contextlib.ExitStack() as stack:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    addresses = ['127.0.0.1:%d' % port for port in processes.free_ports(WORKERS)]
    cluster = os.path.join(folder, 'cluster.json')
    with open(cluster, 'w') as file:
      json.dump({'worker': addresses}, file)
    for task in range(WORKERS):
      process = subprocess.Popen(
          [sys.executable, '-m', 'comhe_tf1.worker', '--cluster', cluster, '--task',
           str(task), '--gpu_no', '-1'], cwd=ROOT, stdout=subprocess.PIPE,
          preexec_fn=functools.partial(
              os.sched_setaffinity, 0, {CORES[task % len(CORES)]}))
      stack.callback(process.communicate)
      stack.callback(process.kill)
      if not process.stdout.readline():
        raise measured_process.ContenderError('worker %d did not start' % task)
    yield addresses


def loopback():
  """Bytes that have gone over the loopback interface."""
  with open('/proc/net/dev') as file:
    for line in file:
      name, _, figures = line.partition(':')
      if name.strip() == 'lo':
        return int(figures.split()[0])
  raise measured_process.ContenderError('there is no loopback interface in /proc/net/dev')


def check(steppers):
  """Takes a first step everywhere; raises `agreement.Disagreement`."""
  references = {}
  for (setup, regularizer), stepper in steppers.items():
    values = stepper.ask(steps=1)['measures']
    del values['acc']   # one image more or less would be no disagreement
    if setup.bn_stats == 'tower':
      del values['fit']   # of another network
    reference = references.setdefault(regularizer, values)
    agreement.compare('%s, %s' % (setup.title, regularizer), dict(values), {
        name: value for name, value in reference.items() if name in values})


def wait_for_quiet():
  """Waits a while for others to let the cores idle; returns their part at the end."""
  end = time.time() + PATIENCE
  while True:
    before = ticks()
    time.sleep(2.)
    idle, total = [now - then for now, then in zip(ticks(), before)]
    busy = 1. - idle / total
    if busy <= QUIET or time.time() > end:
      return busy


def ticks():
  """Time that the cores were idle, and in all, in ticks."""
  with open('/proc/stat') as file:
    counts = list(map(int, file.readline().split()[1:9]))
  return counts[3] + counts[4], sum(counts)


def measure(repeats, before=None):
  """Measures all contenders.

  Args:
    repeats: timed steps of each.
    before: folder of an earlier checkout, or None.

  Returns:
    Dict: environment, repeats, busy (part of the cores that others used just before),
    operations (title -> regularizer -> count), times (regularizer -> title -> seconds
    of the steps), bytes (title -> per step, three times).

  Raises:
    agreement.Disagreement: the first steps differ.
    measured_process.ContenderError: a process has failed.
  """
  # Of a process held to one core TensorFlow would run one operation at a time, and send
  # to the others when all that it can do itself is done.
  os.environ['TF_NUM_INTEROP_THREADS'] = str(len(CORES))
  with contextlib.ExitStack() as stack:
    addresses = stack.enter_context(workers())

    def started(setup, regularizer):
      stepper = stepper_of(setup, regularizer, before if setup.before else ROOT, addresses)
      stack.callback(stepper.stop)
      stepper.start()
      return stepper

    timed = [setup for setup in TIMED if before or not setup.before]
    times, moved, operations, facts, busy = {}, {}, {}, None, 0.
    for regularizer in METHODS:
      terminal.note('several_devices.py', 'starting all with %s' % regularizer)
      steppers = collections.OrderedDict(
          ((setup, regularizer), started(setup, regularizer)) for setup in timed)
      check(steppers)
      busy = max(busy, wait_for_quiet())
      terminal.note('several_devices.py', 'timing')
      found = collections.OrderedDict((setup.title, []) for setup in timed)
      for repetition in range(WARM_UPS + repeats):
        for (setup, _), stepper in steppers.items():
          seconds = stepper.ask(steps=1)['seconds']
          if repetition >= WARM_UPS:
            found[setup.title] += seconds
      times[regularizer] = found
      for (setup, _), stepper in steppers.items():
        operations.setdefault(setup.title, {})[regularizer] = (
            stepper.environment['operations'])
        facts = facts or stepper.environment
        stepper.stop()
    for setup in COUNTED:
      terminal.note('several_devices.py', 'counting bytes: %s' % setup.title)
      stepper = started(setup, METHODS[0])
      stepper.ask(steps=WARM_UPS)
      moved[setup.title] = [bytes_of(stepper) for _ in range(3)]
      stepper.stop()
    return {'environment': facts, 'busy': busy, 'operations': operations,
            'times': times, 'bytes': moved, 'repeats': repeats}


def bytes_of(stepper, steps=3):
  """Bytes that a step moves, less what else goes on."""
  watched, start = loopback(), time.time()
  time.sleep(1.)
  rate = (loopback() - watched) / (time.time() - start)
  before, start = loopback(), time.time()
  stepper.ask(steps=steps)
  return (loopback() - before - rate * (time.time() - start)) / steps


def rows(measured):
  """What was measured, as `report` has it."""
  made = [{'measure': regularizer, 'quantity': 'step, s', 'contender': title,
           'samples': samples} for regularizer, times in measured['times'].items()
          for title, samples in times.items()]
  return made + [{'measure': METHODS[0], 'quantity': 'MB a step', 'contender': title,
                  'samples': [count / 1e6 for count in samples]}
                 for title, samples in measured['bytes'].items()]


def table(measured):
  """Medians with their spread, as lines."""
  return report.lines(rows(measured))


def checkout(text):
  """Type of --before."""
  if not os.path.isfile(os.path.join(text, 'comhe_tf1', 'training', 'graph.py')):
    raise argparse.ArgumentTypeError(
        'expected a checkout of this project, but there is no '
        'comhe_tf1/training/graph.py in %r' % text)
  return os.path.abspath(text)


def add_flags(parser):
  """Adds the flags of what is measured."""
  parser.add_argument(
      '--repeats', type=arguments.whole(1, 10 ** 6), default=8, metavar='N',
      help='timed steps of each contender (default: 8)')
  parser.add_argument(
      '--before', type=checkout, metavar='FOLDER',
      help='also time the single device of this earlier checkout')


def main(argv=None):
  parser = arguments.Parser(
      prog='several_devices.py',
      description='Measure what train.py --devices takes and moves, on CPUs.')
  add_flags(parser)
  parser.add_argument('--json', metavar='FILE', help='where all samples go')
  args = parser.parse_args(argv)
  run.check_folder(parser, '--json', args.json)

  def show():
    measured = measure(args.repeats, args.before)
    print('\n'.join(table(measured)))
    if args.json:
      report.keep(args.json, measured)

  return run.finish('several_devices.py', show)


if __name__ == '__main__':
  terminal.print_anything()
  sys.exit(main())
