"""Which layers of a model read its input, and which give its output, by its graph.

A layer gives the output if no other kernel and no normalization lies between: the features
that a network without its top puts out are no classes.
"""


def ends(model, has_kernel, has_weights):
  """The layers at both ends of a model.

  Args:
    model: of Keras.
    has_kernel, has_weights: functions of a layer, its sub-layers included.

  Returns:
    Pair of sets of ids of layers, or None if the model has no graph.
  """
  if not _is_graph(model):
    return None

  def walk(model, reached, forward, passes, found):
    """Adds to the tensors reached: from the inputs on, or from the outputs back."""
    for layer, sources, results in _calls(model)[::1 if forward else -1]:
      near, far = (sources, results) if forward else (results, sources)
      if _is_within(layer, sources):
        ends_within = _keys(layer.inputs), _keys(layer.outputs)
        near_within, far_within = ends_within if forward else ends_within[::-1]
        inside = walk(layer, {inner for inner, outer in zip(near_within, near)
                              if outer in reached}, forward, passes, found)
        reached |= {outer for inner, outer in zip(far_within, far) if inner in inside}
      elif reached & set(near):
        if has_kernel(layer):
          found.add(id(layer))
        elif passes(layer):
          reached |= set(far)
    return reached

  first, last = set(), set()
  walk(model, set(_keys(model.inputs)), True, lambda layer: True, first)
  walk(model, set(_keys(model.outputs)), False, lambda layer: not has_weights(layer), last)
  return first, last


def _graph_of(model):
  """The functional model that a model is or, of a Sequential of Keras 3, has."""
  return getattr(model, '_functional', None) or model


def _is_graph(model):
  return hasattr(_graph_of(model), '_nodes_by_depth')


def _is_within(layer, sources):
  return _is_graph(layer) and len(_flat(layer.inputs)) == len(sources)


def _calls(model):
  """A model's calls of layers, from its inputs on: layer, keys of what it reads and gives."""
  calls = []
  for _, nodes in sorted(_graph_of(model)._nodes_by_depth.items(), reverse=True):
    for node in nodes:
      layer = getattr(node, 'operation', None) or node.outbound_layer   # Keras 3, or 2
      if type(layer).__name__ != 'InputLayer':
        calls.append((layer, _keys(node.keras_inputs if hasattr(node, 'keras_inputs')
                                   else node.input_tensors), _keys(node.output_tensors)))
  return calls


def _flat(nested):
  if isinstance(nested, dict):
    nested = [nested[key] for key in sorted(nested)]   # as Keras flattens them
  if isinstance(nested, (list, tuple)):
    return [leaf for each in nested for leaf in _flat(each)]
  return [] if nested is None else [nested]


def _keys(tensors):
  return [(id(layer), node, index) for layer, node, index in (
      each._keras_history[:3] for each in _flat(tensors))]
