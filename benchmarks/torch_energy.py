"""Energies of neurons as one would write them in PyTorch, cosines and all at once.

Formulas, and arguments [..., d, N], as `comhe_tf1.regularizers.energy` has them for
power 2.
"""
import functools

import torch

NORM_FLOOR = 1e-4


@functools.lru_cache(maxsize=None)
def itself(count):
  """Mask [N, N] of each neuron's pair with itself."""
  return torch.eye(count, dtype=torch.bool)


def cosines(neurons):
  """Cosines [..., N, N]."""
  unit = neurons * torch.rsqrt(neurons.square().sum(-2, keepdim=True) + NORM_FLOOR)
  return unit.transpose(-2, -1) @ unit


def _reciprocals(distances):
  """Their sums [...]. Not 1 / x, which multiplies the reciprocals by 1 once more."""
  return distances.reciprocal().sum((-2, -1))


def half_space(neurons):
  """Half-space energies [...]."""
  count = neurons.shape[-1]
  cosine = cosines(neurons)
  own = torch.diagonal(cosine, dim1=-2, dim2=-1)
  # On the diagonal 1 / (1 - 0), taken off again.
  pairs = _reciprocals(1. - cosine.masked_fill(itself(count), 0.).square()) - count
  return (pairs + (2. + 2. * own).reciprocal().sum(-1)) / (count * (2. * count - 1.))


def full_space(neurons):
  """Full-space energies [...]."""
  count = neurons.shape[-1]
  # On the diagonal 1 / 2, taken off again.
  pairs = _reciprocals(
      2. - 2. * cosines(neurons).masked_fill(itself(count), 0.)) - count / 2.
  return pairs / (count * (count - 1.))
