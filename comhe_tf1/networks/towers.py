"""Towers: devices that each compute their part of every batch, within one graph."""
import contextlib

import tensorflow.compat.v1 as tf


class Towers:
  """How a batch is spread over devices.

  Everything else has its place on the first device: variables, input, regularizer,
  statistics of the whole batch, sums of gradients, the update.

  Args:
    devices: names of devices, one a tower; none for a single tower that TensorFlow
      places, which adds nothing to a graph.
    own_statistics: whether batch norm takes the statistics of each tower's part, not
      those of the whole batch: another experiment than training on one device.
  """

  def __init__(self, devices=(), own_statistics=False):
    self._devices = list(devices) or [None]
    self.own_statistics = own_statistics

  def __len__(self):
    return len(self._devices)

  def first(self):
    """Context in which operations are placed on the first device."""
    return _on(self._devices[0])

  def split(self, batch):
    """The towers' parts of a batch: equal ones, in its order.

    Args:
      batch: tensor whose first dimension the number of towers divides.

    Returns:
      List of tensors, one per tower. A session raises InvalidArgumentError where the
      batch does not divide.
    """
    return tf.split(batch, len(self)) if len(self) > 1 else [batch]

  def each(self, function, *parts):
    """Calls a function in every tower.

    Args:
      function: takes a part of each of `parts`, makes its operations.
      *parts: lists of one item per tower.

    Returns:
      List of its results, one per tower.
    """
    results = []
    for device, part in zip(self._devices, zip(*parts)):
      with _on(device):
        results.append(function(*part))
    return results

  @staticmethod
  def mean(values):
    """Mean of a list of tensors of one shape, one per tower."""
    return values[0] if len(values) == 1 else tf.add_n(values) / len(values)


def _on(device):
  """Context of a device; of None the one around it, which tf.device(None) would end."""
  return contextlib.ExitStack() if device is None else tf.device(device)


ONE = Towers()   # the usual: one device, TensorFlow's choice
