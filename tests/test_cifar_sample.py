import hashlib
import os
import pickletools
import resource
import subprocess
import sys

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


@pytest.mark.parametrize('name', ['train', 'test', 'meta'])
def test_nothing_is_overwritten_or_mixed(tmp_path, capsys, name):
  (tmp_path / name).write_bytes(b'precious')
  with pytest.raises(FileExistsError):
    cifar_sample.write(str(tmp_path))
  assert cifar_sample.main([str(tmp_path)]) == 1
  assert 'cannot write the sample' in capsys.readouterr().err
  assert os.listdir(str(tmp_path)) == [name]
  assert (tmp_path / name).read_bytes() == b'precious'


def test_a_full_disk_leaves_nothing_behind(root, tmp_path):
  limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))
  process = subprocess.Popen(
      [sys.executable, os.path.join(root, 'cifar_sample.py'), str(tmp_path / 'new')],
      preexec_fn=limit, stderr=subprocess.PIPE, universal_newlines=True)
  lines = process.communicate()[1].splitlines()
  assert process.returncode == 1
  assert len(lines) == 1 and 'File too large' in lines[0]
  assert not os.listdir(str(tmp_path / 'new'))
