"""The scripts of examples/, as a user starts them."""
import os
import re
import runpy
import sys

import ground_truth
import numpy as np
import pytest
import tensorflow
import tensorflow.compat.v1 as tf

import comhe_tf1

keras = tensorflow.keras


@pytest.fixture
def run(root, monkeypatch, capsys):
  """Runs a script in this process: status or message of exit, lines on stdout."""
  def run_(name, *arguments):
    path = os.path.join(root, 'examples', name)
    monkeypatch.setattr(sys, 'argv', [path] + list(arguments))
    status = 0
    try:
      runpy.run_path(path, run_name='__main__')
    except SystemExit as exit_:
      status = exit_.code
    return status, capsys.readouterr().out.splitlines()
  return run_


@pytest.mark.parametrize('name', ['keras_cnn.py', 'keras_model.py', 'graph.py',
                                  'energies.py'])
def test_how_to_start_is_said(root, name):
  with open(os.path.join(root, 'examples', name)) as file:
    assert 'PYTHONPATH=. python examples/' + name in file.read()


def test_keras_cnn(run):
  status, out = run('keras_cnn.py')
  assert status == 0
  losses = [float(loss) for loss in re.findall(r'\d\.\d+', out[0])]
  assert len(losses) == 3 and losses[2] < losses[0]
  pairs = [list(map(float, re.findall(r'\d\.\d{4}', line))) for line in out[1:]]
  assert len(pairs) == 4
  # The output layer's weight is the largest: its energy falls.
  assert pairs[3][0] < pairs[3][1]


@pytest.mark.skipif(tf.__version__.startswith('1.'), reason='Keras 3')
def test_keras_model(run):
  status, out = run('keras_model.py')
  assert status == 0
  assert [line.split()[0] for line in out[:5]] == [
      'layer', 'base/conv16', 'base/conv24', 'base/conv32', 'top']
  losses, terms = (list(map(float, re.findall(r'\d+\.\d{3}', part)))
                   for part in out[-4].split('terms'))
  assert losses[2] < losses[0] and terms[0] > terms[1] > terms[2] > 0.
  # The base's terms join those of the new layer.
  alone, everything = (float(line.split()[-1]) for line in out[-2:])
  assert everything > alone + 1.


def test_graph(run):
  status, out = run('graph.py')
  assert status == 0
  steps = [list(map(float, re.findall(r'[\d.]+\d', line.split(':')[1]))) for line in out]
  assert len(steps) == 4
  assert steps[3][0] < 0.1 * steps[0][0] and steps[3][1] < steps[0][1]


def check(lines, kernels, left_out=()):
  """The printed energies against slow NumPy; kernels have their neurons last."""
  if left_out:
    assert [' '.join(line.split()) for line in lines[len(kernels):]] == left_out
    lines = lines[:len(kernels)]
  assert [line.split()[0] for line in lines] == [name for name, _ in kernels]
  for line, (_, kernel) in zip(lines, kernels):
    columns = kernel.reshape(-1, kernel.shape[-1]).astype('float64')
    assert list(map(float, re.findall(r'(?:full|half) ([\d.e+-]+)', line))) == (
        pytest.approx([ground_truth.full_space_energy(columns),
                       ground_truth.half_space_energy(columns)], rel=1e-5))


def test_energies_of_a_file_of_keras(run, tmp_path):
  layers = [keras.layers.Conv2D(3, 3, name='plain', kernel_regularizer=(
      comhe_tf1.kernel_regularizer('random'))),
            keras.layers.DepthwiseConv2D(3, name='depthwise'),
            keras.layers.BatchNormalization(name='norm'),
            keras.layers.Conv2DTranspose(4, 3, name='transposed'),
            keras.layers.Flatten(), keras.layers.Dense(5, name='top')]
  path = str(tmp_path / ('a.h5' if tf.__version__.startswith('1.') else 'a.keras'))
  with tf.Graph().as_default() if path.endswith('h5') else tensorflow.device(None):
    outputs = inputs = keras.layers.Input((8, 8, 2))
    for layer in layers:
      outputs = layer(outputs)
    model = keras.models.Model(inputs, outputs)
    model.save(path)
    kernels = {layer.name: layer.get_weights()[0] for layer in layers
               if layer.get_weights()}
  status, out = run('energies.py', path)
  assert status == 0
  check(out, [('plain', kernels['plain']),
              ('depthwise', kernels['depthwise'].reshape(9, 3)),
              ('transposed', kernels['transposed'].transpose(0, 1, 3, 2)),
              ('top', kernels['top'])],
        [f'norm left out: {type(layers[2]).__name__} has no kernel'])


@pytest.mark.skipif(tf.__version__.startswith('1.'), reason='Keras 3')
def test_energies_of_layers_within_layers_and_of_whole_numbers(run, tmp_path):
  keras.backend.clear_session()
  model = keras.Sequential([
      keras.layers.Input((4, 3)), keras.layers.Bidirectional(keras.layers.SimpleRNN(
          5, return_sequences=True), name='both'),
      keras.layers.TimeDistributed(keras.layers.Dense(6, name='each'), name='times'),
      keras.layers.Dense(4, name='whole')])
  model.layers[2].quantize('int8')
  path = str(tmp_path / 'a.keras')
  model.save(path)
  status, out = run('energies.py', path)
  assert status == 0
  rnn, each = (layer.get_weights() for layer in model.layers[:2])
  names = [f'both/{way}_simple_rnn/simple_rnn_cell/{which}kernel'
           for way in ('forward', 'backward') for which in ('', 'recurrent_')]
  check(out, list(zip(names, [rnn[place] for place in (0, 1, 3, 4)])) + [
      ('times/each', each[0])], ['whole left out: its kernel is of int8'])


@pytest.mark.skipif(tf.__version__.startswith('1.'), reason='Keras 3')
@pytest.mark.parametrize('whose', ['keras', 'tf_keras'])
def test_energies_of_a_checkpoint_of_objects(run, tmp_path, whose):
  """Of a model and its optimizer, whose slots are no layers."""
  package = pytest.importorskip(whose)
  model = package.models.Sequential([
      package.layers.Input((5,)), package.layers.Dense(4), package.layers.Dense(3)])
  model.compile('adam', 'mse')
  model.fit(np.ones([2, 5]), np.ones([2, 3]), verbose=0)
  path = tensorflow.train.Checkpoint(model=model, optimizer=model.optimizer).save(
      str(tmp_path / 'a'))
  status, out = run('energies.py', path)
  assert status == 0
  kernels = sorted((model.get_weights()[place] for place in (0, 2)), key=np.sum)
  found = [re.findall('half (.*)', line)[0] for line in out]
  assert sorted(map(float, found)) == pytest.approx(sorted(
      ground_truth.half_space_energy(w.astype('float64')) for w in kernels), rel=1e-5)


@pytest.mark.parametrize('optimizer', [
    lambda: tf.train.AdamOptimizer(0.1), lambda: tf.train.FtrlOptimizer(0.1),
    lambda: tf.train.MomentumOptimizer(0.1, 0.9)])
def test_slots_are_no_layers(run, tmp_path, session, rng, optimizer):
  kernel = tf.get_variable('net/a/kernel', initializer=rng.randn(3, 4).astype('float32'))
  optimizer().minimize(tf.reduce_sum(kernel ** 2))
  tf.train.ExponentialMovingAverage(0.9).apply([kernel])
  session.run(tf.global_variables_initializer())
  status, out = run('energies.py', tf.train.Saver().save(
      session, str(tmp_path / 'model.ckpt')))
  assert status == 0
  check(out, [('net/a/kernel', session.run(kernel))])


def test_energies_of_a_checkpoint(run, tmp_path, session, rng):
  start = rng.randn(3, 4).astype('float32')
  kernel = tf.get_variable('a/kernel', initializer=start)
  tf.get_variable('a/bias', initializer=np.zeros(4, 'float32'))
  tf.train.MomentumOptimizer(0.1, 0.9).minimize(tf.reduce_sum(kernel))
  session.run(tf.global_variables_initializer())
  path = tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'))
  status, out = run('energies.py', path, '--axis', '0')
  assert status == 0
  check(out, [('a/kernel', start.T)])


def test_a_checkpoint_without_kernels(run, tmp_path, session):
  tf.get_variable('bias', initializer=np.zeros(4, 'float32'))
  session.run(tf.global_variables_initializer())
  path = tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'))
  status, out = run('energies.py', path)
  assert not out and status == f'error: cannot read {path}: it has no kernel'


@pytest.mark.parametrize('name', ['none.keras', 'none.ckpt'])
def test_energies_of_nothing(run, tmp_path, name):
  status, out = run('energies.py', str(tmp_path / name))
  assert not out
  assert status.startswith(f'error: cannot read {tmp_path / name}: ')
  assert '\n' not in status
