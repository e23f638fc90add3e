"""Every method on every network and data set: two steps of training."""
import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import cifar_input
import comhe_tf1
from comhe_tf1.data import datasets
from comhe_tf1.data import sample
from comhe_tf1.networks import architectures
from comhe_tf1.regularizers import methods
from comhe_tf1.training import graph as graphs
from comhe_tf1.training import loop


@pytest.fixture(scope='module')
def samples():
  """The sample's test images, with as many classes as either data set."""
  images = cifar_input.from_rows(sample.generate()['test'], 'the sample')
  return {name: images._replace(labels=images.labels * row.classes // sample.CLASSES)
          for name, row in datasets.PICKLED.items()}


def new_session():
  # The graphs run twice: optimizing them would take longer than running them.
  config = tf.ConfigProto()
  config.graph_options.rewrite_options.disable_meta_optimizer = True
  return tf.Session(config=config)


TF1 = tf.__version__.startswith('1.')


# A data set only changes the number of classes: one method takes it with every network.
# Under TensorFlow 1.14, where a graph takes longest, the others take turns at the networks.
@pytest.mark.parametrize('method, model, dataset', [
    (method, model, dataset) for number, method in enumerate(methods.METHODS)
    for model in architectures.MODELS for dataset in datasets.PICKLED
    if method == 'random' or (model, dataset) in (('cnn9', 'cifar100'),
                                                  ('resnet32', 'cifar10'))
    and not (TF1 and number % 2 == (model == 'cnn9'))])
def test_two_steps(samples, method, model, dataset):
  layers = architectures.MODELS[model](datasets.DATASETS[dataset].classes, width=0.125)
  with tf.Graph().as_default(), new_session() as session:
    regularizer = comhe_tf1.create(method, **(
        {'pd': 5} if 'pd' in methods.METHODS[method].settings else {}))
    handles = graphs.build(layers, regularizer, 'by_name', 345)
    variables = handles.network.trainable
    gradients = tf.gradients(handles.measures.thom + handles.measures.thomf, variables)
    session.run(tf.global_variables_initializer())
    before = session.run(variables)
    batches = cifar_input.TrainingBatches(samples[dataset], 4, np.random.RandomState(0))
    for _ in range(2):
      measures, energies = loop.step(session, handles, *batches.next(), rate=0.01,
                                         with_energies=True)
      assert np.isfinite(measures).all()
      assert np.isfinite(list(energies.values())).all()
    after = session.run(variables)
    # The loss reaches every variable, the regularizer the kernels that it claims.
    assert all(np.isfinite(new).all() and (new != old).any()
               for old, new in zip(before, after))
    claimed = [] if method == 'none' else [layer.name + '/filter' for layer in layers]
    assert [name + '/filter' for name in energies] == claimed
    touched = {variable.op.name: gradient for variable, gradient
               in zip(variables, gradients) if gradient is not None}
    values = session.run(touched, {handles.learning_rate: 0.01})
    assert sorted(values) == sorted(claimed)
    for name, value in values.items():
      assert np.isfinite(value).all() and value.any(), name


def initial_weights(method, model, classes=100, scheme='by_name'):
  with tf.Graph().as_default(), new_session() as session:
    handles = graphs.build(architectures.MODELS[model](classes, width=0.125),
                             comhe_tf1.create(method), scheme, 345)
    session.run(tf.global_variables_initializer())
    return session.run({kernel.name: kernel.tensor
                        for kernel in handles.network.kernels})


@pytest.mark.parametrize('model', [
    pytest.param(model, marks=[] if model == 'cnn9' else [pytest.mark.slow])
    for model in architectures.MODELS])
def test_initial_weights_do_not_depend_on_the_method(model):
  first = initial_weights('none', model)
  norms = {name: np.linalg.norm(value) for name, value in first.items()}
  assert len(set(norms.values())) == len(norms)
  for method in ('random', 'adversarial', 'srip'):
    for name, value in initial_weights(method, model).items():
      np.testing.assert_array_equal(value, first[name])
  # Nor a layer's on the layers after it.
  other = initial_weights('none', model, classes=10)
  for name, value in other.items():
    if name != 'score':
      np.testing.assert_array_equal(value, first[name])


def test_initial_weights_by_name_are_the_same_on_every_tensorflow():
  """Recorded under TensorFlow 2.21; 1.14 draws the same."""
  weights = initial_weights('none', 'resnet32')
  recorded = {'stem': [-0.032001, 0.094639, -0.126154],
              'block2_0_shortcut': [0.153318, -0.346538, 0.696657],
              'score': [0.417806, 0.149796, 0.144623]}
  assert {name: [round(float(each), 6) for each in weights[name].ravel()[:3]]
          for name in recorded} == recorded
