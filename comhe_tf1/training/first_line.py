"""The first line of the published logs, computed again without any data.

reg, thom and thomf of step 0 depend on the initial weights and projections
alone: if they agree to the last digit, a run starts where the published one did.
"""
import tensorflow.compat.v1 as tf

from comhe_tf1.networks import architectures
from comhe_tf1.records import published
from comhe_tf1.regularizers import methods
from comhe_tf1.training import graph as graphs

QUANTITIES = ('reg', 'thom', 'thomf')


def compute(variant, run, config=None):
  """Computes reg, thom and thomf of step 0 of a run, as its log shows them.

  Args:
    variant: name of the regulariser.
    run: `published.Run`.
    config: of the session, `tf.ConfigProto`, or None.

  Returns:
    List of three strings with four decimals.
  """
  with tf.Graph().as_default() as graph:
    handles = graphs.build(
        architectures.cnn(), methods.create(variant, **run.settings),
        published.NUMBERING, run.random_seed)
    feed = {handles.learning_rate: published.BASE_LR}
    with tf.Session(graph=graph, config=config) as session:
      session.run(tf.global_variables_initializer())
      values = session.run([getattr(handles.measures, name)
                            for name in QUANTITIES], feed)
  return ['%.4f' % value for value in values]


def check(write, config=None):
  """Compares all published runs and reports them.

  Args:
    write: called with every line of the report.
    config: of the sessions, `tf.ConfigProto`, or None.

  Returns:
    Whether all figures agree to the last digit.
  """
  write('First line (iter_0) of the published logs, computed here, without data:')
  row = '  %-12s %6s  %-7s %10s %10s  %s'
  write(row % ('variant', 'seed', '', 'published', 'computed', ''))
  matches = 0
  for variant, run in published.RUNS.items():
    for name, computed in zip(QUANTITIES, compute(variant, run, config)):
      expected = '%.4f' % getattr(run, name)
      matches += computed == expected
      write(row % (variant, run.random_seed, name, expected, computed,
                   'match' if computed == expected else 'DIFFERS'))
  total = len(published.RUNS) * len(QUANTITIES)
  write('%d of %d figures match to the last digit' % (matches, total))
  return matches == total
