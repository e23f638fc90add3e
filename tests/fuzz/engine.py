"""Damaged inputs for the readers of files, read in a child process.

Inputs follow from the seed and their number alone. Where an input ends the child, that is
a finding, and another child goes on with the next one.
"""
import os
import random
import resource
import signal
import tempfile
from typing import Callable
from typing import List
from typing import NamedTuple

SECONDS = 1.          # of processor time, for one input
MEMORY = 500 << 20    # bytes that a child may have beyond what it starts with
LINE = 1000           # characters of an error's one line


class Reader(NamedTuple):
  """A reader of files.

  Attributes:
    name: for the command line.
    seeds: good contents.
    read: function of a content and of a folder for files.
    errors: exceptions that it may raise, a class or several.
    tokens: bytes that mean something to it, to be put in.
  """
  name: str
  seeds: List[bytes]
  read: Callable
  errors: type
  tokens: List[bytes]


class Finding(NamedTuple):
  """The number of an input, and what went wrong there."""
  number: int
  what: str


_NUMBERS = [b'0', b'-1', b'9' * 5, b'9' * 19, b'9' * 400, b'1e999', b'2147483648',
            b'\xff\xff\xff\x7f', b'\x00\x00\x00\x80', b'\xff' * 4, b'\xff' * 8,
            b'\x00' * 8, b'\xff' * 7 + b'\x7f', b'\x00\x00\x00\x10']


def damaged(reader, seed, number):
  """The content of an input: a good one with one to six faults."""
  rng = random.Random(f'{reader.name} {seed} {number}')
  content = rng.choice(reader.seeds)
  for _ in range(rng.randint(1, 6)):
    content = _with_fault(content, reader.tokens, rng)
  return content


def _with_fault(content, tokens, rng):
  """Puts something in at one place, in place of nothing, one byte or more."""
  place, source = _place(content, rng), _place(content, rng)
  new, removed = rng.choice([
      (bytes([rng.randint(0, 255)]), 1),
      (bytes(each ^ 1 << rng.randint(0, 7) for each in content[place:place + 1]), 1),
      (bytes(rng.randint(0, 255) for _ in range(rng.choice((1, 2, 8)))), 0),
      (b'', rng.choice((1, 2, 4, 30, 1000, len(content)))),
      (content[source:source + rng.choice((1, 4, 20, 300))] * rng.choice((1, 2, 50)), 0),
      (rng.choice(_NUMBERS), rng.choice((0, 1, 4, 8))),
      (rng.choice(tokens) * rng.choice((1, 1, 1, 300)), rng.choice((0, 1, 4)))])
  return content[:place] + new + content[place + removed:]


def _place(content, rng):
  # Often near the start or the end, where files say what they are.
  place = rng.randint(0, len(content) if rng.random() < 0.5 else min(300, len(content)))
  return place if rng.random() < 0.8 else len(content) - place


def campaign(reader, seed, count, first=0):
  """Reads the inputs first, ..., first + count - 1; yields each `Finding`."""
  number, end = first, first + count
  while number < end:
    with tempfile.TemporaryDirectory(prefix='fuzz') as folder:
      child = os.fork()
      if not child:
        try:
          _child(reader, seed, number, end, folder)
        finally:
          os._exit(99)   # where an error of the engine itself ends it
      status = os.waitpid(child, 0)[1]
      with open(os.path.join(folder, 'findings')) as file:
        for line in file:
          found, what = line.rstrip('\n').split(' ', 1)
          yield Finding(int(found), what)
      with open(os.path.join(folder, 'number')) as file:
        number = int(file.read())
    if number < end:
      yield Finding(number, _cause_of_death(status))
    number += 1


def _cause_of_death(status):
  if not os.WIFSIGNALED(status):
    return f'ends the process with status {os.WEXITSTATUS(status)}'
  if os.WTERMSIG(status) == signal.SIGPROF:   # of the timer
    return f'takes more than {SECONDS:g} s'
  return f'dies of signal {os.WTERMSIG(status)}'


def _child(reader, seed, first, end, folder):
  noise = os.open(os.path.join(folder, 'noise'), os.O_RDWR | os.O_CREAT)
  for stream in (1, 2):
    os.dup2(noise, stream)
  with open('/proc/self/statm') as file:
    limit = int(file.read().split()[0]) * resource.getpagesize() + MEMORY
  resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
  resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
  inner = os.path.join(folder, 'inner')
  os.mkdir(inner)
  with open(os.path.join(folder, 'findings'), 'w', buffering=1) as findings, open(
      os.path.join(folder, 'number'), 'wb', buffering=0) as progress:
    for number in range(first, end):
      progress.seek(0)
      progress.write(b'%d' % number)
      what = _what_happens(reader, damaged(reader, seed, number), inner)
      size = os.fstat(noise).st_size
      if size and not what:
        what = f'writes {os.pread(noise, 200, 0)}'
      os.ftruncate(noise, 0)
      os.lseek(noise, 0, os.SEEK_SET)
      if what:
        findings.write(f'{number} {what}\n')
    progress.seek(0)
    progress.write(b'%d' % end)
  os._exit(0)


def _what_happens(reader, content, folder):
  """Lets the reader read; returns what is wrong with how it took that, or ''."""
  signal.setitimer(signal.ITIMER_PROF, SECONDS)   # ends the process, native code too
  try:
    reader.read(content, folder)
  except reader.errors as error:
    line = str(error)
    return '' if line.isprintable() and len(line) <= LINE else f'says {ascii(line[:200])}'
  except BaseException as error:   # whatever it is, it is a finding
    return f'raises {type(error).__name__}: {ascii(str(error))[:200]}'
  finally:
    signal.setitimer(signal.ITIMER_PROF, 0)
  return ''
