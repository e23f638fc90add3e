"""Deliberately slow NumPy versions of what the package computes."""
import itertools

import numpy as np


def cosines(w):
  """From neurons [d, N], one entry at a time."""
  count = w.shape[1]
  norms = [np.sqrt(np.sum(w[:, i] ** 2) + 1e-4) for i in range(count)]
  return np.array([[np.dot(w[:, i], w[:, j]) / (norms[i] * norms[j])
                    for j in range(count)] for i in range(count)])


def full_space_energy(w):
  cosine = cosines(w)
  return np.mean([1. / (2. - 2. * cosine[i, j])
                  for i, j in itertools.combinations(range(w.shape[1]), 2)])


def half_space_energy(w):
  return full_space_energy(np.concatenate([w, -w], axis=1))


def random_projection_energy(w, projections):
  return np.mean([half_space_energy(np.dot(p, w)) for p in projections])


def angle_distortion(p, w):
  return np.sqrt(np.sum((cosines(np.dot(p, w)) - cosines(w)) ** 2))


def projected_energy(p, w):
  return full_space_energy(np.dot(p, w))


def gradient(function, x, step=1e-6):
  """Central differences of a scalar function of an array."""
  slopes = np.zeros_like(x)
  for index in np.ndindex(*x.shape):
    there, back = x.copy(), x.copy()
    there[index] += step
    back[index] -= step
    slopes[index] = (function(there) - function(back)) / (2. * step)
  return slopes
