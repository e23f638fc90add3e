import os

import numpy as np
import pytest

from comhe_tf1.records import checkpoint
from comhe_tf1.records import durable


def save(folder, step, keep=3, **facts):
  return checkpoint.save(str(folder), step, {
      'conv/filter': np.full((2, 3), step, 'float32'), 'order': np.arange(5)},
                         dict(facts, steps=step), keep)


def test_round_trip(tmp_path):
  path = save(tmp_path / 'new', 7, sizes={'train': 12})
  arrays, facts = checkpoint.load(path)
  assert facts == {'steps': 7, 'sizes': {'train': 12}}
  assert sorted(arrays) == ['conv/filter', 'order']
  assert arrays['conv/filter'].dtype == np.float32
  np.testing.assert_array_equal(arrays['conv/filter'], np.full((2, 3), 7))


def test_the_last_few_are_kept(tmp_path):
  for step in (5, 10, 15, 99999995, 100000000):
    save(tmp_path, step, keep=2)
  assert [os.path.basename(path) for path in checkpoint.paths(str(tmp_path))] == [
      'step_99999995.npz', 'step_100000000.npz']
  assert checkpoint.newest(str(tmp_path), None)[2]['steps'] == 100000000


def test_a_save_that_fails_leaves_the_others_alone(tmp_path, monkeypatch):
  save(tmp_path, 1)

  def full(descriptor):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(os, 'fsync', full)   # after the file has been written
  with pytest.raises(OSError) as error:
    save(tmp_path, 2, keep=1)
  assert error.value.filename == str(tmp_path / 'step_00000002.npz')
  assert os.listdir(str(tmp_path)) == ['step_00000001.npz']
  assert checkpoint.newest(str(tmp_path), None)[2]['steps'] == 1


def test_what_a_killed_save_leaves_is_not_read_and_goes(tmp_path):
  save(tmp_path, 1)
  (tmp_path / 'step_00000002.npz.part').write_bytes(b'half')
  assert checkpoint.newest(str(tmp_path), None)[2]['steps'] == 1
  save(tmp_path, 3)
  assert sorted(os.listdir(str(tmp_path))) == ['step_00000001.npz', 'step_00000003.npz']


def cut(content):
  return content[:len(content) // 2]


def flipped(content):
  """One bit of an array's bytes differs."""
  place = content.index(np.full(6, 2, 'float32').tobytes())
  return content[:place] + bytes([content[place] ^ 1]) + content[place + 1:]


@pytest.mark.parametrize('damage', [cut, flipped, lambda content: b'',
                                    lambda content: b'no archive'],
                         ids=['cut', 'flipped', 'empty', 'text'])
def test_the_newest_good_one_is_used(tmp_path, damage):
  save(tmp_path, 1)
  path = save(tmp_path, 2)
  with open(path, 'rb') as file:
    content = file.read()
  with open(path, 'wb') as file:
    file.write(damage(content))
  warnings = []
  assert checkpoint.newest(str(tmp_path), warnings.append)[2]['steps'] == 1
  assert len(warnings) == 1 and path in warnings[0]
  with pytest.raises(checkpoint.CheckpointError, match='damaged'):
    checkpoint.load(path)


def test_all_are_damaged(tmp_path):
  (tmp_path / 'step_00000001.npz').write_bytes(b'')
  with pytest.raises(checkpoint.CheckpointError, match='all checkpoints .* damaged'):
    checkpoint.newest(str(tmp_path), lambda text: None)


def test_no_pickle_is_loaded(tmp_path):
  path = str(tmp_path / 'step_00000001.npz')
  with open(path, 'wb') as file:
    np.savez(file, **{'facts.json': np.array([{}], object)})
  with pytest.raises(checkpoint.CheckpointError, match='damaged or no checkpoint'):
    checkpoint.load(path)


def test_find(tmp_path):
  path = save(tmp_path / 'run_00' / 'checkpoints', 3)
  for name in (path, os.path.dirname(path), str(tmp_path / 'run_00')):
    assert checkpoint.find(name, None)[0] == path
  for name in (str(tmp_path), str(tmp_path / 'nothing')):
    with pytest.raises(checkpoint.CheckpointError, match='no checkpoint in|No such file'):
      checkpoint.find(name, None)


def test_lines_come_whole_or_not_at_all(tmp_path):
  with durable.Lines(str(tmp_path / 'log')) as lines:
    lines.add('first')
    size = lines.sync()
    lines.add('second')
    lines.cut(size)
    lines.add('third')
  assert (tmp_path / 'log').read_text() == 'first\nthird\n'
