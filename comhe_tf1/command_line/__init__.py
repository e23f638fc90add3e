"""What the commands share: flags, the terminal, signals, how TensorFlow is started.

Says first of all what is missing.
"""
import sys

try:
  import numpy  # noqa: F401
except ImportError as problem:
  sys.exit('error: %s; install what is needed with pip install -r requirements.txt'
           % problem)
