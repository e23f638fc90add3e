import hashlib

import numpy as np

import cifar_input
from comhe_tf1.data import sample

# md5 of images and labels.
DIGESTS = ['0c42c83141b19278bcb06de8adeeed8e', 'a42ca54549c00e75cc4981a2a211df18']


def test_the_same_bytes_everywhere():
  content = sample.generate()
  digests = [hashlib.md5(content[name]['data'].tobytes()
                         + bytes(content[name]['fine_labels'])).hexdigest()
             for name in ('train', 'test')]
  assert digests == DIGESTS


def test_layout_and_balance():
  content = sample.generate()
  assert sorted(content) == ['test', 'train']
  for name, per_class in (('train', 20), ('test', 5)):
    images = cifar_input.from_rows(content[name], name)
    assert np.bincount(images.labels).tolist() == [per_class] * 100


def test_the_upper_band_tells_the_tens():
  """Seen in the pixels: the mean of the top rows is nearest to its own colour."""
  rows = sample.generate()['test']
  top = rows['data'].reshape(-1, 3, 32, 32)[:, :, :12].mean(axis=(2, 3))
  distances = ((top[:, None] - sample._COLOURS) ** 2).sum(axis=2)
  assert distances.argmin(axis=1).tolist() == [
      label // 10 for label in rows['fine_labels']]
