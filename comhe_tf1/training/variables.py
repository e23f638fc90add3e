"""What a session has learnt, taken out of it and given back."""
import numpy as np
import tensorflow.compat.v1 as tf

from comhe_tf1.networks import architectures
from comhe_tf1.records import checkpoint
from comhe_tf1.regularizers import streams
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


def restore(session, values, path, steps):
  """Gives all variables of the session's graph the values of `state`.

  Args:
    session: its graph may have fewer variables than the values are of.
    values: dict from name to array. Streams that it does not name, as in checkpoints
      of earlier versions, are set to where they stand after `steps`.
    path: where they come from, for messages.
    steps: number of steps done when the state was saved.

  Raises:
    checkpoint.CheckpointError: a value is missing or has another shape.
  """
  variables = _variables(session)
  values = dict(streams.positions(session, steps), **values)
  for variable in variables:
    name, shape = variable.op.name, variable.shape.as_list()
    if name not in values or list(values[name].shape) != shape:
      raise checkpoint.CheckpointError('checkpoint %s holds no %s of shape %s'
                                       % (path, name, shape))
  # Through the initialisers: restoring adds nothing to the graph.
  session.run([variable.initializer for variable in variables],
              {variable.initializer.inputs[1]: values[variable.op.name]
               for variable in variables})


def restore_network(session, network, values, path, steps):
  """As `restore`, of a checkpoint that says which network it is of.

  Args:
    network: dict of the arguments of `architectures.plan`.

  Raises:
    checkpoint.CheckpointError: also where fc6 was widened along with the stages, as
      this project did before.
  """
  fc6 = values.get('fc6/filter')
  if network['model'] == 'cnn9' and fc6 is not None and (
      fc6.shape[-1:] not in ((), (architectures.FC6,))):
    raise checkpoint.CheckpointError(
        '%s is of an earlier version, whose --width multiplied the filters of fc6 too: '
        '%d of them, now always %d. That is another network: train it anew'
        % (path, fc6.shape[-1], architectures.FC6))
  restore(session, values, path, steps)


def _variables(session):
  return session.graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)
