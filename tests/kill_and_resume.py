"""Kills trainings with SIGKILL at random moments, resumes them, compares the logs.

    python tests/kill_and_resume.py --times 20 [--regularizer angle] [--seed 0]

An uninterrupted run is the reference; every other one is killed once, at a random
moment after a random number of log lines, and continued with --resume. Both log
files must equal the reference's byte for byte, and metrics.jsonl but for the wall
times. All runs are held to one CPU core.
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

TRAIN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                     'train.py')
FLAGS = ['--dataset', 'sample', '--gpu_no', '-1', '--batch_size', '8', '--base_lr',
         '0.001', '--log_every', '1', '--eval_every', '7', '--energy_every', '5',
         '--save_every', '3', '--keep', '2', '--max_steps', '24']
OWN = {name: ['--regularizer'] + flags.split() for name, flags in {
    'random': 'random --pd 10 --pn 2', 'angle': 'angle --pd 10',
    'reduced': 'random --pd 10 --pn 2 --draw reduced',
    'adversarial': 'adversarial --pd 10 --iters 2',
    'srip': 'srip --model resnet32 --width 0.125'}.items()}


def start(regularizer, log_dir, *more):
  """Starts a training; returns its process."""
  return subprocess.Popen(
      [sys.executable, TRAIN, '--log_dir', log_dir] + FLAGS + list(more)
      + OWN[regularizer], stdout=subprocess.DEVNULL,
      stderr=subprocess.PIPE, universal_newlines=True,
      preexec_fn=lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}))


def finish(process):
  """Waits for a training that must succeed."""
  error = process.communicate()[1]
  if process.returncode:
    raise RuntimeError('exit status %d: %s' % (process.returncode, error))


def logs(log_dir):
  """Contents of all log files below a folder, by name."""
  found = {}
  for folder, _, names in os.walk(log_dir):
    for name in names:
      if name.startswith('log_'):
        with open(os.path.join(folder, name), 'rb') as file:
          found[name] = file.read()
  return found


def metrics(log_dir):
  """All entries of metrics.jsonl below a folder, without wall times."""
  entries = []
  for folder, _, names in os.walk(log_dir):
    if 'metrics.jsonl' in names:
      with open(os.path.join(folder, 'metrics.jsonl')) as file:
        entries += [dict(json.loads(line), wall_time=None) for line in file]
  return entries


def count_lines(contents):
  return sum(content.count(b'\n') for content in contents.values())


def started(log_dir):
  """Whether a run has come so far that it can be continued."""
  return any('args.json' in names for _, _, names in os.walk(log_dir))


def check(regularizer, times, chance, write, more=()):
  """Kills and resumes `times` times; returns how often the logs were equal.

  Args:
    regularizer: one of `OWN`.
    times: number of runs beside the reference.
    chance: `random.Random`.
    write: takes a line on each run.
    more: flags of all runs; those of `OWN` go before them.
  """
  folder = tempfile.mkdtemp()
  try:
    finish(start(regularizer, os.path.join(folder, 'reference'), *more))
    reference = logs(os.path.join(folder, 'reference'))
    recorded = metrics(os.path.join(folder, 'reference'))
    total, equal = count_lines(reference), 0
    for i in range(times):
      log_dir = os.path.join(folder, str(i))
      process = start(regularizer, log_dir, *more)
      wanted = chance.randrange(total)
      # No line yet: while TensorFlow loads or the graph is built. Later: a step and
      # its checkpoint take about a tenth of a second.
      while count_lines(logs(log_dir)) < wanted and process.poll() is None:
        time.sleep(0.005)
      time.sleep(chance.uniform(0., 0.3 if wanted else 5.))
      process.kill()
      process.communicate()
      lines = count_lines(logs(log_dir))
      if all(os.path.basename(path) != 'final.json'
             for _, _, names in os.walk(log_dir) for path in names):
        finish(start(regularizer, log_dir, *(
            list(more) + (['--resume'] if started(log_dir) else []))))
      same = logs(log_dir) == reference and metrics(log_dir) == recorded
      equal += same
      write('%s %2d: killed after %d of %d lines: %s' % (
          regularizer, i, lines, total, 'equal' if same else 'DIFFERENT'))
    return equal
  finally:
    shutil.rmtree(folder)


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--times', type=int, default=20)
  parser.add_argument('--regularizer', choices=sorted(OWN), action='append')
  parser.add_argument('--seed', type=int, default=0)
  args = parser.parse_args()
  failed = 0
  for regularizer in args.regularizer or sorted(OWN):
    equal = check(regularizer, args.times, random.Random(args.seed),
                  lambda line: print(line, flush=True))
    print('%s: %d of %d equal' % (regularizer, equal, args.times), flush=True)
    failed += args.times - equal
  return 1 if failed else 0


if __name__ == '__main__':
  sys.exit(main())
