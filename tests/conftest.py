import os
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [ROOT, os.path.join(ROOT, 'tests', 'helpers')]

tf.logging.set_verbosity(tf.logging.ERROR)


@pytest.fixture
def root():
  """The project's folder."""
  return ROOT


@pytest.fixture
def session():
  """A session on a fresh default graph."""
  with tf.Graph().as_default(), tf.Session() as session:
    yield session


@pytest.fixture
def rng():
  return np.random.RandomState(0)


def pytest_configure(config):
  # Newer versions of pytest-xdist would start with the files of the most tests.
  config.option.loadscopereorder = False


def pytest_collection_modifyitems(items):
  """Files that take long start first, so that no worker is left with them at the end."""
  long = ('test_train_cli.py', 'test_towers.py', 'test_workers.py',
          'test_combinations.py', 'test_golden.py')
  items.sort(key=lambda item: (
      long.index(item.fspath.basename) if item.fspath.basename in long else len(long)))
