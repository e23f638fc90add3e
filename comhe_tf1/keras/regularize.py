"""`regularize`: a method for all layers of a Keras model, by one call."""
import contextlib
import threading
import zlib

import tensorflow
import tensorflow.compat.v1 as tf

from comhe_tf1.keras import attaching
from comhe_tf1.keras import finding
from comhe_tf1.keras import recording
from comhe_tf1.keras import terms
from comhe_tf1.regularizers import draws
from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import roles

_TRAINING, _EVALUATION = 'training', 'evaluation'


def regularize(model, method='random', weight=1., skip=(), roles=None, axes=None, seed=None,
               **settings):
  """Adds a method's terms of all kernels to the loss of a Keras model.

  The loss grows by weight * sum over kernels of w(role) * T(W), with T the method's term
  for the role of the kernel, as [d, N], N neurons of d inputs each, and w the settings
  energy_weight and, for the output layer, output_energy_weight (`methods`). The model is
  compiled, fitted and saved as before; what is saved has no trace of the term. Frozen
  layers have none while they are frozen; after a change compile the model again, as for
  any change of `trainable`.

  Args:
    model: `keras.Model` of Keras 3, tf_keras or TensorFlow 1.14 that has its weights:
      functional, sequential, or of a class of one's own once it is built. A second call
      replaces the first one's terms.
    method: name of any method but none.
    weight: of the sum: a number, a `tf.Variable`, or a function of the number of training
      steps so far, as the schedules of Keras are.
    skip: names of kernels, layers, or models within, that get no term.
    roles: dict from such names to FIRST, HIDDEN or OUTPUT. By default the model's graph
      decides; without a graph the first and the last of the kernels are taken.
    axes: dict from such names to the axis of the kernel that counts the neurons, or a
      tuple of axes. By default the layer's class decides.
    seed: whole number that makes the draws the same in every run; None takes TensorFlow's.
    **settings: of the method, by name; gram is 'smaller' by default. A hidden kernel of no
      more than pd inputs is not projected, unless roles says that it is hidden.

  Returns:
    `Regularization`. Printed, it is a table of what has which term.

  Raises:
    methods.SettingError: method, weight or a setting is out of range.
    TypeError: it is no such model, or the method has no such setting.
    ValueError: the model has no weights yet, or no kernel; a name fits no layer; an axis
      does not fit a kernel; in TensorFlow 1 it is compiled already.
    RuntimeError: Keras runs on another library than TensorFlow.

  Source: terms and weights as the original; layers of no more than pd inputs are this
  project's choice.
  """
  before = attaching.attached(model) if hasattr(model, '__dict__') else None
  made = Regularization(model, method, weight, skip, roles, axes, seed, settings)
  if before is not None:
    before.remove()
  made._attach()
  return made


def unregularize(model):
  """Takes away what `regularize` has added to a model, if anything."""
  attaching.keras_of(model)
  found = attaching.attached(model)
  if found is not None:
    found.remove()


class Regularization:
  """What `regularize` returns: the terms of a model's kernels. Printed, it is a table.

  Attributes:
    kernels: list of `finding.Found`; left_out: list of `finding.LeftOut`.
    state: `tf.Module` of the projections that `angle`, `angle_alternating` and
      `adversarial` train, a dict from a kernel's name to a variable [pd, d], for
      `tf.train.Checkpoint(comhe=regularization.state)`.
  """

  def __init__(self, model, method, weight, skip, given_roles, given_axes, seed, settings):
    self._keras = attaching.keras_of(model)
    if method not in methods.METHODS or method == 'none':
      raise methods.SettingError('method must be one of %s, got %r' % (', '.join(
          name for name in methods.METHODS if name != 'none'), method))
    self._model, self._method = model, method
    self._settings = methods.resolve(
        method, methods.with_library_defaults(method, settings))
    self._weight = _checked_weight(weight)
    self._draws = draws.Draws(seed)
    if not model.built or not model.weights:
      raise ValueError('the model %r has no weights yet; call it once, or model.build'
                       % model.name)
    self.kernels, self.left_out = finding.find(model, skip, given_roles, given_axes)
    # Half precision is raised.
    self._dtype = tf.float64 if 'float64' in [
        finding.dtype_of(kernel.variable) for kernel in self.kernels] else tf.float32
    self._check_settings()
    self._mode = threading.local()   # replicas of a strategy are threads
    self._removed = False
    self.state = tf.Module()
    with _strategy_of(model).scope():
      self.state.step = tf.Variable(0, dtype=tf.int64, trainable=False, use_resource=True,
                                    **_ONE_OF_ALL) if not attaching.TENSORFLOW_1 else None
      self.state.projections = self._projections(seed) if self._trains else {}
      self._metric = (None if attaching.TENSORFLOW_1
                      else self._keras.metrics.Mean(name='comhe'))
      self._draws.start()

  @property
  def _trains(self):
    return methods.METHODS[self._method].trains_projection

  def _check_settings(self):
    if self._trains and attaching.TENSORFLOW_1:
      raise methods.SettingError(
          'method %s trains its projections, for which TensorFlow 1 needs a graph of its '
          'own: use comhe_tf1.create(%r)' % (self._method, self._method))
    pd, groups = self._settings.get('pd'), self._settings.get('groups')
    regularizer = methods.create(self._method, **self._settings)
    for kernel in self.kernels:
      if kernel.role_with(pd) != roles.HIDDEN:
        continue
      regularizer.projections(kernel.layout.shape[2])
      if groups and kernel.layout.channels % groups:
        raise methods.SettingError(
            'groups must divide the input channels of every hidden layer, got %d, but %s '
            'has %d; skip can leave it out'
            % (groups, kernel.name, kernel.layout.channels))

  def _projections(self, seed):
    made = {}
    pd = self._settings['pd']
    for kernel in self.kernels:
      if kernel.role_with(pd) == roles.HIDDEN:
        shape = [pd, kernel.layout.shape[1]]
        for name in kernel.names:
          start = (tf.random_normal(shape, dtype=self._dtype) if seed is None
                   else tf.random.stateless_normal(
                       shape, [seed, zlib.crc32(name.encode())], dtype=self._dtype))
          made[name] = tf.Variable(start, trainable=False, use_resource=True,
                                   **_ONE_OF_ALL)
    return made

  def _attach(self):
    attaching.attach(
        self._model, self._loss_and_metric,
        {'train_step': self.training, 'test_step': self.evaluation}, self._metric, self)

  def remove(self):
    """Takes the terms out of the model's loss. Once is enough."""
    if not self._removed:
      self._removed = True
      attaching.detach(self._model, self._metric)

  @contextlib.contextmanager
  def training(self, learning_rate=None):
    """Context of one step of training, for loops of one's own; `fit` needs none.

    Within it trained projections take their steps, once for each `model.losses` or
    `loss()`; the steps are counted for the weight where the model is not compiled.

    Args:
      learning_rate: at which they are trained; by default the model's optimizer's.
    """
    with self._in_mode(_TRAINING, learning_rate):
      yield
    if self.state.step is not None:
      self.state.step.assign_add(1)

  def evaluation(self):
    """Context in which draws are the same every time, and no projection moves."""
    return self._in_mode(_EVALUATION)

  @contextlib.contextmanager
  def _in_mode(self, name, learning_rate=None):
    before = vars(self._mode).copy()
    self._mode.name, self._mode.learning_rate = name, learning_rate
    try:
      yield
    finally:
      vars(self._mode).clear()
      vars(self._mode).update(before)

  def loss(self):
    """What the terms add to the loss now: a scalar tensor."""
    kernels = [each for each in self.kernels if each.layer.trainable]
    # Anew at every call: several replicas may call at once.
    regularizer = methods.create(self._method, **self._settings)
    regularizer.normal = self._normal()
    regularizer.variable, regularizer.keep = self._variable, self._keep
    rate = self._learning_rate() if self._trains else None
    value = terms.total(regularizer, kernels, rate, self._dtype)
    value *= tf.cast(self._weight_now(), self._dtype)
    # Keras 3 sums up losses of its own type only.
    floats = self._keras.backend.floatx()
    return tf.cast(value, floats) if floats in ('float32', 'float64') else value

  def _loss_and_metric(self):
    value = self.loss()
    if self._metric is not None and getattr(self._mode, 'name', None):
      self._metric.update_state(value)
    return value

  def _weight_now(self):
    return self._weight(self._step()) if callable(self._weight) else self._weight

  def _step(self):
    optimizer = getattr(self._model, 'optimizer', None)
    return tf.convert_to_tensor(self.state.step if optimizer is None
                                else optimizer.iterations)

  def _learning_rate(self):
    given = getattr(self._mode, 'learning_rate', None)
    if given is not None:
      return given
    optimizer = getattr(self._model, 'optimizer', None)
    if optimizer is None:
      raise ValueError('method %s moves its projections at the learning rate of the '
                       'network: compile the model, or give one to training()'
                       % self._method)
    rate = getattr(optimizer, '_learning_rate', None)
    if hasattr(rate, 'get_config') and callable(rate):
      # A schedule; the attribute of tf_keras is that of the step before.
      return tf.convert_to_tensor(rate(optimizer.iterations))
    return tf.convert_to_tensor(optimizer.learning_rate)

  def _normal(self):
    """As `base.Regularizer.normal`: all numbers of one shape in one draw."""
    normal = self._draws.normal(getattr(self._mode, 'name', None) == _EVALUATION)
    return lambda shape, dtype, op_seeds: tf.unstack(
        normal([len(op_seeds)] + list(shape), dtype, [None])[0], len(op_seeds))

  def _variable(self, name, stack, op_seed_of):
    return self.state.projections[name]

  def _keep(self, variable, value):
    if getattr(self._mode, 'name', None) == _TRAINING:
      return variable.assign(value)
    return tf.no_op()

  def energies(self, space='half'):
    """The energy of every kernel as it is, not projected and without weight.

    Args:
      space: 'half' or 'full'.

    Returns:
      Ordered dict from a kernel's name to a scalar tensor.

    Raises:
      ValueError: another space.
    """
    spaces = {'half': 'half_mhe', 'full': 'mhe'}   # methods that have it of hidden layers
    if space not in spaces:
      raise ValueError(f"space must be 'half' or 'full', got {space!r}")
    power = self._settings.get('power', '2')
    return methods.create(spaces[space], power=power)([
        each._replace(role=roles.HIDDEN)
        for each in terms.as_kernels(self.kernels, self._dtype)]).energies

  def callback(self, space='half', log_dir=None):
    """A callback for `fit` that records `energies` by epoch, see `recording.callback`."""
    tensors = self.energies(space)   # a graph's are made once; and mistakes show at once

    def values():
      if not tf.executing_eagerly():
        return self._keras.backend.get_session().run(tensors)
      return {name: float(value) for name, value in self.energies(space).items()}

    return recording.callback(self._model, values, log_dir)

  def __str__(self):
    rows = [('layer', 'kernel', 'neurons x inputs', 'role', 'term', 'weight')]
    rows += [self._row(kernel) for kernel in self.kernels]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ['  '.join(word.ljust(width) for word, width in zip(row, widths)).rstrip()
             for row in rows]
    by_reason = {}
    for name, reason in self.left_out:
      by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
      some = ', '.join(names[:3]) + (', ...' if len(names) > 3 else '')
      lines.append(f'left out: {reason} ({len(names)}): {some}')
    return '\n'.join(lines)

  def _row(self, kernel):
    pd = self._settings.get('pd')
    role = kernel.role_with(pd)
    sets, d, count = kernel.layout.shape
    formula = methods.METHODS[self._method].formulas[roles.ROLES.index(role)]
    said = kernel.role + (', d <= pd' if role != kernel.role else '')
    name = ('output_' if role == roles.OUTPUT else '') + 'energy_weight'
    weight = f'{self._settings[name]:g}'
    if isinstance(self._weight, float):
      weight = f'{self._weight * self._settings[name]:g}'
    elif self._settings[name]:
      weight += ' * weight'
    if not kernel.layer.trainable:
      said, formula, weight = said + ', frozen', '-', '0'
    return (kernel.name, 'x'.join(map(str, kernel.variable.shape)),
            ('%d of ' % sets if sets > 1 else '') + '%d x %d' % (count, d), said,
            formula.split(',')[0], weight)


_ONE_OF_ALL = dict(synchronization=tf.VariableSynchronization.AUTO,
                   aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)


def _strategy_of(model):
  return (getattr(model, 'distribute_strategy', None)
          or tensorflow.distribute.get_strategy())


def _checked_weight(weight):
  if callable(weight) or isinstance(weight, tf.Variable) or hasattr(weight, 'assign'):
    return weight
  most = methods.SETTINGS['energy_weight'].maximum
  if isinstance(weight, bool) or not hasattr(weight, '__float__') or not (
      0. <= float(weight) <= most):
    raise methods.SettingError('weight must be a number from 0 to %g, a tf.Variable, or a '
                               'function of the step, got %r' % (most, weight))
  return float(weight)
