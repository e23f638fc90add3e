"""CNN-9's training step in PyTorch, as a user would write it well, on the CPU.

Eager mode, channels last in memory; layers from the plan of `architectures.cnn`. The same
step as this project's, with its constants, which the comparison before all timings holds:
batch norm by the batch, smoothed cross entropy, weight decay by the optimiser, energies of
random projections, momentum. Layers that draw the same projections share them. Each has
its own product with all of them at once: beside each other in one product, as this
project's are, they took longer, for the copying.
"""
import steps
import torch
import torch_energy

from comhe_tf1.networks import architectures
from comhe_tf1.regularizers import kernels as roles

BN_DECAY, BN_EPSILON = 0.999, 1e-3
WEIGHT_DECAY, MOMENTUM = 5e-4, 0.9
SIDE = 32
PROBABILITY_FLOOR, LABEL_SMOOTHING = 1e-4, 0.01


def random_draws(settings):
  """Function from c_in and d to new projections [pn, pd, d], for `terms`."""
  return lambda c_in, d: torch.randn(settings['pn'], settings['pd'], d)


def given_draws(settings, draw):
  """The same from `draw`, a function of d and the op seed c_in + i of projection i."""
  return lambda c_in, d: torch.stack([
      torch.as_tensor(draw(d, c_in + i)) for i in range(settings['pn'])])


def terms(layers, settings, draws):
  """Weighted energies of the first and hidden layers, and of the output layers.

  Args:
    layers: list of role, c_in and neurons [d, N] of each.
    settings: of the method `random`, resolved; None for no term.
    draws: function from c_in and d to projections [pn, pd, d].

  Returns:
    Two scalar tensors, thom and thomf.
  """
  thom = thomf = torch.zeros([])
  if settings is None:
    return thom, thomf
  drawn = {}
  for role, c_in, neurons in layers:
    if role == roles.FIRST:
      thom = thom + torch_energy.half_space(neurons)
    elif role == roles.OUTPUT:
      thomf = thomf + torch_energy.full_space(neurons)
    else:
      key = c_in, len(neurons)
      if key not in drawn:
        drawn[key] = draws(*key)
      thom = thom + torch_energy.half_space(drawn[key] @ neurons).mean()
  return settings['energy_weight'] * thom, settings['output_energy_weight'] * thomf


def classification_loss(logits, labels):
  """Smoothed cross entropy with a floor under the probabilities."""
  classes = logits.shape[-1]
  targets = torch.full_like(logits, LABEL_SMOOTHING / classes)
  targets.scatter_(1, labels[:, None], 1. - LABEL_SMOOTHING + LABEL_SMOOTHING / classes)
  log_p = torch.log(torch.softmax(logits, -1) + PROBABILITY_FLOOR)
  return -(targets * log_p).sum(-1).mean()


class Cnn9(object):
  """The network, its optimiser and its terms.

  Args:
    variable: function from the name of a trained variable in TensorFlow to its initial
      value, kernels [height, width, c_in, c_out].
    settings: as `terms`.
    rate: learning rate.
  """

  def __init__(self, variable, settings, rate):
    self._settings = settings
    self._plan = architectures.cnn()
    self._convolutions, self._norms, self._names = [], {}, {}
    modules = []
    for layer in self._plan:
      modules += self._modules(layer)
    self._network = torch.nn.Sequential(*modules).to(memory_format=torch.channels_last)
    with torch.no_grad():
      for name, parameter in self._names.items():
        value = torch.from_numpy(variable(name))
        parameter.copy_(value.permute(3, 2, 0, 1) if value.dim() == 4 else value)
    self._optimizer = torch.optim.SGD(
        self._network.parameters(), rate, MOMENTUM, weight_decay=WEIGHT_DECAY, fused=True)

  def _modules(self, layer):
    """Those of a layer, in their order."""
    if layer.pool:
      yield torch.nn.MaxPool2d(2)
    convolution = torch.nn.Conv2d(layer.c_in, layer.c_out, layer.size, bias=False,
                                  padding=layer.size // 2 if layer.batch_norm else 0)
    self._convolutions.append(convolution)
    self._names[layer.name + '/filter'] = convolution.weight
    yield convolution
    if layer.batch_norm:
      norm = torch.nn.BatchNorm2d(layer.c_out, BN_EPSILON, 1. - BN_DECAY)
      norm.running_var.zero_()
      self._norms[layer.name] = norm
      self._names[layer.name + '/bn/gamma/bias'] = norm.weight
      self._names[layer.name + '/bn/beta/bias'] = norm.bias
      yield norm
    if layer.relu:
      yield torch.nn.ReLU(inplace=True)

  def layers(self):
    """List of role, c_in and neurons [d, N] of each layer, for `terms`."""
    # Channels last: the rows of W are in TensorFlow's order, and nothing is copied.
    return [(layer.role, layer.c_in,
             convolution.weight.permute(0, 2, 3, 1).flatten(1).t())
            for layer, convolution in zip(self._plan, self._convolutions)]

  def terms(self, draws):
    """`terms` of the layers."""
    return terms(self.layers(), self._settings, draws)

  def step(self, images, labels, draws):
    """A training step.

    Args:
      images, labels: NumPy arrays [batch, 32, 32, 3] uint8, [batch] int64.
      draws: as `terms`.

    Returns:
      Dict of floats, what this project measures before the update.
    """
    images = torch.from_numpy(images).permute(0, 3, 1, 2).float().sub_(127.5).div_(128.)
    labels = torch.from_numpy(labels)
    logits = self._network(images).flatten(1)
    fit = classification_loss(logits, labels)
    thom, thomf = self.terms(draws)
    (fit + thom + thomf).backward()
    with torch.no_grad():
      reg = WEIGHT_DECAY / 2. * sum(
          parameter.square().sum() for parameter in self._network.parameters())
      acc = (logits.argmax(-1) == labels).float().mean()
    self._optimizer.step()
    self._optimizer.zero_grad()
    return {'fit': fit.item(), 'reg': reg.item(), 'thom': thom.item(),
            'thomf': thomf.item(), 'acc': acc.item()}

  def term_gradients(self, draws):
    """The terms and their gradients alone.

    Args:
      draws: as `terms`.

    Returns:
      Dict of floats: the terms, and the squared sum of each kernel's gradient.
    """
    thom, thomf = self.terms(draws)
    (thom + thomf).backward()
    values = {'thom': thom.item(), 'thomf': thomf.item()}
    for layer, convolution in zip(self._plan, self._convolutions):
      values['gradient of ' + layer.name] = convolution.weight.grad.square().sum().item()
    self._optimizer.zero_grad()
    return values

  def squares(self, batch):
    """Squared sums of momenta and moving statistics, for `steps.values_of`.

    Args:
      batch: images of each training step.
    """
    values = {'%s/%s' % (name, steps.MOMENTUM):
              self._optimizer.state[parameter]['momentum_buffer']
              for name, parameter in self._names.items()}
    side = SIDE
    for layer in self._plan:
      side //= 2 if layer.pool else 1
      if layer.batch_norm:
        norm, count = self._norms[layer.name], float(batch * side ** 2)
        values[layer.name + '/bn/moving_mean'] = norm.running_mean
        # PyTorch follows the unbiased variance, TensorFlow's graph here the biased one.
        values[layer.name + '/bn/moving_variance'] = norm.running_var * (
            (count - 1.) / count)
    return {name: value.square().sum().item() for name, value in values.items()}
