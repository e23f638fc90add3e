"""A thousand damaged files for every reader, and whether the engine notices anything."""
import faulthandler
import os
import signal
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import engine
import readers


def crash(content, folder):
  faulthandler.disable()   # pytest's would tell of it
  os.kill(os.getpid(), signal.SIGSEGV)


def hang(content, folder):
  while True:
    pass


def eat(content, folder):
  pieces = []
  while True:
    pieces.append(bytearray(1 << 22))


def foreign(content, folder):
  raise KeyError('not\nmine')


def talkative(content, folder):
  raise ValueError('two\nlines')


def noisy(content, folder):
  os.write(2, b'look')   # as native code does


def ends(content, folder):
  os._exit(0)


TOO_LONG = 'takes more than 0.3 s'


def made_up(read):
  return engine.Reader('made_up', [b'good'], read, ValueError, [b'x'])


@pytest.mark.parametrize('fault, what', [
    (crash, 'dies of signal 11'), (hang, TOO_LONG),
    (eat, 'raises MemoryError: '),
    (foreign, "raises KeyError: \"'not\\\\nmine'\""), (noisy, "writes b'look'"),
    (talkative, "says 'two\\nlines'"),
    (ends, 'ends the process with status 0')])
def test_the_engine_notices(monkeypatch, fault, what):
  # What waits for no clock has time, however busy the machine is.
  monkeypatch.setattr(engine, 'SECONDS', 0.3 if what == TOO_LONG else 60.)
  monkeypatch.setattr(engine, 'MEMORY', 100 << 20)
  chosen = engine.damaged(made_up(None), 1, 57)

  def read(content, folder):
    if content == chosen:
      fault(content, folder)
    raise ValueError()

  findings = list(engine.campaign(made_up(read), 1, 30, first=40))
  assert findings and all(finding.what.startswith(what) for finding in findings)
  assert 57 in [finding.number for finding in findings]
  assert {engine.damaged(made_up(None), 1, finding.number)
          for finding in findings} == {chosen}


def test_a_good_reader_is_passed():
  def read(content, folder):
    if len(content) % 2:
      raise ValueError()

  assert not list(engine.campaign(made_up(read), 0, 1200))


def test_inputs_follow_from_the_seed():
  reader = readers.args()
  assert engine.damaged(reader, 3, 8) == engine.damaged(reader, 3, 8)
  assert len({engine.damaged(reader, 3, number) for number in range(50)}) > 40
  assert engine.damaged(reader, 3, 8) != engine.damaged(reader, 4, 8)


def test_good_files_are_read(tmp_path):
  for name, make in readers.READERS.items():
    reader = make()
    for number, content in enumerate(reader.seeds):
      folder = tmp_path / ('%s_%d' % (name, number))
      folder.mkdir()
      reader.read(content, str(folder))


@pytest.mark.parametrize('name', ['pickles'] + [
    pytest.param(name, marks=pytest.mark.slow) for name in readers.READERS
    if name != 'pickles'])
def test_a_thousand_inputs(name, root, tmp_path):
  # By the command, as a process that has TensorFlow's threads had better not fork.
  fuzz = subprocess.run(
      [sys.executable, os.path.join(HERE, 'fuzz.py'), name, '--findings', str(tmp_path)],
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=root, timeout=600)
  assert fuzz.returncode == 0, fuzz.stdout.decode()
