"""Builds the made-up CUDA driver of made_up_driver.c."""
import os
import subprocess

_SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'made_up_driver.c')


def build(folder):
  """Builds it into a folder; returns its two libraries, for LD_PRELOAD."""
  paths = []
  for name in ('libcuda.so.1', 'libnvidia-ml.so.1'):
    paths.append(os.path.join(str(folder), name))
    subprocess.check_call(['gcc', '-shared', '-fPIC', '-w', '-Wl,-soname,' + name,
                           '-o', paths[-1], _SOURCE])
  return ':'.join(paths)
