"""The numbers that contenders share: images, CNN-9's first steps, large layers.

The file of the first steps brings another library the variables that CNN-9 starts with
and the projections that are drawn. Needs no TensorFlow.
"""
import os
import pickle

import measured_process  # noqa: F401 (for the path)
import numpy as np

import cifar_input

RATE = 0.1   # the learning rate of everything measured
TRAIN, TEST = 50000, 10000
# So many steps are compared. Of these, the second shows the first update, and the third
# momentum, which an update after the first one has.
FIRST = 3
PROJECTED = 40   # dimensions, of a large layer's projections


def write_images(folder):
  """Random images in CIFAR-100's layout."""
  rng = np.random.RandomState(0)
  for name, count in (('train', TRAIN), ('test', TEST)):
    content = pickle.dumps({'data': rng.randint(0, 256, (count, 3072), np.uint8),
                            'fine_labels': rng.randint(0, 100, count).tolist()}, 2)
    with open(os.path.join(folder, name), 'wb') as file:
      # NumPy 1, under which the authors' script runs, does not know the name in NumPy 2.
      file.write(content.replace(b'cnumpy._core.multiarray\n', b'cnumpy.core.multiarray\n'))


def batches(folder, batch_size, random_seed):
  """The training batches of a run on these images."""
  train, _ = cifar_input.load_folder(folder)
  return cifar_input.batches(train, batch_size, random_seed)


def values_of(step, measures):
  """What a training step measured, a dict, by names for `agreement.compare`."""
  # One image more or less would be no disagreement.
  return {f'{name} of step {step}': float(value)
          for name, value in measures.items() if name != 'acc'}


def keep(path, variables, draws):
  """Writes the file of the first steps.

  Args:
    path: of the file.
    variables: dict from their names in TensorFlow to the initial values of all that is
      trained.
    draws: list, by steps, of dicts from (d, op seed) to a projection [pd, d].
  """
  np.savez(path, **variables, **{
      of_draw(step, *key): drawn for step, of_step in enumerate(draws)
      for key, drawn in of_step.items()})


def kept(path):
  """What `keep` wrote: dict from a variable, or from `of_draw`, to an array."""
  with np.load(path) as file:
    return dict(file)


def of_draw(step, d, op_seed):
  """Name of a projection [pd, d] that a step drew."""
  return f'draw {step} {d} {op_seed}'


def layer(neurons, inputs, projections):
  """A large layer: W [d, N], and projections [pn, 40, d] or None where there are none."""
  rng = np.random.RandomState(0)
  kernel = rng.standard_normal((inputs, neurons)).astype(np.float32)
  return kernel, rng.standard_normal(
      (projections, PROJECTED, inputs)).astype(np.float32) if projections else None
