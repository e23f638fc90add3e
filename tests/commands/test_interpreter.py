"""Options of the interpreter that people and clusters set."""
import os
import subprocess
import sys

import pytest
import sample_pickles


def call(folder, *command):
  process = subprocess.Popen(
      [sys.executable] + list(command), cwd=str(folder), stdout=subprocess.PIPE,
      stderr=subprocess.PIPE, universal_newlines=True,
      env={name: value for name, value in os.environ.items() if name != 'PYTHONPATH'})
  out, err = process.communicate(timeout=300)
  return process.returncode, out, err


@pytest.mark.skipif(sys.version_info < (3, 11), reason='this Python has no -P')
@pytest.mark.parametrize('script', ['train.py', 'compare.py', 'cifar_input.py'])
def test_a_safe_path(root, tmp_path, script):
  status, out, err = call(tmp_path, '-P', os.path.join(root, script), '--help')
  assert status == 0 and not err
  assert out.startswith(f'usage: {script}')


def test_warnings_as_errors(root, tmp_path):
  """Training on pickles, and comparing."""
  sample_pickles.write(str(tmp_path / 'data'))
  status, out, err = call(
      tmp_path, '-W', 'error', os.path.join(root, 'train.py'), '--data_dir', 'data',
      '--gpu_no', '-1', '--width', '0.125', '--batch_size', '8', '--regularizer', 'none',
      '--max_steps', '1')
  assert status == 0 and not err
  assert '++++iter_0: test acc=' in out
  status, _, err = call(tmp_path, '-W', 'error', os.path.join(root, 'compare.py'), 'log/'
                        'cnn9_width0.125/none/default')
  assert status == 0 and not err
