"""Random-projection CoMHE, see `projection.random_projection_energy`."""
import tensorflow.compat.v1 as tf

from comhe_tf1.regularizers import base
from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import projection


class RandomProjection(base.Energy):
  """E_h averaged over fresh Gaussian projections, drawn anew at every step.

  The op seed of projection i of a layer is c_in + i, as the original: layers of
  equal c_in and d draw identical matrices at every step, and draw them once here.

  Args:
    pd: dimension projected to.
    pn: number of projections of each layer.
    pnd: if positive, a layer of c_out neurons has c_out // pnd projections
      instead of pn.
    power, energy_weight, output_energy_weight: see `methods`.

  >>> kernel = comhe_tf1.Kernel('fc', np.eye(2), comhe_tf1.HIDDEN)
  >>> terms = comhe_tf1.RandomProjection(pd=2, pn=5)([kernel])
  >>> evaluate(terms.loss) > 0.
  True
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
    smallest = min(hidden, key=lambda stack: stack.neurons.shape.as_list()[-1],
                   default=None)
    if smallest:
      self.projections(smallest.neurons.shape.as_list()[-1])
    # Layers of one op seed and shape draw the same numbers: they are drawn once.
    draws, stacked, energies = {}, {}, []
    reduced = self.settings['draw'] == 'reduced'
    projected_energies = (projection.reduced_projection_energies if reduced
                          else projection.random_projection_energies)
    for stack in hidden:
      _, d, neurons = stack.neurons.shape.as_list()
      pn, width = self.projections(neurons), neurons if reduced else d
      keys = tuple((width, stack.neurons.dtype, stack.c_in + i) for i in range(pn))
      # The seeds c_in + i of layers overlap: only what no layer before has is new.
      new = [key for key in keys if key not in draws]
      if new:
        draws.update(zip(new, self.normal(
            [self.settings['pd'], width], stack.neurons.dtype,
            [op_seed for _, _, op_seed in new])))
      if keys not in stacked:
        stacked[keys] = tf.stack([draws[key] for key in keys])
      energies.append(self._over_projections(
          projected_energies(stack.neurons, stacked[keys], self.power), axis=-1))
    return energies, None


class MaximumOverRandomProjections(RandomProjection):
  """As `RandomProjection`, with the maximum over the projections for the mean.

  >>> comhe_tf1.MaximumOverRandomProjections(pnd=16).projections(neurons=64)
  4
  """
  name = 'random_max'
  _over_projections = staticmethod(tf.reduce_max)
