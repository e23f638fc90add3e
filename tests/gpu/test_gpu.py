"""The environment of requirements/tf2.21-gpu.txt takes GPUs; asked without one.

GPU_PYTHON names its Python: make test-gpu.
"""
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.append(os.path.join(ROOT, 'tests', 'helpers'))
import made_up_driver

PYTHON = os.environ.get('GPU_PYTHON')
TINY = ['--dataset', 'sample', '--batch_size', '8', '--width', '0.125', '--max_steps', '1']


def run(*words, **environment):
  """Status and output of the environment's Python, in the project's folder."""
  process = subprocess.run(
      [PYTHON] + list(words), cwd=ROOT, env=dict(os.environ, PYTHONPATH=ROOT, **environment),
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
  return process.returncode, process.stdout


@pytest.fixture(scope='module')
def driver(tmp_path_factory):
  """Environment with a made-up driver of one GPU."""
  return {'LD_PRELOAD': made_up_driver.build(tmp_path_factory.mktemp('driver'))}


def test_tensorflow_finds_its_libraries_and_each_of_the_lock_opens():
  status, out = run(os.path.join(HERE, 'libraries.py'), 'comhe_tf1')
  assert status == 0, out


@pytest.mark.parametrize('program', [
    'import comhe_tf1, tensorflow as tf', 'import tensorflow as tf, comhe_tf1'])
def test_any_program_that_imports_the_package_sees_the_gpu(driver, program):
  status, out = run('-c', program + '; print(tf.config.list_physical_devices("GPU"))',
                    TF_CPP_MIN_LOG_LEVEL='3', **driver)
  assert status == 0 and "'/physical_device:GPU:0'" in out, out


def test_a_training_takes_the_gpu(driver, tmp_path):
  """As far as the first call that a made-up driver cannot answer, told in a line."""
  status, out = run('train.py', '--log_dir', str(tmp_path), *TINY, **driver)
  assert status == 1 and out.count('\n') == 1, out
  assert out.startswith('train.py: error: cudaGetDevice() failed. ')
  assert out.endswith('; the NVIDIA driver runs CUDA up to 12.8; TensorFlow 2.21.0 needs '
                      'CUDA 12.0, driver 525.60.13 or newer, and the libraries '
                      'that docs/training.md names; --gpu_no -1 takes the CPU\n')


@pytest.mark.parametrize('flags, setting, expected, told', [
    ([], {'MADE_UP_CUDA': '11040'}, 1, 'runs CUDA up to 11.4; TensorFlow 2.21.0 needs'),
    (['--gpu_no', '3'], {}, 2, "--gpu_no 3: the NVIDIA driver says 'made up' (100)"),
    (['--gpu_no', '0'], {'LD_PRELOAD': ''}, 2, '--gpu_no 0: there is no NVIDIA driver')])
def test_a_driver_that_does_not_serve(driver, tmp_path, flags, setting, expected, told):
  status, out = run('train.py', '--log_dir', str(tmp_path), *TINY + flags,
                    **dict(driver, **setting))
  assert status == expected and told in out.splitlines()[-1], out
  assert 'Traceback' not in out and not list(tmp_path.iterdir())
