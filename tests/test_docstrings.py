"""The examples in docstrings: those of all that the package exports, and the energies."""
import doctest

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import comhe_tf1
from comhe_tf1.regularizers import energy
from comhe_tf1.regularizers import orthogonality
from comhe_tf1.regularizers import pair_energy
from comhe_tf1.regularizers import similarity

# What has no docstring of its own, and what docs/library.md has the examples of.
WITHOUT = {'FIRST', 'HIDDEN', 'METHODS', 'OUTPUT',
           'Regularization', 'regularize', 'unregularize'}
OTHERS = [energy.energies, orthogonality.distance, orthogonality.spectral_distance,
          pair_energy.get_pair_energy, similarity.from_cosines, similarity.l2_normalize]


def evaluate(tensor):
  """A tensor of the default graph as numbers, rounded to four decimals."""
  with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    return (np.round(np.asarray(session.run(tensor), 'float64'), 4) + 0.).tolist()


@pytest.mark.parametrize('documented', [
    getattr(comhe_tf1, name) for name in sorted(set(comhe_tf1.__all__) - WITHOUT)] + OTHERS,
    ids=lambda documented: documented.__name__)
def test_examples(documented):
  names = {'comhe_tf1': comhe_tf1, 'np': np, 'tf': tf, 'evaluate': evaluate,
           'energy': energy, 'orthogonality': orthogonality, 'pair_energy': pair_energy,
           'similarity': similarity}
  example = doctest.DocTestParser().get_doctest(
      documented.__doc__, names, documented.__name__, None, None)
  assert example.examples
  with tf.Graph().as_default():
    assert doctest.DocTestRunner().run(example).failed == 0
