"""The environment of requirements/tf2.21-gpu.txt takes GPUs; asked without one.

GPU_PYTHON names its Python: make test-gpu.
"""
import os
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PYTHON = os.environ.get('GPU_PYTHON')
DRIVER = os.path.join(ROOT, 'tests', 'helpers', 'made_up_driver.c')
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
  paths = []
  for name in ('libcuda.so.1', 'libnvidia-ml.so.1'):
    paths.append(str(tmp_path_factory.mktemp('driver') / name))
    subprocess.check_call(['gcc', '-shared', '-fPIC', '-w', '-Wl,-soname,' + name, '-o',
                           paths[-1], DRIVER])
  return {'LD_PRELOAD': ':'.join(paths)}


def test_tensorflow_finds_its_libraries_and_each_of_the_lock_opens():
  status, out = run(os.path.join(HERE, 'libraries.py'), 'comhe_tf1')
  assert status == 0, out


@pytest.mark.parametrize('program', [
    'import comhe_tf1, tensorflow as tf', 'import tensorflow as tf, comhe_tf1',
    'from comhe_tf1.command_line import starting; import tensorflow as tf'])
def test_any_program_that_imports_the_package_sees_the_gpu(driver, program):
  status, out = run('-c', program + '; print(tf.config.list_physical_devices("GPU"))',
                    TF_CPP_MIN_LOG_LEVEL='3', **driver)
  assert status == 0 and "'/physical_device:GPU:0'" in out, out


def test_a_training_takes_the_gpu(driver, tmp_path):
  """As far as the first call that a made-up driver cannot answer."""
  status, out = run('train.py', '--log_dir', str(tmp_path), *TINY, **driver)
  assert 'cudaGetDevice() failed' in out and 'running on the CPU' not in out, out
