#!/usr/bin/env python
"""Measures what `regularize` adds to a training step of two Keras models, on CPUs.

    python benchmarks/keras_models.py [--models cnn,mobilenet_v2]
        [--variants none,regularize,orthogonal,layers] [--rounds 5] [--steps 20]

The models: `cnn`, five convolutions and one dense layer, batch 64 of 32 x 32 images;
`mobilenet_v2`, keras.applications.MobileNetV2 of 32 x 32 images, batch 16. Both of 10
classes, trained by Keras 3 as `compile` and `train_on_batch` do it.

The variants: `none`; `regularize`, random projection with its defaults; `orthogonal`,
Keras' own OrthogonalRegularizer of every kernel of two axes and more, flattened to two;
`layers`, a `kernel_regularizer` for every kernel. Every variant is a process of its own,
of which one at a time takes --steps steps; in every round all take their turn. The first
step, which compiles, is a figure of its own. A step's cost is the median over the rounds'
medians, of the clock on the wall and of the time of all cores, which other processes on the
machine disturb less. Settings of `regularize`: --settings pn=5,pd=20.
"""
import argparse
import json
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)
MODELS = {'cnn': 64, 'mobilenet_v2': 16}   # and their batches
VARIANTS = 'none', 'regularize', 'orthogonal', 'layers'


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
  elif variant in ('orthogonal', 'layers'):
    for kernel in finding.find(model)[0]:
      kernel.variable.regularizer = (
          _orthogonal(keras) if variant == 'orthogonal' else comhe_tf1.kernel_regularizer(
              'random', kernel.role, axis=kernel.layout.neurons[0] if len(
                  kernel.layout.neurons) == 1 else (-2, -1)))


def _orthogonal(keras):
  regularizer = keras.regularizers.OrthogonalRegularizer(mode='columns')
  return lambda kernel: regularizer(keras.ops.reshape(kernel, (-1, kernel.shape[-1])))


def measured(model_name, variant, settings):
  """Answers each line of standard input, a number of steps, by their seconds."""
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
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
  for line in sys.stdin:
    seconds = []
    for _ in range(int(line)):
      start = time.perf_counter(), time.process_time()
      model.train_on_batch(images, classes)
      seconds.append([time.perf_counter() - start[0], time.process_time() - start[1]])
    print(json.dumps(seconds), flush=True)


def median(values):
  values = sorted(values)
  middle = len(values) // 2
  return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def compare(model, variants, rounds, steps, settings):
  """Prints a table of the variants of a model."""
  processes = {variant: subprocess.Popen(
      [sys.executable, os.path.abspath(__file__), '--measure', model, variant,
       '--settings', settings],
      stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True)
               for variant in variants}

  def take(variant, count):
    processes[variant].stdin.write('%d\n' % count)
    processes[variant].stdin.flush()
    return json.loads(processes[variant].stdout.readline())

  first = {variant: take(variant, 1)[0] for variant in variants}
  taken = {variant: [] for variant in variants}
  for _ in range(rounds):
    for variant in variants:
      taken[variant].append([median(each) for each in zip(*take(variant, steps)[1:])])
  for process in processes.values():
    process.stdin.close()
    process.wait()
  medians = {variant: [median(each) for each in zip(*taken[variant])]
             for variant in variants}
  print('%s, batch %d' % (model, MODELS[model]))
  for variant in variants:
    print('  %-12s %s' % (variant, '; '.join(
        '%s: first step %.1f s, a step %.1f ms, %.2f times %s' % (
            clock, first[variant][place], 1e3 * medians[variant][place],
            medians[variant][place] / medians[variants[0]][place], variants[0])
        for place, clock in enumerate(('wall', 'CPU')))), flush=True)


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
