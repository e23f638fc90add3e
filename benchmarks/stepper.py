"""Takes training steps of CNN-9 when it is asked to.

    python benchmarks/stepper.py CHECKOUT '{"regularizer": "random", ...}'

with the modules of a checkout of this project. Settings: regularizer; settings, of the
method, those that differ from its defaults; cores, list of CPU cores that this process is
held to.

Every line on standard input is a request {"steps": N}, for which a JSON line comes
back: the seconds of each of the steps, and the measures of the last. The first line,
unasked, describes the environment. A batch of random images is given; none is augmented.
"""
import contextlib
import json
import os
import sys
import time

BATCH, CLASSES, RATE = 128, 100, 0.1

if __name__ == '__main__':
  CHECKOUT, SETTINGS = sys.argv[1], json.loads(sys.argv[2])
  os.sched_setaffinity(0, SETTINGS['cores'])   # before TensorFlow counts them
  sys.path.insert(1, CHECKOUT)

import numpy as np
import replies

from comhe_tf1.utils import tf_setup


@contextlib.contextmanager
def opened(regularizer, settings):
  """A graph with its session; yields session, handles of the graph, its environment."""
  tf, config = tf_setup.tensorflow('-1')
  from comhe_tf1.networks import architectures
  from comhe_tf1.networks import op_seeds
  from comhe_tf1.records import environment
  from comhe_tf1.regularizers import methods
  from comhe_tf1.training import graph as graphs
  with tf.Graph().as_default():
    seed = methods.METHODS[regularizer].random_seed
    handles = graphs.build(architectures.cnn(CLASSES), methods.create(regularizer, **settings),
                           op_seeds.BY_NAME, seed)
    with tf.Session(config=config) as session:
      session.run(tf.global_variables_initializer())
      facts = environment.describe(session)
      facts['operations'] = len(session.graph.get_operations())
      yield session, handles, facts


def main(settings):
  reply = replies.start()
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  from comhe_tf1.training import loop
  rng = np.random.RandomState(0)
  images = rng.randint(0, 256, (BATCH, 32, 32, 3), np.uint8)
  labels = rng.randint(0, CLASSES, BATCH)
  with opened(settings['regularizer'], settings['settings']) as (session, handles, facts):
    reply(facts)
    for line in sys.stdin:
      seconds = []
      for _ in range(json.loads(line)['steps']):
        start = time.perf_counter()
        measures, _ = loop.step(session, handles, images, labels, RATE)
        seconds.append(time.perf_counter() - start)
      reply({'seconds': seconds, 'measures': measures._asdict()})


if __name__ == '__main__':
  main(SETTINGS)
