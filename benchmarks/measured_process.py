"""Contenders: processes that compute only when they are asked to, one at a time.

A contender's script calls `serve` with a generator. First it yields the values by which
contenders are compared, then, whenever it is asked, the samples of one more repetition.
Importing this module puts the project on Python's path.
"""
import collections
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HERE = os.path.join(ROOT, 'benchmarks')
sys.path.insert(0, ROOT)

from comhe_tf1.utils import tf_setup


class ContenderError(Exception):
  """A contender has failed; the message is for the user."""


def spawn(command, folder, stderr):
  """Starts a process with pipes, in the environment in which train.py computes."""
  environment = dict(tf_setup.ENVIRONMENT, TF_CPP_MIN_LOG_LEVEL='3')
  environment.update(os.environ)
  return subprocess.Popen(
      command, cwd=folder, env=environment, bufsize=1, stdin=subprocess.PIPE,
      stdout=subprocess.PIPE, stderr=stderr, universal_newlines=True)


def failure(name, stderr):
  """The `ContenderError` of a process that ended, from what it wrote to a file."""
  stderr.seek(0)
  lines = stderr.read().decode(errors='replace').strip().split('\n')
  return ContenderError(f'{name} failed: {lines[-1] or "without a word"}')


def end(process):
  """Ends a process of `spawn`."""
  process.kill()
  process.communicate()


class Contender:
  """A contender's process, for a `with` statement.

  Args:
    name: for tables and messages.
    command: list, the interpreter first.
    folder: in which it runs; None for the present one.

  Attributes:
    name: as given.
    environment: dict, what computes.
    values: dict from names to numbers, for `agreement.compare`.

  Raises:
    ContenderError: by all methods, when the process has ended.
  """

  def __init__(self, name, command, folder=None):
    self.name = name
    self.environment = self.values = self._process = None
    self._command, self._folder = command, folder
    self._stderr = tempfile.TemporaryFile()

  def __enter__(self):
    self._process = spawn(self._command, self._folder, self._stderr)
    try:
      answer = self._answer()
    except BaseException:
      end(self._process)
      raise
    self.environment, self.values = answer['environment'], answer['values']
    return self

  def __exit__(self, *error):
    end(self._process)

  def repeat(self):
    """Samples of one more repetition: dict from a quantity, with its unit, to a number."""
    try:
      self._process.stdin.write('\n')
      self._process.stdin.flush()
    except BrokenPipeError:
      pass   # reading will tell why
    return self._answer()

  def _answer(self):
    line = self._process.stdout.readline()
    if not line:
      raise failure(self.name, self._stderr)
    return json.loads(line)


def script(python, name, **settings):
  """Command of a contender's script in this folder, with its settings as JSON."""
  return [python, os.path.join(HERE, name), json.dumps(settings)]


def in_turn(contenders, rounds, in_a_row=1):
  """Gives every contender its turn in every round, so that drifts hit all of them alike.

  A turn is so many repetitions in a row, as a training makes them. Of several, the first
  does not count: it finds the caches as another process left them.

  Returns:
    List, for each contender a dict from a quantity to its median in each round.
  """
  samples = [collections.defaultdict(list) for _ in contenders]
  for _ in range(rounds):
    for contender, found in zip(contenders, samples):
      turn = [contender.repeat() for _ in range(in_a_row)]
      turn = turn[1:] or turn
      for quantity in turn[0]:
        found[quantity].append(statistics.median(each[quantity] for each in turn))
  return samples


# In the contender's process.


def start():
  """Sends whatever else is printed to standard error; returns what `serve` takes."""
  answers = os.fdopen(os.dup(1), 'w', 1)
  os.dup2(2, 1)
  return answers


def serve(answers, environment, repetitions):
  """Answers until nobody asks any more.

  Args:
    answers: as `start` returns it.
    environment: dict, what computes.
    repetitions: generator, see above.
  """
  tell(answers, {'environment': environment, 'values': next(repetitions)})
  for _ in sys.stdin:
    tell(answers, next(repetitions))


def tell(answers, values):
  """Writes one answer."""
  answers.write(json.dumps(values, default=float) + '\n')


def timed(compute, quantity='time, s', **more):
  """Generator for `serve`: seconds of one more call of a function, beside `more`."""
  while True:
    start = time.perf_counter()
    compute()
    yield dict({quantity: time.perf_counter() - start}, **more)


def megabytes(entry, pid='self'):
  """An entry of a process's memory, as VmRSS or its peak VmHWM. Linux only."""
  with open(f'/proc/{pid}/status') as file:
    return int(re.search(entry + r':\s*(\d+) kB', file.read()).group(1)) / 1024.


def with_peak(compute):
  """Generator for `serve`: seconds of a function, and the memory that it takes at first.

  Args:
    compute: returns its values.

  Yields:
    The values; then time, and MB that the first call took at most beyond what the process
    had before it.
  """
  with open('/proc/self/clear_refs', 'w') as file:
    file.write('5')   # from here on the peak is counted anew
  before = megabytes('VmRSS')
  values = compute()
  peak = megabytes('VmHWM') - before
  yield values
  yield from timed(compute, MB=peak)
