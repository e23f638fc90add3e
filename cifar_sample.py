"""A small synthetic set in CIFAR-100's layout, for trying things without data.

Not photographs and not a benchmark: class k shows a band of colour k // 10 over
a band of colour k % 10, under heavy noise. Integer arithmetic and NumPy's frozen
`RandomState` make it the same, byte for byte, on every machine.

    python cifar_sample.py FOLDER     writes train, test and meta
"""
import errno
import os
import pickle
import sys

import numpy as np

import comhe_cli

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


def generate():
  """Makes the set.

  Returns:
    Dict of the three pickles `train` (2,000 images, 20 of each class), `test`
    (500) and `meta`, each a dict with the keys and types of CIFAR-100's.
  """
  rng = np.random.RandomState(_SEED)
  return {
      'train': _rows(rng, TRAIN_PER_CLASS, 'synthetic sample, training'),
      'test': _rows(rng, TEST_PER_CLASS, 'synthetic sample, testing'),
      'meta': {
          'fine_label_names': ['synthetic_%02d' % i for i in range(CLASSES)],
          'coarse_label_names': ['synthetic_group_%02d' % i
                                 for i in range(SUPERCLASSES)]},
  }


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
      'filenames': ['synthetic_%05d.png' % i for i in range(count)],
      'batch_label': batch_label,
  }


def write(folder):
  """Writes the pickles `train`, `test` and `meta`, readable by NumPy 1 and 2.

  Args:
    folder: made where missing; must hold none of the three.

  Raises:
    OSError: one exists already or cannot be written; then none is left behind.
  """
  os.makedirs(folder, exist_ok=True)
  content = generate()
  paths = {name: os.path.join(folder, name) for name in content}
  for path in paths.values():
    if os.path.lexists(path):
      raise FileExistsError(errno.EEXIST, 'it exists already', path)
  parts = []
  try:
    for name, rows in content.items():
      # NumPy 2 names its modules anew, which NumPy 1 cannot read; both read these.
      pickled = pickle.dumps(rows, protocol=2).replace(
          b'cnumpy._core.multiarray\n', b'cnumpy.core.multiarray\n')
      parts.append((paths[name] + '.part', paths[name]))
      with open(parts[-1][0], 'wb') as file:
        file.write(pickled)
    for part, path in parts:
      os.rename(part, path)
  finally:
    for part, _ in parts:
      if os.path.exists(part):
        os.remove(part)


def main(argv=None):
  parser = comhe_cli.Parser(
      prog='cifar_sample.py',
      description='Write the synthetic sample as pickles in CIFAR-100\'s layout.')
  parser.add_argument('folder', help='where to write train, test and meta')
  folder = parser.parse_args(argv).folder
  if not folder:
    parser.error('the folder has no name')
  try:
    write(folder)
    print('wrote the synthetic sample to %s' % folder, flush=True)
  except OSError as error:
    comhe_cli.note('cifar_sample.py', 'error: cannot write the sample: %s' % error)
    return 1
  return 0


if __name__ == '__main__':
  comhe_cli.print_anything()
  sys.exit(main())
