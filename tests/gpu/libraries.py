"""Whether TensorFlow's loader opens all GPU libraries, and each that pip brought opens.

    python tests/gpu/libraries.py [MODULE]    with the Python whose packages are asked about

MODULE is imported first. Needs no GPU and no driver. TensorFlow's functions are called by
their names in its library, which has no other way to be asked. Exit status 1 if TensorFlow
would take no GPU, or a library does not open.
"""
import ctypes
import glob
import importlib
import os
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
for name in sys.argv[1:]:
  importlib.import_module(name)
import tensorflow

FOLDER = os.path.dirname(tensorflow.__file__)
LIBRARIES = ('CudaRuntime', 'Cublas', 'CublasLt', 'Cufft', 'Cusolver', 'Cusparse', 'Cudnn',
             'Cupti', 'Nccl')
framework = ctypes.CDLL(os.path.join(FOLDER, 'libtensorflow_framework.so.2'))


def is_ok(function):
  """Calls `absl::Status f()` or `absl::StatusOr<void*> f()`: the first word is 1 for OK."""
  result = (ctypes.c_uint64 * 8)()
  called = getattr(framework, f'_ZN3tsl8internal9DsoLoader{len(function)}{function}Ev')
  called.restype, called.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
  called(ctypes.addressof(result))
  return result[0] == 1


def opens(path):
  try:
    ctypes.CDLL(path)
  except OSError as error:
    print(error)
    return False
  return True


def main():
  missing = [name for name in LIBRARIES if not is_ok(f'Get{name}DsoHandle')]
  print('TensorFlow %s finds %d of %d libraries%s' % (
      tensorflow.__version__, len(LIBRARIES) - len(missing), len(LIBRARIES),
      ''.join('; not ' + name for name in missing)))
  takes = is_ok('MaybeTryDlopenGPULibraries')
  print(f"TensorFlow would take {'GPUs' if takes else 'no GPU'}")
  # cuDNN looks for NVRTC by this name when it compiles.
  nvrtc = opens('libnvrtc.so.12')
  print(f"NVRTC is {'found' if nvrtc else 'not found'} by its name")
  paths = glob.glob(os.path.join(os.path.dirname(FOLDER), 'nvidia', '**', '*.so*'),
                    recursive=True)
  good = [path for path in paths if opens(path)]
  print(f'{len(good)} of {len(paths)} libraries below nvidia/ open')
  return not (takes and nvrtc and good and not missing and len(good) == len(paths))


if __name__ == '__main__':
  sys.exit(main())
