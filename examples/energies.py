"""Energies of every layer of any TensorFlow checkpoint, .keras or .h5 file.

After `pip install .`, or from the project's folder:
    PYTHONPATH=. python examples/energies.py model.keras
    PYTHONPATH=. python examples/energies.py folder/model.ckpt-1000 --axis -1
In a file of Keras the layer's class says which axis counts the neurons.
"""
import argparse
import sys

import tensorflow as tf

import comhe_tf1

# What optimisers keep of a variable has its shape too.
SLOTS = {'Momentum', 'Adam', 'Adam_1', 'RMSProp', 'RMSProp_1', 'Adagrad', 'optimizer',
         'ExponentialMovingAverage', '.OPTIMIZER_SLOT'}


def of_keras(layers):
  """Triples of a layer's name, its kernel as an array, and the axis of the neurons."""
  for layer in layers:
    kind = type(layer).__name__
    if getattr(layer, 'layers', None):
      for found in of_keras(layer.layers):
        yield found
    elif 'Depthwise' in kind or 'Separable' in kind:
      weights = layer.get_weights()
      yield layer.name, weights[0], (-2, -1)
      if 'Separable' in kind:
        yield layer.name + ', pointwise', weights[1], -1
    elif kind == 'Dense' or 'Conv' in kind:
      yield layer.name, layer.get_weights()[0], -2 if 'Transpose' in kind else -1


def of_checkpoint(path, axis):
  """As `of_keras`, of all variables of two axes and more."""
  reader = tf.train.load_checkpoint(path)
  for name, shape in sorted(reader.get_variable_to_shape_map().items()):
    if len(shape) > 1 and not SLOTS & set(name.split('/')):
      yield name.replace('/.ATTRIBUTES/VARIABLE_VALUE', ''), reader.get_tensor(name), axis


def main(argv=None):
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('path')
  parser.add_argument('--axis', type=int, choices=[-1, -2, 0], default=-1,
                      help='that counts the neurons of a checkpoint\'s kernels')
  args = parser.parse_args(argv)
  try:
    if args.path.endswith(('.keras', '.h5')):
      model = tf.keras.models.load_model(args.path, compile=False, custom_objects={
          'KernelRegularizer': comhe_tf1.KernelRegularizer})
      kernels = list(of_keras(model.layers))
    else:
      kernels = list(of_checkpoint(args.path, args.axis))
  except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
    sys.exit('error: cannot read %s: %s' % (args.path, str(error).split('\n')[0]))
  for name, kernel, axis in kernels:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
      neurons = comhe_tf1.neurons_last(kernel.astype('float64'), axis)
      full, half = session.run([comhe_tf1.full_space_energy(neurons),
                                comhe_tf1.half_space_energy(neurons)])
    print('%-40s %-18s full %.6g, half %.6g'
          % (name, 'x'.join(map(str, kernel.shape)), full, half))


if __name__ == '__main__':
  main()
