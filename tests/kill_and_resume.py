"""Ends trainings by signals at random moments, continues them, compares the logs.

    python tests/kill_and_resume.py --deaths 20 [--regularizer angle] [--seed 0]

An uninterrupted run is the reference. The others are started again and again with the
same command, --resume in it from the first, as a scheduler does, and are ended again
and again: while TensorFlow loads, between steps, in evaluations, as they save. When one
comes to its end its status must be 0, both log files must equal the reference's byte for
byte, and metrics.jsonl but for the wall times. All runs are held to one CPU core.
"""
import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TRAIN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                     'train.py')
FLAGS = ['--dataset', 'sample', '--gpu_no', '-1', '--batch_size', '8', '--base_lr',
         '0.001', '--log_every', '1', '--eval_every', '7', '--energy_every', '5',
         '--save_every', '3', '--max_to_keep', '2', '--max_steps', '24', '--width', '0.25']
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP,
           signal.SIGUSR1, signal.SIGXCPU)
OWN = {name: ['--regularizer'] + flags.split() for name, flags in {
    'random': 'random --pd 10 --pn 2', 'angle': 'angle --pd 10',
    'reduced': 'random --pd 10 --pn 2 --draw reduced',
    'adversarial': 'adversarial --pd 10 --iters 2',
    'srip': 'srip --model resnet32 --width 0.125'}.items()}


def start(regularizer, log_dir, *more):
  """Starts a training; returns its process."""
  return subprocess.Popen(
      [sys.executable, TRAIN, '--log_dir', log_dir] + FLAGS + OWN[regularizer] + list(more),
      stdout=subprocess.DEVNULL,
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
      if name.startswith('log_') and name.endswith('.txt'):
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


def end(process, log_dir, chance, total):
  """Ends a process by a random signal at a random moment, if it does not end before.

  Args:
    process: of a training.
    log_dir: its logs' folder.
    chance: `random.Random`.
    total: number of lines of a whole training.

  Returns:
    The signal, or None if the process came to its end.

  Raises:
    RuntimeError: the process ended otherwise.
  """
  if chance.random() < 0.3:   # while TensorFlow loads or the graph is built
    time.sleep(chance.uniform(0., 5.))
  else:
    before = count_lines(logs(log_dir))
    wanted = min(before + chance.randint(1, 8), total)
    while count_lines(logs(log_dir)) < wanted and process.poll() is None:
      time.sleep(0.005)
    # A step and its checkpoint take less than a tenth of a second.
    time.sleep(chance.uniform(0., 0.2))
  number = chance.choice(SIGNALS)
  process.send_signal(number)
  error = process.communicate()[1]
  # Python answers a SIGINT of its first moments, before any line of train.py, itself.
  python_started = 'KeyboardInterrupt' not in error or 'train.py' in error
  if process.returncode not in (0, -number, 128 + number) and (
      python_started or number != signal.SIGINT):
    raise RuntimeError('exit status %d after %s: %s' % (process.returncode, number, error))
  return number if process.returncode else None


def check(regularizer, deaths, chance, write):
  """Lets trainings die `deaths` times in all; returns how many differ in their logs.

  Args:
    regularizer: one of `OWN`.
    deaths: number of them.
    chance: `random.Random`.
    write: takes a line on each training.

  Raises:
    RuntimeError: one ended with a status that it should not have.
  """
  folder = tempfile.mkdtemp()
  try:
    finish(start(regularizer, os.path.join(folder, 'reference')))
    reference = logs(os.path.join(folder, 'reference'))
    recorded = metrics(os.path.join(folder, 'reference'))
    total, died, different = count_lines(reference), 0, 0
    while died < deaths:
      log_dir = os.path.join(folder, 'from_%d' % died)
      ends = []
      while died < deaths:
        process = start(regularizer, log_dir, '--resume')
        number = end(process, log_dir, chance, total)
        if number is None:
          break
        died += 1
        ends.append('%s at line %d' % (signal.Signals(number).name,
                                       count_lines(logs(log_dir))))
      finish(start(regularizer, log_dir, '--resume'))
      same = logs(log_dir) == reference and metrics(log_dir) == recorded
      different += not same
      write('%s: %s, %s' % (regularizer, '; '.join(ends) or 'not ended',
                            'equal' if same else 'DIFFERENT'))
    return different
  finally:
    shutil.rmtree(folder)


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--deaths', type=int, default=20, help='for each regularizer')
  parser.add_argument('--regularizer', choices=sorted(OWN), action='append')
  parser.add_argument('--seed', type=int, default=0)
  args = parser.parse_args()
  different = 0
  for regularizer in args.regularizer or sorted(OWN):
    different += check(regularizer, args.deaths, random.Random(args.seed),
                       lambda line: print(line, flush=True))
  print('%d different' % different)
  return 1 if different else 0


if __name__ == '__main__':
  sys.exit(main())
