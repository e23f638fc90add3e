"""Makes the next batches while the session runs the present one."""
import queue
import threading


class Prefetched:
  """Batches of a source, made ahead in a thread; a context manager that ends it.

  Args:
    source: has `next()`, and `state()`, whose result no later `next()` changes; used by
      nobody else from here on.
    ahead: number of batches made ahead.
  """

  def __init__(self, source, ahead=2):
    self._source = source
    self._state = source.state()
    self._made = queue.Queue(ahead)
    self._ended = threading.Event()
    self._thread = threading.Thread(target=self._make, daemon=True)

  def __enter__(self):
    self._thread.start()
    return self

  def __exit__(self, *error):
    self._ended.set()
    while self._thread.is_alive():
      # Makes room, should the thread wait for it.
      try:
        self._made.get_nowait()
      except queue.Empty:
        pass
      self._thread.join(0.01)

  def _make(self):
    while not self._ended.is_set():
      try:
        self._made.put((self._source.next(), self._source.state(), None))
      except Exception as error:   # goes to the one who asks for the batch
        self._made.put((None, None, error))
        return

  def next(self):
    """Returns the source's next batch."""
    batch, state, error = self._made.get()
    if error:
      raise error
    self._state = state
    return batch

  def state(self):
    """The source's state after the batch that `next` returned last."""
    return self._state
