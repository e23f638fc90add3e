import errno
import io
import json
import os
import random
import zipfile

import numpy as np
import pytest

from comhe_tf1.records import checkpoint
from comhe_tf1.utils import durable


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


def write_as_earlier_versions(path, step=1, **others):
  """A checkpoint without a digest."""
  with open(str(path), 'wb') as file:
    np.savez(file, **dict({
        'array/conv/filter': np.full((2, 3), 1, 'float32'),
        'facts.json': np.frombuffer(json.dumps({'steps': step}).encode(), np.uint8)},
        **others))


def test_one_of_an_earlier_version_is_read(tmp_path):
  path = tmp_path / 'step_00000001.npz'
  write_as_earlier_versions(path)
  arrays, facts = checkpoint.load(str(path))
  assert facts == {'steps': 1} and arrays['conv/filter'].tolist() == [[1] * 3] * 2


def test_numpy_reads_what_is_saved(tmp_path):
  with np.load(save(tmp_path, 4)) as content:
    assert sorted(content.files) == ['array/conv/filter', 'array/order', 'facts.json']
    assert content['array/order'].tolist() == list(range(5))


@pytest.mark.parametrize('value', [
    np.float32(3), np.zeros((0, 4), 'int64'), np.asfortranarray(np.arange(6.).reshape(2, 3)),
    np.array([True, False]), np.arange(3, dtype='>u4')], ids=repr)
def test_arrays_of_all_shapes_and_orders(tmp_path, value):
  path = checkpoint.save(str(tmp_path), 1, {'value': value}, {'steps': 1}, 1)
  loaded = checkpoint.load(path)[0]['value']
  assert loaded.dtype == value.dtype and loaded.flags.writeable
  np.testing.assert_array_equal(loaded, value)


def damaged(content, rng):
  """Some bytes changed, dropped or inserted, most at the archive's directory."""
  result = bytearray(content)
  while result == content:
    for _ in range(rng.randint(1, 6)):
      place = rng.randrange(rng.choice([0, max(0, len(result) - 600)]), len(result))
      kind = rng.randrange(3)
      result[place:place + (kind > 0)] = bytes([rng.randrange(256)] * (kind < 2))
  return bytes(result)


def test_any_damage_is_noticed(tmp_path):
  path, rng = save(tmp_path, 1), random.Random(1)
  with open(path, 'rb') as file:
    content = file.read()
  for cases in range(1000):
    with open(path, 'wb') as file:
      file.write(damaged(content, rng))
    with pytest.raises(checkpoint.CheckpointError, match='damaged or no checkpoint'):
      checkpoint.load(path)


def test_damage_without_a_digest_is_no_other_error(tmp_path):
  path, rng = tmp_path / 'step_00000001.npz', random.Random(1)
  write_as_earlier_versions(path)
  content, refused = path.read_bytes(), 0
  for cases in range(1000):
    path.write_bytes(damaged(content, rng))
    try:
      checkpoint.load(str(path))
    except checkpoint.CheckpointError:
      refused += 1
  assert refused > 900   # the dates in the directory, among others, are not checked


def claims_to_be_huge(path):
  """The header of an array asks for 8 TB."""
  header = io.BytesIO()
  np.lib.format.write_array_header_1_0(
      header, {'descr': '<f8', 'fortran_order': False, 'shape': (10**6, 10**6)})
  write_as_earlier_versions(path)
  with zipfile.ZipFile(str(path), 'a') as archive:
    archive.writestr('array/huge.npy', header.getvalue() + b'few bytes')


def unpacks_to_much(path):
  write_as_earlier_versions(path)
  with zipfile.ZipFile(str(path), 'a', zipfile.ZIP_DEFLATED) as archive:
    archive.writestr('array/huge.npy', bytes(10**7))


def nested_deeply(path):
  write_as_earlier_versions(path)
  with zipfile.ZipFile(str(path), 'a') as archive:
    archive.writestr('array/deep.npy', b'\x93NUMPY\1\0\xff\xff' + b'(' * 0xffff)


def is_a_pipe(path):
  os.mkfifo(str(path))


@pytest.mark.parametrize('write', [claims_to_be_huge, unpacks_to_much, nested_deeply,
                                   is_a_pipe])
def test_what_claims_to_be_more_than_it_is(tmp_path, write, capfd):
  path = tmp_path / 'step_00000001.npz'
  write(path)
  with pytest.raises(checkpoint.CheckpointError,
                     match='damaged or no checkpoint|no regular file'):
    checkpoint.load(str(path))
  assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('facts', [
    {'steps': '2'}, {'steps': None}, {'steps': -1}, {'steps': 10 ** 30}, {'sizes': []},
    {'sizes': {'train': -4}}, {'batches': None}, {'network': 3}], ids=str)
def test_facts_that_no_training_writes(tmp_path, facts):
  path = checkpoint.save(str(tmp_path), 1, {}, dict({'steps': 1}, **facts), 1)
  with pytest.raises(checkpoint.CheckpointError, match='damaged or no checkpoint'):
    checkpoint.load(path)


def test_no_folder_is_begun_anew(tmp_path):
  """Where the run's folder was moved away or removed, and where a file is in the way."""
  with pytest.raises(OSError):
    checkpoint.save(str(tmp_path / 'gone' / 'checkpoints'), 1, {}, {'steps': 1}, 1)
  assert not os.listdir(str(tmp_path))
  (tmp_path / 'checkpoints').write_text('')
  with pytest.raises(checkpoint.CheckpointError, match='should be a folder'):
    checkpoint.newest(str(tmp_path / 'checkpoints'), None)


def test_a_disk_that_cannot_be_read(tmp_path, monkeypatch):
  save(tmp_path, 1)
  path, opened = save(tmp_path, 2), open

  class Failing(io.BytesIO):
    def read(self, *_):
      raise OSError(errno.EIO, os.strerror(errno.EIO))

  monkeypatch.setattr(checkpoint, 'open', lambda name, *args, **others: (
      Failing(bytes(1000)) if name == path else opened(name, *args, **others)),
                      raising=False)
  with pytest.raises(checkpoint.CheckpointError, match='^cannot read checkpoint '
                     '.*step_00000002.npz: Input/output error$'):
    checkpoint.load(path)
  assert checkpoint.newest(str(tmp_path), lambda text: None)[2]['steps'] == 1


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
  (tmp_path / 'run_00').mkdir()
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


def test_writers_of_the_same_file_do_not_share_its_unfinished_one(tmp_path):
  path = str(tmp_path / 'file')
  others = tmp_path / 'file.part'
  others.write_text("somebody else's")

  def write(file):
    durable.write_atomically(path, lambda inner: inner.write(b'inner'))
    file.write(b'outer')

  durable.write_atomically(path, write)
  assert (tmp_path / 'file').read_text() == 'outer'
  assert sorted(os.listdir(str(tmp_path))) == ['file', 'file.part']


def test_the_unfinished_file_of_a_killed_process_goes_when_it_is_old(tmp_path):
  old, young = [tmp_path / ('file.%016x.part' % number) for number in (1, 2)]
  for path in (old, young):
    path.write_text('half')
  os.utime(str(old), (1e9, 1e9))
  durable.write_atomically(str(tmp_path / 'file'), lambda file: file.write(b'whole'))
  assert sorted(os.listdir(str(tmp_path))) == ['file', young.name]


def test_a_clean_up_that_fails_does_not_hide_the_cause(tmp_path, monkeypatch):
  def fails(*_):
    raise OSError(errno.EIO, os.strerror(errno.EIO))

  def write(file):
    raise KeyError('cause')

  monkeypatch.setattr(os, 'remove', fails)
  with pytest.raises(KeyError, match='cause'):
    durable.write_atomically(str(tmp_path / 'file'), write)
