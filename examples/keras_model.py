"""CoMHE on a whole Keras model: from scratch with annealing, then transfer learning.

After `pip install .`, or from the project's folder:
    PYTHONPATH=. python examples/keras_model.py
Runs with Keras 3 of TensorFlow 2, on a few images of the synthetic sample.
"""
import numpy as np
import tensorflow as tf

import comhe_tf1
from comhe_tf1.data import sample

keras = tf.keras


def images_and_labels(classes):
  """300 images; of ten classes, each is ten of the sample's."""
  rows = sample.generate()['train']
  images = rows['data'].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1) / 255. - 0.5
  labels = np.array(rows['fine_labels']) * classes // sample.CLASSES
  return images.astype('float32')[:300], labels[:300]


def base_network():
  layers = keras.layers
  return keras.Sequential([layers.Input((32, 32, 3))] + [
      layer for filters in (16, 24, 32) for layer in (
          layers.Conv2D(filters, 3, strides=2, use_bias=False, name='conv%d' % filters),
          layers.BatchNormalization(name='norm%d' % filters), layers.ReLU())] + [
              layers.GlobalAveragePooling2D()], name='base')


def with_top(base, classes):
  return keras.Sequential([
      base, keras.layers.Dense(classes, activation='softmax', name='top')])


def trained(model, images, labels, rate, **how):
  """Compiles and fits; the history."""
  model.compile(keras.optimizers.SGD(rate, momentum=0.9),
                'sparse_categorical_crossentropy', metrics=['accuracy'])
  return model.fit(images, labels, batch_size=50, epochs=3, verbose=0, **how).history


def main():
  keras.utils.set_random_seed(1)
  base = base_network()
  model = with_top(base, classes=10)
  model.build((None, 32, 32, 3))
  # From full weight to none over the 18 steps.
  weight = keras.optimizers.schedules.PolynomialDecay(1., 18, end_learning_rate=0.)
  regularization = comhe_tf1.regularize(model, 'random', weight=weight, pd=20, pn=4)
  print(regularization)
  history = trained(model, *images_and_labels(classes=10), rate=0.05,
                    callbacks=[regularization.callback()])
  print('from scratch: loss %s, terms %s' % tuple(
      ' '.join('%.3f' % value for value in history[name]) for name in ('loss', 'comhe')))
  print('energy of the top by epoch: %s' % ' '.join(
      '%.4f' % value for value in history['energy/top']))

  regularization.remove()
  base.trainable = False
  model = with_top(base, classes=100)
  model.build((None, 32, 32, 3))
  regularization = comhe_tf1.regularize(model, 'angle', pd=20)
  data = images_and_labels(classes=100)
  history = trained(model, *data, rate=0.05)
  print(f"the new layer alone: terms {history['comhe'][-1]:.3f}")
  base.trainable = True   # its terms join when the model is compiled
  history = trained(model, *data, rate=0.001)
  print(f"all layers: terms {history['comhe'][-1]:.3f}")


if __name__ == '__main__':
  main()
