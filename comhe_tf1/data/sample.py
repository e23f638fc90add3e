"""A small synthetic set in CIFAR's layouts, for trying things without data.

Not photographs and not a benchmark: class k shows a band of colour k // 10 over
a band of colour k % 10, under heavy noise. As CIFAR-10 the same images have ten
classes, the upper band's colours. Integer arithmetic and NumPy's frozen
`RandomState` make every image and label the same on every machine.
"""
import errno
import os
import pickle
import tempfile

import numpy as np

from comhe_tf1.data import datasets

CLASSES = 100
SUPERCLASSES = 20
TRAIN_PER_CLASS = 20
TEST_PER_CLASS = 5
_SIDE = 32
_SEED = 100
_NOISE = 48     # of a pixel, either way
_TINT = 24      # of a whole image's band, either way
_HORIZON = 4    # rows that the border between the bands moves, either way

_COLOURS = np.array([
    (32, 32, 32), (224, 224, 224), (224, 48, 48), (48, 208, 48), (48, 64, 224),
    (224, 208, 48), (208, 48, 208), (48, 208, 208), (232, 136, 40), (128, 88, 56)])


def generate(dataset='cifar100'):
  """Makes the set.

  Args:
    dataset: whose layout, a name in `LAYOUTS`.

  Returns:
    Dict from the pickles' names to their content, each a dict with the keys and
    types of the real set's. For CIFAR-100: `train` (2,000 images, 20 of each
    class), `test` (500) and `meta`. For CIFAR-10: `data_batch_1` to `data_batch_5`
    (400 images each, the same ones in the same order), `test_batch` (500) and
    `batches.meta`.
  """
  rng = np.random.RandomState(_SEED)
  return LAYOUTS[dataset](
      _rows(rng, TRAIN_PER_CLASS, 'synthetic sample, training'),
      _rows(rng, TEST_PER_CLASS, 'synthetic sample, testing'))


def _cifar100(train, test):
  return {
      'train': train,
      'test': test,
      'meta': {
          'fine_label_names': [f'synthetic_{i:02}' for i in range(CLASSES)],
          'coarse_label_names': [f'synthetic_group_{i:02}' for i in range(SUPERCLASSES)]},
  }


def _cifar10(train, test):
  cifar10 = datasets.DATASETS['cifar10']
  content = dict(_batches(train, cifar10.train), **_batches(test, [cifar10.test]))
  content['batches.meta'] = {
      'label_names': [f'synthetic_{i}' for i in range(cifar10.classes)],
      'num_cases_per_batch': len(train['data']) // len(cifar10.train),
      'num_vis': train['data'].shape[1]}
  return content


# Whose layouts the sample can have, by their names in `datasets.DATASETS`.
LAYOUTS = {'cifar100': _cifar100, 'cifar10': _cifar10}


def _batches(rows, names):
  """Splits rows of CIFAR-100 evenly into as many of CIFAR-10, dict by name."""
  size = len(rows['data']) // len(names)
  parts = [slice(start, start + size) for start in range(0, size * len(names), size)]
  return {name: {
      'data': rows['data'][part],
      'labels': [label // len(_COLOURS) for label in rows['fine_labels'][part]],
      'filenames': rows['filenames'][part],
      'batch_label': f"{rows['batch_label']} batch {number} of {len(names)}",
  } for number, (name, part) in enumerate(zip(names, parts), 1)}


def _rows(rng, per_class, batch_label):
  labels = rng.permutation(np.repeat(np.arange(CLASSES), per_class))
  count = len(labels)
  bands = _COLOURS[np.stack([labels // 10, labels % 10], axis=1)]
  bands = bands + rng.randint(-_TINT, _TINT + 1, bands.shape)
  horizon = rng.randint(_SIDE // 2 - _HORIZON, _SIDE // 2 + _HORIZON + 1, count)
  below = np.arange(_SIDE) >= horizon[:, None]
  images = bands[np.arange(count)[:, None], below.astype(int)][:, :, None]
  images = images + rng.randint(-_NOISE, _NOISE + 1, (count, _SIDE, _SIDE, 3))
  images = np.clip(images, 0, 255).astype(np.uint8)
  return {
      'data': np.ascontiguousarray(
          images.transpose(0, 3, 1, 2).reshape(count, -1)),
      'fine_labels': labels.tolist(),
      'coarse_labels': (labels // (CLASSES // SUPERCLASSES)).tolist(),
      'filenames': [f'synthetic_{i:05}.png' for i in range(count)],
      'batch_label': batch_label,
  }


def pickled(rows):
  """Bytes of a pickle that Python 2 and every NumPy can read."""
  # NumPy 2 names its modules anew, which NumPy 1 cannot read; both read these.
  return pickle.dumps(rows, protocol=2).replace(
      b'cnumpy._core.multiarray\n', b'cnumpy.core.multiarray\n')


def write(folder, dataset='cifar100'):
  """Writes the set's pickles, readable by NumPy 1 and 2.

  Args:
    folder: made where missing; must hold none of them.
    dataset: as `generate`.

  Raises:
    OSError: one exists already or cannot be written; then none is left behind.
  """
  os.makedirs(folder, exist_ok=True)
  content = generate(dataset)
  paths = {name: os.path.join(folder, name) for name in content}
  for path in paths.values():
    if os.path.lexists(path):
      raise FileExistsError(errno.EEXIST, 'it exists already', path)
  with tempfile.TemporaryDirectory(prefix='.comhe_unfinished_', dir=folder) as unfinished:
    for name, rows in content.items():
      with open(os.path.join(unfinished, name), 'wb') as file:
        file.write(pickled(rows))
    for name, path in paths.items():
      os.rename(os.path.join(unfinished, name), path)
