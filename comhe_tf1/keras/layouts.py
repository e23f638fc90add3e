"""How the kernels of each class of layer lie: which axes count the neurons.

A class is known by its name, so that the layers of every Keras, and classes derived from
them, are found alike. No Keras and no TensorFlow is imported here.
"""
import collections
import typing

from comhe_tf1.regularizers import axes


class Layout(typing.NamedTuple):
  """The axes of a kernel after a reshape.

  view: shape to reshape to first.
  sets: axes that count independent sets of neurons, as the gates of a recurrent layer.
  inputs: axes of a neuron's inputs, the input channels last.
  neurons: axes that count the neurons.
  """
  view: tuple
  sets: tuple
  inputs: tuple
  neurons: tuple

  def _length(self, chosen):
    length = 1
    for axis in chosen:
      length *= self.view[axis]
    return length

  @property
  def shape(self):
    """Lengths [sets, inputs, neurons]."""
    return tuple(self._length(each) for each in (self.sets, self.inputs, self.neurons))

  @property
  def channels(self):
    """Number of input channels."""
    return self.view[self.inputs[-1]] if self.inputs else 1

  @property
  def order(self):
    """The axes for a transposition to sets, inputs, neurons."""
    return self.sets + self.inputs + self.neurons


class Place(typing.NamedTuple):
  """A kernel of a class of layers.

  attribute: of the layer; layout: function from the layer and the kernel's shape to its
  `Layout`; reads, gives: whether it can be the one that reads the model's input, and
  whether its neurons can be what the model puts out.
  """
  attribute: str
  layout: typing.Callable
  reads: bool = True
  gives: bool = True


def by_axis(axis, shape):
  """The layout of a kernel, see `axes.inputs_and_neurons`."""
  return Layout(tuple(shape), (), *axes.inputs_and_neurons(axis, shape))


def _on(axis):
  return lambda layer, shape: by_axis(axis, shape)


def _by_equation(layer, shape):
  """Inputs are what the einsum sums over; what it only carries along counts sets."""
  operands, result = layer.equation.replace('...', '').replace(' ', '').split('->')
  data, kernel = operands.split(',')
  places = collections.OrderedDict((name, []) for name in ('sets', 'inputs', 'neurons'))
  for axis, letter in enumerate(kernel):
    places['inputs' if letter not in result
           else 'sets' if letter in data else 'neurons'].append(axis)
  return Layout(tuple(shape), **{name: tuple(found) for name, found in places.items()})


def _gates(count):
  def layout(layer, shape):
    view = tuple(shape[:-1]) + (count, shape[-1] // count)
    last = len(shape)
    return Layout(view, (last - 1,), tuple(range(last - 1)), (last,))
  return layout


def _recurrent(gates):
  return [Place('kernel', _gates(gates), gives=False),
          Place('recurrent_kernel', _gates(gates), reads=False, gives=False)]


_LAST = [Place('kernel', _on(-1))]
_DEPTHWISE = [Place('kernel', _on(axes.BOTH), gives=False),
              Place('depthwise_kernel', _on(axes.BOTH), gives=False)]
_SEPARABLE = [Place('depthwise_kernel', _on(axes.BOTH), gives=False),
              Place('pointwise_kernel', _on(-1), reads=False)]
_EMBEDDING = [Place('embeddings', _on(0), gives=False)]

# The nearest class by which a layer is called decides: derived ones come before theirs.
_CLASSES = {'Dense': _LAST, 'EinsumDense': [Place('kernel', _by_equation)],
            'Embedding': _EMBEDDING, 'LSTMCell': _recurrent(4), 'GRUCell': _recurrent(3),
            'SimpleRNNCell': _recurrent(1), 'ConvLSTMCell': _recurrent(4),
            'ConvLSTM2DCell': _recurrent(4)}
for _dimensions in ('1D', '2D', '3D'):
  _CLASSES.update({
      'Conv' + _dimensions: _LAST,
      f'Conv{_dimensions}Transpose': [Place('kernel', _on(-2))],
      'DepthwiseConv' + _dimensions: _DEPTHWISE,
      'SeparableConv' + _dimensions: _SEPARABLE})

# A role goes through these to the layer within.
WRAPPERS = {'Bidirectional', 'TimeDistributed', 'Wrapper', 'RNN', 'ConvRNN2D', 'ConvRNN',
            'SpectralNormalization'}


def classes_of(layer):
  """Names of the classes of an object, its own first."""
  return [each.__name__ for each in type(layer).__mro__]


def places_of(layer):
  """List of `Place` of a layer's own kernels, empty where its class is not known."""
  return next((_CLASSES[name] for name in classes_of(layer) if name in _CLASSES), [])
