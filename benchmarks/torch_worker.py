"""PyTorch as a contender in a process of its own, under an interpreter that has it.

    python benchmarks/torch_worker.py

Speaks as `replies.py` says, of `none` and `random` only; beside what all are asked for,

    {"do": "first_steps", "variant": V, "data": FOLDER}

CNN-9's, from the variables and draws that `worker.py` kept there. What is timed goes on
from these variables with draws of its own. Batches are taken, augmented and made ahead by
this project's code. On the CPU, with as many threads as this process may use cores, as
TensorFlow. Needs Linux, PyTorch 2.4 or newer (a fused optimiser on the CPU), NumPy; no
TensorFlow.
"""
import os
import platform
import sys
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [ROOT, os.path.join(ROOT, 'tests', 'helpers')]

import agreement
import jobs
import numpy as np
import replies
import steps
import torch
import torch_step

from comhe_tf1.regularizers import methods
from comhe_tf1.training import prefetch


def settings_of(variant, settings=()):
  """The settings of `random`, None of `none`."""
  return methods.resolve(variant, dict(settings)) if variant != jobs.NONE else None


def check(variant):
  """Values of the small kernels, with the draws of `agreement`."""
  settings = settings_of(variant, agreement.SMALL[variant])
  names, layers, kernels = [], [], []
  for name, role, kernel in agreement.small_kernels():
    tensor = torch.tensor(kernel, requires_grad=True)
    names.append(name)
    kernels.append(tensor)
    layers.append((role, kernel.shape[-2], tensor.flatten(0, -2)))
  draws = torch_step.given_draws(settings, lambda d, op_seed: agreement.draw(
      [settings['pd'], d], op_seed))
  thom, thomf = torch_step.terms(layers, settings, draws)
  (thom + thomf).backward()
  values = {'thom': thom.item(), 'thomf': thomf.item()}
  for name, kernel in zip(names, kernels):
    values['gradient of ' + name] = kernel.grad.square().sum().item()
  return values


class Cnn9(object):
  """The network of the first steps, with their draws and those that follow.

  Args:
    variant: 'none' or 'random'.
    data: folder of the data set and of what was kept.
  """

  def __init__(self, variant, data):
    self.settings = settings_of(variant)
    self._kept = steps.Kept(variant, data)
    self.network = torch_step.Cnn9(self._kept.variable, self.settings, agreement.RATE)

  def kept_draws(self, step):
    """The draws of one of the first steps, for `torch_step.terms`."""
    return torch_step.given_draws(
        self.settings, lambda d, op_seed: self._kept.draw(step, d, op_seed))

  def new_draws(self):
    """Draws anew, likewise."""
    return torch_step.random_draws(self.settings)


def first_steps(variant, data):
  """Values as `worker.first_steps`."""
  cnn9, batches, values = Cnn9(variant, data), steps.batches_of(variant, data), {}
  for step in range(steps.FIRST):
    measures = cnn9.network.step(*batches.next(), draws=cnn9.kept_draws(step))
    values.update(steps.values_of(
        step, measures, None if step else cnn9.network.squares(steps.BATCH)))
  return values


def terms(variant, data):
  """Terms and gradients of CNN-9's ten layers."""
  cnn9 = Cnn9(variant, data)
  yield cnn9.network.term_gradients(cnn9.kept_draws(0))
  while True:
    with steps.Timer() as timer:
      cnn9.network.term_gradients(cnn9.new_draws())
    yield {'time, s': timer.seconds}


def training(variant, data):
  """A whole training step, its batch made ahead in a thread as `train.py` does."""
  cnn9 = Cnn9(variant, data)
  with prefetch.Prefetched(steps.batches_of(variant, data)) as batches:
    images, labels = batches.next()
    values = cnn9.network.step(images, labels, cnn9.kept_draws(0))
    del values['acc']   # one image more or less would be no disagreement
    yield dict(values, batch=zlib.crc32(images.tobytes()))
    while True:
      with steps.Timer() as timer:
        images, labels = batches.next()
        cnn9.network.step(images, labels, cnn9.new_draws())
      yield {'time, s': timer.seconds}


def main():
  reply = replies.start()
  # As TensorFlow's threads do, and before PyTorch starts its own, which inherit it. At this
  # learning rate the loss is soon at its bound, with gradients so small that a step on
  # denormal numbers takes minutes.
  torch.set_flush_denormal(True)
  torch.set_num_threads(len(os.sched_getaffinity(0)))
  reply({'python': platform.python_version(), 'torch': torch.__version__,
         'numpy': np.__version__, 'threads': torch.get_num_threads(),
         'build': torch.__config__.show()})
  replies.serve(reply, {'terms': terms, 'cnn9': training},
                {'check': check, 'first_steps': first_steps})


if __name__ == '__main__':
  main()
