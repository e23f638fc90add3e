import glob
import json
import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from comhe_tf1.records import checkpoints


def save(folder, *steps, max_to_keep=3, **facts):
  with checkpoints.Writer(str(folder), max_to_keep) as writer:
    for step in steps:
      prefix = writer.save(step, {'conv/filter': np.full((2, 3), step, 'float32'),
                                  'stream': np.array([0, 1, 2 ** 40], 'int64')}, facts)
  return prefix


def steps_in(folder):
  return [int(prefix.split('-')[-1]) for prefix in checkpoints.prefixes(str(folder))]


def damage(path, change):
  with open(path, 'rb') as file:
    content = file.read()
  with open(path, 'wb') as file:
    file.write(change(content))


def test_round_trip(tmp_path):
  facts = {'network': {'model': 'cnn9'}, 'gauss': 0.1 + 0.2, 'order': [2 ** 40]}
  prefix = save(tmp_path / 'new', 7, **facts)
  values, found = checkpoints.load(prefix)
  assert found == dict(facts, steps=7)
  assert sorted(values) == ['conv/filter', 'stream']
  assert values['conv/filter'].dtype == np.float32
  np.testing.assert_array_equal(values['conv/filter'], np.full((2, 3), 7))
  np.testing.assert_array_equal(values['stream'], np.array([0, 1, 2 ** 40], 'int64'))


def test_tensorflow_finds_and_reads_them(tmp_path, session):
  prefix = save(tmp_path, 5, 7)
  assert tf.train.latest_checkpoint(str(tmp_path)) == prefix
  assert tf.train.load_checkpoint(str(tmp_path)).get_tensor('conv/filter').max() == 7
  kernel = tf.get_variable('conv/filter', [2, 3])
  tf.train.Saver([kernel]).restore(session, prefix)
  assert session.run(kernel).tolist() == [[7] * 3] * 2


def test_a_moved_folder_is_still_found(tmp_path):
  save(tmp_path / 'a', 5)
  (tmp_path / 'a').rename(tmp_path / 'b')
  assert tf.train.latest_checkpoint(str(tmp_path / 'b')) == str(
      tmp_path / 'b' / 'model.ckpt-5')


def test_the_newest_ones_are_kept(tmp_path):
  save(tmp_path, 5, 10, max_to_keep=2)
  save(tmp_path, 15, 100000000, max_to_keep=2)   # another process that goes on
  assert steps_in(tmp_path) == [15, 100000000]
  assert sorted(name for name in os.listdir(str(tmp_path)) if name.endswith('.json')) == [
      'model.ckpt-100000000.json', 'model.ckpt-15.json']
  assert checkpoints.newest(str(tmp_path), None)[2]['steps'] == 100000000


@pytest.mark.parametrize('max_to_keep', [1, 2])
def test_what_was_just_written_is_never_removed(tmp_path, max_to_keep):
  save(tmp_path, 10, 20, 30, max_to_keep=3)
  damage(str(tmp_path / 'model.ckpt-30.index'), lambda content: b'')
  for step in (21, 22, 23):   # goes on from 20
    save(tmp_path, step, max_to_keep=max_to_keep)
    assert checkpoints.newest(str(tmp_path), lambda text: None)[2]['steps'] == step


def test_what_a_killed_save_leaves_is_not_read(tmp_path):
  save(tmp_path, 1)
  (tmp_path / 'model.ckpt-2.json').write_text('{"half')
  (tmp_path / 'model.ckpt-2.data-00000-of-00001').write_bytes(b'half')
  (tmp_path / 'model.ckpt-2.data-00000-of-00001.tempstate1').write_bytes(b'half')
  assert checkpoints.newest(str(tmp_path), None)[2]['steps'] == 1
  save(tmp_path, 2)
  assert checkpoints.newest(str(tmp_path), None)[2]['steps'] == 2


def flip(content):
  """One bit of a kernel's bytes differs."""
  place = content.index(np.full(6, 2, 'float32').tobytes())
  return content[:place] + bytes([content[place] ^ 1]) + content[place + 1:]


@pytest.mark.parametrize('ending, change', [
    ('data-00000-of-00001', flip), ('data-00000-of-00001', lambda content: content[:10]),
    ('index', lambda content: content[:len(content) // 2]), ('index', lambda content: b''),
    ('index', lambda content: b'no index'), ('json', lambda content: b''),
    ('json', lambda content: b'{"steps": 1}'), ('json', lambda content: b'[]')])
def test_a_damaged_one_is_passed_over(tmp_path, ending, change):
  save(tmp_path, 1)
  prefix = save(tmp_path, 2)
  damage(prefix + '.' + ending, change)
  warnings = []
  assert checkpoints.newest(str(tmp_path), warnings.append)[2]['steps'] == 1
  assert len(warnings) == 1 and prefix in warnings[0] and 'damaged' in warnings[0]
  with pytest.raises(checkpoints.CheckpointError, match='damaged'):
    checkpoints.load(prefix)


def test_all_are_damaged(tmp_path):
  (tmp_path / 'model.ckpt-1.index').write_bytes(b'')
  with pytest.raises(checkpoints.CheckpointError, match='all checkpoints .* damaged'):
    checkpoints.newest(str(tmp_path), lambda text: None)


def test_one_of_another_program_is_named_as_such(tmp_path):
  prefix = save(tmp_path, 1)
  os.remove(prefix + '.json')
  with pytest.raises(checkpoints.CheckpointError, match='train.py did not write it'):
    checkpoints.load(prefix)


def test_no_folder_is_begun_anew(tmp_path):
  """Where the run's folder was moved away or removed."""
  with pytest.raises(OSError):
    save(tmp_path / 'gone' / 'checkpoints', 1)
  assert not os.listdir(str(tmp_path))


def test_a_folder_that_cannot_be_written(tmp_path):
  save(tmp_path, 1)
  (tmp_path / 'model.ckpt-2.index').mkdir()
  with pytest.raises(checkpoints.CheckpointError, match='cannot write .*model.ckpt-2'):
    save(tmp_path, 2)


def test_find(tmp_path):
  (tmp_path / 'run_00').mkdir()
  prefix = save(tmp_path / 'run_00' / 'checkpoints', 3)
  for name in [prefix, os.path.dirname(prefix), str(tmp_path / 'run_00'),
               str(tmp_path)] + glob.glob(prefix + '*'):
    assert os.path.realpath(checkpoints.find(name, None)[0]) == os.path.realpath(prefix)
  (tmp_path / 'run_01').mkdir()
  for name, words in ((tmp_path, 'several runs; name one of them: run_00, run_01'),
                      (tmp_path / 'run_01', 'no checkpoint in'),
                      (tmp_path / 'nothing', 'there is no checkpoint')):
    with pytest.raises(checkpoints.CheckpointError, match=words):
      checkpoints.find(str(name), None)


def test_facts_are_plain_json(tmp_path):
  with open(save(tmp_path, 3, order=[1, 2]) + '.json') as file:
    assert json.load(file) == {
        'order': [1, 2], 'steps': 3, 'variables': ['conv/filter', 'stream']}
