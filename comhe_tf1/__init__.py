"""CoMHE in TensorFlow's graph mode.

The energies work on any kernel tensor, in any graph or eagerly; the regularizers
on the kernels of any network. What is named below is imported when it is first
asked for, since TensorFlow takes seconds to import. The CUDA libraries that TensorFlow
does not find by itself are loaded at once.

In the examples `np` is NumPy, `tf` is tensorflow.compat.v1, and `evaluate` runs a tensor
in a session: numbers, rounded to four decimals.
"""
import importlib
import sys
import types

from comhe_tf1.regularizers import registration
from comhe_tf1.utils import cuda_libraries

__version__ = '0.1.0'

_HOMES = {name: module for module, names in {
    'keras.regularize': ['Regularization', 'regularize', 'unregularize'],
    'networks.architectures': ['cnn', 'resnet32'],
    'regularizers.axes': ['neurons_last'],
    'regularizers.energy_monitor': ['unprojected_energies'],
    'regularizers.energy': ['as_neurons', 'full_space_energy', 'half_space_energy'],
    'regularizers.roles': ['FIRST', 'HIDDEN', 'Kernel', 'OUTPUT'],
    'regularizers.layer': ['KernelRegularizer', 'kernel_regularizer'],
    'training.loss': ['classification_loss', 'weight_decay'],
    'regularizers.methods': ['METHODS', 'SettingError', 'create'],
    'networks.network': ['Network'],
    'networks.op_seeds': ['original_op_seeds'],
    'regularizers.projection': [
        'angle_distortion', 'descend', 'gaussian_projection', 'projected_step',
        'random_projection_energy', 'squared_angle_distortion'],
    'regularizers.random_projection': ['MaximumOverRandomProjections',
                                       'RandomProjection'],
    'regularizers.base': ['FullSpace', 'Group', 'HalfSpace', 'Nothing', 'Orthogonal',
                          'SpectralIsometry', 'Terms'],
    'regularizers.similarity': ['cosines'],
    'regularizers.trained_projection': [
        'AdversarialProjection', 'AlternatingAngleProjection', 'AngleProjection'],
}.items() for name in names}
__all__ = list(_HOMES)


class _Package(types.ModuleType):
  """Python 3.6 knows no function `__getattr__` of a module, but its class may have it."""

  def __getattr__(self, name):
    if name not in _HOMES:
      raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    try:
      return getattr(importlib.import_module('comhe_tf1.' + _HOMES[name]), name)
    except ImportError as error:
      if error.name != 'tensorflow':
        raise
      raise ImportError('comhe_tf1 needs TensorFlow, and there is none: pip install '
                        'tensorflow, or tensorflow-cpu') from None

  def __dir__(self):
    return sorted(set(super().__dir__()) | set(_HOMES))

  def __reduce__(self):
    return importlib.import_module, (__name__,)


sys.modules[__name__].__class__ = _Package
cuda_libraries.load()
registration.register()
