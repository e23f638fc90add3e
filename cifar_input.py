"""CIFAR pickles, and the original's shuffling and augmentation bit for bit.

NumPy only. All randomness comes from one `np.random.RandomState`, which the
original has as NumPy's global generator, seeded just before training.
"""

import argparse
import collections
import hashlib
import operator
import os
import sys

FOLDER = os.path.dirname(os.path.realpath(__file__))
if FOLDER not in sys.path:   # with python -P, or run by another program
  sys.path.append(FOLDER)

from comhe_tf1.utils import signals

if __name__ == '__main__':
  signals.end_at_once()   # before what takes time

from comhe_tf1.utils import arguments  # first: it says what is missing

# isort: split
import numpy as np

from comhe_tf1.data import pickles
from comhe_tf1.data import sample
from comhe_tf1.data.layouts import LAYOUTS
from comhe_tf1.records import official_data
from comhe_tf1.utils import container
from comhe_tf1.utils import terminal

SIDE = 32
CHANNELS = 3
PAD = 4

Images = collections.namedtuple('Images', 'images labels')
Images.__doc__ = """A labelled set: images [n, 32, 32, 3] uint8, labels [n] int64."""

Data = collections.namedtuple('Data', 'train test md5 line')
Data.__doc__ = """A data set.

train, test: `Images`. md5: their `digest`. line: what they are, for the user.
"""


class DataError(Exception):
  """The data set cannot be used; the message is for the user."""


def read(dataset, path=None):
  """Reads a data set, or makes the sample.

  Args:
    dataset: a name in `LAYOUTS`, or 'sample'.
    path: folder of the pickles; not for the sample.

  Returns:
    `Data`.

  Raises:
    DataError: as `load`.
  """
  if dataset == 'sample':
    rows = sample.generate()
    sets = [from_rows(rows[name], 'the sample') for name in ('train', 'test')]
    origin = 'SYNTHETIC sample, not CIFAR-100'
  else:
    sets = load_folder(path, LAYOUTS[dataset])
    origin = path
  md5 = digest(*sets)
  if dataset != 'sample':
    origin += ', ' + official_data.in_words(dataset, md5)
  return Data(sets[0], sets[1], md5, 'data: %s; %d training and %d test images' % (
      origin, len(sets[0].images), len(sets[1].images)))


def load(path, layout=LAYOUTS['cifar100']):
  """Reads one pickle.

  Args:
    path: one of the files that `layout` names.
    layout: `layouts.Layout`.

  Returns:
    `Images`.

  Raises:
    DataError: the file is missing, unreadable or not what `layout` says.
  """
  try:
    rows = pickles.read(path)
  except OSError as error:
    def lies_there(candidate):
      return any(os.path.lexists(os.path.join(os.path.dirname(path), name))
                 for name in candidate.train + (candidate.test,))

    pickles_of = '%s\'s pickles %s and %s' % (
        layout.title, ', '.join(layout.train), layout.test)
    remedy = container.data_remedy(os.path.dirname(path), error.errno)
    raise DataError('cannot read %s: %s; %s' % (
        path, error.strerror, '%s (%s)' % (remedy, pickles_of) if remedy else
        '--data_dir must name the folder of %s%s' % (
            pickles_of, _remedy(layout, lies_there))))
  except pickles.PickleError as error:
    raise DataError('%s %s' % (path, error))
  if isinstance(rows, dict):   # nothing else takes memory while the images are copied
    rows = {key: value if key in ('data', layout.labels) else None
            for key, value in rows.items()}
  return from_rows(rows, path, layout)


def load_folder(path, layout=LAYOUTS['cifar100']):
  """Reads the pickles in a folder, or in that of the archive's name in it.

  Returns:
    Two `Images`, train and test; several pickles are joined in `layout`'s order.

  Raises:
    DataError: as `load`.
  """
  unpacked = os.path.join(path, layout.folder)
  if os.path.isdir(unpacked) and not os.path.lexists(os.path.join(path, layout.test)):
    path = unpacked
  return tuple(_load_joined(path, names, layout)
               for names in (layout.train, (layout.test,)))


def _load_joined(path, names, layout):
  # On its own, so that the parts are given up as soon as they are joined.
  parts = [load(os.path.join(path, name), layout) for name in names]
  # One part stays what it is, as a copy takes as much memory once more.
  return parts[0] if len(parts) == 1 else Images(
      *[np.concatenate(arrays) for arrays in zip(*parts)])


def from_rows(rows, name, layout=LAYOUTS['cifar100']):
  """Checks what a pickle holds and turns it into `Images`.

  Args:
    rows: dict with `data` (uint8 [n, 3072], planes R, G, B, each row-major) and
      the labels (n integers) under the key that `layout` names.
    name: where it comes from, for messages.
    layout: `layouts.Layout`.

  Raises:
    DataError: a key is missing, or a value has another type, shape or range.
  """
  keys = rows if isinstance(rows, dict) else ()
  expected = '; the pickle must be as in %s\'s python version%s' % (
      layout.title, _remedy(layout, lambda candidate: candidate.labels in keys))
  for key in ('data', layout.labels):
    if key not in keys:
      raise DataError('%s has no %r%s' % (name, key, expected))
  data = rows['data']
  width = CHANNELS * SIDE * SIDE
  if (not isinstance(data, np.ndarray) or data.dtype != np.uint8
      or data.ndim != 2 or data.shape[1] != width or not len(data)):
    raise DataError('%s: data must be a uint8 array of shape [n, %d], got %s%s'
                    % (name, width, _describe(data), expected))
  labels = _labels(rows[layout.labels])
  if labels.shape != (len(data),) or labels.dtype.kind not in 'iu':
    raise DataError('%s: %s must be %d integers, one per image, got %s%s'
                    % (name, layout.labels, len(data), _describe(labels), expected))
  wrong = np.flatnonzero((labels < 0) | (labels >= layout.classes))
  if len(wrong):
    raise DataError('%s: label %d of image %d is outside 0..%d%s' % (
        name, labels[wrong[0]], wrong[0], layout.classes - 1, expected))
  images = data.reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1)
  return Images(np.ascontiguousarray(images), labels.astype(np.int64))


def _labels(value):
  """An array of what should be labels; one of objects where it is no flat list."""
  if isinstance(value, np.ndarray):
    return value
  # Lists within lists, or long texts, could become an array of any size.
  if isinstance(value, (list, tuple)):
    if all(issubclass(kind, (int, float, np.number, np.bool_, str))
           for kind in set(map(type, value))) and all(
               len(each) < 100 for each in value if isinstance(each, str)):
      try:
        return np.asarray(value)
      except (OverflowError, TypeError, ValueError):   # numbers beyond 64 bits
        pass
    return np.empty(len(value), object)
  return np.empty((), object)


def _remedy(layout, fits):
  """How to get the set of `layout`, or which other one the user has.

  Args:
    layout: `layouts.Layout` that the data do not fit.
    fits: function that tells of a `layouts.Layout` whether any of its names is there.
  """
  for other in LAYOUTS.values():
    if fits(other) and not fits(layout):
      return '; this looks like %s: use --dataset %s' % (other.title, other.name)
  return (', which python cifar_input.py --download --dataset %s gets; '
          '--dataset sample needs none' % layout.name)


def digest(*sets):
  """md5 of all images and labels, as hexadecimal digits."""
  md5 = hashlib.md5()
  for data in sets:
    md5.update(data.images)
    md5.update(data.labels)
  return md5.hexdigest()


def _describe(value):
  if isinstance(value, np.ndarray):
    return 'a %s array of shape %s' % (value.dtype, list(value.shape))
  return 'a %s' % type(value).__name__


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
  draws = _draws(len(images), rng)
  window = np.arange(SIDE)
  rows = _PADDED[draws[:, :1] + window] + SIDE * np.arange(len(images))[:, None]
  columns = _PADDED[draws[:, 1:2] + np.where(draws[:, 2:], window[::-1], window)]
  # All pixels by their numbers, each moved as a whole.
  pixel = np.dtype((np.void, images.shape[-1] * images.itemsize))
  pixels = np.ascontiguousarray(images).reshape(-1).view(pixel)
  moved = pixels.take(SIDE * rows[:, :, None] + columns[:, None, :])
  return moved.view(images.dtype).reshape(images.shape)


def _draws(count, rng):
  """Crop rows, crop columns and flips [count, 3], see `augment`.

  The generator gives the numbers, and is left, as by calls of randint one after the
  other, which take most of the time of a batch: randint(9) takes one word after the
  other until its last four bits are less than 9, randint(2) the last bit of one word.
  """
  state = rng.get_state()
  words = []
  while True:
    # 4.6 words an image on average; more than these once in ten billion batches.
    words += rng.randint(0, 1 << 32, 5 * count + 64, dtype=np.uint32).tolist()
    try:
      numbers, used = _decode(count, words)
      break
    except IndexError:
      pass
  rng.set_state(state)
  rng.randint(0, 1 << 32, used, dtype=np.uint32)
  return np.array(numbers, int).reshape(-1, 3)


def _decode(count, words):
  """The numbers of `_draws` as a list, and how many words they take.

  Raises:
    IndexError: there are too few words.
  """
  numbers, used = [], 0
  for _ in range(count):
    for mask, largest in ((15, 2 * PAD), (15, 2 * PAD), (1, 1)):
      while words[used] & mask > largest:
        used += 1
      numbers.append(words[used] & mask)
      used += 1
  return numbers, used


class TrainingBatches(object):
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
      raise DataError('--batch_size %d is larger than the training set of %d '
                      'images' % (batch_size, len(data.images)))
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
    try:
      return download.checked_url(text)
    except ValueError:
      raise argparse.ArgumentTypeError(
          'expected http://HOST/..., https://HOST/... or file:///..., got %r' % text)

  parser = arguments.Parser(
      prog='cifar_input.py',
      description='Download a data set, check and unpack it. A broken download '
                  'is continued by calling again.')
  parser.add_argument('--download', action='store_true', required=True,
                      help='do so; needed')
  parser.add_argument(
      '--dataset', choices=sorted(download.ARCHIVES), default='cifar100',
      help='which (default: cifar100)')
  parser.add_argument(
      '--url', type=url,
      help='a mirror of the archive, with the same bytes: http, https or file '
           '(default: the one at www.cs.toronto.edu/~kriz)')
  parser.add_argument(
      '--data_dir', type=arguments.path, metavar='FOLDER',
      help='where the pickles go; the archive is kept beside it (default: '
           'cifar-100-python or cifar-10-batches-py, as the archive names it, in '
           'COMHE_DATA_DIR if set)')
  args = parser.parse_args(argv)
  archive = download.ARCHIVES[args.dataset]
  folder = args.data_dir or os.path.join(
      arguments.path_of_environment(parser, 'COMHE_DATA_DIR') or '', archive.folder)
  for line in container.download_warnings(folder):
    terminal.note('cifar_input.py', 'warning: %s' % line)
  try:
    download.download(archive, folder, args.url)
    return 0
  except KeyboardInterrupt:
    terminal.note('cifar_input.py', 'interrupted; calling again continues')
    return 130
  except download.DownloadError as error:
    terminal.note('cifar_input.py', 'error: %s' % error)
    return 1


if __name__ == '__main__':
  terminal.command('cifar_input.py', main)
