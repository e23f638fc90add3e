"""Half-space energies of sets of different numbers of neurons, side by side.

A set [d, n] is filled with zeros to [D, M]. Zeros in the inputs change no cosine. The
cosine of a zero neuron with any other is 0, where the energy of a pair, f(c) + f(-c), has
no slope: what zero neurons add to the sum is a number that depends on n and M alone, and
is taken off again. So the energies and their gradients are those of each set by itself,
to rounding, and one operation serves layers of different shapes.
"""
import itertools

import numpy as np
import tensorflow.compat.v1 as tf

from comhe_tf1.regularizers import blocks
from comhe_tf1.regularizers import energy

# Sets may be filled where all work grows by no more than this share of it.
WASTE = 0.02
# More cosines than these are taken by blocks: those of many layers would leave the cache.
MANY = 2 ** 22
# Work of an entry of the cosines besides the products, as inputs of a neuron.
_BESIDES = 40


class _PaddedMean(energy.MeanOverPairs):
  """`energy.half_space` of sets of `counts` neurons, all filled with zeros to `filled`.

  Args:
    power: as `pair_energy.get_pair_energy`.
    counts: array [sets]; filled: number.
    dtype: of the neurons.
  """

  def __init__(self, power, counts, filled, dtype):
    plain = energy.half_space(power)
    super().__init__(plain.pairs, lambda count: plain.share(
        tf.constant(counts, count.dtype)))
    self._excess = blocks.padding_sums(plain.pairs, np.asarray(counts, 'float64'), filled,
                                       dtype)   # [sets]

  def __call__(self, cosine):
    values, slopes = self.pairs.within(cosine)
    share = self.share(cosine)
    return (self.from_sums(tf.reduce_sum(values, axis=[-2, -1]), share),
            share[:, tf.newaxis, tf.newaxis] * slopes)

  def from_sums(self, sums, share):
    return share * (sums - tf.cast(self._excess, sums.dtype))


def half_space_energies(neurons, power='2'):
  """Half-space energies of sets of neurons of different shapes.

  Args:
    neurons: list of tensors [sets, d, n], all of one type, whose shapes are known.
    power: as `energy.half_space_energy`.

  Returns:
    List of tensors [sets].
  """
  results = [None] * len(neurons)
  shapes = [tuple(each.shape.as_list()) for each in neurons]
  for group in groups(shapes):
    d, filled = (max(shapes[place][axis] for place in group) for axis in (1, 2))
    sets = [shapes[place][0] for place in group]
    # One batch of one shape: each set has zeros in its last inputs and neurons. Equal
    # shapes follow each other.
    together = tf.concat([
        _filled_up(tf.concat([neurons[place] for place in alike], 0), d, filled)
        for _, alike in itertools.groupby(group, lambda place: shapes[place][1:])], 0)
    # Without zero neurons nothing has to be taken off.
    if all(shapes[place][2] == filled for place in group):
      function = energy.half_space(power)
    else:
      counts = np.repeat([shapes[place][2] for place in group], sets)
      function = _PaddedMean(power, counts, filled, together.dtype)
    for place, values in zip(group, tf.split(
        energy.energies(together, function, many=MANY), sets)):
      results[place] = values
  return results


def _filled_up(neurons, d, count):
  _, own_d, own_count = neurons.shape.as_list()
  if (own_d, own_count) == (d, count):
    return neurons
  return tf.pad(neurons, [[0, 0], [0, d - own_d], [0, count - own_count]])


def groups(shapes):
  """Which sets of neurons go side by side.

  The largest come first. Every further one joins the group that it makes the least work
  in, if that is little of all the work, or else begins a group.

  Args:
    shapes: list of (sets, d, n).

  Returns:
    List of lists of places in it.
  """
  def work(chosen):
    d, filled = (max(shapes[place][axis] for place in chosen) for axis in (1, 2))
    return sum(shapes[place][0] for place in chosen) * filled ** 2 * (d + _BESIDES)

  # What zeros may cost, as a share of all work without them.
  most = WASTE * sum(work([place]) for place in range(len(shapes)))
  chosen_groups = []
  for place in sorted(range(len(shapes)), key=lambda place: shapes[place][:0:-1],
                      reverse=True):
    added, best = min(
        [(work(group + [place]) - work(group) - work([place]), number)
         for number, group in enumerate(chosen_groups)] or [(most + 1, None)])
    if added <= most:
      chosen_groups[best].append(place)
    else:
      chosen_groups.append([place])
  return chosen_groups
