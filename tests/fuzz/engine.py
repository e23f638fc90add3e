"""Damaged inputs for the readers of files, each where it can do no harm.

Inputs follow from the seed and their number alone. They are read in a child process of
a batch each; where it dies, hangs or eats memory, that is a finding, and another child
goes on with the next input.
"""
import collections
import contextlib
import hashlib
import os
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time

SECONDS = 1.          # for one input
MEMORY = 500 << 20    # bytes that a child may have beyond what it starts with
LINE = 1000           # characters of an error's one line
BATCH = 500           # inputs of a child
MOST_FINDINGS = 20    # of a campaign, then it ends

Reader = collections.namedtuple('Reader', 'name seeds read errors tokens')
Reader.__doc__ = """A reader of files.

name: for the command line.
seeds: list of bytes, good contents.
read: function of a content and of a folder for files, the batch's.
errors: exceptions that it may raise.
tokens: list of bytes that mean something to it, to be inserted.
"""

Finding = collections.namedtuple('Finding', 'number what content')
Finding.__doc__ = """number: of the input. what: went wrong. content: of the input."""

_NUMBERS = [b'0', b'-1', b'9' * 5, b'9' * 19, b'9' * 400, b'1e999', b'2147483648',
            b'\xff\xff\xff\x7f', b'\x00\x00\x00\x80', b'\xff' * 4, b'\xff' * 8,
            b'\x00' * 8, b'\xff' * 7 + b'\x7f', b'\x00\x00\x00\x10']


def damaged(reader, seed, number):
  """The content of an input: a good one with one to six faults."""
  rng = random.Random('%s %d %d' % (reader.name, seed, number))
  content = bytearray(rng.choice(reader.seeds))
  for _ in range(rng.randint(1, 6)):
    content = rng.choice(_FAULTS)(content, reader, rng)
  return bytes(content)


def _place(content, rng):
  # Often near the start or the end, where files say what they are.
  limit = len(content) if rng.random() < 0.5 else min(300, len(content))
  place = rng.randint(0, limit)
  return place if rng.random() < 0.8 else len(content) - place


def _change(content, reader, rng):
  place = _place(content, rng)
  content[place:place + 1] = bytearray([rng.randint(0, 255)])
  return content


def _flip(content, reader, rng):
  place = _place(content, rng)
  if place < len(content):
    content[place] ^= 1 << rng.randint(0, 7)
  return content


def _drop(content, reader, rng):
  place = _place(content, rng)
  del content[place:place + rng.choice((1, 2, 4, 30, 1000))]
  return content


def _insert(content, reader, rng):
  place = _place(content, rng)
  content[place:place] = bytearray(rng.randint(0, 255)
                                   for _ in range(rng.choice((1, 2, 8))))
  return content


def _duplicate(content, reader, rng):
  place, target = _place(content, rng), _place(content, rng)
  run = content[place:place + rng.choice((1, 4, 20, 300))]
  content[target:target] = run * rng.choice((1, 2, 50))
  return content


def _cut(content, reader, rng):
  return content[:_place(content, rng)]


def _huge(content, reader, rng):
  place, number = _place(content, rng), rng.choice(_NUMBERS)
  content[place:place + rng.choice((0, 1, len(number)))] = number
  return content


def _token(content, reader, rng):
  place = _place(content, rng)
  token = rng.choice(reader.tokens)
  content[place:place + rng.choice((0, 1, len(token)))] = token * rng.choice((1, 1, 1, 300))
  return content


_FAULTS = (_change, _flip, _drop, _insert, _duplicate, _cut, _huge, _token, _token)


def campaign(reader, seed, count, first=0, report=None):
  """Reads inputs first, ..., first + count - 1.

  Args:
    reader: `Reader`.
    seed: of the inputs.
    count: of the inputs.
    first: number of the first one.
    report: called with every number of finished inputs, if given.

  Returns:
    List of `Finding`.
  """
  findings, number, end = [], first, first + count
  while number < end and len(findings) < MOST_FINDINGS:
    last = min(number + BATCH, end)
    reached, what = _batch(reader, seed, number, last)
    if what:
      findings.append(Finding(reached, what, damaged(reader, seed, reached)))
      reached += 1
    number = reached
    if report:
      report(number - first)
  return findings


def _batch(reader, seed, first, last):
  """Reads inputs in a child; returns the number it got to, and what went wrong there."""
  folder = tempfile.mkdtemp(prefix='fuzz')
  progress, to_parent = os.pipe()
  noise = os.open(os.path.join(folder, 'noise'), os.O_RDWR | os.O_CREAT)
  sys.stdout.flush()
  sys.stderr.flush()
  child = os.fork()
  if not child:
    try:
      os.close(progress)
      _child(reader, seed, first, last, folder, noise, to_parent)
    finally:
      os._exit(99)
  os.close(to_parent)
  try:
    return _watch(child, progress, first, last)
  finally:
    os.close(progress)
    os.close(noise)
    shutil.rmtree(folder)


def _child(reader, seed, first, last, folder, noise, to_parent):
  for stream in (1, 2):
    os.dup2(noise, stream)
  with open('/proc/self/statm') as file:
    pages = int(file.read().split()[0])
  limit = pages * resource.getpagesize() + MEMORY
  resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
  resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
  inner = os.path.join(folder, 'inner')
  os.mkdir(inner)
  for number in range(first, last):
    content = damaged(reader, seed, number)
    os.write(to_parent, b'%d\n' % number)
    what = ''
    try:
      reader.read(content, inner)
    except reader.errors as error:
      line = str(error)
      if not line.isprintable() or len(line) > LINE:
        what = 'says %s' % ascii(line[:200])
    except BaseException as error:   # whatever it is, it is a finding
      what = 'raises %s: %.200s' % (type(error).__name__, ascii(str(error)))
    with contextlib.suppress(Exception):
      sys.stdout.flush()
      sys.stderr.flush()
    size = os.fstat(noise).st_size
    if size:
      what = what or 'writes %s' % ascii(os.pread(noise, 200, 0))
    if what:
      os.write(to_parent, b'!' + what.encode())
      os._exit(0)
  os.write(to_parent, b'.\n')
  os._exit(0)


def _watch(child, progress, first, last):
  """Follows a child; returns as `_batch`."""
  number, heard, began, spent, asked = first, b'', time.monotonic(), 0., False
  while True:
    ready = select.select([progress], [], [], SECONDS / 5)[0]
    news = os.read(progress, 1 << 16) if ready else b''
    lines = (heard + news).split(b'\n')
    heard = lines.pop()
    if lines:
      number = last if lines[-1] == b'.' else int(lines[-1])
      began, spent = time.monotonic(), _processor_time(child)
    if ready and not news:
      break
    # Processor time, as other processes may keep a good reader waiting; and of a
    # reader that sleeps ten times that by the clock.
    if (_processor_time(child) - spent > SECONDS
        or time.monotonic() - began > 10 * SECONDS):
      asked = True
      os.kill(child, signal.SIGKILL)
      break
  status = os.waitpid(child, 0)[1]
  if asked:
    return number, 'takes more than %g s' % SECONDS
  if os.WIFSIGNALED(status):
    return number, 'dies of signal %d' % os.WTERMSIG(status)
  if heard.startswith(b'!'):
    return number, heard[1:].decode()
  if os.WEXITSTATUS(status) or number != last:
    return number, 'ends the process with status %d' % os.WEXITSTATUS(status)
  return last, ''


def _processor_time(process):
  """Seconds of a process; 0 once it has ended."""
  try:
    with open('/proc/%d/stat' % process) as file:
      fields = file.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf('SC_CLK_TCK'))
  except (OSError, IndexError):
    return 0.


def keep(reader, finding, folder):
  """Writes the input of a finding to a file; returns its path."""
  os.makedirs(folder, exist_ok=True)
  path = os.path.join(folder, '%s_%s' % (
      reader.name, hashlib.md5(finding.content).hexdigest()[:12]))
  with open(path, 'wb') as file:
    file.write(finding.content)
  return path
