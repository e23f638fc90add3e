import os
import threading

import pytest

import comhe_tf1
from comhe_tf1 import legacy_log


def test_lines():
  assert legacy_log.train_line(
      100, fit=9.06694, reg=1.20456, thom=5.1611, thomf=4.96466, acc=0.015625) == (
          '====iter_100: fit=9.0669, reg=1.2046, thom=5.1611, thomf=4.9647, acc=0.0156')
  assert legacy_log.test_line(74999, 0.7559) == '++++iter_74999: test acc=0.7559'


@pytest.mark.parametrize('regularizer, synthetic, expected', [
    (comhe_tf1.RandomProjection(), False, 'random_projection/pd40_pn20'),
    (comhe_tf1.RandomProjection(pnd=16), False, 'random_projection/pd40_pnd16'),
    (comhe_tf1.AngleProjection(), False, 'angle_projection/pd30_pn1_iter1'),
    (comhe_tf1.AdversarialProjection(), False,
     'adversarial_projection/pd30_pn1_iter10'),
    (comhe_tf1.AngleProjection(8, 0, 2), True,
     'sample/angle_projection/pd8_pn2_iter0')])
def test_folder(regularizer, synthetic, expected):
  assert legacy_log.folder('logs', regularizer, synthetic) == os.path.join(
      'logs', *expected.split('/'))


def measures(step):
  return dict(step=step, fit=1., reg=2., thom=3., thomf=4., acc=0.5)


def test_every_line_is_on_disk_at_once(tmp_path):
  with legacy_log.LegacyLog(str(tmp_path / 'a' / 'b')) as log:
    for step in range(2):
      assert log.train(**measures(step)) == legacy_log.train_line(**measures(step))
      with open(log.train_path) as file:
        assert len(file.readlines()) == step + 1
    log.test(500, 0.01)
    with open(log.test_path) as file:
      assert file.read() == '++++iter_500: test acc=0.0100\n'


def test_first_free_number(tmp_path):
  for name in ('log_train_00.txt', 'log_test_00.txt', 'log_test_01.txt',
               'log_train_02.txt', 'log_train_04.txt'):
    (tmp_path / name).write_text('precious')
  with legacy_log.LegacyLog(str(tmp_path)) as log:
    assert os.path.basename(log.train_path) == 'log_train_03.txt'
    assert os.path.basename(log.test_path) == 'log_test_03.txt'
  with legacy_log.LegacyLog(str(tmp_path)) as log:
    assert os.path.basename(log.train_path) == 'log_train_05.txt'
  assert (tmp_path / 'log_train_02.txt').read_text() == 'precious'
  assert not (tmp_path / 'log_train_01.txt').exists()


def test_all_numbers_taken(tmp_path):
  for number in range(100):
    (tmp_path / ('log_train_%02d.txt' % number)).write_text('')
  with pytest.raises(legacy_log.LogError, match='all 100 log numbers are taken'):
    legacy_log.LegacyLog(str(tmp_path))
  assert len(os.listdir(str(tmp_path))) == 100


def test_a_file_where_the_folder_should_be(tmp_path):
  (tmp_path / 'log').write_text('precious')
  with pytest.raises(legacy_log.LogError, match='cannot write logs.*--log_dir'):
    legacy_log.LegacyLog(str(tmp_path / 'log' / 'below'))


def test_runs_that_start_together_take_different_numbers(tmp_path):
  gate, paths = threading.Barrier(8), []

  def start():
    gate.wait()
    with legacy_log.LegacyLog(str(tmp_path)) as log:
      paths.append((log.train_path, log.test_path))

  threads = [threading.Thread(target=start) for _ in range(8)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert len(set(paths)) == 8
  assert len(os.listdir(str(tmp_path))) == 16
