"""The kernels of a Keras model: layouts, roles, and what is left out."""
import ground_truth
import numpy as np
import pytest
import tensorflow
import tensorflow.compat.v1 as tf

import comhe_tf1
from comhe_tf1.keras import finding

TF1 = tf.__version__.startswith('1.')
FIRST, HIDDEN, OUTPUT = comhe_tf1.FIRST, comhe_tf1.HIDDEN, comhe_tf1.OUTPUT


def model_of(keras, shape, *layers, **how):
  inputs = outputs = keras.layers.Input(shape, **how)
  for layer in layers:
    outputs = layer(outputs)
  return keras.models.Model(inputs, outputs)


def roles_of(model, **given):
  return {each.name: each.role for each in finding.find(model, **given)[0]}


def gates(kernel, count):
  """The neurons of each gate as columns."""
  return [columns.reshape(-1, columns.shape[-1])
          for columns in np.split(kernel, count, axis=-1)]


def flat(kernel):
  return [kernel.reshape(-1, kernel.shape[-1])]


def check_energies(model, expected):
  """Half-space energies of all kernels against NumPy, from the neurons as columns."""
  energies = comhe_tf1.regularize(model, 'half_mhe').energies()
  values = ([each.numpy() for each in energies.values()] if tf.executing_eagerly()
            else tensorflow.keras.backend.get_session().run(list(energies.values())))
  assert len(values) == len(expected), list(energies)
  for value, columns in zip(values, expected):
    assert value == pytest.approx(
        ground_truth.half_space_energy(columns.astype('float64')), rel=1e-4)


def test_convolutions(keras):
  layers = keras.layers
  model = model_of(
      keras, (9, 9, 3), layers.Conv2D(5, 3, name='plain'), layers.BatchNormalization(),
      layers.DepthwiseConv2D(2, depth_multiplier=2, name='depthwise'),
      layers.SeparableConv2D(6, 3, name='separable'),
      layers.Conv2DTranspose(4, 2, name='transposed'), layers.Flatten(),
      layers.Dense(3, name='dense'), layers.Reshape((3, 1)),
      layers.Conv1D(4, 2, name='row'))
  a, _, b, c, d, _, e, _, f = (layer.get_weights() for layer in model.layers[1:])
  check_energies(model, flat(a[0]) + [b[0].reshape(4, 10), c[0].reshape(9, 10)] + flat(
      c[1]) + flat(d[0].transpose(0, 1, 3, 2)) + flat(e[0]) + flat(f[0]))


def test_recurrent_kernels_gate_by_gate(keras):
  layers = keras.layers
  model = model_of(
      keras, (5, 3), layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
      layers.GRU(5, return_sequences=True), layers.SimpleRNN(3, return_sequences=True),
      layers.TimeDistributed(layers.Dense(2)))
  lstms, gru, simple, dense = (layer.get_weights() for layer in model.layers[1:])
  check_energies(
      model, gates(lstms[0], 4) + gates(lstms[1], 4) + gates(lstms[3], 4) + gates(
          lstms[4], 4) + gates(gru[0], 3) + gates(gru[1], 3) + [
              simple[0], simple[1], dense[0]])


def test_embeddings(keras):
  model = model_of(keras, (4,), keras.layers.Embedding(20, 3), keras.layers.Flatten(),
                   keras.layers.Dense(5))
  tokens, dense = (model.layers[place].get_weights()[0] for place in (1, 3))
  check_energies(model, [tokens.T, dense])
  assert list(roles_of(model).values()) == [FIRST, OUTPUT]


@pytest.mark.skipif(TF1, reason='1.14 has no such layers')
def test_attention_and_equations(keras):
  layers = keras.layers
  EinsumDense = (layers if hasattr(layers, 'EinsumDense')
                 else layers.experimental).EinsumDense
  inputs = layers.Input((4, 6))
  outputs = layers.MultiHeadAttention(2, 3)(inputs, inputs)
  # The middle axis is only carried along: a set of neurons for each.
  outputs = EinsumDense('abc,bcd->abd', (4, 5), bias_axes='bd')(outputs)
  outputs = EinsumDense('...x,xy->...y', 7)(outputs)
  model = keras.models.Model(inputs, outputs)
  attention, carried, last = (layer.get_weights() for layer in model.layers[-3:])
  check_energies(model, [attention[place].reshape(6, 6) for place in (0, 2, 4)] + flat(
      attention[6]) + list(carried[0]) + [last[0]])
  assert not finding.find(model)[1]   # no bias is taken for a kernel


def residual(keras, x, name):
  y = keras.layers.Conv2D(4, 3, padding='same', name=name)(x)
  y = keras.layers.ReLU()(keras.layers.BatchNormalization()(y))
  return keras.layers.Add()([x, y])


def test_roles_by_the_graph(keras):
  layers = keras.layers
  inputs = layers.Input((8, 8, 3))
  x = layers.ZeroPadding2D()(inputs)
  both = [layers.Conv2D(4, size, padding='same', name='stem%d' % size)(x)
          for size in (1, 3)]
  x = residual(keras, layers.Add()(both), 'block')
  x = layers.GlobalAveragePooling2D()(x)
  outputs = [layers.Activation('softmax')(layers.Dense(5, name='classes')(x)),
             layers.Dense(2, name='others')(x)]
  model = keras.models.Model(inputs, outputs)
  assert roles_of(model) == {'stem1': FIRST, 'stem3': FIRST, 'block': HIDDEN,
                             'classes': OUTPUT, 'others': OUTPUT}


def test_roles_with_a_dict_of_outputs_within(keras):
  """Keras flattens it by its keys, whatever their order."""
  layers = keras.layers
  inputs = layers.Input((8, 8, 3))
  x = layers.Conv2D(4, 3, name='features')(layers.Conv2D(4, 3, name='stem')(inputs))
  try:
    base = keras.models.Model(inputs, {
        'logits': layers.Dense(5, name='head')(layers.GlobalAveragePooling2D()(x)),
        'features': x}, name='base')
  except (TypeError, ValueError, AttributeError):   # of 1.14
    pytest.skip('this Keras takes no dict of outputs')
  outer = layers.Input((8, 8, 3))
  model = keras.models.Model(outer, layers.Softmax()(base(outer)['logits']))
  assert roles_of(model) == {'base/stem': FIRST, 'base/features': HIDDEN,
                             'base/head': OUTPUT}


def test_roles_of_a_model_within_another(keras):
  """Features that a normalization follows are no classes."""
  layers = keras.layers
  inputs = layers.Input((8, 8, 3))
  x = residual(keras, layers.Conv2D(4, 3, padding='same', name='stem')(inputs), 'middle')
  x = layers.BatchNormalization()(layers.Conv2D(6, 1, name='features')(x))
  base = keras.models.Model(inputs, layers.ReLU()(x), name='base')
  names = ['stem', 'middle', 'features']
  assert roles_of(base) == dict(zip(names, [FIRST, HIDDEN, HIDDEN]))
  model = keras.models.Sequential([
      layers.InputLayer((8, 8, 3)), layers.ReLU(), base,
      layers.GlobalAveragePooling2D(), layers.Dense(3, name='top')])
  assert roles_of(model) == {'base/stem': FIRST, 'base/middle': HIDDEN,
                             'base/features': HIDDEN, 'top': OUTPUT}
  found, left_out = finding.find(model, skip=['base'])
  assert [each.name for each in found] == ['top']
  assert [each.reason for each in left_out].count('skipped') == 3
  assert roles_of(model, given_roles={'base': OUTPUT, 'base/stem': HIDDEN}) == {
      'base/stem': HIDDEN, 'base/middle': OUTPUT, 'base/features': OUTPUT, 'top': OUTPUT}


def test_what_is_skipped_keeps_its_place(keras):
  model = model_of(keras, (8,), *[
      keras.layers.Dense(4, name=name) for name in ('base', 'head', 'top')])
  assert roles_of(model, skip=['base']) == {'head': HIDDEN, 'top': OUTPUT}
  assert roles_of(model, skip=['top']) == {'base': FIRST, 'head': HIDDEN}
  model = Halves.of(keras)
  model(tf.ones([1, 2]))
  names = list(roles_of(model))
  assert list(roles_of(model, skip=names[:1]).values()) == [HIDDEN, OUTPUT]
  assert list(roles_of(model, skip=names[2:]).values()) == [FIRST, HIDDEN]


def test_deep_models(keras):
  """Deeper than Python's stack."""
  layers = [keras.layers.Activation('relu') for _ in range(600)]
  model = model_of(keras, (3,), keras.layers.Dense(4, name='a'), *layers
                   + [keras.layers.Dense(2, name='b')])
  assert roles_of(model) == {'a': FIRST, 'b': OUTPUT}


def test_roles_in_recurrent_networks_and_pointwise_layers(keras):
  layers = keras.layers
  model = model_of(keras, (5, 3), layers.LSTM(4, name='lstm'))
  assert list(roles_of(model).values()) == [FIRST, HIDDEN]
  model = model_of(keras, (9, 9, 3), layers.SeparableConv2D(4, 2, name='separable'))
  assert roles_of(model) == {'separable/depthwise_kernel': FIRST,
                             'separable/pointwise_kernel': OUTPUT}


class Halves:
  """A model of a class of one's own, which has no graph."""

  @staticmethod
  def of(keras, **how):
    class Model(keras.Model):
      def __init__(self):
        super().__init__()
        self.a, self.b, self.c = (
            keras.layers.Dense(width, **how) for width in (5, 4, 3))

      def call(self, inputs):
        return self.c(self.b(self.a(inputs)))

    return Model()


def test_subclassed_models(keras):
  model = Halves.of(keras)
  with pytest.raises(ValueError, match='has no weights yet; call it once'):
    comhe_tf1.regularize(model)
  model(tf.ones([1, 2]))
  assert list(roles_of(model).values()) == [FIRST, HIDDEN, OUTPUT]


def test_equal_names(keras):
  model = Halves.of(keras, name='same')
  model(tf.ones([1, 2]))
  assert list(roles_of(model)) == ['same', 'same_1', 'same_2']
  energies = comhe_tf1.regularize(model, 'half_mhe').energies()
  assert list(energies) == ['same', 'same_1', 'same_2']
  if not TF1:
    assert len(model.losses) == 1


def own_layer(keras):
  class Mixing(keras.layers.Layer):
    def build(self, shape):
      self.mix = self.add_weight(name='mix', shape=(3, int(shape[-1]), 4),
                                 initializer='glorot_uniform')

    def call(self, inputs):
      return tf.reduce_sum(inputs[..., tf.newaxis, :, tf.newaxis] * self.mix, [1, 2])

  return Mixing(name='own')


def test_weights_of_an_unknown_class(keras):
  model = model_of(keras, (5,), own_layer(keras), keras.layers.Dense(3, name='dense'))
  found, left_out = finding.find(model)
  assert [each.name for each in found] == ['dense']
  assert left_out == [('own/mix', 'how the weights of Mixing lie is not known; axes can '
                                  'say it')]
  kernel, last = (model.layers[place].get_weights()[0] for place in (1, 2))
  for axes, columns in [((0, 2), kernel.transpose(1, 0, 2).reshape(5, 12)),
                        (-1, kernel.reshape(15, 4)),
                        (0, kernel.transpose(2, 1, 0).reshape(20, 3))]:
    found, _ = finding.find(model, given_axes={'own': axes})
    assert [each.name for each in found] == ['own/mix', 'dense']
    regularization = comhe_tf1.regularize(model, 'half_mhe', axes={'own': axes})
    energies = list(regularization.energies().values())
    value = (energies[0].numpy() if tf.executing_eagerly()
             else keras.backend.get_session().run(energies[0]))
    assert value == pytest.approx(
        ground_truth.half_space_energy(columns.astype('float64')), rel=1e-4)


def test_left_out(keras):
  layers = keras.layers
  model = model_of(keras, (6, 1), layers.Conv1D(1, 3, name='one'),
                   layers.LayerNormalization(name='norm') if hasattr(
                       layers, 'LayerNormalization') else layers.BatchNormalization(
                           name='norm'),
                   layers.Conv1D(3, 1, name='thin'), layers.Dense(4, name='dense'))
  found, left_out = finding.find(model)
  assert [each.name for each in found] == ['dense']
  reasons = dict(left_out)
  assert reasons['one'] == 'one neuron has no pair'
  assert reasons['thin'] == 'neurons of one input have no angle'
  assert reasons['norm'].endswith('Normalization has no kernel')


def test_shared_layers_count_once(keras):
  dense = keras.layers.Dense(4, name='shared')
  model = model_of(keras, (4,), dense, dense, keras.layers.Dense(3, name='last'))
  assert roles_of(model) == {'shared': FIRST, 'last': OUTPUT}


@pytest.mark.parametrize('given, words', [
    (dict(skip=['b']), "name 'b', but the model has no such layer; it has a"),
    (dict(given_roles={'a': 'last'}), "role of 'a' must be one of first, hidden, output"),
    (dict(given_axes={'a': 2}), r'from -2 to 1 for a kernel of shape \(4, 3\), got 2'),
    (dict(given_axes={'a': (0, -1)}), 'must differ and leave one for the inputs'),
    (dict(given_axes={'a': (1, -1)}), 'must differ and leave one'),
    (dict(skip='a'), r'has no kernel that could have a term: a \(skipped\)')])
def test_mistakes(keras, given, words):
  model = model_of(keras, (4,), keras.layers.Dense(3, name='a'))
  with pytest.raises(ValueError, match=words):
    finding.find(model, **given)


@pytest.mark.skipif(TF1, reason='as Keras 3 quantizes')
def test_whole_numbers_are_no_kernels():
  keras = tensorflow.keras
  model = model_of(keras, (4,), keras.layers.Dense(3, name='a'),
                   keras.layers.Dense(3, name='b'))
  model.layers[1].quantize('int8')
  found, left_out = finding.find(model)
  assert [each.name for each in found] == ['b']
  assert left_out == [('a', 'its kernel is of int8')]
