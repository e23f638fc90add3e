"""Every Keras loads a saved `KernelRegularizer`, whichever is imported first.

Imports neither TensorFlow nor a Keras.
"""
import importlib
import sys

# What a file may call it: Keras 3 after its package, tf_keras and Keras 2 not always.
NAMES = 'comhe_tf1>KernelRegularizer', 'KernelRegularizer'


class SavedRegularizer:
  """Stands for the class until a model that has one is loaded."""

  @staticmethod
  def from_config(config):
    layer = importlib.import_module('comhe_tf1.regularizers.layer')
    return layer.KernelRegularizer.from_config(config)


def _tell(keras):
  for name in NAMES:
    keras.utils.get_custom_objects().setdefault(name, SavedRegularizer)


def _tell_tensorflow(tensorflow):
  # The Keras of TensorFlow 2 is one of the other two packages.
  if tensorflow.__version__.startswith('1.'):
    _tell(tensorflow.keras)


_KERASES = {'keras': _tell, 'tf_keras': _tell, 'tensorflow': _tell_tensorflow}


class _Finder:
  """Tells a Keras at the end of its import."""

  @classmethod
  def find_spec(cls, name, path=None, target=None):
    if name not in _KERASES:
      return None
    others = (finder.find_spec(name, path, target) for finder in sys.meta_path
              if finder is not cls and hasattr(finder, 'find_spec'))
    spec = next(filter(None, others), None)
    if spec is not None and spec.loader is not None:
      execute = spec.loader.exec_module

      def execute_and_tell(module):
        execute(module)
        _KERASES[name](module)

      spec.loader.exec_module = execute_and_tell
    return spec


def register():
  """Tells the Kerases that are imported already, and those that will be."""
  for name, tell in _KERASES.items():
    if name in sys.modules:
      tell(sys.modules[name])
  sys.meta_path.insert(0, _Finder)
