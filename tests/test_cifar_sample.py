import hashlib
import os
import pickletools

import numpy as np
import pytest

import cifar_input
import cifar_sample

# md5 of images and labels.
DIGESTS = ['0c42c83141b19278bcb06de8adeeed8e', 'a42ca54549c00e75cc4981a2a211df18']


def test_the_same_bytes_everywhere():
  content = cifar_sample.generate()
  digests = [hashlib.md5(content[name]['data'].tobytes()
                         + bytes(content[name]['fine_labels'])).hexdigest()
             for name in ('train', 'test')]
  assert digests == DIGESTS


def test_layout_and_balance():
  content = cifar_sample.generate()
  for name, per_class in (('train', 20), ('test', 5)):
    rows = content[name]
    assert sorted(rows) == ['batch_label', 'coarse_labels', 'data', 'filenames',
                            'fine_labels']
    images = cifar_input.from_rows(rows, name)
    assert (np.bincount(images.labels) == per_class).all()
    assert len(images.images) == 100 * per_class
    assert set(rows['coarse_labels']) == set(range(20))
    assert len(rows['filenames']) == len(set(rows['filenames'])) == 100 * per_class
  assert len(content['meta']['fine_label_names']) == 100
  assert len(content['meta']['coarse_label_names']) == 20


def test_written_pickles(tmp_path):
  folder = str(tmp_path / 'new' / 'sample')
  cifar_sample.write(folder)
  content = cifar_sample.generate()
  for ours, name in zip(cifar_input.load_folder(folder), ('train', 'test')):
    expected = cifar_input.from_rows(content[name], name)
    np.testing.assert_array_equal(ours.images, expected.images)
    np.testing.assert_array_equal(ours.labels, expected.labels)
  # Module names that NumPy 1 and NumPy 2 both know.
  with open(os.path.join(folder, 'train'), 'rb') as file:
    modules = {argument.split()[0] for code, argument, _ in
               pickletools.genops(file.read()) if code.name == 'GLOBAL'}
  assert modules == {'numpy.core.multiarray', 'numpy', '_codecs'}


def test_nothing_is_overwritten(tmp_path):
  (tmp_path / 'train').write_bytes(b'precious')
  with pytest.raises(FileExistsError):
    cifar_sample.write(str(tmp_path))
  assert (tmp_path / 'train').read_bytes() == b'precious'
  assert not (tmp_path / 'test').exists()
  assert 'cannot write the sample' in cifar_sample.main([str(tmp_path)])
