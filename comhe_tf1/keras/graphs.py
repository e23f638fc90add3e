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
  first, last = set(), set()

  def forward(model, opened):
    """Adds to the tensors that no kernel lies before, from those of the inputs on."""
    for layer, sources, results in _calls(model):
      if _is_within(layer, sources):
        reached = forward(layer, {inner for inner, source in zip(
            _keys(layer.inputs), sources) if source in opened})
        opened |= {result for inner, result in zip(_keys(layer.outputs), results)
                   if inner in reached}
      elif opened & set(sources):
        if has_kernel(layer):
          first.add(id(layer))
        else:
          opened |= set(results)
    return opened

  def backward(model, read):
    """Adds to the tensors that no weights lie behind, from those of the outputs on."""
    for layer, sources, results in reversed(_calls(model)):
      if _is_within(layer, sources):
        reached = backward(layer, {inner for inner, result in zip(
            _keys(layer.outputs), results) if result in read})
        read |= {source for inner, source in zip(_keys(layer.inputs), sources)
                 if inner in reached}
      elif read & set(results):
        if has_kernel(layer):
          last.add(id(layer))
        elif not has_weights(layer):
          read |= set(sources)
    return read

  forward(model, set(_keys(model.inputs)))
  backward(model, set(_keys(model.outputs)))
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
