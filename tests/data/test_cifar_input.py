import collections
import hashlib
import os
import pickle

import numpy as np
import pytest

import cifar_input
from comhe_tf1.data import datasets

CIFAR100, CIFAR10 = (datasets.DATASETS[name] for name in ('cifar100', 'cifar10'))


def rows(count=6, seed=0, data_set=CIFAR100):
  """What a pickle holds."""
  rng = np.random.RandomState(seed)
  return {'data': rng.randint(0, 256, (count, 3072)).astype(np.uint8),
          data_set.labels: rng.randint(0, data_set.classes, count).tolist(),
          'filenames': ['x.png'] * count, 'batch_label': 'batch'}


def write(path, content):
  with open(str(path), 'wb') as file:
    pickle.dump(content, file, protocol=2)
  return str(path)


def test_load(tmp_path):
  content = rows()
  images, labels = cifar_input.load(write(tmp_path / 'train', content))
  assert images.shape == (6, 32, 32, 3) and images.dtype == np.uint8
  assert labels.tolist() == content['fine_labels'] and labels.dtype == np.int64
  # Planes R, G, B, each row by row.
  for n, row, column, channel in [(0, 0, 0, 0), (1, 2, 3, 1), (5, 31, 31, 2)]:
    assert (images[n, row, column, channel]
            == content['data'][n, channel * 1024 + row * 32 + column])


@pytest.mark.parametrize('data_set, key', [
    (CIFAR100, b'U\x0bfine_labels'), (CIFAR10, b'U\x06labels')])
def test_a_pickle_of_python_2(tmp_path, data_set, key):
  # Byte strings, as Python 2 pickles text.
  content = b"\x80\x02}q\x01(U\x04dataq\x02" + pickle.dumps(
      rows()['data'], 2)[2:-1] + key + pickle.dumps([1] * 6, 2)[2:-1] + b'u.'
  path = tmp_path / 'train'
  path.write_bytes(content)
  assert cifar_input.load(str(path), data_set).labels.tolist() == [1] * 6


def test_the_test_set_alone(tmp_path):
  """Read without the training set, which need not be there."""
  content = rows(5)
  write(tmp_path / 'test', content)
  data = cifar_input.read('cifar100', str(tmp_path), with_train=False)
  assert data.train is None and data.md5 is None
  assert data.test.labels.tolist() == content['fine_labels']
  assert data.line == f'data: {tmp_path}; 5 test images'
  with pytest.raises(cifar_input.DataError, match='cannot read .*train: No such file'):
    cifar_input.read('cifar100', str(tmp_path))


def test_the_official_test_set_alone(cifar100):
  data = cifar_input.read('cifar100', cifar100, with_train=False)
  assert data.md5 == CIFAR100.digest
  assert data.line == f'data: {cifar100}, the official CIFAR-100; 10000 test images'


def test_a_further_pickled_set_is_one_row(tmp_path, monkeypatch):
  row = datasets.DataSet('ten', 'TEN', 10, 'd' * 32, ('a', 'b'), 'c', 'targets')
  monkeypatch.setitem(datasets.DATASETS, 'ten', row)
  monkeypatch.setitem(datasets.PICKLED, 'ten', row)
  for name, labels in [('a', [1, 2]), ('b', [3]), ('c', [4])]:
    write(tmp_path / name, {'data': rows(len(labels))['data'], 'targets': labels})
  data = cifar_input.read('ten', str(tmp_path))
  assert data.train.labels.tolist() == [1, 2, 3] and data.test.labels.tolist() == [4]
  assert data.line == (
      f'data: {tmp_path}, not the official TEN; 3 training and 1 test images')
  # A row may say nothing of an archive.
  assert cifar_input.read('ten', str(tmp_path), with_train=False).md5 is None


@pytest.fixture
def cifar10(tmp_path):
  """A folder of six pickles of different sizes, and what they hold."""
  content = [rows(count, seed, CIFAR10) for seed, count in enumerate([3, 1, 4, 2, 5, 6])]
  for name, batch in zip(CIFAR10.train + (CIFAR10.test,), content):
    write(tmp_path / name, batch)
  return tmp_path, content


def test_cifar10_is_joined_in_order(cifar10):
  folder, content = cifar10
  sets = cifar_input.load_folder(str(folder), CIFAR10)
  md5 = hashlib.md5()
  for ours, batches in zip(sets, (content[:5], content[5:])):
    labels = [label for batch in batches for label in batch['labels']]
    # Pixel by pixel, from planes to red, green and blue side by side.
    pixels = bytes(bytearray(
        image[channel * 1024 + place] for batch in batches for image in batch['data']
        for place in range(1024) for channel in range(3)))
    assert ours.images.shape == (len(labels), 32, 32, 3)
    assert ours.images.dtype == np.uint8 and ours.labels.dtype == np.int64
    assert ours.images.tobytes() == pixels
    assert ours.labels.tolist() == labels
    md5.update(pixels)
    md5.update(np.array(labels, '<i8').tobytes())
  assert cifar_input.digest(*sets) == md5.hexdigest()


CIFAR10_PICKLES = ('data_batch_1, data_batch_2, data_batch_3, data_batch_4, '
                   'data_batch_5 and test_batch')
CIFAR10_IS_HAD_BY = (', which python cifar_input.py --download --dataset cifar10 gets; '
                     '--dataset sample needs none')


@pytest.mark.parametrize('name', ['data_batch_1', 'data_batch_3', 'test_batch'])
def test_a_batch_with_wrong_content_is_named(cifar10, name):
  folder, _ = cifar10
  path = write(folder / name, dict(rows(2, 7, CIFAR10), labels=[0, 10]))
  with pytest.raises(cifar_input.DataError) as error:
    cifar_input.load_folder(str(folder), CIFAR10)
  assert str(error.value) == (
      f"{path}: label 10 of image 1 is outside 0..9; the pickle must be as in CIFAR-10's "
      f'python version{CIFAR10_IS_HAD_BY}')


def test_a_missing_batch_is_named(cifar10):
  path = cifar10[0] / 'data_batch_3'
  path.unlink()
  with pytest.raises(cifar_input.DataError) as error:
    cifar_input.load_folder(str(path.parent), CIFAR10)
  assert str(error.value) == (
      "cannot read %s: No such file or directory; --data_dir must name the folder of "
      "CIFAR-10's pickles %s%s" % (path, CIFAR10_PICKLES, CIFAR10_IS_HAD_BY))


def test_the_folder_of_the_other_set(cifar10, tmp_path):
  with pytest.raises(cifar_input.DataError) as error:
    cifar_input.load_folder(str(tmp_path))
  assert str(error.value) == (
      "cannot read %s: No such file or directory; --data_dir must name the folder of "
      "CIFAR-100's pickles train and test; this looks like CIFAR-10: use --dataset "
      "cifar10" % (tmp_path / 'train'))
  other = tmp_path / 'other'
  other.mkdir()
  write(other / 'test', rows())   # one of the two is enough to tell
  with pytest.raises(cifar_input.DataError) as error:
    cifar_input.load_folder(str(other), CIFAR10)
  assert str(error.value) == (
      "cannot read %s: No such file or directory; --data_dir must name the folder of "
      "CIFAR-10's pickles %s; this looks like CIFAR-100: use --dataset cifar100"
      % (other / 'data_batch_1', CIFAR10_PICKLES))


def test_a_folder_of_both_sets(cifar10):
  """Each is read; what one lacks is not taken for the other."""
  folder, _ = cifar10
  write(folder / 'train', rows())
  write(folder / 'test', rows())
  assert len(cifar_input.load_folder(str(folder))[0].images) == 6
  assert len(cifar_input.load_folder(str(folder), CIFAR10)[0].images) == 15
  (folder / 'train').unlink()
  with pytest.raises(cifar_input.DataError, match='pickles train and test, which'):
    cifar_input.load_folder(str(folder))


@pytest.mark.parametrize('data_set, content, message', [
    (CIFAR100, rows(data_set=CIFAR10), "no 'fine_labels'; the pickle must be as in "
     "CIFAR-100's python version; this looks like CIFAR-10: use --dataset cifar10"),
    (CIFAR10, rows(), "no 'labels'; the pickle must be as in CIFAR-10's python "
     "version; this looks like CIFAR-100: use --dataset cifar100")])
def test_the_other_sets_pickles_under_these_names(tmp_path, data_set, content, message):
  for name in data_set.train + (data_set.test,):
    write(tmp_path / name, content)
  with pytest.raises(cifar_input.DataError) as error:
    cifar_input.load_folder(str(tmp_path), data_set)
  assert str(error.value) == f'{tmp_path / data_set.train[0]} has {message}'


def changed(**values):
  content = rows()
  content.update(values)
  return content


@pytest.mark.parametrize('content, words', [
    ([1, 2], "no 'data'"),
    ({'data': rows()['data']}, "no 'fine_labels'"),
    (changed(data=[[0] * 3072]), 'uint8 array.*got a list'),
    (changed(data=np.zeros((6, 3072))), 'float64'),
    (changed(data=np.zeros((6, 3071), np.uint8)), r'\[6, 3071\]'),
    (changed(data=np.zeros((6, 3, 1024), np.uint8)), r'\[6, 3, 1024\]'),
    (changed(data=np.zeros((0, 3072), np.uint8)), r'\[0, 3072\]'),
    (changed(fine_labels=[1, 2]), r'must be 6 integers, one per image, got .*\[2\]'),
    (changed(fine_labels=[0.5] * 6), 'integers, one per image, got a list'),
    (changed(fine_labels=np.full(6, 0.5)), 'float64'),
    (changed(fine_labels=[1 << 70] * 6), 'integers'),
    (changed(fine_labels=[1, [2], 3, 4, 5, 6]), 'integers'),
    (changed(fine_labels=[0, 1, 2, 100, 3, -1]), 'label 100 of image 3 is outside 0..99'),
    (changed(fine_labels=[0, 1, 2, 3, 4, -1]), 'label -1 of image 5')])
def test_wrong_content(tmp_path, content, words):
  path = write(tmp_path / 'train', content)
  with pytest.raises(cifar_input.DataError, match=words) as error:
    cifar_input.load(path)
  assert path in str(error.value)


class Evil:
  """A pickle that would run a command."""

  def __init__(self, function, *arguments):
    self.call = function, arguments

  def __reduce__(self):
    return self.call


@pytest.mark.parametrize('protocol', [0, 2, pickle.HIGHEST_PROTOCOL])
@pytest.mark.parametrize('function, name', [
    (os.system, '[a-z]+.system'), (eval, '[_a-z]+.eval'), (np.load, 'numpy.*load'),
    (pickle.loads, '_?pickle.loads')], ids=['system', 'eval', 'numpy.load', 'loads'])
def test_a_pickle_that_would_run_a_command(tmp_path, function, name, protocol):
  """Nothing runs; where it is no needed key, the data are read all the same."""
  marker = tmp_path / 'marker'
  path = tmp_path / 'train'
  evil = Evil(function, f'touch {marker}')
  path.write_bytes(pickle.dumps(changed(filenames=evil), protocol))
  assert cifar_input.load(str(path)).labels.tolist() == rows()['fine_labels']
  for key in ('data', 'fine_labels'):
    path.write_bytes(pickle.dumps(changed(**{key: evil}), protocol))
    with pytest.raises(cifar_input.DataError, match=(
        f': {key} holds {name}, which is not read; the pickle must be as in CIFAR-100')):
      cifar_input.load(str(path))
  path.write_bytes(pickle.dumps(evil, protocol))
  with pytest.raises(cifar_input.DataError, match=' holds %s, which is not read, as it '
                     'could run code; get the file from a source you trust' % name):
    cifar_input.load(str(path))
  assert not marker.exists()


@pytest.mark.parametrize('core', ['numpy.core', 'numpy._core'])
@pytest.mark.parametrize('protocol', [0, 2, pickle.HIGHEST_PROTOCOL])
def test_pickles_of_either_numpy(tmp_path, core, protocol):
  content = pickle.dumps(changed(fine_labels=list(np.arange(6))), protocol)
  if protocol < 4:   # beyond, names are stored with their length
    content = content.replace(b'cnumpy._core.', b'cnumpy.core.').replace(
        b'cnumpy.core.', b'c%s.' % core.encode())
  path = tmp_path / 'train'
  path.write_bytes(content)
  assert cifar_input.load(str(path)).labels.tolist() == list(range(6))


def test_missing_file(tmp_path):
  with pytest.raises(cifar_input.DataError, match='No such file.*--data_dir'):
    cifar_input.load_folder(str(tmp_path))
  with pytest.raises(cifar_input.DataError, match='cannot read'):
    cifar_input.load(str(tmp_path))   # a folder


def slow_augment(images, rng):
  """One image at a time, as the specification says it."""
  results = []
  for image in images:
    row, column, flip = rng.randint(9), rng.randint(9), rng.randint(2)
    padded = np.pad(image.astype('float32'), [(4, 4), (4, 4), (0, 0)], 'symmetric')
    crop = padded[row:row + 32, column:column + 32]
    results.append(crop[:, ::-1] if flip else crop)
  return np.array(results)


@pytest.mark.parametrize('count', [0, 1, 300])
def test_augment(rng, count):
  images = rng.randint(0, 256, (count, 32, 32, 3)).astype(np.uint8)
  ours, theirs = np.random.RandomState(7), np.random.RandomState(7)
  result = cifar_input.augment(images, ours)
  assert result.dtype == np.uint8
  expected = slow_augment(images, theirs)
  np.testing.assert_array_equal(result.reshape(-1), expected.reshape(-1))
  # Nothing more and nothing less was drawn.
  assert ours.randint(2 ** 31) == theirs.randint(2 ** 31)


@pytest.mark.parametrize('count, batch_size', [(12, 4), (14, 4), (5, 5), (3, 1)])
def test_order_of_batches(count, batch_size):
  """The original re-indexes its set in place: permutations compose."""
  rng = np.random.RandomState(1)
  images = rng.randint(0, 256, (count, 32, 32, 3)).astype(np.uint8)
  labels = np.arange(count)
  batches = cifar_input.TrainingBatches(
      cifar_input.Images(images.copy(), labels.copy()), batch_size,
      np.random.RandomState(3))
  seen = collections.Counter()
  theirs = np.random.RandomState(3)
  for _ in range(4):   # epochs
    permutation = np.arange(count)
    theirs.shuffle(permutation)
    images, labels = images[permutation], labels[permutation]
    for i in range(count // batch_size):
      chosen = slice(i * batch_size, (i + 1) * batch_size)
      batch, batch_labels = batches.next()
      np.testing.assert_array_equal(batch_labels, labels[chosen])
      np.testing.assert_array_equal(batch, slow_augment(images[chosen], theirs))
      seen.update(batch_labels.tolist())
    np.testing.assert_array_equal(batches.order, labels)
  assert sum(seen.values()) == 4 * (count // batch_size) * batch_size


def test_a_batch_larger_than_the_set():
  data = cifar_input.Images(np.zeros((3, 32, 32, 3), np.uint8), np.zeros(3, np.int64))
  with pytest.raises(cifar_input.DataError, match='--batch_size 4.*3 images'):
    cifar_input.TrainingBatches(data, 4, np.random.RandomState(0))


def test_the_datasets(cifar100):
  data = cifar_input.read('cifar100', cifar100)
  assert data.md5 == CIFAR100.digest
  assert data.line == ('data: %s, the official CIFAR-100; 50000 training and 10000 test '
                       'images' % cifar100)
  # First batches of the published runs, with which fit and acc are the published ones.
  assert {seed: cifar_input.digest(cifar_input.Images(
      *cifar_input.batches(data.train, 128, seed).next())) for seed in (1234, 345, 3456)
         } == {1234: '5ddaddcf070d413985f13a0b2f911024',
               345: '8c94eb58f740b989e69e6b3f37889d9c',
               3456: 'e2318da7cfd35cb42838c626c86dc09e'}
