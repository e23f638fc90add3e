import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import cifar_input
import cifar_sample
import comhe_tf1
from comhe_tf1 import training

VARIANTS = [comhe_tf1.RandomProjection(), comhe_tf1.AngleProjection(),
            comhe_tf1.AdversarialProjection()]


@pytest.fixture(scope='module')
def sample():
  content = cifar_sample.generate()
  return [cifar_input.from_rows(content[name], name) for name in ('train', 'test')]


def build(regularizer, **settings):
  return training.build(comhe_tf1.cnn9(), regularizer, regularizer.name, 'tf1.12',
                        345, **settings)


@pytest.mark.parametrize('regularizer, limit', list(zip(VARIANTS, (4466, 7000, 7000))),
                         ids=['random', 'angle', 'adversarial'])
def test_operations_in_the_graph(session, regularizer, limit):
  """The original has 44,663, 12,469 and 12,469."""
  build(regularizer)
  graph = session.graph.as_graph_def()
  count = len(graph.node) + sum(len(f.node_def) for f in graph.library.function)
  assert count <= limit


def test_logged_values_are_those_before_the_update(session, sample):
  """Also where several reads of a variable could race with its update."""
  handles = build(comhe_tf1.RandomProjection(2, 1))
  session.run(tf.global_variables_initializer())
  batches = cifar_input.TrainingBatches(sample[0], 8, np.random.RandomState(0))
  for _ in range(5):
    images, labels = batches.next()
    # Not thom, whose draws are fresh in every run.
    names = ('fit', 'reg', 'thomf', 'acc')
    before = session.run([getattr(handles.measures, name) for name in names],
                         {handles.images: images, handles.labels: labels})
    logged = training.step(session, handles, images, labels, 0.001)
    np.testing.assert_allclose([getattr(logged, name) for name in names], before,
                               rtol=1e-6)
    after = session.run(handles.measures.reg)
    assert abs(after - logged.reg) > 1e-6


def test_steps_without_measures_train_alike(sample):
  weights = []
  for measured in (True, False):
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
      handles = build(comhe_tf1.AngleProjection(2))
      session.run(tf.global_variables_initializer())
      batches = cifar_input.TrainingBatches(sample[0], 8, np.random.RandomState(0))
      for _ in range(2):
        images, labels = batches.next()
        result = training.step(session, handles, images, labels, 0.01, measured)
        assert (result is None) == (not measured)
      weights.append(session.run(handles.network.kernels[-1].tensor))
  np.testing.assert_allclose(*weights, rtol=1e-5)


def test_projections_are_drawn_once_a_step_whatever_is_fetched(sample):
  """Steps with and without measures share the streams of the random ops."""
  thoms = []
  for measured in ([True] * 4, [True, False, False, True]):
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
      handles = build(comhe_tf1.RandomProjection(2, 1))
      session.run(tf.global_variables_initializer())
      results = [training.step(session, handles, sample[0].images[:8],
                               sample[0].labels[:8], 1e-6, each) for each in measured]
      training.evaluate(session, handles, sample[1].images[:100],
                        sample[1].labels[:100])
      results.append(training.step(session, handles, sample[0].images[:8],
                                   sample[0].labels[:8], 1e-6))
      thoms.append([results[i].thom for i in (0, 3, 4)])
  np.testing.assert_allclose(*thoms, rtol=1e-5)
  assert len(set(np.round(thoms[0], 2))) == 3   # every draw another


def test_every_layers_energy_can_be_fetched(session):
  handles = build(comhe_tf1.AngleProjection(4))
  session.run(tf.global_variables_initializer())
  feed = {handles.learning_rate: 0.1}
  energies, thom, thomf = session.run(
      [handles.energies, handles.measures.thom, handles.measures.thomf], feed)
  assert list(energies) == [layer.name for layer in comhe_tf1.cnn9()]
  assert thomf == pytest.approx(10. * energies.pop('score'), rel=1e-6)
  assert thom == pytest.approx(sum(energies.values()), rel=1e-6)


def test_gradients_of_the_whole_loss_are_finite(session, sample):
  handles = build(comhe_tf1.AdversarialProjection())
  measures = handles.measures
  total = measures.fit + measures.reg + measures.thom + measures.thomf
  gradients = tf.gradients(total, handles.network.trainable)
  session.run(tf.global_variables_initializer())
  for value in session.run(gradients, {
      handles.images: sample[0].images[:8], handles.labels: sample[0].labels[:8],
      handles.learning_rate: 0.1}):
    assert np.isfinite(value).all() and value.any()


@pytest.mark.parametrize('count', [100, 200, 250, 30])
def test_a_set_is_evaluated_whole(count):
  """Any number of images, each once, in order; the mean over all of them."""
  rng = np.random.RandomState(0)
  hits = rng.randint(0, 2, count)
  images = np.arange(count)

  class Session(object):
    batches = []

    def run(self, fetched, feed):
      self.batches.append(feed['images'].tolist())
      assert (feed['labels'] == feed['images']).all()
      return hits[feed['images']].astype('float32')

  handles = training.TrainingGraph(*[None] * len(training.TrainingGraph._fields))
  handles = handles._replace(images='images', labels='labels')
  accuracy = training.evaluate(Session(), handles, images, images)
  assert accuracy == pytest.approx(hits.mean())
  assert sum(Session.batches, []) == images.tolist()
  assert all(len(batch) == 100 for batch in Session.batches[:-1])
  if count % 100 == 0:   # the original's: the mean of the batches' accuracies
    assert accuracy == pytest.approx(np.mean(hits.reshape(-1, 100).mean(1)))


def test_when_lines_are_logged(monkeypatch):
  monkeypatch.setattr(training, 'step', lambda s, g, i, l, rate, measured: (
      rate if measured else None))
  monkeypatch.setattr(training, 'evaluate', lambda s, g, i, l: 0.5)
  events, stepped = [], []

  class Batches(object):
    def next(self):
      return None, None

  def run(max_steps, log_every, eval_every):
    del events[:], stepped[:]
    training.train(None, None, Batches(), (None, None), lambda step: step + 0.5,
                   max_steps, log_every, eval_every,
                   lambda step, rate: events.append(('train', step, rate)),
                   lambda step, acc: events.append(('test', step, acc)),
                   lambda: stepped.append(1))
    assert len(stepped) == max_steps
    return events

  # Tests follow the step's update; the last step is tested once.
  assert run(6, 2, 3) == [('train', 0, 0.5), ('train', 2, 2.5), ('test', 3, 0.5),
                          ('train', 4, 4.5), ('test', 5, 0.5)]
  assert run(4, 5, 3) == [('train', 0, 0.5), ('test', 3, 0.5)]
  assert run(1, 1, 1) == [('train', 0, 0.5), ('test', 0, 0.5)]
