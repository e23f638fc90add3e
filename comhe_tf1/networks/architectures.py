"""Plans of the networks for 32x32 RGB images: layers, sizes and roles; no TensorFlow.

CNN-9 as the original. The CoMHE papers also train plain networks of other depths and
a ResNet-32, whose code was never released: what is this project's choice is said at
each function.
"""
import collections
import typing

from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import roles

STAGES = (64, 128, 256)
FC6 = 256   # whatever the width: a constant of its own in the authors' code
DEPTHS = collections.OrderedDict([(6, 2), (9, 3), (15, 5)])
BLOCKS = 5   # of a stage of ResNet-32


class Layer(typing.NamedTuple):
  """The plan of a layer: a convolution and what is around it.

  name: str; size: height and width of its kernel; c_in, c_out: channels; role: see
  `roles`; stride: of the convolution.
  pool: 'max' (2x2, stride 2), 'mean' (over the whole image) or None, before it.
  batch_norm: whether batch norm follows (then SAME padding) or not (VALID).
  relu: whether a ReLU ends it.
  source: name of the layer whose output it reads, None for the one before it in the
  list. addend: name of the layer whose output is added before the ReLU, or None.
  """
  name: str
  size: int
  c_in: int
  c_out: int
  role: str = roles.HIDDEN
  stride: int = 1
  pool: str = None
  batch_norm: bool = True
  relu: bool = True
  source: str = None
  addend: str = None


def widened(filters, width):
  """Numbers of filters times the width.

  Raises:
    methods.SettingError: they are not whole numbers.
  """
  products = [count * width for count in filters]
  if any(product < 1 or product != int(product) for product in products):
    raise methods.SettingError(
        'width must give every stage a whole number of filters, of %s times it; got %s'
        % (', '.join(map(str, filters)), width))
  return [int(product) for product in products]


def cnn(classes=100, width=1, depth=9):
  """Plain network: three stages of 3x3 convolutions, fc6, score.

  CNN-9 at width 1 is the original's. CNN-6 and CNN-15 have 2 and 5 convolutions a
  stage in place of 3. The width multiplies the filters of every stage; fc6 keeps its
  256, which both of the authors' repositories have as a constant of its own and which
  the width table of the MHE paper does not name.

  Args:
    classes: number of classes.
    width: factor, whole or fractional; the paper's t times 16 filters is t / 4.
    depth: 6, 9 or 15.

  Returns:
    List of `Layer` in the order of the forward pass.

  Raises:
    methods.SettingError: the width does not give whole numbers of filters.

  >>> [layer.name for layer in comhe_tf1.cnn(depth=6)]
  ['conv1_0', 'conv1_1', 'conv2_0', 'conv2_1', 'conv3_0', 'conv3_1', 'fc6', 'score']
  """
  layers, c_in = [], 3
  for stage, c_out in enumerate(widened(STAGES, width), 1):
    for i in range(DEPTHS[depth]):
      layers.append(Layer(
          'conv%d_%d' % (stage, i), 3, c_in, c_out,
          role=roles.HIDDEN if layers else roles.FIRST,
          pool='max' if stage > 1 and i == 0 else None))
      c_in = c_out
  layers.append(Layer('fc6', 4, c_in, FC6, pool='max', batch_norm=False, relu=False))
  layers.append(Layer('score', 1, FC6, classes, roles.OUTPUT, batch_norm=False, relu=False))
  return layers


def resnet32(classes=100, width=1):
  """ResNet-32: stem, three stages of five basic blocks, score.

  A block is 3x3 convolution, batch norm, ReLU, 3x3 convolution, batch norm, the
  addition, ReLU. The first block of stages 2 and 3 has stride 2 and, since the shape
  changes, a 1x1 convolution of that stride with batch norm as its shortcut. Global
  average pool before the score. 32 weighted layers and two shortcuts.

  This project's choices: shortcuts by convolution and batch norm, a bare score (as
  CNN-9's), initial weights, batch norm and weight decay as CNN-9.

  Args, Returns, Raises: as `cnn`, without depth.

  >>> len(comhe_tf1.resnet32()), comhe_tf1.resnet32()[0].c_out
  (34, 64)
  """
  stages = widened(STAGES, width)
  c_in = stages[0]
  layers = [Layer('stem', 3, 3, c_in, roles.FIRST)]
  for stage, c_out in enumerate(stages, 1):
    for i in range(BLOCKS):
      block = 'block%d_%d' % (stage, i)
      stride = 2 if stage > 1 and i == 0 else 1
      entrance = shortcut = layers[-1].name
      layers.append(Layer(block + '_0', 3, c_in, c_out, stride=stride))
      if stride > 1:
        shortcut = block + '_shortcut'
        layers.append(Layer(shortcut, 1, c_in, c_out, stride=stride, relu=False,
                            source=entrance))
      layers.append(Layer(block + '_1', 3, c_out, c_out, source=block + '_0',
                          addend=shortcut))
      c_in = c_out
  layers.append(Layer('score', 1, c_in, classes, roles.OUTPUT, pool='mean',
                      batch_norm=False, relu=False))
  return layers


MODELS = collections.OrderedDict([('cnn9', cnn), ('resnet32', resnet32)])


def plan(model, classes, width=1, depth=None):
  """Plan of a network by its name in MODELS.

  Args:
    model: 'cnn9' or 'resnet32'.
    classes, width: as `cnn`.
    depth: as `cnn`, None for a model that has one depth only.

  Returns, Raises: as `cnn`.
  """
  settings = {} if depth is None else {'depth': depth}
  return MODELS[model](classes, width, **settings)


def label(model, width=1, depth=None):
  """Name of a network in log folders: '' for CNN-9 as the original."""
  name = 'cnn%d' % depth if depth else model
  name += f'_width{width:g}' if width != 1 else ''
  return '' if name == 'cnn9' else name
