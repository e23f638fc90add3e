"""Signals as a wish that a training honours between two steps.

SIGINT, SIGTERM, and SIGHUP of a terminal that has gone. One that was ignored when the
process started, as in a job of nohup, stays so.
"""
import os
import signal
import threading

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption(object):
  """Notes the first signal; a second one ends the process at once.

  But for another SIGHUP: both the system and the shell send it when a terminal goes.

  A context manager, to be entered in the main thread. Leaving it restores what
  was there before.

  Attributes:
    signal: number of the signal that came, or None.
  """

  def __init__(self):
    self.signal = None
    self._before = {}
    self._stop = None

  def __enter__(self):
    # At the second also where the main thread waits in a library and runs no handler.
    self._stop = _end_at(2)
    self._before = handle(SIGNALS, self._note)
    return self

  def __exit__(self, *error):
    for number, handler in self._before.items():
      signal.signal(number, handler)
    self._stop()

  def _note(self, number, frame):
    del frame
    if self.signal is None:
      self.signal = number
    elif number != signal.SIGHUP:
      os._exit(exit_status(number))


def handle(numbers, handler):
  """Sets a handler of signals, but of those that are ignored.

  Returns:
    Dict from the numbers of the others to their handlers before.
  """
  return {number: signal.signal(number, handler) for number in numbers
          if signal.getsignal(number) != signal.SIG_IGN}


def leave(number, frame):
  """Handler of a signal: ends the process where there is nothing to save yet."""
  del frame
  # Not by an exception, which an import under way may turn into another one.
  os._exit(exit_status(number))


def end_at_once():
  """Ends the process at a signal, as long as there is nothing to save.

  To be called first of all: a container's first process, which Python then is, gets no
  signal that it has no handler for, and Python shows a traceback where Ctrl-C meets an
  import.
  """
  handle(SIGNALS, leave)


def raise_at_sigint():
  """Gives SIGINT back to Python: KeyboardInterrupt lets the work under way clear up."""
  handle((signal.SIGINT,), signal.default_int_handler)


def leave_whatever_happens():
  """Ends the process at a signal, also while the main thread waits in a library."""
  _end_at(1)
  handle(SIGNALS, leave)


def _end_at(count):
  """Has a thread end the process at the `count`-th signal.

  Python's handlers run in the main thread only; the number of a signal is written to a
  file at once, whatever thread it comes to.

  Returns:
    Function that ends the thread.
  """
  reader, writer = os.pipe()
  os.set_blocking(writer, False)
  before = signal.set_wakeup_fd(writer)

  def wait():
    come = []
    while len(come) < count:
      number = os.read(reader, 1)
      if not number:   # the other end was closed
        os.close(reader)
        return
      come += [each for each in number if each in SIGNALS
               and not (come and each == signal.SIGHUP)]
    os._exit(exit_status(come[-1]))

  def stop():
    signal.set_wakeup_fd(before)
    os.close(writer)

  threading.Thread(target=wait, daemon=True).start()
  return stop


def exit_status(number):
  """What a shell gives for a process that ended by a signal: 129, 130, 143."""
  return 128 + number
