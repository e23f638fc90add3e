"""The sum of the energies of all layers but the last over the training.

The CoMHE authors plot this curve, see `published_runs.ENERGIES`.
"""
from comhe_tf1.published import published_runs
from comhe_tf1.records import recorded_run

LAST = 'score'   # the last layer of every network here


def but_last(layers):
  """Sums the energies of all layers but the last.

  Args:
    layers: dict from layer to `recorded_run.Curve`, one kind of energy of
      `recorded_run.layer_energies`.

  Returns:
    Pair of the sum, a `recorded_run.Curve` at the steps that all layers have, and the
    number of layers in it; or None if the last layer or all others are not recorded, or
    there is no such step.
  """
  curves = [dict(zip(curve.steps, curve.values))
            for layer, curve in layers.items() if layer != LAST]
  steps = sorted(set.intersection(*map(set, curves))) if LAST in layers and curves else []
  sums = [sum(curve[step] for curve in curves) for step in steps]
  return (recorded_run.Curve(steps, sums), len(curves)) if steps else None


def published_for(settings):
  """The `published_runs.EnergyCurve` of a run's method, or None.

  None too if network, data set or power are not the authors'; the width may differ.

  Args:
    settings: as `run_settings.get_settings`, or None.
  """
  wanted = dict(model='cnn9', depth=9, dataset='cifar100', power='2')
  if settings is None or any(settings.get(name, value) != value
                             for name, value in wanted.items()):
    return None
  return published_runs.ENERGIES.get(str(settings.get('regularizer')))
