"""How a term becomes one of a model's losses, and a step of training or testing is known.

The term is one more of `model.losses`, which `compile`, `fit`, `evaluate` and loops of
one's own sum up. Nothing of it is saved with the model. `train_step` and `test_step` are
wrapped on this one model, so that what they call knows which of the two it serves.
"""
import importlib

import tensorflow
import tensorflow.compat.v1 as tf

TENSORFLOW_1 = tf.__version__.startswith('1.')
# Attributes of a model.
_KEPT, _ADDED = '_comhe_regularization', '_comhe_loss'
_STEPS = 'train_step', 'test_step'


def keras_of(model):
  """The Keras that a model is of.

  Raises:
    TypeError: it is no model of a Keras.
    RuntimeError: its Keras runs on another library than TensorFlow.
  """
  for each in type(model).__mro__:
    if each.__name__ == 'Model':
      package = each.__module__.split('.')[0]
      if package == 'tensorflow':   # of 1.14
        return tensorflow.keras
      if package in ('keras', 'tf_keras'):
        keras = importlib.import_module(package)
        backend = keras.backend.backend() if hasattr(keras, 'KerasTensor') else ''
        if backend not in ('', 'tensorflow'):
          raise RuntimeError('Keras runs on %s, which has no CoMHE; set '
                             'KERAS_BACKEND=tensorflow' % backend)
        return keras
  raise TypeError('model must be a keras.Model, of Keras 3, tf_keras or TensorFlow 1.14, '
                  'got %s' % type(model).__name__)


def attached(model):
  """What is attached to a model, or None."""
  return vars(model).get(_KEPT)


def attach(model, term, within, metric, kept):
  """Makes a term one of a model's losses.

  Args:
    model: of Keras.
    term: function without arguments that returns a scalar tensor.
    within: dict from the names of `_STEPS` to context managers, functions without
      arguments, that the steps are to run in.
    metric: of this Keras, shown with the model's others; or None.
    kept: what `attached` returns from now on.

  Raises:
    ValueError: TensorFlow 1 has summed up the losses already.
  """
  if TENSORFLOW_1 and getattr(model, 'optimizer', None) is not None:
    raise ValueError('the model is compiled; in TensorFlow 1 call regularize before '
                     'compile')
  if hasattr(model, '_callable_losses'):
    model.add_loss(term)
    vars(model)[_ADDED] = model._callable_losses[-1]
    if hasattr(model, '_trackable_children'):
      vars(model)['_trackable_children'] = _children_without(model)
  else:   # Keras 3 takes functions of no layer but its regularizers
    own = model._get_own_losses
    vars(model)['_get_own_losses'] = lambda: own() + [term()]
  for name in _STEPS:
    if hasattr(model, name):
      vars(model)[name] = _within(getattr(model, name), within[name])
  if metric is not None:
    model._metrics.append(metric)
  vars(model)[_KEPT] = kept
  _compile_anew(model)


def detach(model, metric):
  """Undoes `attach`."""
  if _ADDED in vars(model):
    model._callable_losses.remove(vars(model)[_ADDED])
  for name in _STEPS + ('_get_own_losses', '_trackable_children', _ADDED, _KEPT):
    vars(model).pop(name, None)
  if metric is not None:
    model._metrics[:] = [each for each in model._metrics if each is not metric]
  _compile_anew(model)


def _children_without(model):
  """What a SavedModel of tf_keras is made of: it would trace every loss of a model."""
  own = model._trackable_children

  def children(save_type='checkpoint', **kwargs):
    if save_type != 'savedmodel':
      return own(save_type, **kwargs)
    term = vars(model)[_ADDED]
    model._callable_losses.remove(term)
    try:
      return own(save_type, **kwargs)
    finally:
      model._callable_losses.append(term)

  return children


def _within(step, context):
  def step_within(*args, **kwargs):
    with context():
      return step(*args, **kwargs)
  return step_within


def _compile_anew(model):
  """Lets the next fit trace its step again."""
  for name in ('train_function', 'test_function', 'train_tf_function'):
    if vars(model).get(name) is not None:
      setattr(model, name, None)
