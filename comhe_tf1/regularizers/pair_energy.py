"""The six energies of a pair of neurons, as functions of their cosine c.

With t = acos(c) / pi + 1e-4, the normalized angle:

  power  energy f(c)          half space, f(c) + f(-c)          y = 1 - c^2
  0      -log(2 - 2c)         -log(4 y)                         s = sqrt(y)
  1      (2 - 2c)^(-1/2)      sqrt(1 + s) / s                   q = t (T - t)
  2      (2 - 2c)^(-1)        1 / y                             T = 1 + 2e-4
  a0     -log t               -log q
  a1     t^(-1)               T / q
  a2     t^(-2)               (T^2 - 2 q) / q^2

Powers 0, 1, 2 are of the distance of the two neurons on the unit sphere, a0, a1,
a2 of their angle. The closed forms of the half space, in which a neuron and its
opposite count alike, are exact in real arithmetic and this project's.

Neurons that rounding cannot tell apart (or from each other's opposites) would have
infinite energies, or infinite slopes: the angle has one by the cosine at both ends.
Distances and angles are therefore raised to the smallest ones that the type can
tell from none (2 - 2c or 1 - c^2 to 2^-23 in float32, c to 1 - 2^-24), and such a
pair has the slope 0, the mean over the directions in which it can part. Everywhere
else values and slopes are those of the formulas. The original MHE code gives NaN.

Source: Liu et al., "Learning towards Minimum Hyperspherical Energy", NeurIPS 2018,
section 3; the floor 1e-4 under the angle as in its authors' code.
"""
import collections
import typing

import numpy as np
import tensorflow.compat.v1 as tf

ANGLE_FLOOR = 1e-4
_WHOLE = 1. + 2. * ANGLE_FLOOR   # t(c) + t(-c)


class PairEnergy(typing.NamedTuple):
  """The energy of a pair for one power.

  full, half: functions of cosines, a tensor of any shape, that return f(c), or f(c) +
  f(-c), and its slope by c, tensors of that shape.
  """
  full: typing.Callable
  half: typing.Callable


def _resolution(cosine):
  return np.finfo(cosine.dtype.as_numpy_dtype).eps


def _inverse(distances):
  """1 / distances, and the same with 0 where rounding leaves no distance."""
  resolution = _resolution(distances)
  inverse = tf.reciprocal(tf.maximum(distances, resolution))
  return inverse, tf.where(distances > resolution / 2., inverse,
                           tf.zeros_like(inverse))


def _on_distance(function):
  """f and f' from a function of 1 / (2 - 2c), bounded and with slopes masked."""
  return lambda cosine: function(*_inverse(2. - 2. * cosine))


def _on_both_distances(function):
  """f(c) + f(-c) and its slope, from a function of c and 1 / (1 - c^2)."""
  return lambda cosine: function(cosine, *_inverse(1. - tf.square(cosine)))


def _half_1(cosine, inverse, sloped):
  s = tf.rsqrt(inverse)
  root = tf.sqrt(1. + s)
  return root / s, cosine * sloped * (1. + s / 2.) / (s * root)


def angle(cosine):
  """The angle in radians and its slope by the cosine, bounded as described above.

  Args:
    cosine: float32 or float64 tensor.

  Returns:
    acos(c) and -1 / sqrt(1 - c^2), 0 where rounding leaves no angle.
  """
  limit = 1. - _resolution(cosine) / 2.
  clipped = tf.clip_by_value(cosine, -limit, limit)
  # Not 1 - c^2, whose square loses the digits that near 1 are all there is.
  slope = -tf.rsqrt((1. - clipped) * (1. + clipped))
  return tf.acos(clipped), tf.where(tf.abs(cosine) <= limit, slope,
                                    tf.zeros_like(slope))


def _normalized_angle(cosine):
  """t and dt/dc."""
  radians, slope = angle(cosine)
  return radians / np.pi + ANGLE_FLOOR, slope / np.pi


def _on_angle(function):
  """f and f' from a function of 1 / t that returns f and df/dt."""
  def on_cosine(cosine):
    t, t_slope = _normalized_angle(cosine)
    value, slope = function(1. / t)
    return value, slope * t_slope
  return on_cosine


def _on_both_angles(function):
  """f(c) + f(-c) and its slope, from a function of 1 / q: it and its d/dq."""
  def on_cosine(cosine):
    t, t_slope = _normalized_angle(cosine)
    value, slope = function(1. / (t * (_WHOLE - t)))
    return value, slope * (_WHOLE - 2. * t) * t_slope
  return on_cosine


_PAIRS = collections.OrderedDict([
    ('0', PairEnergy(
        _on_distance(lambda inverse, sloped: (tf.log(inverse), 2. * sloped)),
        _on_both_distances(lambda c, inverse, sloped: (
            tf.log(inverse / 4.), 2. * c * sloped)))),
    ('1', PairEnergy(
        _on_distance(lambda inverse, sloped: (
            tf.sqrt(inverse), sloped * tf.sqrt(inverse))),
        _on_both_distances(_half_1))),
    ('2', PairEnergy(
        _on_distance(lambda inverse, sloped: (inverse, 2. * tf.square(sloped))),
        _on_both_distances(lambda c, inverse, sloped: (
            inverse, 2. * c * tf.square(sloped))))),
    ('a0', PairEnergy(
        _on_angle(lambda inverse: (tf.log(inverse), -inverse)),
        _on_both_angles(lambda inverse: (tf.log(inverse), -inverse)))),
    ('a1', PairEnergy(
        _on_angle(lambda inverse: (inverse, -tf.square(inverse))),
        _on_both_angles(lambda inverse: (
            _WHOLE * inverse, -_WHOLE * tf.square(inverse))))),
    ('a2', PairEnergy(
        _on_angle(lambda inverse: (
            tf.square(inverse), -2. * inverse * tf.square(inverse))),
        _on_both_angles(lambda inverse: (
            inverse * (_WHOLE ** 2 * inverse - 2.),
            -2. * tf.square(inverse) * (_WHOLE ** 2 * inverse - 1.))))),
])


def get_pair_energy(power):
  """The pair energy of a power.

  Args:
    power: one of '0', '1', '2', 'a0', 'a1', 'a2'; 0, 1 and 2 also as numbers.

  Returns:
    `PairEnergy`.

  Raises:
    ValueError: another power.

  >>> energies, slopes = pair_energy.get_pair_energy('2').full(tf.constant([0., 0.5]))
  >>> evaluate(energies), evaluate(slopes)
  ([0.5, 1.0], [0.5, 2.0])
  """
  if str(power) not in _PAIRS:
    raise ValueError(f"power must be one of {', '.join(_PAIRS)}, got {power!r}")
  return _PAIRS[str(power)]
