"""A small synthetic set of CIFAR-100's shape, for trying things without data.

Not photographs and not a benchmark: class k shows a band of colour k // 10 over
a band of colour k % 10, under heavy noise. Integer arithmetic and NumPy's frozen
`RandomState` make every image and label the same on every machine.
"""
import numpy as np

CLASSES = 100
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
    Dict of `train` (2,000 images, 20 of each class) and `test` (500), each as a pickle of
    CIFAR-100: dict of `data` (uint8 [n, 3072]) and `fine_labels` (list).
  """
  rng = np.random.RandomState(_SEED)
  return {'train': _rows(rng, TRAIN_PER_CLASS), 'test': _rows(rng, TEST_PER_CLASS)}


def _rows(rng, per_class):
  labels = rng.permutation(np.repeat(np.arange(CLASSES), per_class))
  count = len(labels)
  bands = _COLOURS[np.stack([labels // 10, labels % 10], axis=1)]
  bands = bands + rng.randint(-_TINT, _TINT + 1, bands.shape)
  horizon = rng.randint(_SIDE // 2 - _HORIZON, _SIDE // 2 + _HORIZON + 1, count)
  below = np.arange(_SIDE) >= horizon[:, None]
  images = bands[np.arange(count)[:, None], below.astype(int)][:, :, None]
  images = images + rng.randint(-_NOISE, _NOISE + 1, (count, _SIDE, _SIDE, 3))
  images = np.clip(images, 0, 255).astype(np.uint8)
  return {'data': np.ascontiguousarray(images.transpose(0, 3, 1, 2).reshape(count, -1)),
          'fine_labels': labels.tolist()}
