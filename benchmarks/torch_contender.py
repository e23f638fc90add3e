"""PyTorch as a contender, under an interpreter that has it, on the CPU.

    python benchmarks/torch_contender.py '{"measure": "terms", ...}'

with the arguments of one of the generators at the end. Terms and CNN-9's training step
as a user would write them well: eager mode, channels last in memory, layers from the
plan of `architectures.cnn`, as many threads as TensorFlow takes. The step has this
project's constants, which the comparison before all timings holds: batch norm by the
batch, smoothed cross entropy, weight decay by the optimizer, energies of random
projections, momentum. Layers that draw the same projections share them. Each has its own
product with all of them at once: beside each other in one product, as this project's are,
they took longer, for the copying. It begins with the variables and draws that
`step_data.kept` reads, and goes on with draws of its own. Needs Linux, PyTorch 2.4 or newer
(a fused optimizer on the CPU), NumPy; no TensorFlow.
"""
import functools
import json
import os
import platform
import sys
import zlib

import measured_process
import step_data
import torch

from comhe_tf1.networks import architectures
from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import roles
from comhe_tf1.training import prefetch

NORM_FLOOR = 1e-4
BN_DECAY, BN_EPSILON = 0.999, 1e-3
WEIGHT_DECAY, MOMENTUM = 5e-4, 0.9
PROBABILITY_FLOOR, LABEL_SMOOTHING = 1e-4, 0.01


@functools.lru_cache(maxsize=None)
def itself(count):
  """Mask [N, N] of each neuron's pair with itself."""
  return torch.eye(count, dtype=torch.bool)


def cosines(neurons):
  """Cosines [..., N, N] of neurons [..., d, N]."""
  unit = neurons * torch.rsqrt(neurons.square().sum(-2, keepdim=True) + NORM_FLOOR)
  return unit.transpose(-2, -1) @ unit


def reciprocals(distances):
  """Their sums [...]. Not 1 / x, which multiplies the reciprocals by 1 once more."""
  return distances.reciprocal().sum((-2, -1))


def half_space(neurons):
  """Half-space energies [...], as `energy.half_space_energy` for power 2."""
  count = neurons.shape[-1]
  cosine = cosines(neurons)
  own = torch.diagonal(cosine, dim1=-2, dim2=-1)
  # On the diagonal 1 / (1 - 0), taken off again.
  pairs = reciprocals(1. - cosine.masked_fill(itself(count), 0.).square()) - count
  return (pairs + (2. + 2. * own).reciprocal().sum(-1)) / (count * (2. * count - 1.))


def full_space(neurons):
  """Full-space energies [...], likewise."""
  count = neurons.shape[-1]
  # On the diagonal 1 / 2, taken off again.
  pairs = reciprocals(
      2. - 2. * cosines(neurons).masked_fill(itself(count), 0.)) - count / 2.
  return pairs / (count * (count - 1.))


def classification_loss(logits, labels):
  """Smoothed cross entropy with a floor under the probabilities."""
  classes = logits.shape[-1]
  targets = torch.full_like(logits, LABEL_SMOOTHING / classes)
  targets.scatter_(1, labels[:, None], 1. - LABEL_SMOOTHING + LABEL_SMOOTHING / classes)
  log_p = torch.log(torch.softmax(logits, -1) + PROBABILITY_FLOOR)
  return -(targets * log_p).sum(-1).mean()


class Cnn9:
  """The network, its optimizer and its terms.

  Args:
    method: 'none' or 'random'.
    settings: those of the method that differ from its defaults.
    kept: as `step_data.kept`, from which the variables come.
  """

  def __init__(self, method, settings, kept):
    self._settings = None if method == 'none' else methods.resolve(method, settings)
    self._kept = kept
    self._plan = architectures.cnn()
    self._convolutions, self._names = [], {}
    modules = []
    for layer_plan in self._plan:
      modules += self._modules(layer_plan)
    self._network = torch.nn.Sequential(*modules).to(memory_format=torch.channels_last)
    with torch.no_grad():
      for name, parameter in self._names.items():
        value = torch.from_numpy(kept[name])
        parameter.copy_(value.permute(3, 2, 0, 1) if value.dim() == 4 else value)
    self._optimizer = torch.optim.SGD(
        self._network.parameters(), step_data.RATE, MOMENTUM, weight_decay=WEIGHT_DECAY,
        fused=True)

  def _modules(self, layer_plan):
    """Those of a layer, in their order."""
    name = layer_plan.name
    if layer_plan.pool:
      yield torch.nn.MaxPool2d(2)
    convolution = torch.nn.Conv2d(
        layer_plan.c_in, layer_plan.c_out, layer_plan.size, bias=False,
        padding=layer_plan.size // 2 if layer_plan.batch_norm else 0)
    self._convolutions.append(convolution)
    self._names[name + '/filter'] = convolution.weight
    yield convolution
    if layer_plan.batch_norm:
      norm = torch.nn.BatchNorm2d(layer_plan.c_out, BN_EPSILON, 1. - BN_DECAY)
      self._names[name + '/bn/gamma/bias'] = norm.weight
      self._names[name + '/bn/beta/bias'] = norm.bias
      yield norm
    if layer_plan.relu:
      yield torch.nn.ReLU(inplace=True)

  def _projections(self, step, c_in, d):
    """Projections [pn, pd, d]: those kept of a step, or new ones for None."""
    if step is None:
      return torch.randn(self._settings['pn'], self._settings['pd'], d)
    return torch.stack([torch.as_tensor(self._kept[step_data.of_draw(step, d, c_in + i)])
                        for i in range(self._settings['pn'])])

  def terms(self, step):
    """Weighted energies of the first and hidden layers, and of the output layer."""
    thom = thomf = torch.zeros([])
    if self._settings is None:
      return thom, thomf
    drawn = {}
    for layer_plan, convolution in zip(self._plan, self._convolutions):
      # Channels last: the rows of W are in TensorFlow's order, and nothing is copied.
      neurons = convolution.weight.permute(0, 2, 3, 1).flatten(1).t()
      if layer_plan.role == roles.FIRST:
        thom = thom + half_space(neurons)
      elif layer_plan.role == roles.OUTPUT:
        thomf = thomf + full_space(neurons)
      else:
        key = layer_plan.c_in, len(neurons)
        if key not in drawn:
          drawn[key] = self._projections(step, *key)
        thom = thom + half_space(drawn[key] @ neurons).mean()
    return (self._settings['energy_weight'] * thom,
            self._settings['output_energy_weight'] * thomf)

  def step(self, images, labels, step=None):
    """A training step.

    Args:
      images, labels: NumPy arrays [batch, 32, 32, 3] uint8, [batch] int64.
      step: whose draws it takes, see `_projections`.

    Returns:
      Dict of floats, what this project measures before the update.
    """
    images = torch.from_numpy(images).permute(0, 3, 1, 2).float().sub_(127.5).div_(128.)
    labels = torch.from_numpy(labels)
    logits = self._network(images).flatten(1)
    fit = classification_loss(logits, labels)
    thom, thomf = self.terms(step)
    (fit + thom + thomf).backward()
    with torch.no_grad():
      reg = WEIGHT_DECAY / 2. * sum(
          parameter.square().sum() for parameter in self._network.parameters())
      acc = (logits.argmax(-1) == labels).float().mean()
    self._optimizer.step()
    self._optimizer.zero_grad()
    return {'fit': fit.item(), 'reg': reg.item(), 'thom': thom.item(),
            'thomf': thomf.item(), 'acc': acc.item()}

  def momenta(self):
    """Squared sums of the kernels' momenta."""
    return {f'gradient of {name}':
            self._optimizer.state[parameter]['momentum_buffer'].square().sum().item()
            for name, parameter in self._names.items() if name.endswith('/filter')}

  def term_gradients(self, step=None):
    """The terms alone, and the squared sum of each kernel's gradient."""
    thom, thomf = self.terms(step)
    (thom + thomf).backward()
    values = {'thom': thom.item(), 'thomf': thomf.item()}
    for layer_plan, convolution in zip(self._plan, self._convolutions):
      values[f'gradient of {layer_plan.name}'] = (
          convolution.weight.grad.square().sum().item())
    self._optimizer.zero_grad()
    return values


# What is measured: generators for `measured_process.serve`.


def terms(method, settings, kept):
  """Terms and gradients of CNN-9's ten layers; `kept` is the path of the first steps."""
  cnn9 = Cnn9(method, settings, step_data.kept(kept))
  yield cnn9.term_gradients(0)
  yield from measured_process.timed(cnn9.term_gradients)


def step(method, settings, kept, random_seed, data, batch_size):
  """Whole training steps of CNN-9, arguments as those of `tensorflow_contender.step`."""
  cnn9 = Cnn9(method, settings, step_data.kept(kept))
  batches, values = step_data.batches(data, batch_size, random_seed), {}
  for count in range(step_data.FIRST):
    images, labels = batches.next()
    values.update(step_data.values_of(count, cnn9.step(images, labels, count)))
    if not count:
      values.update(cnn9.momenta(), batch=zlib.crc32(images.tobytes()))
  yield values
  with prefetch.Prefetched(batches) as ahead:   # as train.py
    yield from measured_process.timed(lambda: cnn9.step(*ahead.next()), 'step, s')


def layer(neurons, inputs, projections):
  """Value and gradient of a large layer's half-space energy, all cosines at once."""
  kernel, given = step_data.layer(neurons, inputs, projections)
  weight = torch.tensor(kernel, requires_grad=True)
  drawn = None if given is None else torch.tensor(given)
  itself(neurons)   # made once, and no part of what is measured

  def compute():
    weight.grad = None
    value = half_space(weight if drawn is None else drawn @ weight).mean()
    value.backward()
    return {'value': float(value), 'gradient': float(weight.grad.norm())}

  yield from measured_process.with_peak(compute)


def main(measure, **settings):
  answers = measured_process.start()
  # As TensorFlow's threads do, and before PyTorch starts its own, which inherit it. At this
  # learning rate the loss is soon at its bound, with gradients so small that a step on
  # denormal numbers takes minutes.
  torch.set_flush_denormal(True)
  torch.set_num_threads(len(os.sched_getaffinity(0)))
  facts = {'python': platform.python_version(), 'torch': torch.__version__,
           'threads': torch.get_num_threads(), 'build': torch.__config__.show()}
  measures = {'terms': terms, 'step': step, 'layer': layer}
  measured_process.serve(answers, facts, measures[measure](**settings))


if __name__ == '__main__':
  main(**json.loads(sys.argv[1]))
