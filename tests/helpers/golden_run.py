"""Replays of the recorded trajectories, and how far they may stray from these.

A replay takes the steps of a file in `tests/training/golden/` with this project's code. The
bounds are here only: test_golden.py checks them, docs/evidence/parity.md lists them beside
what was measured, and golden/README.md says where they come from.
"""
import collections
import glob
import json
import os
import typing

import numpy as np
import tensorflow.compat.v1 as tf

import cifar_input
import comhe_tf1
from comhe_tf1.regularizers import methods
from comhe_tf1.training import graph as graphs
from comhe_tf1.training import loop

PATHS = sorted(glob.glob(os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'training', 'golden',
    '*_pd*.json')))
SCHEMES = {'1.12.0': 'tf1.12', '1.14.0': 'tf1.14'}
LOGGED = graphs.Measures._fields
TERMS = LOGGED[:4]   # of the loss

# Relative, but for what is counted.
INITIAL_NORM = 1e-6
STEP_0 = 1e-5
EVERY_STEP = collections.OrderedDict(   # of the quantity's largest value
    [('fit', 1e-2), ('reg', 3e-4), ('thom', 3e-4), ('thomf', 3e-4)])
EVALUATION = 1e-2


class FinalNorm(typing.NamedTuple):
  """Bound of the final norms of the variables that end in `suffix`:
  `relative` times the recorded norm, or times `minimum` where that is more."""
  what: str
  suffix: str
  relative: float
  minimum: float


FINAL_NORMS = (
    FinalNorm('kernels', '/filter', 5e-4, 0.),
    FinalNorm('batch-norm scales', '/gamma/bias', 1e-3, 0.),
    FinalNorm('batch-norm shifts', '/beta/bias', 0.1, 1e-2),
    FinalNorm('moving averages', '/ExponentialMovingAverage', 0.1, 1e-2),
    FinalNorm('trained projections', '/project', 0.1, 1e-2))

_MOVING = {'moments/Squeeze': 'moving_mean', 'moments/Squeeze_1': 'moving_variance'}


def read(path):
  """A recorded trajectory, see golden/README.md."""
  with open(path) as file:
    return json.load(file)


def final_norm(name):
  """The `FinalNorm` of a variable by its recorded name."""
  found, = (bound for bound in FINAL_NORMS if name.endswith(bound.suffix))
  return found


def replay(golden, build=graphs.build, open_session=tf.Session):
  """Takes the steps of a recorded trajectory.

  Args:
    golden: as `read`.
    build: builds the training graph, as `graphs.build`.
    open_session: returns a session on `graph`, as `tf.Session`.

  Returns:
    Dict with op_seeds, initial_norms, rows, final_norms and eval, as recorded.
  """
  args = golden['args']
  data = cifar_input.Images(*cifar_input.from_rows({
      'data': np.random.RandomState(0).randint(
          0, 256, (args['n'], 3072)).astype(np.uint8),
      'fine_labels': np.random.RandomState(1).randint(0, 100, args['n'])}, 'golden'))
  scheme = SCHEMES[golden['tf']]
  ours = {'rows': []}
  with tf.Graph().as_default() as graph:
    regularizer = _regularizer(args)
    layers = comhe_tf1.cnn()
    handles = build(layers, regularizer, scheme, args['seed'])
    ours['op_seeds'] = comhe_tf1.original_op_seeds(
        regularizer.name, scheme, layers, regularizer.projections)
    batches = cifar_input.TrainingBatches(
        data, args['bs'], np.random.RandomState(args['seed']))
    with open_session(graph=graph) as session:
      session.run(tf.global_variables_initializer())
      ours['initial_norms'] = _norms(session, golden['initial_norms'])
      for _ in range(args['steps']):
        images, labels = batches.next()
        measures, _ = loop.step(session, handles, images, labels, args['lr'])
        ours['rows'].append(list(measures) + [int(images.sum(dtype=np.int64)),
                                              labels[:4].tolist()])
      ours['final_norms'] = _norms(session, golden['final_norms'])
      first = batches.order[:32]
      fit, correct = session.run(
          [handles.test_fit, handles.test_correct],
          {handles.images: data.images[first], handles.labels: data.labels[first]})
      ours['eval'] = [fit, np.mean(correct)]
  return ours


def _regularizer(args):
  settings = methods.METHODS[args['variant']].settings
  return comhe_tf1.create(args['variant'], **{
      name: args[name] for name in settings if args.get(name) is not None})


def _our_name(name):
  """The original's name of a variable, in ours."""
  if not name.endswith('/ExponentialMovingAverage'):
    return name
  layer, rest = name.split('/', 1)
  moment = 'moments/' + rest.split('/')[-2]
  return f'{layer}/bn/{_MOVING[moment]}'


def _norms(session, names):
  variables = {v.op.name: v for v in tf.global_variables()}
  values = session.run({name: variables[_our_name(name)] for name in names})
  return {name: np.linalg.norm(value.astype('float64'))
          for name, value in values.items()}


def bounds():
  """What is compared: ordered dict from its name to its bound, None where none is."""
  pairs = [('op seeds that differ', 0), ('initial norms', INITIAL_NORM),
           ('batches that differ', 0), ('step 0: terms of the loss', STEP_0),
           ('step 0: acc', 0)]
  pairs += list(EVERY_STEP.items()) + [('acc', None)]
  pairs += [('final norms: ' + bound.what, bound.relative) for bound in FINAL_NORMS]
  return collections.OrderedDict(pairs + [
      ('evaluation: fit', EVALUATION), ('evaluation: acc', 0)])


def deviations(golden, ours):
  """How far a replay strays: ordered dict with the names of `bounds`, to floats.

  Largest deviations: of norms, step 0 and the evaluation relative to the recorded
  value (that of a final norm taken as its `FinalNorm.minimum` where it is less), of the
  terms at all steps relative to the largest recorded one, of acc as such. None where
  nothing was recorded.
  """
  expected, actual = (
      {name: np.array([row[i] for row in run['rows']])
       for i, name in enumerate(LOGGED)} for run in (golden, ours))
  gaps = {name: np.abs(actual[name] - expected[name]) for name in LOGGED}
  found = [
      sum(ours['op_seeds'].get(name) != seed
          for name, seed in golden['op_seeds'].items()),
      _largest_gap(golden['initial_norms'], ours['initial_norms']),
      sum(row[5:] != recorded[5:]
          for row, recorded in zip(ours['rows'], golden['rows'])),
      np.max([gaps[name][0] / expected[name][0] for name in TERMS]), gaps['acc'][0]]
  found += [gaps[name].max() / np.abs(expected[name]).max() for name in TERMS]
  found.append(gaps['acc'].max())
  for bound in FINAL_NORMS:
    found.append(_largest_gap(
        {name: norm for name, norm in golden['final_norms'].items()
         if final_norm(name) is bound}, ours['final_norms'], bound.minimum))
  fit, acc = golden['eval']
  found += [abs(ours['eval'][0] - fit) / fit, abs(ours['eval'][1] - acc)]
  return collections.OrderedDict(
      (name, None if value is None else float(value))
      for name, value in zip(bounds(), found))


def check(golden, ours):
  """Asserts that a replay keeps the `bounds`."""
  found = deviations(golden, ours)
  beyond = {name: found[name] for name, bound in bounds().items()
            if None not in (bound, found[name]) and not found[name] <= bound}   # or NaN
  assert not beyond, beyond


def _largest_gap(expected, actual, least=0.):
  """Relative; of norms that are 0 and must stay so, the gap as it is."""
  if not expected:
    return None
  return np.max([abs(actual[name] - norm) / (max(norm, least) or 1.)
                 for name, norm in expected.items()])
