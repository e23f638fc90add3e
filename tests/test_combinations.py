"""Every method on every network and data set: two steps of training."""
import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import cifar_input
import cifar_sample
import comhe_tf1
from comhe_tf1 import architectures
from comhe_tf1 import methods
from comhe_tf1 import training


@pytest.fixture(scope='module')
def samples():
  """The sample's test images in both layouts."""
  return {name: cifar_input.from_rows(
      cifar_sample.generate(name)[layout.test], name, layout)
          for name, layout in cifar_input.LAYOUTS.items()}


def new_session():
  # The graphs run twice: optimising them would take longer than running them.
  config = tf.ConfigProto()
  config.graph_options.rewrite_options.disable_meta_optimizer = True
  return tf.Session(config=config)


@pytest.mark.parametrize('dataset', list(cifar_input.LAYOUTS))
@pytest.mark.parametrize('model', list(architectures.MODELS))
@pytest.mark.parametrize('method', list(methods.METHODS))
def test_two_steps(samples, method, model, dataset):
  layers = architectures.MODELS[model](cifar_input.LAYOUTS[dataset].classes, width=0.125)
  with tf.Graph().as_default(), new_session() as session:
    regularizer = comhe_tf1.create(method, **(
        {'pd': 5} if 'pd' in methods.METHODS[method].settings else {}))
    handles = training.build(layers, regularizer, 'by_name', 345)
    variables = handles.network.trainable
    gradients = tf.gradients(handles.measures.thom + handles.measures.thomf, variables)
    session.run(tf.global_variables_initializer())
    before = session.run(variables)
    batches = cifar_input.TrainingBatches(samples[dataset], 4, np.random.RandomState(0))
    for _ in range(2):
      measures, energies = training.step(session, handles, *batches.next(), rate=0.01,
                                         with_energies=True)
      assert np.isfinite(measures).all()
      assert np.isfinite(list(energies.values())).all()
    after = session.run(variables)
    # The loss reaches every variable, the regulariser the kernels that it claims.
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
