"""What a run was made with."""
import os
import platform
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow.compat.v1 as tf

LIMIT = 5   # seconds for a command, which is then killed: it is only for the record


def describe(session):
  """Facts about this process and machine, as far as they are known.

  Args:
    session: `tf.Session`, whose devices are listed.

  Returns:
    Dict that JSON can hold: versions of Python, TensorFlow, NumPy, CUDA and cuDNN
    (as TensorFlow was built with), whether oneDNN was asked for (the value of
    TF_ENABLE_ONEDNN_OPTS), devices, CPU, system, git commit of this code (None outside
    a checkout) and whether it has changes on top.
  """
  return {
      'python': platform.python_version(),
      'tensorflow': tf.__version__,
      'numpy': np.__version__,
      'cuda_build': _build_info('cuda_version', 'cuda_version_number'),
      'cudnn_build': _build_info('cudnn_version', 'cudnn_version_number'),
      'onednn': os.environ.get('TF_ENABLE_ONEDNN_OPTS'),
      'devices': [device.name for device in session.list_devices()],
      'gpus': _gpus(),
      'cpu': _cpu(),
      'cpu_count': os.cpu_count(),
      'system': platform.platform(),
      'command': sys.argv,
      # The Docker images hold no checkout, but know what they were made from.
      'git_commit': _git('rev-parse', 'HEAD') or os.environ.get('COMHE_COMMIT') or None,
      'git_changes': _git('status', '--porcelain', '--untracked-files=no'),
  }


def _build_info(key, old_name):
  try:
    return str(tf.sysconfig.get_build_info()[key])
  except (AttributeError, KeyError):
    pass
  try:
    from tensorflow.python.platform import build_info
    return str(getattr(build_info, old_name))
  except (ImportError, AttributeError):
    return None


def _output(*command):
  """What a command prints, or None where it fails or does not end within `LIMIT`."""
  # Into a file: the end of a pipe would come after that of all that the command started.
  with tempfile.TemporaryFile() as file:
    try:
      subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file,
                     stderr=subprocess.DEVNULL, timeout=LIMIT, check=True)
    except (OSError, subprocess.SubprocessError):
      return None
    file.seek(0)
    return file.read().decode('utf-8', 'replace').strip()


def _gpus():
  if os.environ.get('CUDA_VISIBLE_DEVICES') == '-1':
    return []
  # Asking TensorFlow for their names would take all of their memory on 1.x.
  listing = _output('nvidia-smi', '--query-gpu=name,driver_version',
                    '--format=csv,noheader')
  return listing.splitlines() if listing else []


def _cpu():
  try:
    with open('/proc/cpuinfo') as file:
      for line in file:
        if line.startswith('model name'):
          return line.split(':', 1)[1].strip()
  except OSError:
    pass
  return platform.processor() or None


def _git(*command):
  folder, name = os.path.split(os.path.abspath(__file__))
  # Installed below somebody else's checkout, that one's commit says nothing.
  if _output('git', '-C', folder, 'ls-files', '--error-unmatch', name) is None:
    return None
  return _output('git', '-C', folder, *command)
