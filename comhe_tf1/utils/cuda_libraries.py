"""CUDA libraries of Python packages that are there, but not found by who needs them."""
import ctypes
import glob
import importlib.machinery
import os

# Below the folder that TensorFlow is in, as pip installs them. TensorFlow 2.21 looks into
# a fixed list of folders, without cusolver's, and takes no GPU where one library is missing.
# cuDNN opens NVRTC by its name, and 9.3 looks for it in a folder that there is not.
_NOT_FOUND = (os.path.join('nvidia', 'cusolver', 'lib', 'libcusolver.so.*'),
              os.path.join('nvidia', 'cuda_nvrtc', 'lib', 'libnvrtc.so.*'))


def load():
  """Loads them, where they are: a library that is loaded is found by its name.

  Before TensorFlow first lists its devices; whether it is imported already does not matter.
  """
  tensorflow = importlib.machinery.PathFinder.find_spec('tensorflow')
  if tensorflow is None or tensorflow.origin is None:
    return
  packages = os.path.dirname(os.path.dirname(tensorflow.origin))
  for pattern in _NOT_FOUND:
    for path in glob.glob(os.path.join(glob.escape(packages), pattern)):
      try:
        ctypes.CDLL(path)
      except OSError:
        pass   # damaged, or without what it needs: then TensorFlow does not take it either
