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


@pytest.mark.parametrize('name', ['keras_cnn.py', 'graph.py', 'energies.py'])
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


def test_graph(run):
  status, out = run('graph.py')
  assert status == 0
  steps = [list(map(float, re.findall(r'[\d.]+\d', line.split(':')[1]))) for line in out]
  assert len(steps) == 4
  assert steps[3][0] < 0.1 * steps[0][0] and steps[3][1] < steps[0][1]


def check(lines, kernels):
  """The printed energies against slow NumPy; kernels have their neurons last."""
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
            keras.layers.BatchNormalization(),
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
              ('top', kernels['top'])])


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


@pytest.mark.parametrize('name', ['none.keras', 'none.ckpt'])
def test_energies_of_nothing(run, tmp_path, name):
  status, out = run('energies.py', str(tmp_path / name))
  assert not out
  assert status.startswith('error: cannot read %s: ' % (tmp_path / name))
  assert '\n' not in status
