"""Energies by blocks beside the same with all cosines at once.

Against slow NumPy and differences both are tested in test_energy.py.
"""
import re

import ground_truth
import numpy as np
import pytest
import tensorflow
import tensorflow.compat.v1 as tf

import comhe_tf1
from comhe_tf1.regularizers import blocks
from comhe_tf1.regularizers import energy
from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import similarity

SPACES = [energy.full_space, energy.half_space]
spaces = pytest.mark.parametrize('space', SPACES, ids=['full', 'half'])
needs_eager = pytest.mark.skipif(not tf.executing_eagerly(),
                                 reason='TensorFlow 1.x is in graph mode')


@pytest.fixture
def small(monkeypatch):
  """Blocks of at most four neurons, from 16 cosines on."""
  monkeypatch.setattr(blocks, 'MANY', 15)
  monkeypatch.setattr(blocks, 'BLOCK', 4)


def orders(function, neurons, weights, direction):
  """Values, gradient of their weighted sum, and that one's along a direction."""
  values = function(neurons)
  gradient, = tf.gradients(tf.reduce_sum(weights * values), neurons)
  return values, gradient, tf.gradients(tf.reduce_sum(direction * gradient), neurons)[0]


def loops(graph):
  return sum(op.type in ('Exit', 'While', 'StatelessWhile')
             for op in graph.get_operations())


# One block; several, full and not; sets, of which a block holds some, or a part.
@spaces
@pytest.mark.parametrize('shape', [(6, 4), (6, 8), (6, 9), (6, 10), (5, 3, 3), (9, 3, 2),
                                   (2, 3, 5, 7)], ids=str)
@pytest.mark.parametrize('known', [True, False], ids=['known', 'unknown'])
def test_the_same_as_all_at_once(session, rng, small, space, shape, known):
  start, direction = rng.randn(*shape), rng.randn(*shape)
  weights = rng.randn(*shape[:-2])
  neurons = tf.placeholder(tf.float64, shape if known else len(shape) * [None])
  by_blocks = orders(lambda w: energy.energies(w, space('2')), neurons, weights,
                     direction)
  assert loops(session.graph)
  before = loops(session.graph)
  # Of a plain function it is known nothing that could be taken by blocks.
  at_once = orders(lambda w: similarity.from_cosines(w, space('2')), neurons, weights,
                   direction)
  assert loops(session.graph) == before
  for one, other in zip(*session.run([by_blocks, at_once], {neurons: start})):
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11 * np.abs(other).max())


@spaces
@pytest.mark.parametrize('power', list(methods.POWERS))
def test_float32_keeps_its_digits(session, rng, monkeypatch, space, power):
  """Also with zero neurons; what is near parallel has a test in test_energy.py."""
  monkeypatch.setattr(blocks, 'MANY', 0)
  monkeypatch.setattr(blocks, 'BLOCK', 16)
  start = rng.randn(24, 50).astype('float32')
  start[:, [1, 2, 45]] = 0.
  direction = rng.randn(*start.shape)

  def results(dtype, function):
    neurons = tf.placeholder(dtype, start.shape)
    return session.run(orders(lambda w: function(w, space(power)), neurons, 1.,
                              direction.astype(dtype)), {neurons: start})

  # Both round; cosines near 1, as those of the diagonal, lose most.
  for exact, at_once, by_blocks in zip(
      results('float64', similarity.from_cosines),
      results('float32', similarity.from_cosines), results('float32', energy.energies)):
    errors = [np.abs(each - exact).max() for each in (by_blocks, at_once)]
    assert errors[0] < 4. * errors[1] + 1e-6 * np.abs(exact).max()


@pytest.mark.parametrize('shape, by_blocks', [
    ((9, 4096), False), ((9, 4097), True), ((20, 40, 915), False), ((20, 40, 916), True),
    ((2, 20, 4, 647), False), ((2, 20, 4, 648), True), ((9, None), True),
    ((None, 4, 5), True), ((None, 64), False)], ids=str)
def test_by_blocks_above_2_to_the_24_cosines(session, shape, by_blocks):
  neurons = tf.placeholder(tf.float32, shape)
  value = energy.energies(neurons, energy.half_space('2'))
  tf.gradients(value, neurons)
  assert bool(loops(session.graph)) == by_blocks
  assert value.shape.as_list() == list(shape[:-2])


def test_operations_do_not_grow_with_the_neurons():
  counts = set()
  for count in (5001, 100000):
    with tf.Graph().as_default() as graph:
      kernel = tf.placeholder(tf.float32, [3, count])
      tf.gradients(comhe_tf1.half_space_energy(kernel), kernel)
      counts.add(len(graph.as_graph_def().node))
  assert len(counts) == 1


@pytest.mark.parametrize('method, settings', [
    ('mhe', {}), ('half_mhe', {}), ('random', {'pn': 3}),
    ('random', {'pn': 3, 'draw': 'reduced'}), ('random_max', {'pn': 3}), ('group', {}),
    ('angle', {}), ('adversarial', {'iters': 2}), ('angle_alternating', {})])
def test_terms_of_every_method(rng, monkeypatch, method, settings):
  """With the loops within loops and the second order that trained projections need."""
  start = {name: rng.randn(*shape) for name, shape in [
      (comhe_tf1.FIRST, (3, 5)), (comhe_tf1.HIDDEN, (1, 1, 6, 7)),
      (comhe_tf1.OUTPUT, (4, 5))]}
  if 'pd' in methods.METHODS[method].settings:
    settings = dict(settings, pd=4)
  results = []
  for many in (2 ** 24, 0):
    monkeypatch.setattr(blocks, 'MANY', many)
    monkeypatch.setattr(blocks, 'BLOCK', 3)
    with tf.Graph().as_default(), tf.Session() as session:
      tf.set_random_seed(1)
      tensors = {name: tf.constant(value) for name, value in start.items()}
      # With op seeds: others would follow from the number of operations.
      terms = comhe_tf1.create(method, **settings)(
          [comhe_tf1.Kernel(name, tensors[name], name) for name in sorted(tensors)],
          0.001, len)
      session.run(tf.global_variables_initializer())
      if terms.update is not None:
        session.run(terms.update)
      results.append(session.run([dict(terms.energies), tf.gradients(
          terms.loss, [tensors[name] for name in sorted(tensors)])]))
  (energies, gradients), (expected, slopes) = results
  assert energies == {name: pytest.approx(value, rel=1e-9)
                      for name, value in expected.items()}
  for one, other in zip(gradients, slopes):
    np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9 * np.abs(other).max())


def test_third_order_is_refused(session, small):
  kernel = tf.placeholder(tf.float64, [3, 9])
  _, _, second = orders(comhe_tf1.half_space_energy, kernel, 1., 1.)
  with pytest.raises((NotImplementedError, LookupError), match='second order only'):
    tf.gradients(second, kernel)


@needs_eager
@pytest.mark.parametrize('wrapped', [{}, {'jit_compile': False}, {'jit_compile': True}],
                         ids=['eager', 'function', 'jit'])
def test_eager_and_functions(rng, small, wrapped):
  """Value, gradient and second order, as the slow version has them."""
  start = rng.randn(3, 6)

  def slope(kernel):
    with tf.GradientTape() as tape:
      tape.watch(kernel)
      value = comhe_tf1.half_space_energy(kernel)
    return value, tape.gradient(value, kernel)

  def both(kernel):
    with tf.GradientTape() as tape:
      tape.watch(kernel)
      value, gradient = slope(kernel)
      total = tf.reduce_sum(tf.square(gradient))
    return value, gradient, tape.gradient(total, kernel)

  function = tensorflow.function(both, autograph=False, **wrapped) if wrapped else both
  value, gradient, second = (each.numpy() for each in function(tf.constant(start)))
  assert value == pytest.approx(ground_truth.half_space_energy(start))
  np.testing.assert_allclose(gradient, ground_truth.gradient(
      ground_truth.half_space_energy, start), rtol=1e-6, atol=1e-8)
  np.testing.assert_allclose(second, ground_truth.gradient(
      lambda w: np.sum(slope(tf.constant(w))[1].numpy() ** 2), start),
                             rtol=1e-5, atol=1e-7)


def peak_memory(function):
  """MB by which the process grows at most while the function runs."""
  def megabytes(entry):
    with open('/proc/self/status') as file:
      return int(re.search(entry + r':\s*(\d+) kB', file.read()).group(1)) / 1024.

  with open('/proc/self/clear_refs', 'w') as file:
    file.write('5')   # the peak is what there is now
  before = megabytes('VmRSS')
  function()
  return megabytes('VmHWM') - before


@pytest.mark.parametrize('eagerly', [False, pytest.param(True, marks=needs_eager)],
                         ids=['graph', 'eager'])
def test_memory(rng, eagerly):
  """A single matrix of all cosines would have 81 MB, and at once several are held."""
  start = rng.randn(8, 4500).astype('float32')
  if eagerly:
    def compute():
      kernel = tf.constant(start)
      with tf.GradientTape() as tape:
        tape.watch(kernel)
        value = comhe_tf1.half_space_energy(kernel)
      assert tape.gradient(value, kernel).numpy().any()

    assert peak_memory(compute) < 60.
    return
  with tf.Graph().as_default(), tf.Session() as session:
    kernel = tf.placeholder(tf.float32, start.shape)
    gradient, = tf.gradients(comhe_tf1.half_space_energy(kernel), kernel)
    assert peak_memory(lambda: session.run(gradient, {kernel: start})) < 60.
