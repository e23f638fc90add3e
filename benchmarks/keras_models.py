#!/usr/bin/env python
"""Measures what `regularize` adds to a training step of two Keras models, on CPUs.

    python benchmarks/keras_models.py [--models cnn,mobilenet_v2]
        [--variants none,regularize,orthogonal] [--rounds 5] [--steps 20]

The models: `cnn`, five convolutions and one dense layer, batch 64 of 32 x 32 images;
`mobilenet_v2`, keras.applications.MobileNetV2 of 32 x 32 images, batch 16. Both of 10
classes, trained by Keras 3 as `compile` and `train_on_batch` do it.

The variants: `none`; `regularize`, random projection with its defaults; `orthogonal`,
Keras' own OrthogonalRegularizer of every kernel of two axes and more, flattened to two.
Every variant is a process of its own, of which one at a time takes --steps steps; in every
round all take their turn. The first step, which compiles, is a figure of its own. A step's
cost is the median over the rounds' medians, of the clock on the wall and of the time of all
cores, which other processes on the machine disturb less. Settings of `regularize`:
--settings pn=5,pd=20.
"""
import argparse
import contextlib
import os
import sys
import time

import measured_process
import report

MODELS = {'cnn': 64, 'mobilenet_v2': 16}   # and their batches
VARIANTS = 'none', 'regularize', 'orthogonal'


def small_cnn(keras):
  layers = keras.layers
  return keras.Sequential([layers.Input((32, 32, 3))] + [
      layers.Conv2D(filters, 3, strides=strides, padding='same', activation='relu')
      for filters, strides in ((32, 1), (32, 1), (64, 2), (64, 1), (128, 2))] + [
          layers.GlobalAveragePooling2D(), layers.Dense(10)])


def network(keras, name):
  if name == 'cnn':
    return small_cnn(keras)
  return keras.applications.MobileNetV2(
      (32, 32, 3), weights=None, classes=10, classifier_activation=None)


def add(keras, model, variant, settings):
  """Adds the variant's terms to a model."""
  import comhe_tf1
  from comhe_tf1.keras import finding

  if variant == 'regularize':
    comhe_tf1.regularize(model, **settings)
  elif variant == 'orthogonal':
    for kernel in finding.find(model)[0]:
      kernel.variable.regularizer = _orthogonal(keras)


def _orthogonal(keras):
  regularizer = keras.regularizers.OrthogonalRegularizer(mode='columns')
  return lambda kernel: regularizer(keras.ops.reshape(kernel, (-1, kernel.shape[-1])))


def measured(model_name, variant, settings):
  """The contender: the figures of the first step, then of one more whenever asked."""
  answers = measured_process.start()
  import keras
  import numpy as np

  keras.utils.set_random_seed(1)
  model, batch = network(keras, model_name), MODELS[model_name]
  add(keras, model, variant, settings)
  model.compile(keras.optimizers.SGD(1e-3), keras.losses.SparseCategoricalCrossentropy(
      from_logits=True))
  rng = np.random.RandomState(1)
  images = rng.rand(batch, 32, 32, 3).astype('float32')
  classes = rng.randint(10, size=batch)

  def steps():
    while True:
      start = time.perf_counter(), time.process_time()
      model.train_on_batch(images, classes)
      yield {'step, wall s': time.perf_counter() - start[0],
             'step, CPU s': time.process_time() - start[1]}

  measured_process.serve(answers, {}, steps())


def compare(model, variants, rounds, steps, settings):
  """Prints a table of the variants of a model."""
  with contextlib.ExitStack() as stack:
    contenders = [stack.enter_context(measured_process.Contender(variant, [
        sys.executable, os.path.abspath(__file__), '--measure', model, variant,
        '--settings', settings])) for variant in variants]
    taken = measured_process.in_turn(contenders, rounds, steps)
  for contender, samples in zip(contenders, taken):
    samples['first step, s'] = [contender.values['step, wall s']]
  print('\n'.join(report.lines([
      {'measure': model, 'quantity': quantity, 'contender': contender.name,
       'samples': samples[quantity]} for quantity in taken[0]
      for contender, samples in zip(contenders, taken)])), flush=True)


def parsed_settings(text):
  """'pn=5,draw=reduced' as a dict."""
  pairs = [each.split('=') for each in text.split(',') if each]
  return {name: int(value) if value.isdigit() else value for name, value in pairs}


def main(argv=None):
  parser = argparse.ArgumentParser(
      description=__doc__.splitlines()[0], formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('--models', default='cnn,mobilenet_v2')
  parser.add_argument('--variants', default='none,regularize,orthogonal')
  parser.add_argument('--rounds', type=int, default=5)
  parser.add_argument('--steps', type=int, default=20)
  parser.add_argument('--settings', default='', help='of regularize')
  parser.add_argument('--measure', nargs=2, help=argparse.SUPPRESS)
  args = parser.parse_args(argv)
  if args.measure:
    measured(*args.measure, settings=parsed_settings(args.settings))
    return
  for given, known in ((args.models, MODELS), (args.variants, VARIANTS)):
    for name in given.split(','):
      if name not in known:
        parser.error(f"{name!r} is none of {', '.join(known)}")
  for model in args.models.split(','):
    compare(model, args.variants.split(','), args.rounds, args.steps, args.settings)


if __name__ == '__main__':
  main()
