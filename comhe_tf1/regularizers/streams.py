"""Streams of normal numbers that can be continued from any step.

`tf.random_normal(shape, seed=op_seed)` is a Philox stream in a graph: its key is the
graph's seed, its counter starts at op_seed * 2^64 and moves on by 256 for each number
at every run. TensorFlow keeps that position inside the operation, where nothing can
read or set it. Here it lies in a variable, which is saved and restored as all others
are, and the numbers are the same.
"""
import tensorflow.compat.v1 as tf
from tensorflow.python.ops import gen_stateful_random_ops  # tf.raw_ops is not in 1.14

_PHILOX = 1


def normal(shape, dtype, op_seeds):
  """Standard normal numbers, drawn anew whenever they are evaluated.

  In a graph these are the numbers of `tf.random_normal(shape, dtype=dtype,
  seed=op_seed)`, bit for bit, each from a variable [counter, op seed, graph seed] that
  must be initialized. Eagerly and within a `tf.function` they are that very operation.

  Args:
    shape: list of numbers.
    dtype: float32 or float64.
    op_seeds: list of whole numbers, one per stream; None leaves one to TensorFlow.

  Returns:
    List of tensors of this shape and type, one per op seed.
  """
  if tf.executing_eagerly() or tf.get_default_graph().building_function:
    return [tf.random_normal(shape, dtype=dtype, seed=op_seed) for op_seed in op_seeds]
  algorithm, lengths = tf.constant(_PHILOX, tf.int64), tf.constant(shape, tf.int64)
  return [gen_stateful_random_ops.stateful_standard_normal_v2(
      _position(f"stream_{'x'.join(map(str, shape))}_{op_seed}", op_seed).handle,
      algorithm, lengths, dtype=dtype) for op_seed in op_seeds]


def _position(name, op_seed):
  """The variable of a new stream."""
  graph_seed, op_seed = tf.get_seed(op_seed)
  with tf.init_scope():   # also where the caller is inside tf.cond or a loop
    start = (tf.random_uniform([3], maxval=tf.int64.max, dtype=tf.int64)
             if graph_seed is None else tf.constant([0, op_seed, graph_seed], tf.int64))
    return tf.Variable(start, trainable=False, use_resource=True, name=name)
