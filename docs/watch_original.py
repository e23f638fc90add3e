#!/usr/bin/env python
"""Runs the authors' training script, unmodified, and tells what it does.

    git clone https://github.com/rmlin/CoMHE
    python3.6 docs/watch_original.py CoMHE random [--steps 3] [--idle] [its own flags]

Under the Python and a TensorFlow that it was written for (1.8 to 1.14), on the CPU,
with the pickles of --data_dir, or else 50,000 + 10,000 random images, in a copy that is
removed at the end. Its own lines are printed as they come; those that begin with `watch:`
are seen from outside: functions of TensorFlow and NumPy are wrapped before the script
imports them.
"""
import collections
import os
import shutil
import sys
import tempfile
import time
import traceback

import generated  # also for the path
import numpy as np
import step_data

from comhe_tf1.utils import arguments
from comhe_tf1.utils import terminal

LAYER = 'conv1_0'   # whose moving statistics are shown


class Enough(Exception):
  """As many steps as were asked for are done."""


def tell(text):
  print('watch: ' + text, flush=True)


def name_of(op):
  """Layer that an operation belongs to."""
  return op.name.split('/')[0]


class Watch(object):
  """Wraps what is watched.

  Of the calls of a session that are fed images, a training step fetches a list and
  testing a tensor; a step of the projections fetches an operation.

  Args:
    tf: TensorFlow.
    steps: number of training steps, or None for the script's own.
    idle: whether calls with images are answered with zeros in place of running them.

  Attributes:
    done: number of training steps so far.
  """

  def __init__(self, tf, steps, idle):
    self._tf, self._limit, self._idle = tf, steps, idle
    self._run, self._shuffle = tf.Session.run, np.random.shuffle
    self._start = time.perf_counter()
    self.done = 0
    self._testing = False
    self._rate = None      # of the step before

  def install(self):
    watch = self

    def run(session, fetches, feed_dict=None, **settings):
      if not any(np.ndim(value) == 4 for value in (feed_dict or {}).values()):
        return watch._run(session, fetches, feed_dict, **settings)
      if hasattr(fetches, 'dtype'):
        watch._test()
      elif watch.done == watch._limit:
        raise Enough
      if isinstance(fetches, list):
        return watch._train(session, fetches, feed_dict)
      return 0. if watch._idle else watch._run(session, fetches, feed_dict)

    def shuffle(what):
      tell('shuffled before step %d' % watch.done)
      watch._shuffle(what)

    self._tf.Session.run = run
    np.random.shuffle = shuffle

  def _test(self):
    if not self._testing:
      tell('testing after %d training steps' % self.done)
    self._testing = True

  def _train(self, session, fetches, feed):
    self._testing = False
    rate = next(value for value in feed.values() if isinstance(value, float))
    if rate != self._rate:
      tell('step %d with rate %g' % (self.done, rate))
      self._rate = rate
    if self._idle:
      results = [0.] * len(fetches)
    else:
      results = self._observed(session, fetches, feed)
    self.done += 1
    return results

  def _observed(self, session, fetches, feed):
    """Takes a step, with what is drawn and averaged in it fetched along."""
    graph = session.graph
    normal = [op for op in graph.get_operations() if op.type == 'RandomStandardNormal']
    draws = [op for op in normal if '/Initializer/' not in op.name]
    variance = graph.get_tensor_by_name(LAYER + '/bn/moments/Squeeze_1:0')
    name = variance.op.name + '/ExponentialMovingAverage'
    moving, = [variable for variable in self._tf.global_variables()
               if variable.op.name.endswith(name)]
    if not self.done:
      _tell_seeds([op for op in normal if op not in draws])
      tell('moving variance of %s before step 0: %s' % (
          LAYER, 'all 0' if not self._run(session, moving).any() else 'not 0'))
    results, numbers, batch = self._run(
        session, [fetches, [op.outputs[0] for op in draws], variance], feed)
    if not self.done:
      tell('%d operations in the graph' % len(graph.get_operations()))
      tell('%.1f s from the start of the script to the end of step 0' % (
          time.perf_counter() - self._start))
      _tell_draws(draws, numbers)
    after = self._run(session, moving)
    tell('moving variance of %s after step %d: %.4f of its batch\'s' % (
        LAYER, self.done, after.sum() / batch.sum()))
    return results


def _tell_seeds(initialisers):
  tell('op seeds of the initial values: %s' % ', '.join(
      '%s %d' % ('/'.join(op.name.split('/')[:2]), op.get_attr('seed2'))
      for op in initialisers))


def _tell_draws(draws, numbers):
  """Tells which layers draw which matrices, and which of these are equal."""
  by_layer = collections.OrderedDict()
  for op, drawn in zip(draws, numbers):
    by_layer.setdefault(name_of(op), []).append((op.get_attr('seed2'), drawn))
  told = collections.OrderedDict()   # layers told about, to their matrices
  for layer, pairs in by_layer.items():
    seeds, matrices = zip(*pairs)
    flat = np.reshape(matrices, [len(matrices), -1])
    relation = 'numbers of their own'
    for other, earlier in told.items():
      length = min(flat.shape[1], earlier.shape[1])
      if len(flat) == len(earlier) and (flat[:, :length] == earlier[:, :length]).all():
        relation = '%s those of %s' % (
            'the same as' if flat.shape == earlier.shape else 'beginning with', other)
        break
    told[layer] = flat
    tell('%s draws %d matrices of %d x %d, op seeds %d to %d: %s' % (
        (layer, len(matrices)) + matrices[0].shape + (seeds[0], seeds[-1], relation)))


def failure():
  """What the script failed of, and where, without its code."""
  kind, error, frames = sys.exc_info()
  last = [frame for frame in traceback.extract_tb(frames)
          if os.path.exists(os.path.basename(frame.filename))][-1]
  return '%s, line %d: %s: %s' % (
      os.path.basename(last.filename), last.lineno, kind.__name__, error)


def parse(argv):
  parser = arguments.Parser(
      prog='watch_original.py', description='Run the authors\' training script, '
      'unmodified, and tell what it does. Further flags are passed on to it.')
  parser.add_argument('checkout', type=generated.checkout,
                      help='checkout of the authors\' repository')
  parser.add_argument('variant', choices=['random', 'angle', 'adversarial'],
                      help='which script')
  parser.add_argument('--steps', type=arguments.whole(1, 10 ** 6), metavar='N',
                      help='training steps (default: the script\'s 75,000)')
  parser.add_argument('--data_dir', type=arguments.path, metavar='FOLDER',
                      help='pickles train and test (default: random images)')
  parser.add_argument('--idle', action='store_true',
                      help='compute nothing: answer training and testing with zeros')
  return parser.parse_known_args(argv)


def main(argv=None):
  args, flags = parse(argv)
  home, folder = os.getcwd(), tempfile.mkdtemp()
  try:
    script = os.path.join(folder, '%s_projection' % args.variant)
    shutil.copytree(os.path.join(args.checkout, os.path.basename(script)), script)
    shutil.rmtree(os.path.join(script, 'log'), ignore_errors=True)
    os.chdir(script)
    import original_contender
    import tensorflow as tf
    if not tf.__version__.startswith('1.'):
      terminal.note('watch_original.py', 'error: TensorFlow %s does not run the '
                     'original; use 1.8 to 1.14, with Python 3.6' % tf.__version__)
      return 1
    tf.logging.set_verbosity(tf.logging.ERROR)
    tell('TensorFlow %s' % tf.__version__)
    if args.data_dir is None:
      step_data.write_images(folder)
    else:
      for name in ('train', 'test'):
        os.symlink(os.path.join(os.path.abspath(os.path.join(home, args.data_dir)), name),
                   os.path.join(folder, name))
    watch = Watch(tf, args.steps, args.idle)
    watch.install()
    try:
      original_contender.run_script(['--gpu_no', '-1'] + flags)
    except Enough:
      pass
    except Exception:   # whatever it is: that is what is to be told
      tell('the script failed after %d training steps in %s' % (watch.done, failure()))
      return 1
    for path in sorted(os.listdir('log')):
      tell('log folder: log/%s' % path)
    return 0
  finally:
    os.chdir(home)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == '__main__':
  terminal.print_anything()
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  sys.exit(main())
