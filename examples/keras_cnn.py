"""A Keras CNN with CoMHE on every layer, on a few images of the synthetic sample.

After `pip install .`, or from the project's folder:
    PYTHONPATH=. python examples/keras_cnn.py
Runs with tf.keras of TensorFlow 1.14 and of 2.x, and shows the energies before and after.
"""
import numpy as np
import tensorflow as tf

import comhe_tf1
from comhe_tf1.data import sample


def network(classes):
  layers, regularizer = tf.keras.layers, comhe_tf1.kernel_regularizer
  inputs = layers.Input((32, 32, 3))
  outputs = layers.Conv2D(16, 3, strides=2, activation='relu', kernel_regularizer=(
      regularizer('random', role=comhe_tf1.FIRST)))(inputs)
  # One object on both: each draws numbers of its own.
  hidden = regularizer('random', pd=20, pn=10, seed=1)
  outputs = layers.Conv2D(24, 3, strides=2, activation='relu', name='middle',
                          kernel_regularizer=hidden)(outputs)
  outputs = layers.Conv2D(32, 3, strides=2, activation='relu', name='last',
                          kernel_regularizer=hidden)(outputs)
  outputs = layers.GlobalAveragePooling2D()(outputs)
  outputs = layers.Dense(classes, activation='softmax', kernel_regularizer=(
      regularizer('random', role=comhe_tf1.OUTPUT)))(outputs)
  return tf.keras.models.Model(inputs, outputs)


def energies(model):
  """Half-space energies of the kernels as they are, by layer."""
  kernels = [(layer.name, layer.get_weights()[0]) for layer in model.layers
             if layer.get_weights()]
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    return [(name, session.run(comhe_tf1.half_space_energy(kernel)))
            for name, kernel in kernels]


def main():
  getattr(tf.keras.utils, 'set_random_seed', tf.compat.v1.set_random_seed)(1)
  rows = sample.generate()['train']
  images = rows['data'][:400].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1) / 255. - 0.5
  labels = np.array(rows['fine_labels'][:400]) // 10   # ten classes
  model = network(classes=10)
  model.compile(tf.keras.optimizers.SGD(0.05, momentum=0.9),
                'sparse_categorical_crossentropy', metrics=['accuracy'])
  before = energies(model)
  # Keras adds the regularizers' terms to the loss.
  history = model.fit(images.astype('float32'), labels, batch_size=50, epochs=3,
                      verbose=0).history
  print('loss: %s' % ' '.join('%.3f' % loss for loss in history['loss']))
  for (name, start), (_, end) in zip(before, energies(model)):
    print(f'{name}: half-space energy {end:.4f}, at first {start:.4f}')


if __name__ == '__main__':
  main()
