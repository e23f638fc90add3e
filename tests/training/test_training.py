import os
import signal

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import cifar_input
import comhe_tf1
from comhe_tf1.data import sample as synthetic
from comhe_tf1.records import checkpoints
from comhe_tf1.training import graph as graphs
from comhe_tf1.training import loop
from comhe_tf1.training import optimization
from comhe_tf1.training import runner
from comhe_tf1.training import variables


@pytest.fixture(scope='module')
def sample():
  content = synthetic.generate()
  return [cifar_input.from_rows(content[name], name) for name in ('train', 'test')]


def build(regularizer, **settings):
  return graphs.build(comhe_tf1.cnn(width=0.25), regularizer, 'tf1.12', 345, **settings)


@pytest.mark.parametrize('method, limit', [
    ('random', 4466), ('angle', 7000), ('adversarial', 7000)])
def test_operations_in_the_graph(session, method, limit):
  """The original has 44,663, 11,257 and 12,483."""
  build(comhe_tf1.create(method))
  assert operations(session.graph) <= limit


def operations(graph):
  definition = graph.as_graph_def()
  return len(definition.node) + sum(len(f.node_def)
                                    for f in definition.library.function)


def test_layers_of_equal_shape_share_their_operations():
  """The terms of ResNet-32's 34 layers take little more than those of CNN-9's 11."""
  counts = {}
  for plan in (comhe_tf1.cnn, comhe_tf1.resnet32):
    for method in ('none', 'half_mhe', 'angle'):
      with tf.Graph().as_default() as graph:
        graphs.build(plan(width=0.25), comhe_tf1.create(method), 'by_name', 345)
        counts[plan, method] = operations(graph)
  for method in ('half_mhe', 'angle'):
    few, many = (counts[plan, method] - counts[plan, 'none']
                 for plan in (comhe_tf1.cnn, comhe_tf1.resnet32))
    assert many < 1.6 * few


def test_logged_values_are_those_before_the_update(session, sample):
  """Also where several reads of a variable could race with its update."""
  handles = build(comhe_tf1.RandomProjection(pd=2, pn=1))
  session.run(tf.global_variables_initializer())
  batches = cifar_input.TrainingBatches(sample[0], 8, np.random.RandomState(0))
  for _ in range(5):
    images, labels = batches.next()
    # Not thom, whose draws are fresh in every run.
    names = ('fit', 'reg', 'thomf', 'acc')
    before = session.run([getattr(handles.measures, name) for name in names],
                         {handles.images: images, handles.labels: labels})
    logged, _ = loop.step(session, handles, images, labels, 0.001)
    np.testing.assert_allclose([getattr(logged, name) for name in names], before,
                               rtol=1e-6)
    after = session.run(handles.measures.reg)
    assert abs(after - logged.reg) > 1e-6


def test_projections_are_drawn_once_a_step_whatever_is_fetched(sample):
  """Steps with and without energies share the streams of the random ops."""
  thoms = []
  for with_energies in ([True] * 5, [True, False, False, True, False]):
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
      handles = build(comhe_tf1.RandomProjection(pd=2, pn=1))
      session.run(tf.global_variables_initializer())
      values = []
      for each in with_energies:
        measures, energies = loop.step(
            session, handles, sample[0].images[:8], sample[0].labels[:8], 1e-6, each)
        assert bool(energies) == each
        values.append(measures.thom)
        loop.evaluate(session, handles, sample[1].images[:8], sample[1].labels[:8])
      thoms.append(values)
  np.testing.assert_allclose(*thoms, rtol=1e-5)
  assert len(set(np.round(thoms[0], 2))) == 5   # every draw another


@pytest.mark.parametrize('regularizer', [
    comhe_tf1.RandomProjection(pd=10, pn=2), comhe_tf1.AngleProjection(pd=10)], ids=[
        'random', 'angle'])
def test_a_restored_session_goes_on_alike(sample, regularizer):
  """Variables, momentum, moving averages, projections, batches and draws."""
  def run(session, handles, batches, count):
    return [loop.step(session, handles, *(batches.next() + (0.001,)))[0]
            for _ in range(count)]

  def new_batches():
    """Two an epoch."""
    small = cifar_input.Images(*(values[:17] for values in sample[0]))
    return cifar_input.TrainingBatches(small, 8, np.random.RandomState(0))

  with tf.Graph().as_default():
    handles = build(regularizer)
    with tf.Session() as session:
      batches = new_batches()
      session.run(tf.global_variables_initializer())
      run(session, handles, batches, 3)
      state = variables.state(session)
      arrays, numbers = batches.state()
      arrays = {name: value.copy() for name, value in arrays.items()}
      expected = run(session, handles, batches, 3)
    with tf.Session() as session:
      operations = len(session.graph.get_operations())
      variables.restore(session, state, 'it')
      batches = new_batches()
      batches.restore(arrays, numbers)
      np.testing.assert_allclose(run(session, handles, batches, 3), expected, rtol=1e-5)
      assert len(session.graph.get_operations()) == operations
  assert {'conv1_0/filter', 'conv1_0/filter/Momentum', 'conv1_0/bn/moving_mean'} <= set(
      state)


@pytest.mark.slow
@pytest.mark.parametrize('make, scheme', [
    (lambda: comhe_tf1.RandomProjection(pd=2, pn=2), 'tf1.12'),
    (lambda: comhe_tf1.RandomProjection(pd=2, pn=2, draw='reduced'), 'tf1.12'),
    (lambda: comhe_tf1.create('random_max', pd=2, pn=2), 'by_name'),
    (lambda: comhe_tf1.create('srip'), 'by_name')],
                         ids=['random', 'reduced', 'random_max', 'srip'])
def test_streams_go_on_after_70000_steps(sample, make, scheme):
  """As if all had been drawn."""
  layers = comhe_tf1.cnn(width=0.0625)

  def steps(session, handles):
    return [loop.step(session, handles, sample[0].images[:2], sample[0].labels[:2], 1e-3)
            for _ in range(3)]

  with tf.Graph().as_default() as graph:
    handles = graphs.build(layers, make(), scheme, 345)
    draws = [op.outputs[0].op for op in graph.get_operations()
             if op.type == 'StatefulStandardNormalV2']
    config = tf.ConfigProto(intra_op_parallelism_threads=1,
                            inter_op_parallelism_threads=1)
    with tf.Session(config=config) as session:
      session.run(tf.global_variables_initializer())
      draw = session.make_callable(tf.group(*draws))
      for _ in range(70000):
        draw()
      saved = variables.state(session)
      expected = steps(session, handles)
    with tf.Session(config=config) as session:
      variables.restore(session, saved, 'it')
      assert steps(session, handles) == expected


def test_restoring_what_does_not_fit(session):
  build(comhe_tf1.AngleProjection(pd=4))
  session.run(tf.global_variables_initializer())
  state = variables.state(session)
  for wrong in (dict(state, **{'fc6/project': np.zeros((5, 1024))}),
                {name: value for name, value in state.items() if name != 'fc6/project'}):
    with pytest.raises(checkpoints.CheckpointError,
                       match=r'it holds no fc6/project of shape \[4, 1024\]'):
      variables.restore(session, wrong, 'it')


def test_state_refuses_what_is_not_finite(session):
  build(comhe_tf1.RandomProjection(pd=2, pn=1))
  session.run(tf.global_variables_initializer())
  session.run(tf.global_variables()[1].assign(np.full(16, np.nan)))
  with pytest.raises(loop.NonFiniteError, match='conv1_0/bn/gamma/bias'):
    variables.state(session)


def test_every_layers_energy_can_be_fetched(session):
  handles = build(comhe_tf1.AngleProjection(pd=4))
  session.run(tf.global_variables_initializer())
  feed = {handles.learning_rate: 0.1}
  energies, thom, thomf = session.run(
      [handles.energies, handles.measures.thom, handles.measures.thomf], feed)
  assert list(energies) == [layer.name for layer in comhe_tf1.cnn()]
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

  class Session:
    batches = []

    def run(self, fetched, feed):
      self.batches.append(feed['images'].tolist())
      assert (feed['labels'] == feed['images']).all()
      return hits[feed['images']].astype('float32')

  handles = graphs.TrainingGraph(*[None] * len(graphs.TrainingGraph._fields))
  handles = handles._replace(images='images', labels='labels')
  accuracy = loop.evaluate(Session(), handles, images, images)
  assert accuracy == pytest.approx(hits.mean())
  assert sum(Session.batches, []) == images.tolist()
  assert all(len(batch) == 100 for batch in Session.batches[:-1])
  if count % 100 == 0:   # the original's: the mean of the batches' accuracies
    assert accuracy == pytest.approx(np.mean(hits.reshape(-1, 100).mean(1)))


def some_measures(**values):
  return graphs.Measures(*[0.] * 5)._replace(**values)


class Endless:
  def next(self):
    return None, None

  def state(self):
    return None


class Record:
  """A run's record that keeps what it is told; a signal comes with `stop_at`."""
  path = checkpoints = ''

  def __init__(self, stop_at=None, tested=True):
    self.told, self._stop_at, self._tested = [], stop_at, tested

  def _tell(self, *event):
    self.told.append(event)
    if event == self._stop_at:
      os.kill(os.getpid(), signal.SIGTERM)

  def train(self, step, measures, energies, rate):
    assert measures.fit == rate
    self._tell('train', step, rate, energies['layer'])

  def test(self, step, acc):
    self._tell('test', step, acc)

  def energies(self, step, power, energies):
    self._tell(energies, step)

  def is_tested(self, step):
    return self._tested


def train(monkeypatch, record, done, max_steps, log_every, eval_every, energy_every=0,
          **broken):
  """Trains with a session that computes nothing; `broken`: measures of step 2."""
  class Session:
    def run(self, fetched):
      return fetched

  def step(session, graph, images, labels, rate, with_energies):
    return (some_measures(fit=rate, **(broken if rate == 2.5 else {})),
            {'layer': 1.} if with_energies else {})

  monkeypatch.setattr(loop, 'step', step)
  monkeypatch.setattr(loop, 'evaluate', lambda s, g, i, l, stop: None if stop() else 0.5)
  monkeypatch.setattr(optimization, 'learning_rate', lambda step, *_: step + 0.5)
  handles = graphs.TrainingGraph(*[None] * len(graphs.TrainingGraph._fields))
  run = runner.Run(Session(), handles._replace(unprojected_energies='energies'), Endless(),
                   record, {}, None)
  run.train((None, None), runner.Schedule(
      base_lr=0.1, lr_drops=[], save_every=0, max_to_keep=1, profile=0,
      max_steps=max_steps, log_every=log_every, eval_every=eval_every,
      energy_every=energy_every), done, '2')


def test_when_lines_are_logged(monkeypatch):
  def run(*schedule, stop_at=None, tested=True):
    record = Record(stop_at, tested)
    try:
      train(monkeypatch, record, *schedule)
    except runner.Interrupted as stopped:
      assert stopped.signal == signal.SIGTERM
      return record.told + [stopped.steps]
    return record.told

  # Tests follow the step's update; the last step is tested once.
  whole = [('train', 0, 0.5, 1.), ('train', 2, 2.5, 1.), ('test', 3, 0.5),
           ('train', 4, 4.5, 1.), ('test', 5, 0.5)]
  assert run(0, 6, 2, 3) == whole
  assert run(2, 6, 2, 3) == whole[1:]
  assert run(6, 6, 2, 3) == []
  assert run(0, 4, 5, 3) == [('train', 0, 0.5, 1.), ('test', 3, 0.5)]
  assert run(0, 1, 1, 1) == [('train', 0, 0.5, 1.), ('test', 0, 0.5)]
  # Energies precede the step they are of; those after the last step come at the end.
  assert run(0, 5, 4, 4, 2) == [
      ('energies', 0), ('train', 0, 0.5, 1.), ('energies', 2), ('energies', 4),
      ('train', 4, 4.5, 1.), ('test', 4, 0.5), ('energies', 5)]
  assert run(5, 5, 4, 4, 2) == [('energies', 5)]
  # Stopped after a step, in an evaluation, before energies; what was dropped is made again.
  last = 'train', 2, 2.5, 1.
  assert run(0, 6, 2, 3, stop_at=last) == whole[:2] + [3]
  last = 'train', 4, 4.5, 1.
  assert run(3, 9, 2, 4, stop_at=last) == [last, 5]
  assert run(8, 8, 2, 4, tested=False) == [('test', 7, 0.5)]
  last = 'train', 0, 0.5, 1.
  assert run(0, 1, 1, 1, stop_at=last) == [last, 1]
  last = 'test', 3, 0.5
  assert run(0, 4, 4, 4, 4, stop_at=last) == [
      ('energies', 0), ('train', 0, 0.5, 1.), last, 4]


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_a_loss_that_is_not_finite_stops_the_training(monkeypatch, value):
  record = Record()
  with pytest.raises(loop.NonFiniteError, match=f'at step 2: thom is {value}'):
    train(monkeypatch, record, 0, 9, 1, 100, thom=value)
  assert record.told == [('train', 0, 0.5, 1.), ('train', 1, 1.5, 1.)]
