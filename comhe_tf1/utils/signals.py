"""Signals as a wish that a training honours between two steps.

One that was ignored when the process started, as in a job of nohup, stays so.
"""
import os
import signal

ENDS = (signal.SIGINT, signal.SIGTERM)
# Of a terminal that goes, and of schedulers, before they send SIGTERM. They may come again.
WARNINGS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGXCPU)
SIGNALS = ENDS + WARNINGS


class Interruption:
  """Notes the first signal; the second SIGINT or SIGTERM ends the process at once.

  A context manager, to be entered in the main thread. Leaving it restores what
  was there before.

  Attributes:
    signal: number of the first signal that came, or None.
  """

  def __init__(self):
    self.signal = None

  def __enter__(self):
    # Not above: until `end_at_once` is called, SIGINT is answered by a traceback.
    import threading

    # Python's handlers wait while the main thread is in a library, for minutes where a
    # device hangs. The number of a signal is written to a pipe at once.
    reader, self._writer = os.pipe()
    os.set_blocking(self._writer, False)
    self._writer_before = signal.set_wakeup_fd(self._writer)
    self._handlers_before = _handle(SIGNALS, self._note)
    threading.Thread(target=_end_at_the_second, args=(reader,), daemon=True).start()
    return self

  def __exit__(self, *error):
    for number, handler in self._handlers_before.items():
      signal.signal(number, handler)
    signal.set_wakeup_fd(self._writer_before)
    os.close(self._writer)   # ends the thread

  def _note(self, number, frame):
    del frame
    self.signal = self.signal or number


def _end_at_the_second(reader):
  come = 0
  with open(reader, 'rb', buffering=0) as pipe:
    for number in iter(lambda: pipe.read(1), b''):
      come += number[0] in ENDS
      if come == 2:
        os._exit(exit_status(number[0]))


def _handle(numbers, handler):
  """Sets a handler, but for signals that are ignored; returns those before, by number."""
  return {number: signal.signal(number, handler) for number in numbers
          if signal.getsignal(number) != signal.SIG_IGN}


def _leave(number, frame):
  del frame
  # Not by an exception, which an import under way may turn into another one.
  os._exit(exit_status(number))


def end_at_once():
  """Ends the process at a signal, as long as there is nothing to save.

  To be called first of all: a container's first process, which Python then is, gets no
  signal that it has no handler for, and Python shows a traceback where Ctrl-C meets an
  import.
  """
  _handle(SIGNALS, _leave)


def raise_at_sigint():
  """Gives SIGINT back to Python: KeyboardInterrupt lets the work under way clear up."""
  _handle((signal.SIGINT,), signal.default_int_handler)


def exit_status(number):
  """What a shell gives for a process that ended by a signal: 128 + its number."""
  return 128 + number
