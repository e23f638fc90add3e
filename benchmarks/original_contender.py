"""Runs the authors' training script, unmodified, a step at a time.

    cd CHECKOUT/random_projection && python benchmarks/original_contender.py [FLAG ...]

Under the interpreter and the TensorFlow it was written for; the flags are the script's.
Answers as `measured_process.serve` does: the script is held after every training step
until the next one is asked for. From outside one sees its session calls:
`tf.Session.run` is wrapped.
"""
import os
import platform
import runpy
import sys
import time
import zlib

import measured_process
import numpy as np
import tensorflow as tf


class Driver:
  """Holds the script after each training step and tells of it.

  A training step is the one call that fetches a list, of which entries 1 to 4 are fit,
  reg, thom and thomf. Its time runs from the end of the step before it, less the time
  the script was held.

  Args:
    answers: as `measured_process.start` returns it.
  """

  def __init__(self, answers):
    self._answers = answers
    self._resumed = None

  def install(self):
    """Wraps `tf.Session.run`."""
    original_run = tf.Session.run

    def run(session, fetches, feed_dict=None, **settings):
      results = original_run(session, fetches, feed_dict, **settings)
      if isinstance(fetches, list):
        self._step_done(session, feed_dict, results, time.perf_counter())
      return results

    tf.Session.run = run

  def _step_done(self, session, feed, results, now):
    if self._resumed is None:
      images, = (value for value in feed.values() if np.ndim(value) == 4)
      values = {f'{name} of step 0': value
                for name, value in zip(('fit', 'reg', 'thom', 'thomf'), results[1:5])}
      values['batch'] = zlib.crc32(images.astype(np.uint8).tobytes())
      facts = {'python': platform.python_version(), 'tensorflow': tf.__version__}
      measured_process.tell(self._answers, {'environment': facts, 'values': values})
    else:
      measured_process.tell(self._answers, {
          'step, s': now - self._resumed,
          'operations': len(session.graph.get_operations())})
    if not sys.stdin.readline():
      os._exit(0)   # nobody asks any more
    self._resumed = time.perf_counter()


def run_script(flags):
  """Runs the script of the current folder in this process."""
  sys.argv = ['train.py'] + flags
  sys.path.insert(0, os.getcwd())   # before all that is this project's
  runpy.run_path('train.py', run_name='__main__')


def main(flags):
  Driver(measured_process.start()).install()
  run_script(flags)


if __name__ == '__main__':
  main(sys.argv[1:])
