"""Trajectories of the original, recorded under TensorFlow 1.12 and 1.14.

Tolerances come from the drift of the original's own code between TensorFlow
versions and CPUs, see golden/README.md; step 0 is held to 1e-5.
"""
import glob
import json
import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import cifar_input
import comhe_tf1
from comhe_tf1 import methods
from comhe_tf1 import training

GOLDEN = sorted(glob.glob(os.path.join(os.path.dirname(__file__), 'golden',
                                       '*_pd*.json')))
MOVING = {'moments/Squeeze': 'moving_mean', 'moments/Squeeze_1': 'moving_variance'}


def make_regularizer(args):
  settings = methods.METHODS[args['variant']].settings
  return comhe_tf1.create(args['variant'], **{
      name: args[name] for name in settings if args.get(name) is not None})


def our_name(name):
  """The original's name of a variable, in ours."""
  if not name.endswith('/ExponentialMovingAverage'):
    return name
  layer, rest = name.split('/', 1)
  moment = 'moments/' + rest.split('/')[-2]
  return '%s/bn/%s' % (layer, MOVING[moment])


def norms(session, names):
  variables = {v.op.name: v for v in tf.global_variables()}
  values = session.run({name: variables[our_name(name)] for name in names})
  return {name: np.linalg.norm(value.astype('float64'))
          for name, value in values.items()}


@pytest.fixture(scope='module', params=GOLDEN, ids=lambda path: os.path.basename(
    path).replace('.json', ''))
def replay(request):
  """The recorded run and ours."""
  with open(request.param) as file:
    golden = json.load(file)
  args = golden['args']
  data = cifar_input.Images(*cifar_input.from_rows({
      'data': np.random.RandomState(0).randint(
          0, 256, (args['n'], 3072)).astype(np.uint8),
      'fine_labels': np.random.RandomState(1).randint(0, 100, args['n'])}, 'golden'))
  numbering = {'1.12.0': 'tf1.12', '1.14.0': 'tf1.14'}[golden['tf']]
  ours = {'rows': []}
  with tf.Graph().as_default() as graph:
    regularizer = make_regularizer(args)
    layers = comhe_tf1.cnn()
    handles = training.build(layers, regularizer, numbering, args['seed'])
    ours['op_seeds'] = comhe_tf1.original_op_seeds(
        regularizer.name, numbering, layers, regularizer.projections)
    batches = cifar_input.TrainingBatches(
        data, args['bs'], np.random.RandomState(args['seed']))
    with tf.Session(graph=graph) as session:
      session.run(tf.global_variables_initializer())
      ours['initial_norms'] = norms(session, golden['initial_norms'])
      for _ in range(args['steps']):
        images, labels = batches.next()
        measures, _ = training.step(session, handles, images, labels, args['lr'])
        ours['rows'].append(list(measures) + [int(images.sum(dtype=np.int64)),
                                              labels[:4].tolist()])
      ours['final_norms'] = norms(session, golden['final_norms'])
      first = batches.order[:32]
      fit, correct = session.run(
          [handles.test_fit, handles.test_correct],
          {handles.images: data.images[first], handles.labels: data.labels[first]})
      ours['eval'] = [fit, np.mean(correct)]
  return golden, ours


def test_op_seeds_are_the_recorded_ones(replay):
  golden, ours = replay
  assert ours['op_seeds'] == golden['op_seeds']


def test_initial_weights(replay):
  golden, ours = replay
  for name, expected in golden['initial_norms'].items():
    assert ours['initial_norms'][name] == pytest.approx(expected, rel=1e-6), name


def test_batches_are_equal_bit_for_bit(replay):
  golden, ours = replay
  assert ([row[5:] for row in ours['rows']] == [row[5:] for row in golden['rows']])


def test_step_0(replay):
  golden, ours = replay
  np.testing.assert_allclose(ours['rows'][0][:4], golden['rows'][0][:4], rtol=1e-5)
  assert ours['rows'][0][4] == golden['rows'][0][4]


@pytest.mark.parametrize('column, tolerance', [
    (0, 1e-2), (1, 3e-4), (2, 3e-4), (3, 3e-4)], ids=['fit', 'reg', 'thom', 'thomf'])
def test_every_step(replay, column, tolerance):
  golden, ours = replay
  expected = np.array([row[column] for row in golden['rows']])
  actual = np.array([row[column] for row in ours['rows']])
  np.testing.assert_allclose(actual, expected, rtol=0,
                             atol=tolerance * np.abs(expected).max())


def test_final_norms(replay):
  golden, ours = replay
  for name, expected in golden['final_norms'].items():
    if name.endswith('/filter'):
      tolerance = {'rel': 5e-4}
    elif name.endswith('/gamma/bias'):
      tolerance = {'rel': 1e-3}
    else:
      tolerance = {'rel': 0.1, 'abs': 1e-3}
    assert ours['final_norms'][name] == pytest.approx(expected, **tolerance), name


def test_evaluation(replay):
  golden, ours = replay
  np.testing.assert_allclose(ours['eval'][0], golden['eval'][0], rtol=1e-2)
  assert ours['eval'][1] == golden['eval'][1]
