"""Runs the authors' training script, unmodified, a step at a time.

    cd CHECKOUT/random_projection && python benchmarks/original.py --gpu_no N

Under the interpreter and the TensorFlow it was written for; the flags are the script's.
Speaks as `worker.py`, but for one variant and with its measures in one: the first
`prepare` starts the script, which is then held after every training step until the
next request. From outside one sees its session calls: `tf.Session.run` is wrapped.
"""
import json
import os
import runpy
import sys
import time
import zlib

import numpy as np
import replies
import tensorflow as tf


class Driver(object):
  """Holds the script after each training step and tells of it.

  A training step is the one call that fetches a list, of which entries 1 to 4 are fit,
  reg, thom and thomf. The time of a step runs from the end of the one before it (less
  the time it was held); what passes until the first session call, which may be a step
  of the projections, is taking and augmenting the batch.
  """

  def __init__(self, reply):
    self._reply = reply
    self._run = tf.Session.run
    self._first_op = self._built = self._resumed = self._called = None
    self._values = None   # of step 0
    self._facts = None    # of the graph, until they have been told
    self._measure = None  # that was asked for last

  def install(self):
    """Wraps what is watched."""
    driver = self

    def watched(function, mark):
      def wrapper(*args, **settings):
        if getattr(driver, mark) is None:
          setattr(driver, mark, time.perf_counter())
        return function(*args, **settings)
      return wrapper

    def run(session, fetches, feed_dict=None, **settings):
      results = driver._run(session, fetches, feed_dict, **settings)
      if isinstance(fetches, list):
        driver._step_done(session, feed_dict, results, time.perf_counter())
      return results

    # Building begins with the first placeholder and ends where the session begins.
    tf.placeholder = watched(tf.placeholder, '_first_op')
    tf.Session.__init__ = watched(tf.Session.__init__, '_built')
    tf.Session.run = watched(run, '_called')

  def _step_done(self, session, feed, results, now):
    if self._values is None:
      self._facts = {'build, s': self._built - self._first_op,
                     'operations': len(session.graph.get_operations())}
      images, = [value for value in feed.values() if np.ndim(value) == 4]
      values = dict(zip(('fit', 'reg', 'thom', 'thomf'), map(float, results[1:5])))
      self._values = dict(values, batch=zlib.crc32(images.astype(np.uint8).tobytes()))
      self._reply(self._values)
    else:
      end = self._called if self._measure == 'augment' else now
      self._reply({'time, s': end - self._resumed})
    self.wait()

  def wait(self):
    """Answers requests until one asks for a step."""
    for line in iter(sys.stdin.readline, ''):
      request = json.loads(line)
      if request['do'] == 'prepare':
        self._measure = request['measure']
        if self._values is None:
          return
        self._reply(self._values)
      elif self._measure == 'graph':
        # Built once: told once.
        self._reply(self._facts)
        self._facts = {}
      else:
        self._called, self._resumed = None, time.perf_counter()
        return
    os._exit(0)


def run_script(flags):
  """Runs the script of the current folder in this process."""
  sys.argv = ['train.py'] + flags
  sys.path[0] = os.getcwd()   # in place of the folder of what was called
  runpy.run_path('train.py', run_name='__main__')


def main(flags):
  reply = replies.start()
  reply({'python': sys.version.split()[0], 'tensorflow': tf.__version__,
         'numpy': np.__version__})
  driver = Driver(reply)
  driver.wait()
  driver.install()
  run_script(flags)


if __name__ == '__main__':
  main(sys.argv[1:])
