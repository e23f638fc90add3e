"""Every method on the kernels of a small network that is not CNN-9."""
import ground_truth
import numpy as np
import pytest
import tensorflow
import tensorflow.compat.v1 as tf

import comhe_tf1
from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import projection
from comhe_tf1.regularizers import roles

TRAINED = {'angle': ground_truth.angle_distortion,
           'angle_alternating': ground_truth.squared_angle_distortion,
           'adversarial': lambda p, w: -ground_truth.projected_energy(p, w)}
UNROLLED = ('angle', 'adversarial')
RATE = 0.1
all_methods = pytest.mark.parametrize('method', list(methods.METHODS))
trained = pytest.mark.parametrize('method', sorted(TRAINED))
powers = pytest.mark.parametrize('power', list(methods.POWERS))

# body and twin have one shape, side another.
SHAPES = [('stem', (3, 3, 3, 5), comhe_tf1.FIRST),
          ('body', (3, 3, 6, 6), comhe_tf1.HIDDEN),
          ('side', (1, 1, 6, 7), comhe_tf1.HIDDEN),
          ('twin', (3, 3, 6, 6), comhe_tf1.HIDDEN),
          ('top', (1, 1, 7, 4), comhe_tf1.OUTPUT)]
HIDDEN = ('body', 'side', 'twin')


def some_kernels(rng, dtype='float32'):
  """Values by name, and `Kernel`s."""
  values = {name: rng.randn(*shape).astype(dtype) for name, shape, _ in SHAPES}
  return values, [comhe_tf1.Kernel(name, tf.constant(values[name]), role)
                  for name, _, role in SHAPES]


def small(method, **settings):
  """A method's regularizer that projects to few dimensions."""
  if 'pd' in methods.METHODS[method].settings:
    settings.setdefault('pd', 4)
  return comhe_tf1.create(method, **settings)


def columns(value):
  return value.reshape(-1, value.shape[-1]).astype('float64')


def check_sums(regularizer, energies, thom, thomf):
  """Order of the layers, and the weighted sums."""
  assert list(energies) == [name for name, _, _ in SHAPES]
  weights = [regularizer.weights[role] for role in (comhe_tf1.FIRST, comhe_tf1.HIDDEN)]
  assert weights[0] == weights[1]
  assert thom == pytest.approx(
      weights[0] * sum(energies[name] for name in ('stem',) + HIDDEN), rel=1e-5)
  assert thomf == pytest.approx(
      regularizer.weights[comhe_tf1.OUTPUT] * energies['top'], rel=1e-6)


def check_ends(values, energies, power='2'):
  """First and output layers of all CoMHE variants."""
  assert energies['stem'] == pytest.approx(
      ground_truth.half_space_energy(columns(values['stem']), power), rel=1e-4)
  assert energies['top'] == pytest.approx(
      ground_truth.full_space_energy(columns(values['top']), power), rel=1e-4)


@powers
@pytest.mark.parametrize('method, first, hidden', [
    ('mhe', ground_truth.full_space_energy, ground_truth.full_space_energy),
    ('half_mhe', ground_truth.half_space_energy, ground_truth.half_space_energy)])
def test_mhe(session, rng, method, first, hidden, power):
  values, kernels = some_kernels(rng)
  regularizer = comhe_tf1.create(method, power=power)
  assert (regularizer.weights[comhe_tf1.HIDDEN],
          regularizer.weights[comhe_tf1.OUTPUT]) == methods.POWERS[power]
  terms = regularizer(kernels)
  energies, thom, thomf = session.run([terms.energies, terms.thom, terms.thomf])
  check_sums(regularizer, energies, thom, thomf)
  assert energies['stem'] == pytest.approx(first(columns(values['stem']), power),
                                           rel=1e-4)
  for name in HIDDEN:
    assert energies[name] == pytest.approx(hidden(columns(values[name]), power),
                                           rel=1e-4)
  assert energies['top'] == pytest.approx(
      ground_truth.full_space_energy(columns(values['top']), power), rel=1e-4)


def test_no_regularizer(session, rng):
  terms = comhe_tf1.create('none')(some_kernels(rng)[1], RATE)
  assert not terms.energies
  assert session.run([terms.thom, terms.thomf]) == [0., 0.]
  assert terms.update is None


@pytest.mark.parametrize('method, over', [('random', np.mean), ('random_max', np.max)])
@pytest.mark.parametrize('power', ['2', 'a1'])
def test_random_projections(session, rng, method, over, power):
  tf.set_random_seed(345)
  values, kernels = some_kernels(rng)
  regularizer = comhe_tf1.create(method, pd=4, pn=3, power=power)
  terms = regularizer(kernels)
  assert terms.update is None
  # The draws that the original would make: op seed c_in + i, one per layer.
  draws = {name: tf.stack([
      projection.gaussian_projection(4, len(columns(values[name])), 6 + i)
      for i in range(3)]) for name in HIDDEN}
  session.run(tf.global_variables_initializer())
  for _ in range(2):
    energies, thom, thomf, drawn = session.run(
        [terms.energies, terms.thom, terms.thomf, draws])
    check_sums(regularizer, energies, thom, thomf)
    check_ends(values, energies, power)
    for name in HIDDEN:
      assert energies[name] == pytest.approx(over(
          ground_truth.random_projection_energies(
              columns(values[name]), drawn[name], power)), rel=1e-4)


@pytest.mark.parametrize('method', ['random', 'random_max'])
def test_reduced_draw_has_fewer_numbers(session, rng, method):
  """Of N, not of d numbers a row; the terms are near those of the original draw."""
  kernels = some_kernels(rng)[1]
  energies = {}
  for draw in ('original', 'reduced'):
    with tf.name_scope(draw):
      terms = comhe_tf1.create(method, pd=4, pn=200, draw=draw)(kernels)
    session.run(tf.global_variables_initializer())
    energies[draw] = session.run(terms.energies)
  shapes = {op.name.split('/')[0]: set() for op in session.graph.get_operations()}
  for op in session.graph.get_operations():
    if op.type == 'StatefulStandardNormalV2':
      shapes[op.name.split('/')[0]].add(tuple(op.outputs[0].shape.as_list()))
  assert shapes['original'] == {(4, 54), (4, 6)}
  assert shapes['reduced'] == {(4, 6), (4, 7)}
  for name in ('body', 'twin'):
    if method == 'random':   # a mean of 200
      assert energies['reduced'][name] == pytest.approx(energies['original'][name],
                                                        rel=0.2)
    assert energies['reduced'][name] != energies['original'][name]


@pytest.mark.parametrize('groups', [0, 1, 2, 3, 6])
def test_group(session, rng, groups):
  values, kernels = some_kernels(rng)
  regularizer = comhe_tf1.create('group', groups=groups)
  terms = regularizer(kernels)
  energies, thom, thomf = session.run([terms.energies, terms.thom, terms.thomf])
  check_sums(regularizer, energies, thom, thomf)
  check_ends(values, energies)
  for name in HIDDEN:
    value = values[name].astype('float64')
    # One coordinate a group has no angle: the 1x1 kernel stays whole.
    count = 1 if name == 'side' and groups in (0, 6) else groups or 6
    assert energies[name] == pytest.approx(ground_truth.group_energy(value, count),
                                           rel=1e-4)


def test_groups_that_do_not_divide_the_channels(session, rng):
  with pytest.raises(methods.SettingError,
                     match='groups must divide .* got 4, but body has 6'):
    comhe_tf1.create('group', groups=4)(some_kernels(rng)[1])


def test_orthogonal(session, rng):
  values, kernels = some_kernels(rng)
  regularizer = comhe_tf1.create('orthogonal', energy_weight=0.5)
  terms = regularizer(kernels)
  energies, thom, thomf = session.run([terms.energies, terms.thom, terms.thomf])
  check_sums(regularizer, energies, thom, thomf)
  for name, value in values.items():
    assert energies[name] == pytest.approx(ground_truth.orthogonality(columns(value)),
                                           rel=1e-4)


def test_srip_starts_anew_at_every_step(session, rng):
  tf.set_random_seed(345)
  values, kernels = some_kernels(rng)
  regularizer = comhe_tf1.create('srip')
  terms = regularizer(kernels, op_seed_of=len)   # body/start: 10
  start = tf.random_normal([2, 6, 1], seed=10)
  session.run(tf.global_variables_initializer())
  seen = []
  for _ in range(2):
    energies, thom, thomf, v = session.run(
        [terms.energies, terms.thom, terms.thomf, start])
    check_sums(regularizer, energies, thom, thomf)
    seen.append(energies['top'])
    for i, name in enumerate(('body', 'twin')):
      assert energies[name] == pytest.approx(ground_truth.spectral_distance(
          columns(values[name]), v[i].astype('float64')), rel=1e-4)
  assert seen[0] != seen[1]


@trained
@pytest.mark.parametrize('iters', [0, 1, 3])
def test_trained_projections(session, rng, method, iters):
  # In float64: E(P W) of close neurons is steep, and roundings grow from step to step.
  values, kernels = some_kernels(rng, 'float64')
  rate = tf.placeholder(tf.float64, [])
  regularizer = comhe_tf1.create(method, pd=4, iters=iters)
  terms = regularizer(kernels, rate, len)
  assert not tf.trainable_variables()
  variables = {v.op.name: v for v in tf.global_variables()}
  assert sorted(variables) == [name + '/project' for name in HIDDEN]
  session.run(tf.global_variables_initializer())
  before = session.run(variables)
  assert (terms.update is None) == (iters == 0)
  energies, thom, thomf, _ = session.run(
      [terms.energies, terms.thom, terms.thomf, terms.update or tf.no_op()],
      {rate: RATE / 10.})
  after = session.run(variables)
  check_sums(regularizer, energies, thom, thomf)
  check_ends(values, energies)
  for name in HIDDEN:
    w = columns(values[name])

    def slope(p, decay):
      return ground_truth.gradient(
          lambda p: TRAINED[method](p, w) + decay * np.sum(p ** 2) / 2., p)

    p = before[name + '/project'].astype('float64')
    for _ in range(iters):
      p -= RATE / 10. * slope(p, 1e-3 * 5e-4)
    np.testing.assert_allclose(after[name + '/project'], p, rtol=1e-5, atol=1e-6)
    if method in UNROLLED:
      # The term is that of one more step, without decay and not kept.
      p -= RATE / 10. * slope(p, 0.)
    assert energies[name] == pytest.approx(
        ground_truth.half_space_energy(np.dot(p, w)), rel=1e-5)
  for name, value in session.run(variables).items():
    np.testing.assert_array_equal(value, after[name])


@trained
def test_second_order_only_where_the_last_step_is_unrolled(session, rng, method):
  """Gradient by the kernel against differences of the term itself."""
  tf.set_random_seed(1)   # the same projection every time, as differences are rounded
  values, _ = some_kernels(rng, 'float64')
  start = values['body']
  kernel = tf.placeholder(tf.float64, start.shape)
  # Without kept steps: P is the variable, whatever the kernel.
  terms = comhe_tf1.create(method, pd=4, iters=0)(
      [comhe_tf1.Kernel('body', kernel, comhe_tf1.HIDDEN)], RATE / 10.)
  session.run(tf.global_variables_initializer())
  gradient = session.run(tf.gradients(terms.thom, kernel)[0], {kernel: start})
  np.testing.assert_allclose(
      gradient[0, 0], ground_truth.gradient(
          lambda part: session.run(terms.thom, {kernel: np.concatenate(
              [np.concatenate([part[None], start[0, 1:]])[None], start[1:]])}),
          start[0, 0], 1e-5), rtol=1e-5, atol=1e-8)


def differentiable(method):
  """Terms whose value can be computed again: nothing is drawn in between."""
  return method not in ('none', 'random', 'random_max', 'srip')


@powers
@pytest.mark.parametrize('method', [
    name for name, each in methods.METHODS.items()
    if 'power' in each.settings and differentiable(name)] + ['orthogonal'])
def test_gradients_against_differences(session, rng, method, power):
  tf.set_random_seed(1)   # as above
  if method == 'orthogonal' and power != '2':
    return   # it has none
  start = {name: rng.randn(*shape) for name, shape in [
      ('stem', (4, 3)), ('body', (1, 2, 2, 3)), ('top', (3, 4))]}
  placeholders = {name: tf.placeholder(tf.float64, value.shape)
                  for name, value in start.items()}
  settings = {} if method == 'orthogonal' else {'power': power}
  if method in TRAINED:
    settings['iters'] = 0   # P is constant to the gradient, not to differences
  if method == 'group':
    settings['groups'] = 1
  terms = small(method, **settings)([
          comhe_tf1.Kernel(name, placeholders[name], role) for name, role in [
              ('stem', comhe_tf1.FIRST), ('body', comhe_tf1.HIDDEN),
              ('top', comhe_tf1.OUTPUT)]], RATE / 100.)
  session.run(tf.global_variables_initializer())
  total = terms.loss
  gradients = session.run(
      {name: tf.gradients(total, tensor)[0] for name, tensor in placeholders.items()},
      {placeholders[name]: value for name, value in start.items()})
  run = session.make_callable(total, [placeholders[name] for name in sorted(start)])
  for name in start:
    expected = ground_truth.gradient(
        lambda x: run(*[x if each == name else start[each] for each in sorted(start)]),
        start[name], 1e-5)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(gradients[name], expected, rtol=1e-5, atol=1e-6 * scale)


def random_ops(graph):
  return sum(op.type == 'StatefulStandardNormalV2' for op in graph.get_operations())


@pytest.mark.parametrize('settings, expected', [
    (dict(pn=20), 4 * 20),
    # c_out // 16: 4 for conv1_*, 8 for conv2_*, 16 from conv3_0 on. Layers with
    # equal inputs share what the one with most projections draws.
    (dict(pnd=16), 8 + 16 + 16 + 16)], ids=['pn', 'pnd'])
def test_equal_draws_of_cnn9_are_made_once(session, settings, expected):
  kernels = [comhe_tf1.Kernel(layer.name, tf.zeros(
      [layer.size, layer.size, layer.c_in, layer.c_out]), layer.role)
             for layer in comhe_tf1.cnn()]
  comhe_tf1.RandomProjection(**settings)(kernels)
  assert random_ops(session.graph) == expected


def test_pnd_counts_projections_by_neurons(session, rng):
  regularizer = comhe_tf1.RandomProjection(pd=4, pn=20, pnd=3)
  assert [regularizer.projections(count) for count in (3, 6, 7, 64)] == [1, 2, 2, 21]
  regularizer(some_kernels(rng)[1])
  # body and twin have 6 // 3, side 7 // 3 projections; their inputs differ.
  assert random_ops(session.graph) == 4


def test_pnd_above_the_neurons_is_an_error(session, rng):
  with pytest.raises(methods.SettingError, match='pnd must be at most 6.*got 7'):
    comhe_tf1.RandomProjection(pnd=7)(some_kernels(rng)[1])


@trained
def test_projections_start_from_their_op_seeds(session, rng, method):
  tf.set_random_seed(345)
  comhe_tf1.create(method, pd=4)(some_kernels(rng)[1], RATE, {'body/project': 192}.get)
  body = tf.global_variables()[0]
  session.run(tf.global_variables_initializer())
  np.testing.assert_array_equal(
      *session.run([body, tf.random_normal([4, 54], seed=192)]))


@all_methods
def test_gradients_reach_every_kernel_with_a_term_and_no_other(session, rng, method):
  _, kernels = some_kernels(rng)
  terms = small(method)(kernels, RATE)
  tensors = [kernel.tensor for kernel in kernels]
  session.run(tf.global_variables_initializer())
  assert len(terms.energies) == (0 if method == 'none' else len(kernels))
  if terms.energies:
    for gradient in session.run(tf.gradients(terms.loss, tensors)):
      assert np.isfinite(gradient).all() and np.abs(gradient).max() > 1e-7
  for name, energy in terms.energies.items():
    for kernel, gradient in zip(kernels, session.run([
        tf.zeros_like(tensor) if each is None else each
        for tensor, each in zip(tensors, tf.gradients(energy, tensors))])):
      assert gradient.any() == (kernel.name == name)


def edge_cases(neurons):
  """Kernels [3, 3, 6, neurons] by name."""
  kernel = np.random.RandomState(1).randn(3, 3, 6, 4)
  if neurons == 1:
    return {'one neuron': kernel[..., :1], 'one zero neuron': 0. * kernel[..., :1]}
  return {'zeros': 0. * kernel, 'duplicates': 1e4 * kernel[..., [0, 0, 1, 1]],
          'opposites': 1e4 * kernel[..., [0, 0, 1, 1]] * [1., -1., 1., -1.],
          'one zero neuron': kernel * [1., 0., 1., 1.], 'large': 1e6 * kernel}


@pytest.mark.parametrize('neurons', [1, 4])
@pytest.mark.parametrize('method, power', [
    (name, power) for name, each in methods.METHODS.items()
    for power in (methods.POWERS if 'power' in each.settings else [None])])
def test_edge_cases_are_finite(session, method, power, neurons):
  """The terms, the projections' own steps, and the gradients of all kernels."""
  placeholder = tf.placeholder(tf.float32, [3, 3, 6, neurons])
  kernels = [comhe_tf1.Kernel(role, placeholder + 0., role)
             for role in roles.ROLES]
  terms = small(method, **({'power': power} if power else {}))(kernels, RATE)
  gradients = [each for each in tf.gradients(terms.loss, [
      kernel.tensor for kernel in kernels]) if each is not None]
  for name, kernel in edge_cases(neurons).items():
    feed = {placeholder: kernel}
    session.run(tf.global_variables_initializer())
    if terms.update is not None:
      session.run(terms.update, feed)
    for result in session.run(
        [terms.thom, terms.thomf, tf.global_variables()] + gradients, feed):
      assert all(np.isfinite(each).all() for each in np.atleast_1d(result)), name


@all_methods
def test_no_kernels(session, method):
  terms = comhe_tf1.create(method)([], RATE)
  assert not terms.energies
  assert terms.update is None
  assert session.run([terms.thom, terms.thomf]) == [0., 0.]


@pytest.mark.parametrize('method', [name for name in methods.METHODS if name != 'none'])
@pytest.mark.parametrize('make, error, words', [
    (lambda: [comhe_tf1.Kernel('a', np.ones((3, 4), 'float32'), 'Output')], ValueError,
     "role of kernel 'a' must be one of first, hidden, output, got 'Output'"),
    (lambda: 2 * [comhe_tf1.Kernel('a', np.eye(3), comhe_tf1.OUTPUT)], ValueError,
     "two kernels have the name 'a'"),
    (lambda: [comhe_tf1.Kernel('a', np.ones(3), comhe_tf1.HIDDEN)], ValueError,
     'at least two axes'),
    (lambda: [comhe_tf1.Kernel('a', np.ones((3, 3, 2, 4), 'float16'), comhe_tf1.HIDDEN)],
     TypeError, 'float16; cast it first'),
    (lambda: [comhe_tf1.Kernel('a', tf.placeholder(tf.float32, [None, 3]),
                               comhe_tf1.HIDDEN)],
     ValueError, "shape of kernel 'a' must be known")])
def test_kernels_that_cannot_be_used(session, method, make, error, words):
  with pytest.raises(error, match=words):
    comhe_tf1.create(method)(make(), RATE)


@all_methods
def test_float64_and_plain_arrays(session, rng, method):
  terms = small(method)([comhe_tf1.Kernel('a', rng.randn(1, 1, 5, 4), comhe_tf1.HIDDEN)],
                        tf.constant(RATE))
  assert terms.thom.dtype == terms.thomf.dtype
  assert method == 'none' or terms.thom.dtype == tf.float64
  session.run(tf.global_variables_initializer())
  assert np.isfinite(session.run(terms.loss))


@pytest.mark.parametrize('method', TRAINED)
def test_trained_projections_say_that_a_function_is_no_graph(rng, method):
  kernels = [comhe_tf1.Kernel('a', rng.randn(1, 1, 5, 4), comhe_tf1.HIDDEN)]
  with pytest.raises(RuntimeError, match='needs a graph'):
    # Of one that is traced, whether or not a graph is around it.
    tensorflow.function(lambda: comhe_tf1.create(method)(kernels, RATE).thom,
                        autograph=False)()


@all_methods
def test_eager(rng, method):
  """Trained projections say that they need a graph."""
  if not tf.executing_eagerly():
    pytest.skip('TensorFlow 1.x is in graph mode')
  kernels = [comhe_tf1.Kernel('a', rng.randn(1, 1, 5, 4), comhe_tf1.HIDDEN)]
  if method in TRAINED:
    with pytest.raises(RuntimeError, match='needs a graph'):
      comhe_tf1.create(method)(kernels, RATE)
  else:
    assert np.isfinite(small(method)(kernels).thom.numpy())


def test_something_else_than_kernels(session):
  kernel = np.ones([4, 3])
  for call in (comhe_tf1.RandomProjection(), comhe_tf1.unprojected_energies):
    for each in (kernel, [kernel], tf.constant(kernel), [('a', kernel, 'hidden')]):
      with pytest.raises(TypeError, match=r'must be a sequence of Kernel\(name, tensor, '
                                          r'role\), got one of \w+; for one kernel use'):
        call(each)
