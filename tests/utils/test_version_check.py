"""What is refused at the start, with which remedy."""
import os
import shutil
import subprocess
import sys

import made_up_driver
import pytest

from comhe_tf1.utils import cuda_driver
from comhe_tf1.utils import version_check

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
RECORDED = [  # Python, TensorFlow, NumPy, protobuf: tried, or as their packages ask for
    ('3.6.15', '1.14.0', '1.16.6', '3.19.6'), ('3.6.15', '1.14.0', '1.16.4', '3.8.0'),
    ('3.6.15', '1.14.0', '1.19.5', '3.19.6'), ('3.7.16', '1.15.5', '1.16.6', '3.19.6'),
    ('3.6.15', '2.1.4', '1.19.5', '3.19.6'), ('3.8.18', '2.4.4', '1.19.5', '3.20.3'),
    ('3.10.13', '2.12.1', '1.23.5', '4.25.8'), ('3.8.18', '2.13.1', '1.24.3', '4.25.8'),
    ('3.12.1', '2.16.2', '1.26.4', '4.25.8'), ('3.12.1', '2.18.1', '2.0.2', '5.29.5'),
    ('3.9.18', '2.20.0', '2.0.2', '6.33.0'), ('3.13.0', '2.21.0', '2.4.6', '7.36.2')]


def versions(python, tensorflow, numpy, protobuf):
  return dict(python=python, tensorflow=tensorflow, numpy=numpy, protobuf=protobuf)


@pytest.mark.parametrize('found', RECORDED)
def test_takes_what_is_known_to_work(found):
  version_check.check_versions(versions(*found))


@pytest.mark.parametrize('found, told', [
    (('3.14.0', '2.22.0', '2.4.6', '7.36.2'), 'Python 3.14.0'),
    (('3.5.2', '1.14.0', '1.16.6', '3.19.6'), 'Python 3.5.2'),
    (('3.6.15', '1.13.1', '1.16.6', '3.19.6'), 'TensorFlow 1.13.1 with Python 3.6.15'),
    (('3.13.0', '2.22.0', '2.4.6', '7.36.2'), 'TensorFlow 2.22.0'),
    (('3.7.16', '1.15.5', '1.16.6', '4.21.12'),
     'protobuf 4.21.12 with TensorFlow 1.15.5 is not known to work (3.8 to 3.20 is)'),
    (('3.7.16', '1.15.5', '1.21.6', '3.19.6'),
     'NumPy 1.21.6 with TensorFlow 1.15.5 is not known to work (1.16 to 1.19 is)'),
    (('3.12.1', '2.16.2', '2.0.2', '4.25.8'), 'NumPy 2.0.2 with TensorFlow 2.16.2'),
    (('3.13.0', '2.21.0', '2.4.6', '5.29.5'), 'protobuf 5.29.5'),
])
def test_refuses_the_rest_with_a_remedy(found, told):
  with pytest.raises(version_check.Refusal) as caught:
    version_check.check_versions(versions(*found))
  message = str(caught.value)
  assert told in message and '--any_environment' in message
  assert 'requirements.txt' in message or 'use 3.6 to 3.13' in message


@pytest.mark.parametrize('unknown', ['tensorflow', 'numpy', 'protobuf'])
def test_what_is_unknown_is_not_judged(unknown):
  version_check.check_versions(dict(versions(*RECORDED[-1]), **{unknown: None}))


def test_these_versions_are_known():
  found = version_check.installed()
  assert all(found.values())
  version_check.check_versions(found)


@pytest.mark.parametrize('version, built_for, capability, remedy', [
    ('1.14.0', None, (3, 0), 'repro'), ('1.14.0', None, (8, 0), 'modern'),
    ('1.14.0', None, (9, 0), 'modern'), ('2.21.0', ['sm_60', 'compute_90'], (5, 2), 'repro'),
    ('2.21.0', ['sm_60', 'compute_90'], (12, 0), 'no TensorFlow that this project knows')])
def test_refuses_gpus_without_code(version, built_for, capability, remedy):
  with pytest.raises(version_check.Refusal) as caught:
    version_check.check_gpus(version, built_for, [('3', capability)])
  message = str(caught.value)
  assert 'GPU 3 has compute capability %d.%d' % capability in message
  assert remedy in message and '--gpu_no -1' in message


@pytest.mark.parametrize('cudnn, capability, refused', [
    ('9.24.0.43', (7, 0), True), ('9.24.0.43', (7, 5), False), ('9.11.0.98', (6, 1), True),
    ('9.10.2.21', (6, 1), False), (None, (6, 1), False), ('9.10.2.21', (5, 2), True)])
def test_new_cudnn_has_no_code_before_turing(cudnn, capability, refused):
  try:
    version_check.check_gpus('2.21.0', ['sm_60', 'compute_90'], [('0', capability)], cudnn)
  except version_check.Refusal as refusal:
    assert refused and 'repro' in str(refusal)
    assert ('with cuDNN %s has code for 7.5 to 9.0' % cudnn in str(refusal)) == (
        capability >= (6, 0))
  else:
    assert not refused


@pytest.mark.parametrize('version, built_for, capability', [
    ('1.14.0', None, (3, 5)), ('1.14.0', None, (7, 0)), ('1.14.0', None, (7, 5)),
    ('2.21.0', ['sm_60', 'sm_89', 'compute_90'], (6, 0)),
    ('2.21.0', ['sm_60', 'sm_89', 'compute_90'], (8, 9)),
    ('2.21.0', ['sm_60', 'sm_89', 'compute_90'], (9, 0)),
    ('2.30.0', ['sm_70', 'sm_100a'], (10, 3))])
def test_takes_gpus_with_code(version, built_for, capability):
  version_check.check_gpus(version, built_for, [('0', capability)])


def run(*flags, **environment):
  process = subprocess.Popen(
      [sys.executable, 'train.py'] + list(flags), cwd=ROOT,
      env=dict(os.environ, **environment), stdout=subprocess.PIPE,
      stderr=subprocess.PIPE, universal_newlines=True)
  out, err = process.communicate()
  return process.returncode, out, err


def test_command_line_refuses_versions_in_one_line(tmp_path):
  # A distribution of that name that is found before the true one.
  info = tmp_path / 'protobuf-99.0.dist-info'
  info.mkdir()
  (info / 'METADATA').write_text(u'Metadata-Version: 2.1\nName: protobuf\nVersion: 99.0\n')
  status, out, err = run('--first_line', '--gpu_no', '-1', PYTHONPATH=str(tmp_path))
  assert (status, out) == (1, '')
  assert err.startswith('train.py: error: protobuf 99.0 with TensorFlow ')
  assert err.count('\n') == 1 and '--any_environment' in err
  status, out, _ = run('--first_line', '--gpu_no', '-1', '--any_environment',
                       PYTHONPATH=str(tmp_path))
  assert status == 0 and '9 of 9' in out


@pytest.mark.skipif(not shutil.which('gcc'), reason='needs a C compiler')
def test_reads_capabilities_from_the_driver(tmp_path):
  environment = dict(LD_PRELOAD=made_up_driver.build(tmp_path), MADE_UP_CAPABILITY='52',
                     MADE_UP_CUDA='11040')
  told = subprocess.check_output(
      [sys.executable, '-c', 'from comhe_tf1.utils import cuda_driver; '
       'print(cuda_driver.ask()[1:]); print(cuda_driver.ask())'],
      cwd=ROOT, env=dict(os.environ, **environment))
  assert told.decode().splitlines() == [
      '((11, 4), [(5, 2)], None)', 'the NVIDIA driver runs CUDA up to 11.4']
  import tensorflow.compat.v1 as tf
  if tf.test.is_built_with_cuda():
    del environment['MADE_UP_CUDA']
    status, out, err = run('--first_line', '--gpu_no', '0', **environment)
    assert (status, out) == (1, '')
    assert err.startswith('train.py: error: GPU 0 has compute capability 5.2; ')
    assert err.count('\n') == 1 and 'repro' in err


@pytest.mark.parametrize('text', [
    'NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.82.01  Wed Oct 27 2021\nGCC',
    'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  470.82.01  Release Build'])
def test_reads_the_number_of_the_driver(tmp_path, monkeypatch, text):
  (tmp_path / 'version').write_text(u'%s' % text)
  monkeypatch.setattr(cuda_driver, '_MODULE', str(tmp_path / 'version'))
  assert cuda_driver._number() == '470.82.01'


@pytest.mark.parametrize('built_with, cuda, needed', [
    ('12.5.1', (11, 8), 'needs CUDA 12.0, driver 525.60.13 or newer'),
    ('10.0', (9, 2), 'needs CUDA 10.0, driver 410.48 or newer'),
    ('11.2', (10, 2), 'needs CUDA 11.0, driver 450.80.02 or newer'),
    ('10.1', (10, 0), 'needs CUDA 10.1, and')])
def test_refuses_a_driver_that_is_too_old(built_with, cuda, needed):
  with pytest.raises(version_check.Refusal) as caught:
    version_check.check_driver('2.x', built_with,
                               cuda_driver.Driver('1.2', cuda, [(8, 0)], None))
  message = str(caught.value)
  assert needed in message and '--gpu_no -1' in message
  assert message.startswith('the NVIDIA driver 1.2 runs CUDA up to %d.%d; ' % cuda)


@pytest.mark.parametrize('built_with, cuda', [
    ('12.5.1', (12, 0)), ('12.5.1', (13, 0)), ('11.8', (11, 0)), ('10.0', (10, 0)),
    ('12.5.1', None), (None, (9, 0))])
def test_takes_a_driver_that_is_new_enough_or_unknown(built_with, cuda):
  version_check.check_driver('2.x', built_with, cuda_driver.Driver(None, cuda, [], None))
