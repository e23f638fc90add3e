"""The first line of the published logs, computed again.

reg, thom and thomf of step 0 depend on the initial weights and projections alone, fit
and acc on the first batch as well. If all agree to the last digit, a run starts where
the published one did, with its first batch.
"""
import tensorflow.compat.v1 as tf

from comhe_tf1.networks import architectures
from comhe_tf1.published import published_runs
from comhe_tf1.regularizers import methods
from comhe_tf1.training import graph as graphs

WITHOUT_DATA = ('reg', 'thom', 'thomf')


def compute(variant, run, config=None, batch=None):
  """Computes the figures of step 0 of a run, as its log shows them.

  Args:
    variant: name of the regularizer.
    run: `published_runs.Run`.
    config: of the session, `tf.ConfigProto`, or None.
    batch: images [128, 32, 32, 3] uint8 and labels [128] of the step, or None.

  Returns:
    List of strings with four decimals: `published_runs.QUANTITIES`, or without a batch
    `WITHOUT_DATA`.
  """
  with tf.Graph().as_default() as graph:
    handles = graphs.build(
        architectures.cnn(), methods.create(variant, **run.settings),
        published_runs.OP_SEED_SCHEME, run.random_seed)
    feed = {handles.learning_rate: published_runs.BASE_LR}
    if batch is not None:
      feed[handles.images], feed[handles.labels] = batch
    with tf.Session(graph=graph, config=config) as session:
      session.run(tf.global_variables_initializer())
      values = session.run([getattr(handles.measures, name)
                            for name in _quantities(batch is not None)], feed)
  return [f'{value:.4f}' for value in values]


def check(write, config=None, first_batch=None, about='no data'):
  """Compares all published runs and reports them.

  Args:
    write: called with every line of the report.
    config: of the sessions, `tf.ConfigProto`, or None.
    first_batch: function from a seed to the first batch of the official CIFAR-100, or
      None.
    about: line on the data, or on why there are none.

  Returns:
    Whether all figures agree to the last digit.
  """
  names = _quantities(first_batch is not None)
  write('First line (iter_0) of the published logs, computed here%s:' % (
      '' if first_batch else ', without data'))
  row = '  %-12s %6s  %-7s %10s %10s  %s'
  write(row % ('variant', 'seed', '', 'published', 'computed', ''))
  matches = 0
  for variant, run in published_runs.RUNS.items():
    batch = first_batch and first_batch(run.random_seed)
    for name, computed in zip(names, compute(variant, run, config, batch)):
      expected = f'{run.first_line[name]:.4f}'
      matches += computed == expected
      write(row % (variant, run.random_seed, name, expected, computed,
                   'match' if computed == expected else 'DIFFERS'))
  write(about if first_batch else about + '; with the official CIFAR-100, which python '
        'cifar_input.py --download gets, fit and acc of the first batch are compared too')
  total = len(published_runs.RUNS) * len(names)
  write('%d of %d figures match to the last digit' % (matches, total))
  return matches == total


def _quantities(with_data):
  return published_runs.QUANTITIES if with_data else WITHOUT_DATA
