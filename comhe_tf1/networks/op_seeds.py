"""Op seeds of initial values: the original's, and a stable rule for all else.

The rule, `by_name`: the op seed of a variable is the CRC-32 of its name. Together
with the graph's seed it gives the same values under every TensorFlow version, and a
layer's weights change neither with the regularizer nor with the layers around it.

The original seeds the graph but not its initializers, so that TensorFlow 1.x
gave each of them the id of the last operation created before it. The initial
weights are therefore a function of the graph's seed and of how many operations
each layer of the original's graph took, which differs between TensorFlow
versions. The numbers below were measured on the original's graphs.
"""
import zlib

from comhe_tf1.regularizers import roles

SCHEMES = ('tf1.12', 'tf1.14')
BY_NAME = 'by_name'

# (variant, scheme): ids of conv1_0/filter and conv1_1/filter; from a layer's
# filter to the next one's and from fc6's to score's, each as (constant, operations
# per projection of the layer before); from a layer's filter to its projection.
_IDS = {
    ('random', 'tf1.12'): (14, 152, (87, 62), (20, 62), None),
    ('random', 'tf1.14'): (14, 140, (87, 50), (20, 50), None),
    ('angle', 'tf1.12'): (15, 153, (274, 0), (207, 0), 39),
    ('angle', 'tf1.14'): (15, 141, (253, 0), (186, 0), 27),
    ('adversarial', 'tf1.12'): (15, 153, (314, 0), (247, 0), 14),
    ('adversarial', 'tf1.14'): (15, 141, (309, 0), (242, 0), 14),
}
_POOL = 1  # operations of a max pool


def by_name(name):
  """Op seed of what has this name: its CRC-32, without the sign bit."""
  return zlib.crc32(name.encode()) & 0x7fffffff


def has_original(variant):
  """Whether op seeds are recorded for a variant of this name."""
  return any(recorded == variant for recorded, _ in _IDS)


def original_op_seeds(variant, scheme, layers, projections):
  """Op seeds of all initial values of the original's CNN-9.

  Args:
    variant: 'random', 'angle' or 'adversarial'.
    scheme: 'tf1.12' (TensorFlow 1.8 to 1.12 and the published logs) or
      'tf1.14' (TensorFlow 1.14.0, which the original's README asks for).
    layers: plan of the network, list of `architectures.Layer`.
    projections: function from a layer's number of neurons to its number of
      projections.

  Returns:
    Dict from `<layer>/filter`, and `<layer>/project` where the variant trains
    its projections, to the op seed.

  Raises:
    ValueError: unknown variant or scheme.

  >>> regularizer, layers = comhe_tf1.RandomProjection(), comhe_tf1.cnn()
  >>> comhe_tf1.original_op_seeds('random', 'tf1.12', layers,
  ...                             regularizer.projections)['conv1_0/filter']
  14
  """
  if (variant, scheme) not in _IDS:
    raise ValueError('no op seeds are recorded for variant %r with scheme %r; '
                     'known: %s' % (variant, scheme, sorted(_IDS)))
  first, second, step, tail, project = _IDS[variant, scheme]
  seeds = {}
  for i, layer in enumerate(layers):
    if i == 0:
      op_id = first
    elif i == 1:
      op_id = second
    else:
      constant, each = tail if layer.role == roles.OUTPUT else step
      op_id += constant + each * projections(layers[i - 1].c_out)
      op_id += _POOL if layer.pool else 0
    seeds[layer.name + '/filter'] = op_id
    if project is not None and layer.role == roles.HIDDEN:
      seeds[layer.name + '/project'] = op_id + project
  return seeds
