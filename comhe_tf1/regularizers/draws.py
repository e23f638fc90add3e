"""Random numbers for a regularizer that is called wherever TensorFlow calls one."""
import itertools
import weakref
import zlib

import tensorflow.compat.v1 as tf

MOST_PROJECTIONS = 2 ** 13   # numbered apart within one call; methods allow half of it


class Draws:
  """Standard normal numbers, drawn anew at every evaluation.

  In a graph of its own (TensorFlow 1's, where nothing is eager) they are TensorFlow's
  stateful draws, whose op seed is made of the seed, the number of the call in this graph
  and that of the draw in this call. Elsewhere XLA may compile them, which knows no op
  seeds: they are stateless draws of the seed and of a count of the calls, a variable
  made at the first one or by `start`. On several replicas each has its own count.

  Args:
    seed: whole number, or None: TensorFlow's choice, by its own global seed.
  """

  def __init__(self, seed):
    self._seed = seed
    self._key = None
    self._count = None
    self._calls = weakref.WeakKeyDictionary()   # graph -> how many so far

  def normal(self, fixed=False):
    """A function as `base.Regularizer.normal`, for one call of the regularizer.

    Args:
      fixed: whether the numbers are the same every time, and no other call's. In a graph
        of TensorFlow 1 they are drawn anew like all others.
    """
    call = []

    def normal(shape, dtype, op_seeds):
      if not call:   # many methods draw nothing, and need no count
        call.append(self._call(fixed))
      return [call[0](shape, dtype) for _ in op_seeds]

    return normal

  def start(self):
    """Makes the count before the first call, where calls will have one.

    A `tf.function` in which a variable is made is traced twice.
    """
    with tf.init_scope():   # out of all functions that are being traced
      if tf.executing_eagerly() and self._count is None:
        self._count = tf.Variable(
            0, dtype=tf.int64, trainable=False, use_resource=True, collections=[],
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
        self._key = (tf.random_uniform([], maxval=2 ** 31 - 1, dtype=tf.int64)
                     if self._seed is None else tf.constant(self._seed, tf.int64)).numpy()

  def _call(self, fixed):
    with tf.init_scope():
      if not tf.executing_eagerly():
        return self._by_op_seeds(tf.get_default_graph())
    self.start()
    return self._by_counting(fixed)

  def _by_op_seeds(self, graph):
    call = self._calls[graph] = self._calls.get(graph, -1) + 1
    numbers = itertools.count()

    def normal(shape, dtype):
      seed = None
      if self._seed is not None:
        seed = zlib.crc32(b'%d/%d/%d' % (self._seed, call, next(numbers))) >> 1
      return tf.random_normal(shape, dtype=dtype, seed=seed)

    return normal

  def _by_counting(self, fixed):
    # Counting begins at 1.
    count = tf.zeros([], tf.int64) if fixed else self._count.assign_add(1)
    call = MOST_PROJECTIONS * tf.convert_to_tensor(count)
    numbers = itertools.count()

    def normal(shape, dtype):
      return tf.random.stateless_normal(shape, [self._key, call + next(numbers)],
                                        dtype=dtype)

    return normal
