"""Timelines of training steps, for chrome://tracing or ui.perfetto.dev."""
import os

import tensorflow.compat.v1 as tf
from tensorflow.python.client import timeline  # in no public place of either version

WARM_UP = 5   # steps that are not yet like the later ones


class Profiler:
  """Stands for a session and writes a timeline of each of its calls in some steps.

  Files `step_<NNNNNNNN>_<call>.json`, the calls of a step numbered from 0.

  Args:
    session: `tf.Session`.
    folder: of the files; made when the first one is written.
    first_step: first step that is trained; the timelines begin `WARM_UP` steps later.
    steps: number of steps.
  """

  def __init__(self, session, folder, first_step, steps):
    self._session, self._folder = session, folder
    self._traced = range(first_step + WARM_UP, first_step + WARM_UP + steps)
    self._step, self._calls = first_step, 0

  def begin(self, step):
    """Tells which step the calls from here on belong to."""
    self._step, self._calls = step, 0

  def run(self, fetches, feed_dict=None):
    """As `tf.Session.run`."""
    if self._step not in self._traced:
      return self._session.run(fetches, feed_dict)
    metadata = tf.RunMetadata()
    result = self._session.run(
        fetches, feed_dict, tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE), metadata)
    os.makedirs(self._folder, exist_ok=True)
    with open(os.path.join(self._folder, 'step_%08d_%d.json' % (
        self._step, self._calls)), 'w') as file:
      file.write(timeline.Timeline(metadata.step_stats).generate_chrome_trace_format())
    self._calls += 1
    return result
