import os
import signal
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [ROOT, os.path.join(ROOT, 'tests', 'helpers')]

from comhe_tf1.utils import tf_setup

# As the commands, before TensorFlow is imported.
os.environ.update(dict(tf_setup.ENVIRONMENT, **os.environ))

# isort: split
import numpy as np
import pytest
import tensorflow.compat.v1 as tf

# In seconds, far above what the longest one takes; for tests marked as slow, and others.
LIMIT = {True: 7200, False: 1200}

# Where this process inherits a signal as ignored, as a job in the background does, the
# processes that tests start would too. They get the default in place of a handler.
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
  if signal.getsignal(number) == signal.SIG_IGN:
    signal.signal(number, lambda *_: None)

# Tests say themselves where data and logs are. The official CIFAR-100, where it is at
# hand, is only read by the tests that need it (fixture `cifar100`).
for name in ('COMHE_DATA_DIR', 'COMHE_LOG_DIR'):
  if name in os.environ:   # once; the processes of pytest-xdist inherit the other name
    os.environ['TESTS_' + name] = os.environ.pop(name)

tf.logging.set_verbosity(tf.logging.ERROR)


class TooLongError(Exception):
  """A test waits for what never comes."""


def _give_up(*_):
  # What it has started would go on, and hold the pipes that others read.
  for thread in os.listdir('/proc/self/task'):
    with open(f'/proc/self/task/{thread}/children') as file:
      for child in file.read().split():
        os.kill(int(child), signal.SIGKILL)
  raise TooLongError('a test takes longer than any should')


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
  """Ends a test that would wait for ever."""
  signal.signal(signal.SIGALRM, _give_up)
  signal.alarm(LIMIT[item.get_closest_marker('slow') is not None])
  yield
  signal.alarm(0)


def _globals():
  """Of all modules of the project: (module, name) -> value."""
  return {(title, name): value for title, module in list(sys.modules.items())
          if (getattr(module, '__file__', None) or '').startswith(ROOT + os.sep)
          and 'site-packages' not in module.__file__
          for name, value in vars(module).items()}


def _surroundings():
  """What tests share besides."""
  environment = {name: value for name, value in os.environ.items()
                 if name != 'PYTEST_CURRENT_TEST'}   # pytest's own
  return os.getcwd(), environment, list(sys.path)


@pytest.fixture(autouse=True)
def no_traces():
  """A test that changes what the following ones find fails itself, not these."""
  found, surroundings = _globals(), _surroundings()
  yield
  left = _globals()
  assert not [name for name, value in found.items() if left.get(name) is not value]
  assert _surroundings() == surroundings


@pytest.fixture
def root():
  """The project's folder."""
  return ROOT


@pytest.fixture
def cifar100():
  """Folder of the official CIFAR-100, which COMHE_DATA_DIR named."""
  folder = os.environ.get('TESTS_COMHE_DATA_DIR')
  if folder is None:
    pytest.skip('COMHE_DATA_DIR does not name the folder of the official CIFAR-100')
  return os.path.abspath(folder)


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
