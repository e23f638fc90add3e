"""CoMHE in TensorFlow's graph mode.

The energies work on any kernel tensor, in any graph or eagerly; the regularisers
on the kernels of any network. What is named below is imported when it is first
asked for, since TensorFlow takes seconds to import.
"""
import importlib
import sys
import types

__version__ = '0.1.0'

_HOMES = {name: module for module, names in {
    'architectures': ['cnn', 'resnet32'],
    'diagnosis': ['unprojected_energies'],
    'energy': ['as_neurons', 'cosines', 'full_space_energy', 'half_space_energy'],
    'kernels': ['FIRST', 'HIDDEN', 'Kernel', 'OUTPUT'],
    'loss': ['classification_loss', 'weight_decay'],
    'methods': ['METHODS', 'SettingError', 'create'],
    'network': ['Network'],
    'op_seeds': ['original_op_seeds'],
    'projection': ['angle_distortion', 'descend', 'gaussian_projection', 'projected_step',
                   'random_projection_energy', 'squared_angle_distortion'],
    'random_projection': ['MaximumOverRandomProjections', 'RandomProjection'],
    'regularizer': ['FullSpace', 'Group', 'HalfSpace', 'Nothing', 'Orthogonal',
                    'SpectralIsometry', 'Terms'],
    'trained_projection': ['AdversarialProjection', 'AlternatingAngleProjection',
                           'AngleProjection'],
}.items() for name in names}


class _Package(types.ModuleType):
  """Python 3.6 knows no function `__getattr__` of a module, but its class may have it."""

  def __getattr__(self, name):
    if name not in _HOMES:
      raise AttributeError('module %r has no attribute %r' % (__name__, name))
    return getattr(importlib.import_module('comhe_tf1.' + _HOMES[name]), name)

  def __dir__(self):
    return sorted(set(super(_Package, self).__dir__()) | set(_HOMES))


sys.modules[__name__].__class__ = _Package
