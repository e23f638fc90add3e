"""Lines of a training on the terminal, with a progress bar where that helps."""
try:
  import tqdm
except ImportError:  # welcome, not needed
  tqdm = None


class Progress:
  """Prints lines, and a bar with steps/s and time left on a terminal.

  A context manager; leaving it removes the bar.

  Args:
    total: number of steps.
    done: how many of them are done already.
  """

  def __init__(self, total, done=0):
    # disable=None: no bar where standard error is not a terminal.
    self._bar = tqdm and tqdm.tqdm(total=total, initial=done, unit='step', disable=None,
                                   dynamic_ncols=True, leave=False)

  def __enter__(self):
    return self

  def __exit__(self, *error):
    if self._bar is not None:
      self._bar.close()

  def line(self, text):
    """Prints a line above the bar."""
    if self._bar is not None:
      self._bar.clear()
    print(text, flush=True)
    if self._bar is not None:
      self._bar.refresh()

  def step(self):
    """Advances the bar by one step."""
    if self._bar is not None:
      self._bar.update()
