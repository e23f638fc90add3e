"""Which layers of a model read its input, and which give its output, by its graph.

A layer gives the output if no other kernel and no normalization lies between: the features
that a network without its top puts out are no classes.
"""
import typing

_INPUT = -1   # stands for the model's input among the sources of a step


class Step(typing.NamedTuple):
  """A call of a layer: the layer, and the steps whose results it reads."""
  layer: typing.Any
  sources: frozenset


def ends(model, has_kernel, has_weights):
  """The layers at both ends of a model.

  Args:
    model: of Keras.
    has_kernel, has_weights: functions of a layer, its sub-layers included.

  Returns:
    Pair of sets of ids of layers, or None if the model has no graph.
  """
  if not is_graph(model):
    return None
  steps = []
  results = _inline(model, [frozenset([_INPUT])] * len(_flat(model.inputs)), steps)
  first, last, open_before = set(), set(), []
  for step in steps:
    opened = any(source == _INPUT or (open_before[source]
                                      and not has_kernel(steps[source].layer))
                 for source in step.sources)
    open_before.append(opened)
    if opened and has_kernel(step.layer):
      first.add(id(step.layer))
  left, seen = [source for result in results for source in result], {_INPUT}
  while left:
    place = left.pop()
    if place in seen:
      continue
    seen.add(place)
    if has_kernel(steps[place].layer):
      last.add(id(steps[place].layer))
    elif not has_weights(steps[place].layer):
      left += steps[place].sources
  return first, last


def is_graph(model):
  """Whether a layer is a model whose inside is a graph: functional or sequential."""
  return bool(getattr(model, 'layers', None) and getattr(model, 'inputs', None)
              and all(hasattr(each, '_keras_history')
                      for each in _flat(getattr(model, 'outputs', None))))


def _flat(nested):
  if isinstance(nested, dict):
    nested = list(nested.values())
  if isinstance(nested, (list, tuple)):
    return [leaf for each in nested for leaf in _flat(each)]
  return [] if nested is None else [nested]


def _key(tensor):
  layer, node, index = tensor._keras_history[:3]
  return id(layer), node, index


def _inputs_of(tensor):
  layer, place, _ = tensor._keras_history[:3]
  if type(layer).__name__ == 'InputLayer':
    return []
  node = layer._inbound_nodes[place]
  return _flat(node.keras_inputs if hasattr(node, 'keras_inputs') else node.input_tensors)


def _inline(model, given, steps):
  """Appends the steps of a model, those of models within included, sources first.

  Args:
    given: list of sets of steps, one for each of its inputs.

  Returns:
    Likewise for its outputs.
  """
  outputs = _flat(model.outputs)
  made = {_key(tensor): sources for tensor, sources in zip(_flat(model.inputs), given)}
  within, left = {}, outputs[::-1]
  while left:   # no recursion: networks are deeper than Python's stack
    tensor = left[-1]
    inputs = _inputs_of(tensor)
    missing = [each for each in inputs if _key(each) not in made]
    if _key(tensor) in made or not missing:
      left.pop()
      if _key(tensor) not in made:
        made[_key(tensor)] = _result(tensor, [made[_key(each)] for each in inputs],
                                     within, steps)
    else:
      left += missing
  return [made[_key(tensor)] for tensor in outputs]


def _result(tensor, sources, within, steps):
  """The steps that a tensor is the result of; a call's are appended at its first."""
  layer, node, index = tensor._keras_history[:3]
  if not sources:
    return frozenset([_INPUT])
  call = id(layer), node
  if call not in within:
    if is_graph(layer) and len(_flat(layer.inputs)) == len(sources):
      within[call] = _inline(layer, sources, steps)
    else:
      steps.append(Step(layer, frozenset().union(*sources)))
      within[call] = len(steps) - 1
  found = within[call]
  return found[index] if isinstance(found, list) else frozenset([found])
