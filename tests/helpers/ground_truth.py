"""Deliberately slow NumPy versions of what the package computes."""
import itertools

import numpy as np


def cosines(w):
  """From neurons [d, N], one entry at a time."""
  count = w.shape[1]
  norms = [np.sqrt(np.sum(w[:, i] ** 2) + 1e-4) for i in range(count)]
  return np.array([[np.dot(w[:, i], w[:, j]) / (norms[i] * norms[j])
                    for j in range(count)] for i in range(count)])


def _normalized_angle(cosine):
  return np.arccos(cosine) / np.pi + 1e-4


PAIRS = {
    '0': lambda cosine: -np.log(2. - 2. * cosine),
    '1': lambda cosine: (2. - 2. * cosine) ** -0.5,
    '2': lambda cosine: 1. / (2. - 2. * cosine),
    'a0': lambda cosine: -np.log(_normalized_angle(cosine)),
    'a1': lambda cosine: _normalized_angle(cosine) ** -1.,
    'a2': lambda cosine: _normalized_angle(cosine) ** -2.}


def full_space_energy(w, power='2'):
  cosine = cosines(w)
  return np.mean([PAIRS[power](cosine[i, j])
                  for i, j in itertools.combinations(range(w.shape[1]), 2)])


def half_space_energy(w, power='2'):
  return full_space_energy(np.concatenate([w, -w], axis=1), power)


def random_projection_energies(w, projections, power='2'):
  return [half_space_energy(np.dot(p, w), power) for p in projections]


def random_projection_energy(w, projections, power='2'):
  return np.mean(random_projection_energies(w, projections, power))


def group_energy(kernel, groups, power='2'):
  """Of a kernel [height, width, c_in, N] in groups of consecutive channels."""
  size = kernel.shape[2] // groups
  return np.mean([half_space_energy(
      kernel[:, :, g * size:(g + 1) * size].reshape(-1, kernel.shape[-1]), power)
                  for g in range(groups)])


def orthogonality(w):
  unit = np.stack([w[:, i] / np.sqrt(np.sum(w[:, i] ** 2) + 1e-4)
                   for i in range(w.shape[1])], axis=1)
  return np.sum((np.dot(unit.T, unit) - np.eye(w.shape[1])) ** 2)


def spectral_distance(w, start):
  a = np.dot(w.T, w) - np.eye(w.shape[1])
  u = np.dot(a, start)
  return np.linalg.norm(np.dot(a, u)) / np.linalg.norm(u)


def angle_distortion(p, w):
  return np.sqrt(np.sum((cosines(np.dot(p, w)) - cosines(w)) ** 2))


def squared_angle_distortion(p, w):
  before, after = np.arccos(cosines(w)), np.arccos(cosines(np.dot(p, w)))
  return sum((before[i, j] - after[i, j]) ** 2
             for i, j in itertools.combinations(range(w.shape[1]), 2))


def projected_energy(p, w, power='2'):
  return full_space_energy(np.dot(p, w), power)


def gradient(function, x, step=1e-6):
  """Central differences of a scalar function of an array."""
  slopes = np.zeros_like(x)
  for index in np.ndindex(*x.shape):
    there, back = x.copy(), x.copy()
    there[index] += step
    back[index] -= step
    slopes[index] = (function(there) - function(back)) / (2. * step)
  return slopes
