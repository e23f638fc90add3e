"""Options of the interpreter that people and clusters set."""
import os
import sys

import processes
import pytest
import sample_pickles


def call(folder, *command):
  return processes.call(sys.executable, *command, cwd=folder, PYTHONPATH='')


@pytest.mark.skipif(sys.version_info < (3, 11), reason='this Python has no -P')
@pytest.mark.parametrize('script', ['train.py', 'compare.py', 'cifar_input.py'])
def test_a_safe_path(root, tmp_path, script):
  status, out, err = call(tmp_path, '-P', os.path.join(root, script), '--help')
  assert status == 0 and not err
  assert out[0].startswith(f'usage: {script}')


def test_warnings_as_errors(root, tmp_path):
  """Training on pickles, and comparing."""
  sample_pickles.write(str(tmp_path / 'data'))
  status, out, err = call(
      tmp_path, '-W', 'error', os.path.join(root, 'train.py'), '--data_dir', 'data',
      '--gpu_no', '-1', '--width', '0.125', '--batch_size', '8', '--regularizer', 'none',
      '--max_steps', '1')
  assert status == 0 and not err
  assert any('++++iter_0: test acc=' in line for line in out)
  status, _, err = call(tmp_path, '-W', 'error', os.path.join(root, 'compare.py'), 'log/'
                        'cnn9_width0.125/none/default')
  assert status == 0 and not err
