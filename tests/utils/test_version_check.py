"""What is refused at the start, with which remedy."""
import shutil
import sys

import made_up_driver
import processes
import pytest
import tensorflow.compat.v1 as tf

from comhe_tf1.utils import cuda_driver
from comhe_tf1.utils import version_check


@pytest.mark.parametrize('version', [
    '1.14.0', '1.15.5', '2.1.4', '2.4.4', '2.12.1', '2.13.1', '2.16.2', '2.18.1', '2.20.0',
    '2.21.0', '2.21.0rc1', tf.__version__])
def test_takes_what_is_known_to_work(version):
  version_check.check_version(version)


@pytest.mark.parametrize('version', ['1.13.1', '1.16.0', '2.0.4', '2.22.0', '3.0.0'])
def test_refuses_the_rest_with_a_remedy(version):
  with pytest.raises(version_check.Refusal) as caught:
    version_check.check_version(version)
  message = str(caught.value)
  assert f'TensorFlow {version} is not known to work' in message
  assert '--skip_version_check' in message and 'requirements.txt' in message


def check(version, built_for, capability, cudnn=None, name='0'):
  driver = cuda_driver.Driver((12, 4), [capability], None)
  version_check.check_gpus(version, None, built_for, driver, [name], cudnn)


@pytest.mark.parametrize('version, built_for, capability, remedy', [
    ('1.14.0', None, (3, 0), 'repro'), ('1.14.0', None, (8, 0), 'modern'),
    ('1.14.0', None, (9, 0), 'modern'), ('2.21.0', ['sm_60', 'compute_90'], (5, 2), 'repro'),
    ('2.21.0', ['sm_60', 'compute_90'], (12, 0), 'no TensorFlow that this project knows')])
def test_refuses_gpus_without_code(version, built_for, capability, remedy):
  with pytest.raises(version_check.Refusal) as caught:
    check(version, built_for, capability, name='3')
  message = str(caught.value)
  assert 'GPU 3 has compute capability %d.%d' % capability in message
  assert remedy in message and '--gpu_no -1' in message


@pytest.mark.parametrize('cudnn, capability, refused', [
    ('9.24.0.43', (7, 0), True), ('9.24.0.43', (7, 5), False), ('9.11.0.98', (6, 1), True),
    ('9.10.2.21', (6, 1), False), (None, (6, 1), False), ('9.10.2.21', (5, 2), True)])
def test_new_cudnn_has_no_code_before_turing(cudnn, capability, refused):
  try:
    check('2.21.0', ['sm_60', 'compute_90'], capability, cudnn)
  except version_check.Refusal as refusal:
    assert refused and 'repro' in str(refusal)
    assert (f'with cuDNN {cudnn} has code for 7.5 to 9.0' in str(refusal)) == (
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
  check(version, built_for, capability)


@pytest.mark.skipif(not shutil.which('gcc'), reason='needs a C compiler')
def test_reads_capabilities_from_the_driver(tmp_path):
  environment = dict(LD_PRELOAD=made_up_driver.build(tmp_path), MADE_UP_CAPABILITY='52',
                     MADE_UP_CUDA='11040')
  status, told, _ = processes.call(
      sys.executable, '-c', 'from comhe_tf1.utils import cuda_driver; '
      'print(tuple(cuda_driver.ask())); print(cuda_driver.ask())', **environment)
  assert status == 0 and told == [
      '((11, 4), [(5, 2)], None)', 'the NVIDIA driver runs CUDA up to 11.4']
  if tf.test.is_built_with_cuda():
    del environment['MADE_UP_CUDA']
    status, out, err = processes.call(sys.executable, 'train.py', '--check_first_line',
                                      '--gpu_no', '0', **environment)
    assert (status, out, len(err)) == (1, [], 1) and 'repro' in err[0]
    assert err[0].startswith('train.py: error: GPU 0 has compute capability 5.2; ')


@pytest.mark.parametrize('built_with, cuda, needed', [
    ('12.5.1', (11, 8), 'needs CUDA 12.0, driver 525.60.13 or newer'),
    ('10.0', (9, 2), 'needs CUDA 10.0, driver 410.48 or newer'),
    ('11.2', (10, 2), 'needs CUDA 11.0, driver 450.80.02 or newer'),
    ('10.1', (10, 0), 'needs CUDA 10.1, and')])
def test_refuses_a_driver_that_is_too_old(built_with, cuda, needed):
  with pytest.raises(version_check.Refusal) as caught:
    version_check.check_gpus('2.x', built_with, None, cuda_driver.Driver(cuda, [], None),
                             [], None)
  message = str(caught.value)
  assert needed in message and '--gpu_no -1' in message
  assert message.startswith('the NVIDIA driver runs CUDA up to %d.%d; ' % cuda)


@pytest.mark.parametrize('built_with, cuda', [
    ('12.5.1', (12, 0)), ('12.5.1', (13, 0)), ('11.8', (11, 0)), ('10.0', (10, 0)),
    ('12.5.1', None), (None, (9, 0))])
def test_takes_a_driver_that_is_new_enough_or_unknown(built_with, cuda):
  version_check.check_gpus('2.x', built_with, None, cuda_driver.Driver(cuda, [], None), [],
                           None)
