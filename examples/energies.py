"""Energies of every layer of any TensorFlow checkpoint, .keras or .h5 file.

After `pip install .`, or from the project's folder:
    PYTHONPATH=. python examples/energies.py model.keras
    PYTHONPATH=. python examples/energies.py folder/model.ckpt-1000 --axis -1
In a file of Keras the layer's class says which axis counts the neurons.
"""
import argparse
import sys

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2

import comhe_tf1
from comhe_tf1.keras import finding

GRAPH = '_CHECKPOINTABLE_OBJECT_GRAPH'


def of_keras(model):
  """Names and neurons [d, N] of a model's kernels, and what is left out and why."""
  found, left_out = finding.find(model)
  kernels = []
  for kernel in found:
    sets = kernel.neurons(tf.float64)
    if not tf.executing_eagerly():
      sets = tf.keras.backend.get_session().run(sets)
    kernels += zip(kernel.names, np.asarray(sets))
  return kernels, left_out


def of_checkpoint(path, axis):
  """As `of_keras`, of all variables of two axes and more but those of optimizers."""
  reader = tf.train.load_checkpoint(path)
  shapes = reader.get_variable_to_shape_map()
  names = (paths_of_objects(reader) if GRAPH in shapes
           else {name: name for name in shapes if not is_slot(name, shapes)})
  kernels, left_out = [], []
  for name, key in sorted(names.items()):
    kernel = reader.get_tensor(key)
    if len(kernel.shape) < 2 or not hasattr(kernel, 'dtype'):
      continue
    if kernel.dtype.kind != 'f':
      left_out.append((name, f'it is of {kernel.dtype}'))
    elif min(kernel.shape) == 0:
      left_out.append((name, 'it is empty'))
    else:
      kernels.append((name, in_columns(kernel, axis)))
  return kernels, left_out


def in_columns(kernel, axis):
  last = np.moveaxis(kernel, axis, -1)
  return last.reshape(-1, last.shape[-1])


def is_slot(name, names):
  """Whether a name has that of another variable within, as what optimizers keep of it."""
  parts = name.split('/')
  return any('/'.join(parts[start:end]) in names
             for start in range(len(parts)) for end in range(start + 1, len(parts) + 1)
             if end - start < len(parts))


def paths_of_objects(reader):
  """From a variable's path, not through an optimizer, to its key in the checkpoint."""
  graph = trackable_object_graph_pb2.TrackableObjectGraph()
  graph.ParseFromString(reader.get_tensor(GRAPH))
  slots = {slot.slot_variable_node_id for node in graph.nodes for slot in
           node.slot_variables}
  found, seen, left = {}, {0}, [(0, ())]
  while left:
    number, path = left.pop(0)
    for attribute in graph.nodes[number].attributes:
      if attribute.name == 'VARIABLE_VALUE' and number not in slots:
        found['/'.join(path)] = attribute.checkpoint_key
    for child in graph.nodes[number].children:
      if child.node_id not in seen and 'optimizer' not in child.local_name:
        seen.add(child.node_id)
        left.append((child.node_id, path + (child.local_name,)))
  return found


def main(argv=None):
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('path')
  parser.add_argument('--axis', type=int, choices=[-1, -2, 0], default=-1,
                      help='that counts the neurons of a checkpoint\'s kernels')
  args = parser.parse_args(argv)
  try:
    if args.path.endswith(('.keras', '.h5')):
      kernels, left_out = of_keras(tf.keras.models.load_model(args.path, compile=False))
    else:
      kernels, left_out = of_checkpoint(args.path, args.axis)
    if not kernels:
      raise ValueError('it has no kernel')
  except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
    sys.exit('error: cannot read %s: %s' % (args.path, str(error).split('\n')[0]))
  for name, kernel in kernels:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
      kernel = kernel.astype('float64')
      full, half = session.run([comhe_tf1.full_space_energy(kernel),
                                comhe_tf1.half_space_energy(kernel)])
    print('%-40s %-14s full %.6g, half %.6g'
          % (name, '%d x %d' % kernel.shape[::-1], full, half))
  for name, reason in left_out:
    print(f'{name:40} left out: {reason}')


if __name__ == '__main__':
  main()
