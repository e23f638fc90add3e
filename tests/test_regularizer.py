import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import comhe_tf1
from comhe_tf1 import projection
import ground_truth

TRAINABLE = [comhe_tf1.AngleProjection, comhe_tf1.AdversarialProjection]
RATE = 0.1


def some_kernels(rng):
  """Kernels of a small network that is not CNN-9."""
  shapes = [('stem', (3, 3, 3, 5), comhe_tf1.FIRST),
            ('body', (3, 3, 5, 6), comhe_tf1.HIDDEN),
            ('side', (1, 1, 5, 7), comhe_tf1.HIDDEN),
            ('top', (7, 4), comhe_tf1.OUTPUT)]
  values = {name: rng.randn(*shape).astype('float32') for name, shape, _ in shapes}
  return values, [comhe_tf1.Kernel(name, tf.constant(values[name]), role)
                  for name, _, role in shapes]


def columns(value):
  return value.reshape(-1, value.shape[-1]).astype('float64')


def check_weights_and_ends(values, energies, thom, thomf):
  """What all variants share: first, output and the weighted sums."""
  assert list(energies) == ['stem', 'body', 'side', 'top']
  assert energies['stem'] == pytest.approx(
      ground_truth.half_space_energy(columns(values['stem'])), rel=1e-5)
  assert energies['top'] == pytest.approx(
      ground_truth.full_space_energy(columns(values['top'])), rel=1e-5)
  assert thom == pytest.approx(
      energies['stem'] + energies['body'] + energies['side'], rel=1e-6)
  assert thomf == pytest.approx(10. * energies['top'], rel=1e-6)


def test_random_projection(session, rng):
  tf.set_random_seed(345)
  values, kernels = some_kernels(rng)
  terms = comhe_tf1.RandomProjection(pd=4, pn=3)(kernels)
  assert terms.before_step is None
  # The draws that the original would make: op seed c_in + i, one per layer.
  draws = {name: tf.stack([
      projection.gaussian_projection(4, len(columns(values[name])), 5 + i)
      for i in range(3)]) for name in ('body', 'side')}
  for _ in range(2):
    energies, thom, thomf, drawn = session.run(
        [terms.energies, terms.thom, terms.thomf, draws])
    check_weights_and_ends(values, energies, thom, thomf)
    for name in ('body', 'side'):
      assert energies[name] == pytest.approx(
          ground_truth.random_projection_energy(columns(values[name]), drawn[name]),
          rel=1e-4)


def random_ops(graph):
  return sum(op.type == 'RandomStandardNormal' for op in graph.get_operations())


@pytest.mark.parametrize('settings, expected', [
    (dict(pn=20), 4 * 20),
    # c_out // 16: 4 for conv1_*, 8 for conv2_*, 16 from conv3_0 on. Layers with
    # equal inputs share what the one with most projections draws.
    (dict(pnd=16), 8 + 16 + 16 + 16)], ids=['pn', 'pnd'])
def test_equal_draws_of_cnn9_are_made_once(session, settings, expected):
  kernels = [comhe_tf1.Kernel(layer.name, tf.zeros(
      [layer.size, layer.size, layer.c_in, layer.c_out]), layer.role)
             for layer in comhe_tf1.cnn9()]
  comhe_tf1.RandomProjection(**settings)(kernels)
  assert random_ops(session.graph) == expected


def test_pnd_counts_projections_by_neurons(session, rng):
  regularizer = comhe_tf1.RandomProjection(pd=4, pn=20, pnd=3)
  assert [regularizer.projections(count) for count in (3, 6, 7, 64)] == [1, 2, 2, 21]
  regularizer(some_kernels(rng)[1])
  # body has 6 // 3, side 7 // 3 projections; their inputs differ.
  assert random_ops(session.graph) == 4


def test_pnd_above_the_neurons_is_an_error():
  with pytest.raises(ValueError, match='pnd must be at most 64.*got 65'):
    comhe_tf1.RandomProjection(pnd=65).projections(64)


@pytest.mark.parametrize('make, words', [
    (lambda: comhe_tf1.RandomProjection(pd=0), 'pd must be a whole number of at least 1, got 0'),
    (lambda: comhe_tf1.RandomProjection(pn=0), 'pn must be a whole number of at least 1, got 0'),
    (lambda: comhe_tf1.RandomProjection(pnd=-1), 'pnd must be a whole number of at least 0, got -1'),
    (lambda: comhe_tf1.AngleProjection(pd=0), 'pd must be a whole number of at least 1, got 0'),
    (lambda: comhe_tf1.AdversarialProjection(iters=-1),
     'iters must be a whole number of at least 0, got -1'),
    (lambda: comhe_tf1.RandomProjection(pd='4'), "pd must be a whole number.*got '4'"),
    (lambda: comhe_tf1.RandomProjection(pd=2.5), 'pd must be a whole number.*got 2.5')])
def test_numbers_out_of_range(make, words):
  with pytest.raises(ValueError, match=words):
    make()


def p_loss(cls, p, w):
  """What P descends, in NumPy."""
  if cls is comhe_tf1.AngleProjection:
    return ground_truth.angle_distortion(p, w)
  return -ground_truth.projected_energy(p, w)


@pytest.mark.parametrize('cls', TRAINABLE)
@pytest.mark.parametrize('iters', [0, 1, 3])
def test_trainable_projection(session, rng, cls, iters):
  values, kernels = some_kernels(rng)
  rate = tf.placeholder(tf.float32, [])
  terms = cls(pd=4, iters=iters)(kernels, rate, {'body/project': 5,
                                                 'side/project': 6})
  assert not tf.trainable_variables()
  projections = {v.op.name.split('/')[0]: v for v in tf.global_variables()}
  assert sorted(projections) == ['body', 'side']
  session.run(tf.global_variables_initializer())
  before = session.run(projections)
  assert (terms.before_step is None) == (iters == 0)
  if iters:
    session.run(terms.before_step, {rate: RATE})
  after = session.run(projections)
  energies, thom, thomf = session.run(
      [terms.energies, terms.thom, terms.thomf], {rate: RATE})
  check_weights_and_ends(values, energies, thom, thomf)
  for name in projections:
    w = columns(values[name])

    def slope(p, decay):
      return ground_truth.gradient(
          lambda p: p_loss(cls, p, w) + decay * np.sum(p ** 2) / 2., p)

    p = before[name].astype('float64')
    for _ in range(iters):
      p -= RATE * slope(p, 1e-3 * 5e-4)
    np.testing.assert_allclose(after[name], p, rtol=1e-3, atol=1e-4)
    # The term is that of one more step, without decay and not kept.
    p -= RATE * slope(p, 0.)
    assert energies[name] == pytest.approx(
        ground_truth.half_space_energy(np.dot(p, w)), rel=1e-3)
  for name, value in session.run(projections).items():
    np.testing.assert_array_equal(value, after[name])


def test_projections_start_from_their_op_seeds(session, rng):
  tf.set_random_seed(345)
  _, kernels = some_kernels(rng)
  comhe_tf1.AngleProjection(pd=4)(kernels, RATE, {'body/project': 192})
  body = tf.global_variables()[0]
  session.run(tf.global_variables_initializer())
  np.testing.assert_array_equal(
      *session.run([body, tf.random_normal([4, 45], seed=192)]))


@pytest.mark.parametrize('cls', [comhe_tf1.RandomProjection] + TRAINABLE)
def test_gradients_reach_every_kernel_and_no_other(session, rng, cls):
  _, kernels = some_kernels(rng)
  terms = cls(pd=4)(kernels, RATE)
  tensors = [kernel.tensor for kernel in kernels]
  session.run(tf.global_variables_initializer())
  for gradient in session.run(tf.gradients(terms.thom + terms.thomf, tensors)):
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 1e-7
  for energy, own in zip(terms.energies.values(), tensors):
    for tensor, gradient in zip(tensors, tf.gradients(energy, tensors)):
      assert (gradient is not None) == (tensor is own)


@pytest.mark.parametrize('cls', [comhe_tf1.RandomProjection] + TRAINABLE)
def test_no_kernels(session, cls):
  terms = cls()([], RATE)
  assert not terms.energies
  assert terms.before_step is None
  assert session.run([terms.thom, terms.thomf]) == [0., 0.]


@pytest.mark.parametrize('cls', [comhe_tf1.RandomProjection] + TRAINABLE)
@pytest.mark.parametrize('make, words', [
    (lambda: [comhe_tf1.Kernel('a', np.ones((3, 4), 'float32'), 'Output')],
     "role of kernel 'a' must be one of first, hidden, output, got 'Output'"),
    (lambda: 2 * [comhe_tf1.Kernel('a', np.eye(3), comhe_tf1.OUTPUT)],
     "two kernels have the name 'a'"),
    (lambda: [comhe_tf1.Kernel('a', np.ones(3), comhe_tf1.HIDDEN)],
     'at least two axes'),
    (lambda: [comhe_tf1.Kernel('a', tf.placeholder(tf.float32, [None, 3]),
                               comhe_tf1.HIDDEN)], "shape of kernel 'a' must be known")])
def test_kernels_that_cannot_be_used(session, cls, make, words):
  with pytest.raises(ValueError, match=words):
    cls()(make(), RATE)


@pytest.mark.parametrize('cls', [comhe_tf1.RandomProjection] + TRAINABLE)
def test_float64_and_plain_arrays(session, rng, cls):
  terms = cls(pd=3)([comhe_tf1.Kernel('a', rng.randn(5, 4), comhe_tf1.HIDDEN)],
                    tf.constant(RATE))
  assert terms.thom.dtype == terms.thomf.dtype == tf.float64
  session.run(tf.global_variables_initializer())
  assert np.isfinite(session.run(terms.thom + terms.thomf))


def test_random_projection_works_eagerly_and_the_others_say_that_they_do_not(rng):
  if not tf.executing_eagerly():
    pytest.skip('TensorFlow 1.x is in graph mode')
  kernels = [comhe_tf1.Kernel('a', rng.randn(5, 4), comhe_tf1.HIDDEN)]
  assert np.isfinite(comhe_tf1.RandomProjection(3)(kernels).thom.numpy())
  for cls in TRAINABLE:
    with pytest.raises(RuntimeError, match='needs a graph'):
      cls()(kernels, RATE)
