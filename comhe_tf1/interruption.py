"""SIGINT and SIGTERM as a wish that a training honours between two steps."""
import os
import signal
import threading

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption(object):
  """Notes the first signal; a second one ends the process at once.

  A context manager, to be entered in the main thread. Leaving it restores what
  was there before.

  Attributes:
    signal: number of the signal that came, or None.
  """

  def __init__(self):
    self.signal = None
    self._before = {}

  def __enter__(self):
    for number in SIGNALS:
      self._before[number] = signal.signal(number, self._note)
    return self

  def __exit__(self, *error):
    for number, handler in self._before.items():
      signal.signal(number, handler)

  def _note(self, number, frame):
    del frame
    if self.signal is not None:
      os._exit(exit_status(number))
    self.signal = number


def leave(number, frame):
  """Handler of a signal: ends the process where there is nothing to save yet."""
  del frame
  # Not by an exception, which an import under way may turn into another one.
  os._exit(exit_status(number))


def leave_whatever_happens():
  """Ends the process at a signal, also while the main thread waits in a library.

  Python's handlers run in the main thread only; the number of a signal is written to a
  file at once, whatever thread it comes to.
  """
  reader, writer = os.pipe()
  os.set_blocking(writer, False)
  signal.set_wakeup_fd(writer)
  for number in SIGNALS:
    signal.signal(number, leave)
  threading.Thread(target=lambda: os._exit(exit_status(ord(os.read(reader, 1)))),
                   daemon=True).start()


def exit_status(number):
  """What a shell gives for a process that ended by a signal: 130, 143."""
  return 128 + number
