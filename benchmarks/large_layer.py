"""Value and gradient of one large layer's half-space energy, in a process of its own.

    python benchmarks/large_layer.py ours|whole|products|torch NEURONS D PROJECTIONS REPEATS

One JSON line comes: value and norm of the gradient; seconds of each repetition but the
first, and those of processor time over all cores, which other work changes less; MB that
the first took at most beyond what the process had with its libraries, its input and a
built graph. Contenders: `ours`, by blocks where the neurons are many; `whole`, with all
cosines at once; `products`, only U^T U and U S, each entry of either as the plain formula
has it, in panels; `torch`, the formula as one would write it in PyTorch, in whose
interpreter it runs. With projections, all to 40 dimensions, the mean over them. Needs
Linux.
"""
import contextlib
import os
import re
import sys
import time
from unittest import mock

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [ROOT]

import numpy as np
import replies

PROJECTED = 40
PANEL = 1024


def inputs(neurons, d, projections):
  """W [d, N], and P [pn, 40, d] or None."""
  rng = np.random.RandomState(0)
  kernel = rng.standard_normal((d, neurons)).astype(np.float32)
  if not projections:
    return kernel, None
  return kernel, rng.standard_normal((projections, PROJECTED, d)).astype(np.float32)


def tensorflow(contender, kernel, projections):
  """Function that computes value and norm of the gradient."""
  import tensorflow.compat.v1 as tf

  from comhe_tf1.regularizers import blocks
  from comhe_tf1.regularizers import energy
  from comhe_tf1.regularizers import projection
  with tf.Graph().as_default(), contextlib.ExitStack() as stack:
    if contender == 'whole':   # while the graph is built
      stack.enter_context(mock.patch.object(blocks, 'needed', lambda neurons: False))
    tensor = tf.placeholder(tf.float32, kernel.shape)
    feed = {tensor: kernel}
    neurons = tensor
    if projections is not None:
      drawn = tf.placeholder(tf.float32, projections.shape)
      feed[drawn] = projections
    if contender == 'products':
      if projections is not None:
        neurons = tf.reshape(tf.matmul(tf.reshape(drawn, [-1, len(kernel)]), tensor),
                             [len(projections), PROJECTED, -1])
        neurons.set_shape([None, None, kernel.shape[1]])
      value, gradient = tf.zeros([]), products(tf, neurons)
    else:
      value = (energy.half_space_energy(tensor) if projections is None else
               tf.reduce_mean(projection.random_projection_energies(
                   tensor[tf.newaxis], drawn)))
      gradient, = tf.gradients(value, tensor)
    norm = tf.sqrt(tf.reduce_sum(tf.square(gradient)))
    session = tf.Session()
    session.run(tf.zeros([]))
  return lambda: list(map(float, session.run([value, norm], feed)))


def products(tf, neurons):
  """U (U^T U) by panels of columns: the multiplications of the formula, no more."""
  count = neurons.shape.as_list()[-1]

  def body(start, last):
    del last
    panel = neurons[..., start:start + PANEL]
    return start + PANEL, tf.matmul(
        neurons, tf.matmul(neurons, panel, transpose_a=True))

  return tf.while_loop(
      lambda start, _: start < count, body, [tf.constant(0), neurons[..., :PANEL]],
      [tf.TensorShape([]), tf.TensorShape(neurons.shape.as_list()[:-1] + [None])],
      parallel_iterations=1, back_prop=False)[1]


def pytorch(kernel, projections):
  """As `tensorflow`."""
  import torch
  import torch_energy

  weight = torch.tensor(kernel, requires_grad=True)
  drawn = None if projections is None else torch.tensor(projections)
  torch_energy.itself(kernel.shape[1])   # made once, and no part of what is measured

  def compute():
    weight.grad = None
    value = torch_energy.half_space(weight if drawn is None else drawn @ weight).mean()
    value.backward()
    return [float(value), float(weight.grad.norm())]

  return compute


def megabytes(entry):
  """An entry of this process's memory."""
  with open('/proc/self/status') as file:
    return int(re.search(entry + r':\s*(\d+) kB', file.read()).group(1)) / 1024.


def main(contender, neurons, d, projections, repeats):
  reply = replies.start()
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  given = inputs(neurons, d, projections)
  compute = pytorch(*given) if contender == 'torch' else tensorflow(contender, *given)
  with open('/proc/self/clear_refs', 'w') as file:
    file.write('5')   # from here on the peak is counted anew
  before, seconds, processor = megabytes('VmRSS'), [], []
  for repetition in range(1 + repeats):
    start, used = time.perf_counter(), time.process_time()
    value, norm = compute()
    if repetition:
      seconds.append(time.perf_counter() - start)
      processor.append(time.process_time() - used)
    else:
      peak = megabytes('VmHWM') - before
  reply({'value': value, 'gradient': norm, 'seconds': seconds, 'processor': processor,
         'MB': peak})


if __name__ == '__main__':
  main(sys.argv[1], *map(int, sys.argv[2:]))
