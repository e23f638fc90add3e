"""What a session has learnt, taken out of it and given back."""
import numpy as np
import tensorflow.compat.v1 as tf

from comhe_tf1.records import checkpoints
from comhe_tf1.training import loop


def state(session):
  """Values of all variables of the session's graph: dict from name to array.

  Raises:
    loop.NonFiniteError: one of them is NaN or infinite.
  """
  values = session.run({variable.op.name: variable for variable in _variables(session)})
  for name, value in sorted(values.items()):
    if not np.isfinite(value).all():
      raise loop.NonFiniteError('variable %s is not finite any more; try a smaller '
                           '--base_lr' % name)
  return values


def restore(session, values, path):
  """Gives all variables of the session's graph the values of `state`.

  Args:
    session: its graph may have fewer variables than the values are of.
    values: dict from name to array.
    path: where they come from, for messages.

  Raises:
    checkpoints.CheckpointError: a value is missing or has another shape.
  """
  variables = _variables(session)
  for variable in variables:
    name, shape = variable.op.name, variable.shape.as_list()
    if name not in values or list(values[name].shape) != shape:
      raise checkpoints.CheckpointError('checkpoint %s holds no %s of shape %s'
                                        % (path, name, shape))
  # Through the initializers: restoring adds nothing to the graph.
  session.run([variable.initializer for variable in variables],
              {variable.initializer.inputs[1]: values[variable.op.name]
               for variable in variables})


def _variables(session):
  return session.graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)
