import threading
import time

import numpy as np
import pytest

import cifar_input
from comhe_tf1.training import prefetch


class Counter:
  """Makes 0, 1, 2, ...; fails at `last`."""

  def __init__(self, last=None):
    self.made, self.last = 0, last

  def next(self):
    if self.made == self.last:
      raise ValueError('no more')
    self.made += 1
    return self.made - 1

  def state(self):
    return self.made


def test_order_and_state_are_those_of_what_was_taken():
  source = Counter()
  with prefetch.Prefetched(source) as batches:
    assert batches.state() == 0
    for i in range(20):
      assert batches.next() == i
      assert batches.state() == i + 1
    deadline = time.time() + 10.
    while source.made < 22 and time.time() < deadline:
      time.sleep(0.001)
    assert source.made > 20   # ahead of what was asked for
    assert batches.state() == 20


def test_the_thread_ends_with_the_context():
  before = threading.active_count()
  for taken in (0, 1, 5):
    with prefetch.Prefetched(Counter()) as batches:
      for _ in range(taken):
        batches.next()
    assert threading.active_count() == before
  with pytest.raises(KeyError):
    with prefetch.Prefetched(Counter()):
      raise KeyError
  assert threading.active_count() == before


def test_an_error_comes_when_its_batch_is_asked_for():
  with prefetch.Prefetched(Counter(last=3)) as batches:
    assert [batches.next() for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match='no more'):
      batches.next()


def test_batches_continue_from_the_state_of_any_of_them():
  """Whatever was made ahead when the state was taken."""
  rng = np.random.RandomState(0)
  data = cifar_input.Images(rng.randint(0, 256, (10, 32, 32, 3)).astype('uint8'),
                            np.arange(10))

  def new():
    return cifar_input.TrainingBatches(data, 3, np.random.RandomState(1))

  plain = new()
  expected = [plain.next() for _ in range(12)]
  with prefetch.Prefetched(new()) as batches:
    for taken in range(1, 8):
      batches.next()
      arrays, numbers = batches.state()
      resumed = new()
      resumed.restore(arrays, numbers)
      with prefetch.Prefetched(resumed) as rest:
        for images, labels in expected[taken:]:
          made = rest.next()
          np.testing.assert_array_equal(made[0], images)
          np.testing.assert_array_equal(made[1], labels)
