"""Trajectories of the original, recorded under TensorFlow 1.12 and 1.14.

Tolerances come from the drift of the original's own code between TensorFlow
versions and CPUs, see golden/README.md; step 0 is held to 1e-5. They are kept in
golden_run.py.
"""
import os
import subprocess
import sys

import golden_run
import pytest
import tensorflow.compat.v1 as tf


@pytest.mark.parametrize('path', golden_run.PATHS, ids=lambda path: (
    os.path.basename(path).replace('.json', '')))
def test_replay(path):
  golden = golden_run.read(path)
  ours = golden_run.replay(golden)
  assert ours['op_seeds'] == golden['op_seeds']
  golden_run.check(golden, ours)


@pytest.mark.slow
def test_also_without_onednn():
  """Which the commands ask for; its convolutions round in another order."""
  if tf.__version__ < '2':
    pytest.skip('TensorFlow 1.14 from PyPI has no oneDNN')
  process = subprocess.run(
      [sys.executable, '-m', 'pytest', '-q', '-m', 'not slow', __file__],
      env=dict(os.environ, TF_ENABLE_ONEDNN_OPTS='0'), stdout=subprocess.PIPE,
      universal_newlines=True)
  assert process.returncode == 0, process.stdout
