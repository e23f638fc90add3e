"""Makes the next batches while the session runs the present one."""
import collections
from concurrent import futures


class Prefetched:
  """Batches of a source, made ahead in a thread; a context manager that ends it.

  Args:
    source: has `next()`, and `state()`, whose result no later `next()` changes; used by
      nobody else from here on.
    ahead: number of batches made ahead.
  """

  def __init__(self, source, ahead=2):
    self._source, self._state = source, source.state()
    self._thread = futures.ThreadPoolExecutor(1)
    self._made = collections.deque(self._thread.submit(self._make) for _ in range(ahead))

  def __enter__(self):
    return self

  def __exit__(self, *error):
    self._thread.shutdown()

  def _make(self):
    return self._source.next(), self._source.state()

  def next(self):
    """Returns the source's next batch."""
    batch, self._state = self._made.popleft().result()
    self._made.append(self._thread.submit(self._make))
    return batch

  def state(self):
    """The source's state after the batch that `next` returned last."""
    return self._state
