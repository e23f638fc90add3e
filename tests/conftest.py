import os
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

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
