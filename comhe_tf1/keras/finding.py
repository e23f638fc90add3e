"""The kernels of a Keras model: their layouts and roles, and what is left out and why."""
import typing

import tensorflow.compat.v1 as tf

from comhe_tf1.keras import graphs
from comhe_tf1.keras import layouts
from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import roles
from comhe_tf1.regularizers import tensors

_FLOATS = ('float16', 'bfloat16', 'float32', 'float64')


class Found(typing.NamedTuple):
  """A kernel of a model.

  name: path of its layer, and the attribute where the layer has several; with a number
  where the model has the same path twice.
  layer: that holds it; variable: the kernel; layout: `layouts.Layout`.
  role: of `roles.ROLES`; given: whether the user has said so.
  """
  name: str
  layer: typing.Any
  variable: typing.Any
  layout: layouts.Layout
  role: str
  given: bool

  @property
  def names(self):
    """One for each set of neurons."""
    sets = self.layout.shape[0]
    return [self.name] if sets == 1 else [
        '%s[%d]' % (self.name, i) for i in range(sets)]

  def role_with(self, pd):
    """The role by which the term is taken.

    Neurons of no more than pd inputs are not projected, as those of the first layer are
    not; unless the user has called the kernel hidden. pd is None where nothing is projected.
    """
    few = pd is not None and self.layout.shape[1] <= pd
    return (roles.FIRST if self.role == roles.HIDDEN and not self.given and few
            else self.role)

  def neurons(self, dtype):
    """The neurons as they are now, tensor [sets, d, N]."""
    tensor, layout = tensors.as_tensor(self.variable), self.layout
    if tensor.dtype.base_dtype != dtype:
      tensor = tf.cast(tensor, dtype)
    if tuple(tensor.shape.as_list()) != layout.view:
      tensor = tf.reshape(tensor, layout.view)
    if layout.order != tuple(range(len(layout.view))):
      tensor = tf.transpose(tensor, layout.order)
    return tf.reshape(tensor, layout.shape)


class LeftOut(typing.NamedTuple):
  """What has no term: the name of a layer or kernel, and why."""
  name: str
  reason: str


def find(model, skip=(), given_roles=None, given_axes=None):
  """The kernels of a model in the order of its layers.

  Args:
    model: of Keras, built.
    skip: names of what gets no term.
    given_roles, given_axes: dicts from names to what is taken instead of what the graph
      and the layer's class say. A name is that of a kernel, of a layer, or of a layer or
      model that it lies in.

  Returns:
    List of `Found`, list of `LeftOut`.

  Raises:
    ValueError: a name fits nothing, a role is unknown, an axis is impossible, or there is
      no kernel at all.
  """
  given_roles, given_axes = dict(given_roles or {}), dict(given_axes or {})
  for name, role in given_roles.items():
    if role not in roles.ROLES:
      raise methods.SettingError('the role of %r must be one of %s, got %r' % (
          name, ', '.join(roles.ROLES), role))
  if isinstance(skip, str):
    skip = [skip]
  finder = _Finder(list(skip), given_roles, given_axes)
  finder.walk(model)
  finder.check_names()
  if not finder.found:
    left_out = ['%s (%s)' % each for each in finder.left_out]
    raise ValueError('the model %r has no kernel that could have a term%s' % (
        model.name, ': ' + '; '.join(left_out[:5]) if left_out else ''))
  return _with_roles(model, finder.found, finder.holders, given_roles), finder.left_out


def matching(names, path):
  """Those of the names that mean a kernel: its path, a part of it, or its beginning."""
  whole = '/'.join(path)
  parts = set(path) | {'/'.join(path[:end]) for end in range(1, len(path) + 1)}
  return [name for name in names if name in parts or name == whole]


def sub_layers(layer):
  """The layers directly within a layer."""
  if getattr(layer, 'layers', None):
    return list(layer.layers)
  if hasattr(layer, '_flatten_layers'):   # Keras 3, tf_keras
    return list(layer._flatten_layers(include_self=False, recursive=False))
  return [each for each in getattr(layer, '_layers', [])   # TensorFlow 1.14
          if hasattr(each, 'get_weights')]


def _own_weights(layer, trained_only=False):
  """The variables of a layer itself, not of those within."""
  names = ['_trainable_variables', '_trainable_weights'] + (
      [] if trained_only else ['_non_trainable_variables', '_non_trainable_weights'])
  return [each for name in names for each in getattr(layer, name, [])]


class _Finder:
  """Walks through a model once."""

  def __init__(self, skip, given_roles, given_axes):
    self.found, self.left_out = [], []
    self.holders = []   # ids of the layers of all kernels, of those that are skipped too
    self._skip, self._axes = skip, given_axes
    self._wanted = set(skip) | set(given_roles) | set(given_axes)
    self._named, self._seen = set(), set()

  def check_names(self):
    unknown = sorted(map(str, self._wanted - self._named))
    if unknown:
      known = [each.name for each, _, _ in self.found] + [
          each.name for each in self.left_out]
      raise ValueError('skip, roles and axes name %s, but the model has no such layer; it '
                       'has %s' % (', '.join(map(repr, unknown)), ', '.join(known[:20])
                                   + (', ...' if len(known) > 20 else '')))

  def walk(self, model):
    left = [((), layer) for layer in reversed(sub_layers(model))] or [((), model)]
    while left:
      above, layer = left.pop()
      if id(layer) in self._seen:
        continue
      self._seen.add(id(layer))
      path = above + (layer.name,)
      self._kernels(layer, path)
      left += [(path, each) for each in reversed(sub_layers(layer))]

  def _kernels(self, layer, path):
    own = [each for each in _own_weights(layer) if id(each) not in self._seen]
    self._seen.update(map(id, own))
    known = []
    for place in layouts.places_of(layer):
      # The property of Keras 3 may give more than the variable, as with LoRA.
      variable = vars(layer).get('_' + place.attribute)
      if variable is None:
        variable = getattr(layer, place.attribute, None)
      if any(variable is each for each in own):
        known.append((place, variable))
    for place, variable in known:
      inner = path if len(known) == 1 else path + (place.attribute,)
      self._take(layer, inner, variable, place)
    taken = {id(variable) for _, variable in known}
    others = [each for each in _own_weights(layer, trained_only=True)
              if any(each is one for one in own) and id(each) not in taken
              and len(each.shape) > 1 and 'bias' not in _short_name(each)]
    for variable in others:
      self._take(layer, path + (_short_name(variable),), variable, None)
    if own and not known and not others:
      self._named.update(matching(self._wanted, path))
      self._leave_out(path, f'{type(layer).__name__} has no kernel')

  def _given_axis(self, path):
    names = matching(self._axes, path)
    return self._axes[max(names, key=len)] if names else None

  def _skipped(self, path):
    if matching(self._skip, path):
      self._leave_out(path, 'skipped')
      return True
    return False

  def _take(self, layer, path, variable, place):
    """Takes a kernel, or leaves it out; place is None where the class is not known."""
    self._named.update(matching(self._wanted, path))
    if self._skipped(path):
      self.holders.append(id(layer))
      return
    shape = tuple(int(length) for length in variable.shape)
    kind, axis = dtype_of(variable), self._given_axis(path)
    if kind not in _FLOATS:
      self._leave_out(path, f'its kernel is of {kind}')
      return
    if axis is None and place is None:
      self._leave_out(path, 'how the weights of %s lie is not known; axes can say it'
                      % type(layer).__name__)
      return
    layout = (place.layout(layer, shape) if axis is None
              else layouts.by_axis(axis, shape))
    if layout.shape[2] < 2:
      self._leave_out(path, 'one neuron has no pair')
    elif layout.shape[1] < 2:
      self._leave_out(path, 'neurons of one input have no angle')
    else:
      name, same = '/'.join(path), 0
      while name in [each.name for each, _, _ in self.found]:   # in a class of one's own
        same += 1
        name = '%s_%d' % ('/'.join(path), same)
      found = Found(name, layer, variable, layout, roles.HIDDEN, False)
      self.found.append((found, place or layouts.Place('', None), path))
      self.holders.append(id(layer))

  def _leave_out(self, path, reason):
    self.left_out.append(LeftOut('/'.join(path), reason))


def _short_name(variable):
  return variable.name.split('/')[-1].split(':')[0]


def dtype_of(variable):
  """Name of the type of a variable of any Keras."""
  kind = variable.dtype
  return getattr(getattr(kind, 'base_dtype', kind), 'name', str(kind))


def _with_roles(model, found, holders, given_roles):
  """The kernels with their roles, those of the graph where none is given.

  A kernel that is skipped has its place in the graph all the same: what reads its result
  does not become the first layer by that.
  """
  def holding(layer):
    return [each for each in _within(layer) if id(each) in holders]

  found_ends = graphs.ends(
      model, lambda layer: bool(holding(layer)),
      lambda layer: any(_own_weights(each) for each in _within(layer)))
  if found_ends is None:   # by the order of the layers
    first, last = {holders[0]}, {holders[-1]}
  else:
    first, last = (_passed_on(model, chosen, holding) for chosen in found_ends)
  taken = []
  for each, place, path in found:
    names = matching(given_roles, path)
    role = roles.HIDDEN
    if names:
      role = given_roles[max(names, key=len)]
    elif id(each.layer) in last and place.gives:
      role = roles.OUTPUT
    elif id(each.layer) in first and place.reads:
      role = roles.FIRST
    taken.append(each._replace(role=role, given=bool(names)))
  return taken


def _within(layer):
  """A layer and all below it."""
  return [layer] + [each for one in sub_layers(layer) for each in _within(one)]


def _passed_on(model, chosen, holding):
  """Ids of the layers that hold the kernels of the chosen ones, through wrappers only."""
  passed = set()
  for layer in _within(model):
    if id(layer) in chosen:
      inside = holding(layer)
      if len(inside) == 1 or layouts.WRAPPERS & set(layouts.classes_of(layer)):
        passed.update(map(id, inside))
  return passed
