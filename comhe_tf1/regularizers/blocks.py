"""Energies of many neurons by blocks of them: no N x N matrix is ever held.

With U the neurons over their norms, C = U^T U and f the energy of a pair, an energy
needs sum_ij f(c_ij) and, for its gradient, A = U S with s_ij = f'(c_ij). The N neurons
are cut into k blocks of equal size. Every pair of blocks is visited once: it gives its
part of the sum and, from the same cosines, the parts of A on both sides, so that there
is no second pass for the gradient, and half of all cosines are never formed. The second
order, A's own gradient, is another such pass. Of several sets of neurons, the same
blocks of many are visited together.

Memory is that of a few block x block matrices and of a few copies of U. The passes are
loops, whose operations are as many for any N. What they compute is hidden from
TensorFlow's own differentiation, which would keep every block.
"""
import math
import typing

import numpy as np
import tensorflow.compat.v1 as tf

# More cosines than these, over all sets of neurons, are taken by blocks: those of 4,097
# neurons, or of 20 projections of 916. No layer of CNN-9 and ResNet-32 has so many.
MANY = 2 ** 24
# Neurons in a block, at most. Its cosines fit in a core's cache.
BLOCK = 1024
# Of several sets, blocks are down to so many times smaller, to form fewer cosines twice.
_FINER = 4


class Pairs(typing.NamedTuple):
  """An energy summed over pairs of neurons, as functions of cosines.

  between: of [..., s, t], the cosines of neurons with others; returns the energies of the
    pairs and their slopes by the cosines, tensors of that shape.
  within: of [..., s, s], the cosines of neurons with each other and themselves; likewise,
    the slopes symmetric.
  """
  between: typing.Callable
  within: typing.Callable


def needed(neurons, many=None):
  """Whether neurons [..., d, N] have, or may have, more than `many` cosines, or MANY."""
  shape = neurons.shape.as_list()
  lengths = shape[:-2] + 2 * shape[-1:]
  return None in lengths or np.prod(lengths, dtype=np.float64) > (
      MANY if many is None else many)


def sums(directions, pairs):
  """Energies summed over all (i, j), i = j included, and what their gradient needs.

  Args:
    directions: U, tensor [..., d, N]; leading axes are independent sets of neurons.
    pairs: `Pairs`.

  Returns:
    Sums, float64 tensor [...], constant to gradients; and A = U S, tensor
    [..., d, N], which has a gradient by U. That one has none in turn:
    NotImplementedError.
  """
  shape = tf.shape(directions)
  lengths = [shape[axis] if length is None else length
             for axis, length in enumerate(directions.shape.as_list())]
  # Leading axes become one, whose length may be a tensor: np.prod knows none.
  leading = lengths[:-2]
  sets = 1
  for length in leading:
    sets *= length
  cut = _Cut(sets, lengths[-2], lengths[-1], BLOCK)
  # TensorFlow would keep every block for its own gradient; this one needs U alone.
  units = cut.blocks(_detached(directions))
  totals, product = _first_order(cut, units, pairs)
  totals = tf.reshape(totals, leading)
  product = tf.reshape(product, lengths)

  @tf.custom_gradient
  def differentiable(directions):
    def gradient(upstream):
      return _no_third_order(
          tf.reshape(_second_order(cut, cut.blocks(_detached(directions)),
                                   cut.blocks(_detached(upstream)), pairs), lengths),
          directions, upstream)

    return tf.identity(product), gradient

  return totals, differentiable(directions)


def _detached(tensor):
  """The tensor without a way for gradients: no tape records what follows.

  Whole numbers have no gradient. After tf.stop_gradient tapes would go on to record,
  and graphs of TensorFlow 1 to prepare loops for a way back.
  """
  whole = {tf.float32: tf.int32, tf.float64: tf.int64}[tensor.dtype.base_dtype]
  return tf.bitcast(tf.bitcast(tensor, whole), tensor.dtype.base_dtype)


@tf.custom_gradient
def _no_third_order(result, *sources):
  """The result, which refuses to be differentiated by its sources."""
  def gradient(upstream):
    raise NotImplementedError(
        'energies of so many neurons, or of an unknown number, have gradients of first '
        'and second order only')

  return tf.identity(result), gradient


class _Cut:
  """How sets of neurons [d, N] are cut into blocks [m, d, s] of m sets, s neurons each.

  Sets go several to a block. What is missing is filled with zeros. The block at
  g * k + i has the i-th part of the neurons of the g-th m sets.

  Args:
    sets, d, count: lengths, numbers or tensors.
    block: at most so many neurons in a block of one set.
  """

  def __init__(self, sets, d, count, block):
    self.sets, self.d, self.count = sets, d, count
    finer = (1 if isinstance(sets, tf.Tensor)
             else min(_FINER, max(1, int(math.sqrt(sets))), block))
    self.parts = _ceiling(count, block // finer)        # k
    self.size = _ceiling(count, self.parts)             # s
    # So many sets that their cosines are no more than those of one full block.
    self.groups = _ceiling(sets, (block // self.size) ** 2)
    self.together = _ceiling(sets, self.groups)         # m
    self.length = self.groups * self.parts
    self.pairs = self.parts * (self.parts - 1) // 2     # of different parts

  def blocks(self, neurons):
    """`_List` of the blocks of neurons [..., d, N]."""
    neurons = tf.reshape(neurons, [self.sets, self.d, self.count])
    padding = [self.groups * self.together - self.sets, 0,
               self.parts * self.size - self.count]
    if any(isinstance(each, tf.Tensor) or each for each in padding):
      neurons = tf.pad(neurons, [[0, each] for each in padding])
    cut = tf.reshape(neurons, [self.groups, self.together, self.d, self.parts, self.size])
    shape = [self.together, self.d, self.size]
    return _List(tf.raw_ops.TensorListFromTensor(
        tensor=tf.reshape(tf.transpose(cut, [0, 3, 1, 2, 4]), [self.length] + shape),
        element_shape=tf.stack(shape)), shape, neurons.dtype)

  def nothing(self, dtype):
    """`_List` of blocks of zeros, not yet allocated."""
    return _List.zeros(self.length, [self.together, self.d, self.size], dtype)

  def whole(self, results):
    """Neurons [sets, d, N] of a list of blocks, the way back."""
    joined = tf.reshape(results.stack(), [self.groups, self.parts, self.together, self.d,
                                          self.size])
    joined = tf.transpose(joined, [0, 2, 3, 1, 4])
    joined = tf.reshape(joined, [self.groups * self.together, self.d,
                                 self.parts * self.size])
    return joined[:self.sets, :, :self.count]

  def places(self, pair):
    """Group, and places of both blocks, of the pair of that number.

    Every part i meets those at the distances 1, 2, ... around a circle of all parts;
    at half of the circle each pair would come twice, and the count ends.
    """
    group, within = pair // self.pairs, pair % self.pairs
    first = within % self.parts
    second = (first + within // self.parts + 1) % self.parts
    return group, group * self.parts + first, group * self.parts + second


def _ceiling(number, divisor):
  return (number + divisor - 1) // divisor


class _List:
  """Tensors of one shape in a list, whose entries can be replaced without a copy of it.

  Args:
    handle: variant tensor.
    shape: of an entry, numbers or scalar tensors.
    dtype: of an entry.
  """

  def __init__(self, handle, shape, dtype):
    self.handle, self.shape, self.dtype = handle, shape, dtype

  def __getitem__(self, place):
    entry = tf.raw_ops.TensorListGetItem(
        input_handle=self.handle, index=place, element_shape=tf.stack(self.shape),
        element_dtype=self.dtype)
    entry.set_shape([None if isinstance(length, tf.Tensor) else length
                     for length in self.shape])
    return entry

  def set(self, place, entry):
    return _List(tf.raw_ops.TensorListSetItem(
        input_handle=self.handle, index=place, item=entry), self.shape, self.dtype)

  def add(self, place, entry):
    return self.set(place, self[place] + entry)

  def stack(self):
    return tf.raw_ops.TensorListStack(
        input_handle=self.handle, element_shape=tf.stack(self.shape),
        element_dtype=self.dtype)

  @classmethod
  def zeros(cls, length, shape, dtype):
    # What has never been set is read as zeros.
    return cls(tf.raw_ops.TensorListReserve(
        element_shape=tf.stack(shape), num_elements=length, element_dtype=dtype),
               shape, dtype)


def _visit(cut, lists, within, between):
  """Calls for every block, then for every pair of blocks, one after the other.

  Args:
    cut: `_Cut`.
    lists: of `_List`, which the calls change.
    within: function of a group, the place of a block and the lists; returns these.
    between: function of a group, the places of two blocks and the lists; likewise.

  Returns:
    The lists at the end.
  """
  def loop(count, step, lists):
    def body(number, *handles):
      changed = step(number, [_List(handle, each.shape, each.dtype)
                              for handle, each in zip(handles, lists)])
      return [number + 1] + [each.handle for each in changed]

    # One after the other: each changes lists that the next one reads.
    handles = tf.while_loop(
        lambda number, *_: number < count, body,
        [tf.constant(0)] + [each.handle for each in lists],
        parallel_iterations=1, back_prop=False)[1:]
    return [_List(handle, each.shape, each.dtype)
            for handle, each in zip(handles, lists)]

  # All blocks first. A single part has no pairs, and a loop less in its graph.
  lists = loop(cut.length, lambda number, lists: within(
      number // cut.parts, number, lists), lists)
  if isinstance(cut.pairs, tf.Tensor) or cut.pairs:
    lists = loop(cut.groups * cut.pairs, lambda number, lists: between(
        *cut.places(number), lists=lists), lists)
  return lists


def _first_order(cut, units, pairs):
  """Sums [sets], float64, and A [sets, d, N]."""
  def total(values):
    return tf.cast(tf.reduce_sum(values, axis=[-2, -1]), tf.float64)

  def within(group, place, lists):
    sums_, products = lists
    unit = units[place]
    # (i, j) and (j, i) are both in this square: it counts once.
    values, slopes = pairs.within(tf.matmul(unit, unit, transpose_a=True))
    return [sums_.add(group, total(values)),
            products.add(place, tf.matmul(unit, slopes))]

  def between(group, first, second, lists):
    sums_, products = lists
    left, right = units[first], units[second]
    # One product gives both blocks their part of A, and counts twice in the sum.
    values, slopes = pairs.between(tf.matmul(left, right, transpose_a=True))
    products = products.add(first, tf.matmul(right, slopes, transpose_b=True))
    return [sums_.add(group, 2. * total(values)),
            products.add(second, tf.matmul(left, slopes))]

  sums_, products = _visit(
      cut, [_List.zeros(cut.groups, [cut.together], tf.float64),
            cut.nothing(units.dtype)], within, between)
  totals = tf.reshape(sums_.stack(), [-1])[:cut.sets]
  return (totals - padding_sums(pairs, *(tf.cast(count, tf.float64) for count in (
      cut.count, cut.parts * cut.size)), dtype=units.dtype),
          cut.whole(products))


def padding_sums(pairs, counts, filled, dtype):
  """What zeros that fill sets of neurons add to their sums: all their cosines are 0.

  Args:
    pairs: `Pairs`.
    counts, filled: numbers of neurons without and with the zeros, float64 tensors or
      arrays of one shape, or numbers.
    dtype: of the neurons.

  Returns:
    float64 tensor of that shape.
  """
  between, within = (tf.cast(function(tf.zeros([1, 1], dtype))[0][0, 0], tf.float64)
                     for function in pairs)
  return ((filled * (filled - 1.) - counts * (counts - 1.)) * between
          + (filled - counts) * within)


def _second_order(cut, units, upstream, pairs):
  """Gradient of <V, A> by U, tensor [sets, d, N], from U and V in blocks.

  With T = f''(C) * (U^T V + V^T U), entry by entry, it is V S + U T.
  """
  def slopes_of(function, cosine, weights):
    # f' is in closed form; f'' is its derivative, entry by entry.
    with tf.GradientTape() as tape:
      tape.watch(cosine)
      _, slopes = function(cosine)
    return slopes, tape.gradient(slopes, cosine, output_gradients=weights)

  def within(group, place, lists):
    unit, above = units[place], upstream[place]
    # Within a block U^T V and V^T U are each other's transpose.
    weights = tf.matmul(unit, above, transpose_a=True)
    slopes, curved = slopes_of(
        pairs.within, tf.matmul(unit, unit, transpose_a=True),
        weights + tf.linalg.matrix_transpose(weights))
    return [lists[0].add(place, tf.matmul(above, slopes) + tf.matmul(unit, curved))]

  def between(group, first, second, lists):
    left, right = units[first], units[second]
    left_above, right_above = upstream[first], upstream[second]
    slopes, curved = slopes_of(
        pairs.between, tf.matmul(left, right, transpose_a=True),
        tf.matmul(left, right_above, transpose_a=True)
        + tf.matmul(left_above, right, transpose_a=True))
    # The same S and T, once as they are and once transposed, for the two blocks.
    results = lists[0].add(first, tf.matmul(right_above, slopes, transpose_b=True)
                           + tf.matmul(right, curved, transpose_b=True))
    return [results.add(second, tf.matmul(left_above, slopes) + tf.matmul(left, curved))]

  return cut.whole(_visit(cut, [cut.nothing(units.dtype)], within, between)[0])
