"""Hyperspherical energies of a network's kernels as they are, whatever is trained on.

This is the curve that the papers plot: a regularizer lowers the energy of projected
neurons, and what becomes of the unprojected ones is the question.
"""
import collections
import typing

import tensorflow.compat.v1 as tf

from comhe_tf1.regularizers import energy
from comhe_tf1.regularizers import grouping
from comhe_tf1.regularizers import roles


class Energies(typing.NamedTuple):
  """Energy of a layer's neurons in full and in half space."""
  full: tf.Tensor
  half: tf.Tensor


def unprojected_energies(kernels, power='2'):
  """Energies of every layer, not projected, in full and in half space.

  Args:
    kernels: sequence of `roles.Kernel`.
    power: as `energy.full_space_energy`.

  Returns:
    Ordered dict, layer name -> `Energies` of scalar tensors, without weight.

  Raises:
    TypeError, ValueError: as `grouping.as_list`, `grouping.group_kernels` and
      `pair_energy.get_pair_energy`.

  >>> kernel = comhe_tf1.Kernel('fc', np.eye(2), comhe_tf1.HIDDEN)
  >>> evaluate(comhe_tf1.unprojected_energies([kernel])['fc'].full)
  0.5
  """
  kernels = grouping.as_list(kernels)
  energies = {}
  with tf.name_scope('energy_monitor'):
    for stack in grouping.group_kernels(kernels):
      count = len(stack.names)
      for name, full, half in zip(stack.names, *[
          tf.unstack(energy.energies(stack.neurons, space(power)), count)
          for space in (energy.full_space, energy.half_space)]):
        energies[name] = Energies(full, half)
  return collections.OrderedDict((kernel.name, energies[kernel.name])
                                 for kernel in kernels)


def kernels_from_checkpoint(arrays):
  """The kernels among a checkpoint's arrays: ordered dict, layer name -> array."""
  suffix = '/filter'
  return collections.OrderedDict((name[:-len(suffix)], value)
                                 for name, value in arrays.items()
                                 if name.endswith(suffix))


def energies_from_arrays(values, powers):
  """Energies of kernels that are there as arrays, computed in float64.

  Args:
    values: ordered dict, layer name -> array [..., N].
    powers: sequence of powers.

  Returns:
    Ordered dict, power -> (ordered dict, layer name -> `Energies` of floats).
  """
  with tf.Graph().as_default(), tf.Session() as session:
    # Fed, since a graph holds no more than 2 GiB of constants.
    kernels = [roles.Kernel(name, tf.placeholder(tf.float64, value.shape), roles.HIDDEN)
               for name, value in values.items()]
    return session.run(
        collections.OrderedDict((power, unprojected_energies(kernels, power))
                                for power in powers),
        {kernel.tensor: values[kernel.name] for kernel in kernels})
