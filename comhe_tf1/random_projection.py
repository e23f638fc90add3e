"""Random-projection CoMHE, see `projection.random_projection_energy`."""
import tensorflow.compat.v1 as tf

from comhe_tf1 import methods
from comhe_tf1 import projection
from comhe_tf1 import regularizer


class RandomProjection(regularizer.Energy):
  """E_h averaged over fresh Gaussian projections, drawn anew at every step.

  The op seed of projection i of a layer is c_in + i, as the original: layers of
  equal c_in and d draw identical matrices at every step, and draw them once here.

  Args:
    pd: dimension projected to.
    pn: number of projections of each layer.
    pnd: if positive, a layer of c_out neurons has c_out // pnd projections
      instead of pn.
    power, energy_weight, output_energy_weight: see `methods`.
  """
  name = 'random'
  _over_projections = staticmethod(tf.reduce_mean)

  def projections(self, neurons):
    """Number of projections of a layer of `neurons` neurons.

    Raises:
      methods.SettingError: pnd exceeds the number of neurons, which leaves none.
    """
    pnd = self.settings['pnd']
    if not pnd:
      return self.settings['pn']
    if pnd > neurons:
      raise methods.SettingError(
          'pnd must be at most %d, the neurons of the smallest projected layer, got %d'
          % (neurons, pnd))
    return neurons // pnd

  def _hidden(self, hidden, learning_rate, op_seed_of):
    # Reproducible draws want the graph's seed set before; the op seeds are fixed.
    del learning_rate, op_seed_of
    draws, drawn = {}, {}

    def draw(*key):
      if key not in draws:
        draws[key] = projection.gaussian_projection(self.settings['pd'], *key)
      return draws[key]

    def terms(stack):
      _, d, neurons = stack.neurons.shape.as_list()
      key = stack.c_in, d, stack.neurons.dtype, self.projections(neurons)
      if key not in drawn:
        drawn[key] = tf.stack([draw(d, stack.c_in + i, stack.neurons.dtype)
                               for i in range(key[-1])])
      return self._over_projections(projection.random_projection_energies(
          stack.neurons, drawn[key], self.power), axis=-1)

    smallest = min(hidden, key=lambda stack: stack.neurons.shape.as_list()[-1],
                   default=None)
    if smallest:
      self.projections(smallest.neurons.shape.as_list()[-1])
    return regularizer.Computed([terms(stack) for stack in hidden], None,
                                tf.group(*draws.values()) if draws else None)


class MaximumOverRandomProjections(RandomProjection):
  """As `RandomProjection`, with the maximum over the projections for the mean."""
  name = 'random_max'
  _over_projections = staticmethod(tf.reduce_max)
