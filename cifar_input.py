"""CIFAR pickles, and the original's shuffling and augmentation bit for bit.

NumPy only. All randomness comes from one `np.random.RandomState`, which the
original has as NumPy's global generator, seeded just before training.
"""

import argparse
import contextlib
import hashlib
import operator
import os
import re
import sys
from typing import NamedTuple
from typing import Optional

FOLDER = os.path.dirname(os.path.realpath(__file__))
if FOLDER not in sys.path:   # with python -P, or run by another program
  sys.path.append(FOLDER)

from comhe_tf1.utils import signals

if __name__ == '__main__':
  signals.end_at_once()   # before what takes time

from comhe_tf1.utils import arguments  # first: it says what is missing

# isort: split
import numpy as np

from comhe_tf1.data import datasets
from comhe_tf1.data import pickles
from comhe_tf1.data import sample
from comhe_tf1.utils import container
from comhe_tf1.utils import terminal

SIDE = 32
CHANNELS = 3
PAD = 4

CIFAR100 = datasets.DATASETS['cifar100']


class Images(NamedTuple):
  """A labelled set: images [n, 32, 32, 3] uint8, labels [n] int64."""
  images: np.ndarray
  labels: np.ndarray


class Data(NamedTuple):
  """A data set that was read.

  Attributes:
    train: the training set; None if it was not asked for.
    test: the test set.
    md5: the `digest` of both. Where the test set was read alone, the official digest if
      its pickle is the official one, else None.
    test_md5: the `digest` of the test set.
    line: what the data are, for the user.
  """
  train: Optional[Images]
  test: Images
  md5: Optional[str]
  test_md5: str
  line: str


class DataError(Exception):
  """The data set cannot be used; the message is for the user."""


def read(name, path=None, with_train=True):
  """Reads a data set, or makes the sample.

  Args:
    name: as --dataset, one in `datasets.DATASETS`.
    path: folder of the pickles; not for the sample.
    with_train: whether to read the training set too.

  Returns:
    `Data`.

  Raises:
    DataError: as `load`.
  """
  if name == 'sample':
    rows = sample.generate()
    train, test = (from_rows(rows[part], 'the sample') for part in ('train', 'test'))
    md5, about = digest(train, test), 'SYNTHETIC sample, not CIFAR-100'
  elif with_train:
    train, test = load_folder(path, datasets.DATASETS[name])
    md5 = digest(train, test)
    about = f'{path}, {datasets.describe(name, md5)}'
  else:
    train, (test, md5) = None, _load_test(path, datasets.DATASETS[name])
    about = f'{path}, {datasets.describe(name, md5)}' if md5 else path
  counts = f'{len(train.images)} training and ' if train else ''
  return Data(train=train, test=test, md5=md5, test_md5=digest(test),
              line=f'data: {about}; {counts}{len(test.images)} test images')


def load(path, data_set=CIFAR100):
  """Reads one pickle.

  Args:
    path: one of the files that `data_set` names.
    data_set: `datasets.DataSet`.

  Returns:
    `Images`.

  Raises:
    DataError: the file is missing, unreadable or not as in `data_set`.
  """
  try:
    return from_rows(pickles.read(path), path, data_set)
  except OSError as error:
    def lies_there(other):
      return any(os.path.lexists(os.path.join(os.path.dirname(path), name))
                 for name in other.train + (other.test,))

    names = f"{', '.join(data_set.train)} and {data_set.test}"
    pickles_of = f"{data_set.title}'s pickles {names}"
    remedy = container.advice(os.path.dirname(path), '/data', error.errno)
    advice = (f'{remedy} ({pickles_of})' if remedy else
              f'--data_dir must name the folder of {pickles_of}'
              + _advice(data_set, lies_there))
    raise DataError(f'cannot read {path}: {error.strerror}; {advice}')
  except pickles.PickleError as error:
    raise DataError(f'{path} {error}')


def load_folder(path, data_set=CIFAR100):
  """Reads the pickles in a folder, or in that of the archive's name in it.

  Returns:
    Two `Images`, train and test; several pickles are joined in `data_set`'s order.

  Raises:
    DataError: as `load`.
  """
  path = _unpacked(path, data_set)
  return (_load_joined(path, data_set.train, data_set),
          _load_joined(path, (data_set.test,), data_set))


def _load_test(path, data_set):
  """Reads the test set alone; returns it and the digest as `Data` has it."""
  path = os.path.join(_unpacked(path, data_set), data_set.test)
  test = load(path, data_set)
  with open(path, 'rb') as file:
    md5 = hashlib.md5(file.read()).hexdigest()
  return test, data_set.digest if md5 == data_set.members.get(data_set.test) else None


def _unpacked(path, data_set):
  """The folder of the pickles: `path`, or one in it."""
  folder = os.path.join(path, data_set.folder)
  pickles_in_path = os.path.lexists(os.path.join(path, data_set.test))
  return folder if os.path.isdir(folder) and not pickles_in_path else path


def _load_joined(path, names, data_set):
  # On its own, so that the parts are given up as soon as they are joined.
  parts = [load(os.path.join(path, name), data_set) for name in names]
  # One part stays what it is, as a copy takes as much memory once more.
  return parts[0] if len(parts) == 1 else Images(
      *[np.concatenate(arrays) for arrays in zip(*parts)])


def from_rows(rows, name, data_set=CIFAR100):
  """Checks what a pickle holds and turns it into `Images`.

  Args:
    rows: dict with `data` (uint8 [n, 3072], planes R, G, B, each row-major) and
      the labels (n integers) under the key that `data_set` names.
    name: where it comes from, for messages.
    data_set: `datasets.DataSet`.

  Raises:
    DataError: a key is missing, or a value has another type, shape or range.
  """
  if isinstance(rows, pickles.Unread):
    raise DataError(f'{name} holds {rows.name}, which is not read, as it could run code; '
                    'get the file from a source you trust')
  keys = rows if isinstance(rows, dict) else ()
  expected = (f"; the pickle must be as in {data_set.title}'s python version"
              + _advice(data_set, lambda other: other.labels in keys))
  for key in ('data', data_set.labels):
    if key not in keys:
      raise DataError(f'{name} has no {key!r}{expected}')
    if isinstance(rows[key], pickles.Unread):
      raise DataError(f'{name}: {key} holds {rows[key].name}, which is not read{expected}')
  data = rows['data']
  width = CHANNELS * SIDE * SIDE
  if (not isinstance(data, np.ndarray) or data.dtype != np.uint8
      or data.ndim != 2 or data.shape[1] != width or not len(data)):
    raise DataError(f'{name}: data must be a uint8 array of shape [n, {width}], got '
                    f'{_describe(data)}{expected}')
  labels = _labels(rows[data_set.labels])
  if (not isinstance(labels, np.ndarray) or labels.shape != (len(data),)
      or labels.dtype.kind not in 'iu'):
    raise DataError(f'{name}: {data_set.labels} must be {len(data)} integers, one per '
                    f'image, got {_describe(labels)}{expected}')
  wrong = np.flatnonzero((labels < 0) | (labels >= data_set.classes))
  if len(wrong):
    raise DataError(f'{name}: label {labels[wrong[0]]} of image {wrong[0]} is outside '
                    f'0..{data_set.classes - 1}{expected}')
  images = data.reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1)
  return Images(np.ascontiguousarray(images), labels.astype(np.int64))


def _labels(value):
  """A list of integers as an array; anything else as it is."""
  # Not by NumPy alone: lists within lists could become an array of any size.
  if isinstance(value, (list, tuple)) and set(map(type, value)) == {int}:
    with contextlib.suppress(OverflowError):   # numbers beyond 64 bits
      return np.array(value, np.int64)
  return value


def _advice(data_set, fits):
  """How to get the data set, or which other one the user has.

  Args:
    data_set: `datasets.DataSet` that the data do not fit.
    fits: function that tells of a `DataSet` whether any of its names is there.
  """
  for other in datasets.PICKLED.values():
    if fits(other) and not fits(data_set):
      return f'; this looks like {other.title}: use --dataset {other.name}'
  return (f', which python cifar_input.py --download --dataset {data_set.name} gets; '
          '--dataset sample needs none')


def digest(*sets):
  """md5 of all images and labels, as hexadecimal digits."""
  md5 = hashlib.md5()
  for data in sets:
    md5.update(data.images)
    md5.update(data.labels)
  return md5.hexdigest()


def _describe(value):
  if isinstance(value, np.ndarray):
    return f'a {value.dtype} array of shape {list(value.shape)}'
  return 'a dict' if isinstance(value, dict) else f'a {type(value).__name__}'


# Where each row or column of an image padded by 4 comes from: the border is
# mirrored with the edge pixel repeated (NumPy's 'symmetric').
_PADDED = np.pad(np.arange(SIDE), PAD, 'symmetric')


def augment(images, rng):
  """Random crop of the padded image and random mirroring, as the original.

  For every image in turn: crop row and crop column, each rng.randint(9), and
  flip, rng.randint(2). The image is padded by 4 on every side, symmetrically,
  cropped to 32x32 at (row, column) and mirrored left-right where flip is 1.

  Args:
    images: [n, 32, 32, channels], any type.
    rng: `np.random.RandomState`.

  Returns:
    Array of the same shape and type.
  """
  draws = np.array([(rng.randint(2 * PAD + 1), rng.randint(2 * PAD + 1), rng.randint(2))
                    for _ in images], int).reshape(-1, 3)
  window = np.arange(SIDE)
  rows = _PADDED[draws[:, :1] + window] + SIDE * np.arange(len(images))[:, None]
  columns = _PADDED[draws[:, 1:2] + np.where(draws[:, 2:], window[::-1], window)]
  # All pixels by their numbers, each moved as a whole.
  pixel = np.dtype((np.void, images.shape[-1] * images.itemsize))
  pixels = np.ascontiguousarray(images).reshape(-1).view(pixel)
  moved = pixels.take(SIDE * rows[:, :, None] + columns[:, None, :])
  return moved.view(images.dtype).reshape(images.shape)


class TrainingBatches:
  """Endless augmented batches in the original's order.

  At the first batch of every epoch the order of the set is permuted by one
  shuffle; permutations compose from epoch to epoch, as the original re-indexes
  its set in place. An epoch has n // batch_size batches; what is left of the
  permuted set is dropped that epoch.

  Args:
    data: `Images`.
    batch_size: images in a batch.
    rng: `np.random.RandomState`, used for nothing else.

  Attributes:
    order: the set's present order, indices into `data`.

  Raises:
    DataError: the batch is larger than the set.
  """

  def __init__(self, data, batch_size, rng):
    if batch_size > len(data.images):
      raise DataError(f'--batch_size {batch_size} is larger than the training set of '
                      f'{len(data.images)} images')
    self._data, self._batch_size, self._rng = data, batch_size, rng
    self._per_epoch = len(data.images) // batch_size
    self._step = 0
    self.order = np.arange(len(data.images))

  def next(self):
    """Returns images [batch, 32, 32, 3] uint8 and labels [batch] int64."""
    place = self._step % self._per_epoch
    if place == 0:
      permutation = np.arange(len(self.order))
      self._rng.shuffle(permutation)
      self.order = self.order[permutation]
    self._step += 1
    chosen = self.order[place * self._batch_size:(place + 1) * self._batch_size]
    return (augment(self._data.images[chosen], self._rng),
            self._data.labels[chosen])

  def state(self):
    """Where the batches stand: dict of arrays, and dict of numbers."""
    _, keys, position, has_gauss, cached_gaussian = self._rng.get_state()
    return ({'order': self.order, 'rng_keys': keys},
            {'batches': self._step, 'rng_position': position,
             'rng_has_gauss': has_gauss, 'rng_cached_gaussian': cached_gaussian})

  def restore(self, arrays, numbers):
    """Continues from what `state` returned.

    Raises:
      KeyError, TypeError, ValueError: it is of another set, or of no batches.
    """
    self._rng.set_state(('MT19937', arrays['rng_keys'], numbers['rng_position'],
                         numbers['rng_has_gauss'], numbers['rng_cached_gaussian']))
    if not np.array_equal(np.sort(arrays['order'], None), np.arange(len(self.order))):
      raise ValueError('an order of another set')
    self.order, self._step = arrays['order'], operator.index(numbers['batches'])


def batches(data, batch_size, random_seed):
  """The `TrainingBatches` of a run, whose generator is seeded just before training."""
  return TrainingBatches(data, batch_size, np.random.RandomState(random_seed))


def main(argv=None):
  """Downloads a data set, as the flags say; returns the exit status."""
  from comhe_tf1.data import download  # here, as reading pickles does not need it

  def url(text):
    if not re.match('https?://[^/]|file:///', text, re.IGNORECASE):
      raise argparse.ArgumentTypeError(
          f'expected http://HOST/..., https://HOST/... or file:///..., got {text!r}')
    return text

  parser = arguments.Parser(
      prog='cifar_input.py',
      description='Download a data set, check its md5 sums and unpack it. Run it again '
                  'to continue an interrupted download.')
  parser.add_argument('--download', action='store_true', required=True,
                      help='download (required)')
  parser.add_argument(
      '--dataset', choices=list(datasets.PICKLED), default='cifar100',
      help='data set (default: cifar100)')
  parser.add_argument(
      '--url', type=url,
      help='mirror of the archive, which must be identical: http, https or file '
           '(default: www.cs.toronto.edu/~kriz)')
  parser.add_argument(
      '--data_dir', type=arguments.path, metavar='FOLDER',
      help='folder for the pickles; the archive is kept beside it (default: '
           'cifar-100-python or cifar-10-batches-py, in COMHE_DATA_DIR if set)')
  args = parser.parse_args(argv)
  data_set = datasets.DATASETS[args.dataset]
  folder = args.data_dir or os.path.join(
      arguments.path_of_environment(parser, 'COMHE_DATA_DIR') or '', data_set.folder)
  advice = container.advice(folder, '/data')
  if advice:
    terminal.note('cifar_input.py', 'warning: the data are inside this container and go '
                                    f'with it; {advice}')
  try:
    download.download(data_set, folder, args.url)
  except download.DownloadError as error:
    raise DataError(str(error))
  except BrokenPipeError:   # nobody reads what is printed
    raise
  except OSError as error:
    place = error.filename or folder
    remedy = container.advice(os.path.dirname(os.path.abspath(place)), '/data', error.errno)
    raise DataError(f'cannot read or write {place}: {error.strerror or error}'
                    + (f'; {remedy}' if remedy else ''))
  return 0


if __name__ == '__main__':
  terminal.command('cifar_input.py', main, DataError,
                   interrupted='interrupted; calling again continues')
