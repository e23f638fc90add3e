import hashlib
import os
import pickletools
import resource
import subprocess
import sys

import numpy as np
import pytest

import cifar_input
from comhe_tf1 import sample as command
from comhe_tf1.data import datasets
from comhe_tf1.data import sample

# md5 of images and labels.
DIGESTS = ['0c42c83141b19278bcb06de8adeeed8e', 'a42ca54549c00e75cc4981a2a211df18']

FILES = {
    'cifar100': ['train', 'test', 'meta'],
    'cifar10': ['data_batch_1', 'data_batch_2', 'data_batch_3', 'data_batch_4',
                'data_batch_5', 'test_batch', 'batches.meta']}
EVERY_FILE = [(dataset, name) for dataset in sorted(FILES) for name in FILES[dataset]]


def test_the_same_bytes_everywhere():
  content = sample.generate()
  digests = [hashlib.md5(content[name]['data'].tobytes()
                         + bytes(content[name]['fine_labels'])).hexdigest()
             for name in ('train', 'test')]
  assert digests == DIGESTS


def test_layout_and_balance():
  content = sample.generate()
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


def test_cifar10_is_the_same_images_in_ten_classes():
  hundred, ten = sample.generate(), sample.generate('cifar10')
  assert list(ten) == FILES['cifar10']
  for source, names, size in (('train', FILES['cifar10'][:5], 400),
                              ('test', ['test_batch'], 500)):
    labels = []
    for n, name in enumerate(names):
      rows = ten[name]
      chosen = slice(n * size, (n + 1) * size)
      np.testing.assert_array_equal(rows['data'], hundred[source]['data'][chosen])
      assert rows['filenames'] == hundred[source]['filenames'][chosen]
      labels += rows['labels']
    assert labels == [label // 10 for label in hundred[source]['fine_labels']]
    assert np.bincount(labels).tolist() == [len(labels) // 10] * 10


def test_cifar10_has_the_keys_and_types_of_the_real_set():
  content = sample.generate('cifar10')
  for name, label, size in [
      ('data_batch_1', 'training batch 1 of 5', 400),
      ('data_batch_5', 'training batch 5 of 5', 400),
      ('test_batch', 'testing batch 1 of 1', 500)]:
    rows = content[name]
    assert sorted(rows) == ['batch_label', 'data', 'filenames', 'labels']
    assert rows['batch_label'] == 'synthetic sample, ' + label
    assert rows['data'].dtype == np.uint8 and rows['data'].shape == (size, 3072)
    for key, kind in (('labels', int), ('filenames', str)):
      assert type(rows[key]) is list and {type(value) for value in rows[key]} == {kind}
      assert len(rows[key]) == size
  meta = content['batches.meta']
  assert sorted(meta) == ['label_names', 'num_cases_per_batch', 'num_vis']
  assert len(set(meta['label_names'])) == 10
  assert (meta['num_cases_per_batch'], meta['num_vis']) == (400, 3072)


def test_the_upper_band_tells_the_class():
  """Seen in the pixels: the mean of the top rows is nearest to its own colour."""
  rows = sample.generate('cifar10')['test_batch']
  top = rows['data'].reshape(-1, 3, 32, 32)[:, :, :12].mean(axis=(2, 3))
  distances = ((top[:, None] - sample._COLOURS) ** 2).sum(axis=2)
  assert distances.argmin(axis=1).tolist() == rows['labels']


@pytest.mark.parametrize('dataset', sorted(FILES))
def test_written_pickles(tmp_path, dataset):
  folder = str(tmp_path / 'new' / 'sample')
  sample.write(folder, dataset)
  assert sorted(os.listdir(folder)) == sorted(FILES[dataset])
  content = sample.generate(dataset)
  data_set = datasets.DATASETS[dataset]
  for ours, names in zip(cifar_input.load_folder(folder, data_set),
                         (FILES[dataset][:-2], FILES[dataset][-2:-1])):
    expected = [cifar_input.from_rows(content[name], name, data_set) for name in names]
    np.testing.assert_array_equal(
        ours.images, np.concatenate([part.images for part in expected]))
    np.testing.assert_array_equal(
        ours.labels, np.concatenate([part.labels for part in expected]))
  # Module names that NumPy 1 and NumPy 2 both know.
  for name in FILES[dataset][:-1]:
    with open(os.path.join(folder, name), 'rb') as file:
      modules = {argument.split()[0] for code, argument, _ in
                 pickletools.genops(file.read()) if code.name == 'GLOBAL'}
    assert modules == {'numpy.core.multiarray', 'numpy', '_codecs'}


def test_both_layouts_in_one_folder(tmp_path, capsys):
  assert command.main([str(tmp_path)]) == 0
  assert command.main([str(tmp_path), '--dataset', 'cifar10']) == 0
  assert capsys.readouterr().out == 2 * (
      f'wrote the synthetic sample to {tmp_path}\n')
  hundred, ten = (cifar_input.load_folder(str(tmp_path), datasets.DATASETS[name])
                  for name in ('cifar100', 'cifar10'))
  for ours, theirs in zip(ten, hundred):
    np.testing.assert_array_equal(ours.images, theirs.images)
    np.testing.assert_array_equal(ours.labels, theirs.labels // 10)


@pytest.mark.parametrize('flags, words', [
    ([], 'the following arguments are required: folder'),
    ([''], "expected a path, got ''"),
    (['ram://x'], "expected a path of this machine, got 'ram://x'"),
    (['new', '--dataset', 'cifar1000'], "invalid choice: 'cifar1000'"),
    (['new', '--dataset'], '--dataset: expected one argument'),
    (['new', '--data', 'cifar10'], 'unrecognized arguments')])
def test_usage_errors(tmp_path, monkeypatch, capsys, flags, words):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(SystemExit) as stop:
    command.main(flags)
  assert stop.value.code == 2
  lines = capsys.readouterr().err.splitlines()
  assert len(lines) == 1 and words in lines[0]
  assert lines[0].startswith('comhe_tf1.sample: error: ')
  assert not os.listdir(str(tmp_path))


@pytest.mark.parametrize('dataset, name', EVERY_FILE)
def test_nothing_is_overwritten_or_mixed(tmp_path, capsys, dataset, name):
  (tmp_path / name).write_bytes(b'precious')
  with pytest.raises(FileExistsError):
    sample.write(str(tmp_path), dataset)
  assert command.main([str(tmp_path), '--dataset', dataset]) == 1
  assert 'cannot write the sample' in capsys.readouterr().err
  assert os.listdir(str(tmp_path)) == [name]
  assert (tmp_path / name).read_bytes() == b'precious'


def test_other_files_of_the_folder_stay(tmp_path):
  mine = {name + end: b'precious'
          for name in ('train', 'test') for end in ('.part', '.tmp')}
  for name, content in mine.items():
    (tmp_path / name).write_bytes(content)
  sample.write(str(tmp_path))
  assert sorted(os.listdir(str(tmp_path))) == sorted(list(mine) + ['train', 'test', 'meta'])
  assert all((tmp_path / name).read_bytes() == content for name, content in mine.items())


# CIFAR-10's batches of 400 images fit into the larger one, its 500 test images do not.
@pytest.mark.parametrize('dataset, size', [('cifar100', 100000), ('cifar10', 2000000)])
def test_a_full_disk_leaves_nothing_behind(root, tmp_path, dataset, size):
  limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
  process = subprocess.Popen(
      [sys.executable, '-m', 'comhe_tf1.sample', str(tmp_path / 'new'),
       '--dataset', dataset],
      cwd=root, preexec_fn=limit, stderr=subprocess.PIPE, universal_newlines=True)
  lines = process.communicate()[1].splitlines()
  assert process.returncode == 1
  assert len(lines) == 1 and 'File too large' in lines[0]
  assert not os.listdir(str(tmp_path / 'new'))
