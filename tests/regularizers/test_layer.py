"""One layer's regularizer: values, axes, draws and mistakes. Its hosts: test_hosts.py."""
import os
import pickle
import subprocess
import sys

import ground_truth
import numpy as np
import pytest
import tensorflow
import tensorflow.compat.v1 as tf

import comhe_tf1
from comhe_tf1.regularizers import draws
from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import roles

STATELESS = ['mhe', 'half_mhe', 'random', 'random_max', 'group', 'orthogonal', 'srip']
ROLES = list(roles.ROLES)
SMALL = {'random': dict(pd=4, pn=3), 'random_max': dict(pd=4, pn=3)}
SHAPE = (3, 3, 4, 6)
needs_eager = pytest.mark.skipif(not tf.executing_eagerly(),
                                 reason='TensorFlow 1.x is in graph mode')


def some_regularizer(method, **settings):
  return comhe_tf1.kernel_regularizer(method, **dict(SMALL.get(method, {}), **settings))


def expected(method, role, kernel, drawn):
  """The term without its weight, from a kernel [..., N] and what was drawn for it."""
  w = kernel.reshape(-1, kernel.shape[-1]).astype('float64')
  if method == 'orthogonal':
    return ground_truth.orthogonality(w) / w.shape[1]   # of fewer neurons than inputs
  if method == 'srip':
    return ground_truth.spectral_distance(w, drawn[0][0].astype('float64'))
  if method == 'mhe' or role == comhe_tf1.OUTPUT:
    return ground_truth.full_space_energy(w)
  if role == comhe_tf1.FIRST or method == 'half_mhe':
    return ground_truth.half_space_energy(w)
  if method == 'group':
    return ground_truth.group_energy(kernel.astype('float64'), kernel.shape[2])
  over = {'random': np.mean, 'random_max': np.max}[method]
  return over(ground_truth.random_projection_energies(w, drawn))


def default_weight(method, role):
  """As the MHE authors' code has it, and docs/methods.md for the two penalties."""
  if method in ('orthogonal', 'srip'):
    return {'orthogonal': 1., 'srip': 1e-3}[method]
  return 10. if role == comhe_tf1.OUTPUT else 1.


def drawn_in(graph):
  return [op.outputs[0] for op in graph.get_operations()
          if op.type == 'RandomStandardNormal']


@pytest.mark.parametrize('role', ROLES)
@pytest.mark.parametrize('method', STATELESS)
def test_values_and_gradients_in_a_graph(session, rng, method, role):
  """By get_variable; the draws are read, and fed for the differences."""
  start = rng.randn(*SHAPE)
  kernel = tf.get_variable('w', initializer=start,
                           regularizer=some_regularizer(method, role=role))
  loss = tf.losses.get_regularization_loss()
  session.run(tf.global_variables_initializer())
  tensors = drawn_in(session.graph)
  # TensorFlow 2 asks the regularizer more than once; the loss has the last call's draws.
  tensors = tensors[-{'srip': 1}.get(method, SMALL.get(method, {}).get('pn', 0)):]
  found, drawn = session.run([loss, tensors])
  weight = default_weight(method, role)
  assert found.dtype == np.float64
  assert found == pytest.approx(weight * expected(method, role, start, drawn), rel=1e-6)
  feed = dict(zip(tensors, drawn))
  gradient = session.run(tf.gradients(loss, kernel)[0], feed)
  part = 2, 1, 3   # one row of the kernel
  assign = tf.placeholder(tf.float64, SHAPE)
  change = kernel.assign(assign)

  def loss_of(row):
    changed = start.copy()
    changed[part] = row
    session.run(change, {assign: changed})
    return session.run(loss, feed)

  slopes = ground_truth.gradient(loss_of, start[part], 1e-5)
  np.testing.assert_allclose(gradient[part], slopes, rtol=1e-5,
                             atol=1e-6 * np.abs(gradient).max())


# How a kernel [height, width, c_in, c_out] lies in other layouts.
LAYOUTS = {-1: (0, 1, 2, 3), -2: (0, 1, 3, 2), 0: (3, 2, 0, 1), 3: (0, 1, 2, 3),
           2: (0, 1, 3, 2), -4: (3, 2, 0, 1)}


@pytest.mark.parametrize('method', ['mhe', 'group', 'orthogonal'])
@pytest.mark.parametrize('axis', sorted(LAYOUTS))
def test_axes(session, rng, method, axis):
  kernel = rng.randn(*SHAPE)
  found = comhe_tf1.kernel_regularizer(method, axis=axis)(kernel.transpose(LAYOUTS[axis]))
  assert session.run(found) == pytest.approx(
      expected(method, comhe_tf1.HIDDEN, kernel, None), rel=1e-6)


@pytest.mark.parametrize('shape, axis, to', [
    ((5, 6), -1, (0, 1)), ((6, 5), -2, (1, 0)), ((6, 5), 0, (1, 0)),
    ((3, 5, 6), -1, (0, 1, 2)), ((3, 6, 5), -2, (0, 2, 1)), ((6, 5, 3), 0, (2, 1, 0)),
    ((2, 3, 4, 5, 6), -1, (0, 1, 2, 3, 4)), ((2, 3, 4, 6, 5), -2, (0, 1, 2, 4, 3)),
    ((6, 5, 2, 3, 4), 0, (2, 3, 4, 1, 0)), ((3, 6, 5), 1, (0, 2, 1)),
    ((2, 6, 4, 5), 1, (0, 2, 3, 1)), ((2, 5, 6), np.int64(-1), (0, 1, 2))])
def test_neurons_last(session, rng, shape, axis, to):
  kernel = rng.randn(*shape)
  np.testing.assert_array_equal(
      session.run(comhe_tf1.neurons_last(kernel, axis)), kernel.transpose(to))


def test_depthwise(session, rng):
  """Every input channel's filters are neurons of height times width inputs."""
  kernel = rng.randn(3, 3, 4, 2)
  columns = np.stack([kernel[:, :, c, m].ravel() for c in range(4) for m in range(2)], 1)
  for axis in ((-2, -1), [-2, -1]):
    found = comhe_tf1.kernel_regularizer('half_mhe', axis=axis)(kernel)
    assert session.run(found) == pytest.approx(
        ground_truth.half_space_energy(columns), rel=1e-6)


@pytest.mark.parametrize('dtype', [tf.float16, tf.bfloat16])
@pytest.mark.parametrize('method', STATELESS)
def test_half_precision_is_raised(session, rng, method, dtype):
  """The term is that of the rounded kernel in float32; the slope comes back rounded."""
  kernel = tf.cast(tf.constant(rng.randn(*SHAPE)), dtype)
  loss = some_regularizer(method)(kernel)
  gradient = tf.gradients(loss, kernel)[0]
  assert loss.dtype == tf.float32 and gradient.dtype == dtype
  found, drawn, rounded, slopes = session.run(
      [loss, drawn_in(session.graph), tf.cast(kernel, tf.float64),
       tf.cast(gradient, tf.float32)])
  assert found == pytest.approx(default_weight(method, comhe_tf1.HIDDEN) * expected(
      method, comhe_tf1.HIDDEN, rounded, drawn), rel=1e-4)
  assert np.isfinite(slopes).all() and slopes.any()


def in_a_graph(method, kernel, seeds, global_seed=None):
  """Two steps of the terms of regularizers of these seeds, each called twice."""
  with tf.Graph().as_default(), tf.Session() as session:
    if global_seed is not None:
      tf.set_random_seed(global_seed)
    terms = []
    for seed in seeds:
      regularizer = some_regularizer(method, seed=seed)
      terms += [regularizer(tf.constant(kernel)), regularizer(tf.constant(kernel))]
    return [session.run(terms) for _ in range(2)]


def in_a_function(method, kernel, seeds, global_seed=None, **how):
  """As `in_a_graph`, in one traced function."""
  if global_seed is not None:
    tensorflow.random.set_seed(global_seed)
  regularizers = [some_regularizer(method, seed=seed) for seed in seeds]

  @tensorflow.function(autograph=False, **how)
  def step():
    return [regularizer(tf.constant(kernel)) for regularizer in regularizers
            for _ in range(2)]

  return [[each.numpy() for each in step()] for _ in range(2)]


def compiled(*args, **kwargs):
  return in_a_function(*args, jit_compile=True, **kwargs)


# random_max draws as random.
@pytest.mark.parametrize('method, host', [
    ('random', in_a_graph), ('srip', in_a_graph)] + [
        pytest.param(*each, marks=needs_eager) for each in (
            ('random', in_a_function), ('srip', in_a_function), ('random', compiled))])
def test_seeds(rng, method, host):
  kernel = rng.randn(*SHAPE).astype('float32')
  first, second = host(method, kernel, [7, 7, None], 3)
  for step in (first, second):
    # Two calls of one object differ, two objects of one seed do not.
    assert step[0:2] == step[2:4] and len(set(step)) == 4
  assert not set(first) & set(second)
  # Whatever the global seed, which only those without a seed go by.
  for global_seed, same in ((3, 6), (4, 4)) if host == in_a_function else ((3, 6),):
    again = host(method, kernel, [7, 7, None], global_seed)
    for step, other in zip((first, second), again):
      assert [one == two for one, two in zip(step, other)] == same * [True] + (
          6 - same) * [False]


@needs_eager
@pytest.mark.parametrize('how', [None, {}, {'jit_compile': True}],
                         ids=['eager', 'function', 'compiled'])
@pytest.mark.parametrize('method', STATELESS)
def test_values_and_gradients_in_tensorflow_2(rng, monkeypatch, method, how):
  """What was drawn is returned beside the term."""
  start = rng.randn(*SHAPE)
  kernel = tensorflow.Variable(start)
  regularizer = some_regularizer(method, seed=5)
  drawn = []
  stateless = tf.random.stateless_normal
  monkeypatch.setattr(
      draws.tf.random, 'stateless_normal',
      lambda *args, **kwargs: drawn.append(stateless(*args, **kwargs)) or drawn[-1])

  def step():
    del drawn[:]
    with tensorflow.GradientTape() as tape:
      loss = regularizer(kernel)
    return loss, tape.gradient(loss, kernel), list(drawn)

  if how is not None:
    step = tensorflow.function(step, autograph=False, **how)
  for _ in range(2):
    loss, gradient, seen = step()
    seen = [each.numpy() for each in seen]
    assert loss.numpy() == pytest.approx(
        default_weight(method, comhe_tf1.HIDDEN) * expected(
            method, comhe_tf1.HIDDEN, start, seen), rel=1e-6)

    def loss_of(column):
      changed = start.copy()
      changed[1, 1, 2] = column
      return default_weight(method, comhe_tf1.HIDDEN) * expected(
          method, comhe_tf1.HIDDEN, changed, seen)

    np.testing.assert_allclose(
        gradient.numpy()[1, 1, 2], ground_truth.gradient(loss_of, start[1, 1, 2], 1e-5),
        rtol=1e-5, atol=1e-6 * np.abs(gradient.numpy()).max())


def test_an_object_of_a_graph_works_in_another_and_eagerly(rng):
  regularizer = some_regularizer('random')
  for _ in range(2):
    with tf.Graph().as_default(), tf.Session() as session:
      assert np.isfinite(session.run(regularizer(tf.constant(rng.randn(*SHAPE)))))
  if tf.executing_eagerly():
    assert np.isfinite(regularizer(rng.randn(*SHAPE)).numpy())


def test_settings_weight_and_config():
  regularizer = comhe_tf1.kernel_regularizer(
      'random', comhe_tf1.OUTPUT, weight=np.float32(0.5), seed=np.int64(3), power=0,
      pn=np.int64(2))
  assert regularizer.get_config() == dict(
      method='random', role='output', axis=-1, weight=0.5, seed=3, power='0', pd=40, pn=2,
      pnd=0, draw='original')
  again = comhe_tf1.KernelRegularizer.from_config(regularizer.get_config())
  assert again.get_config() == regularizer.get_config()
  assert repr(again).startswith("kernel_regularizer(axis=-1, draw='original', method=")
  for power, (weight, output_weight) in methods.POWERS.items():
    assert comhe_tf1.kernel_regularizer('mhe', power=power).weight == weight
    assert comhe_tf1.kernel_regularizer(
        'mhe', comhe_tf1.OUTPUT, power=power).weight == output_weight


@pytest.mark.parametrize('method', STATELESS)
@pytest.mark.parametrize('role', ROLES)
def test_weight(session, method, role):
  kernel = np.random.RandomState(1).randn(*SHAPE)
  assert comhe_tf1.kernel_regularizer(method, role).weight == default_weight(method, role)
  assert session.run(some_regularizer(method, role=role, weight=0)(kernel)) == 0.


@pytest.mark.parametrize('make, error, words', [
    (lambda make: make('angle'), ValueError, 'method angle trains a projection, .* '
     r"comhe_tf1.create\('angle'\) .* kernel_regularizer\('random'\)"),
    (lambda make: make('adversarial'), ValueError, 'trains a projection'),
    (lambda make: make('angle_alternating'), ValueError, 'trains a projection'),
    (lambda make: make('none'), ValueError, "method must be one of mhe, .* got 'none'"),
    (lambda make: make('MHE'), ValueError, "method must be one of mhe, .* got 'MHE'"),
    (lambda make: make('mhe', role='Output'), ValueError,
     "role must be one of first, hidden, output, got 'Output'"),
    (lambda make: make('mhe', pd=3), TypeError, "mhe has no setting 'pd', only power"),
    (lambda make: make('random', pd=0), ValueError, 'pd must be .*got 0'),
    (lambda make: make('mhe', weight=-1), ValueError, '^weight must be .*got -1'),
    (lambda make: make('mhe', weight=float('nan')), ValueError, '^weight must be .*nan'),
    (lambda make: make('mhe', weight='1'), ValueError, "^weight must be .*got '1'"),
    (lambda make: make('mhe', energy_weight=3.), TypeError,
     "kernel_regularizer has no setting 'energy_weight', use weight"),
    (lambda make: make('mhe', seed=-1), ValueError, 'seed must be .*got -1'),
    (lambda make: make('mhe', seed=.5), ValueError, 'seed must be .*got 0.5'),
    (lambda make: make('mhe', axis='last')(np.ones(SHAPE)), ValueError,
     "axis must be .*got 'last'"),
    (lambda make: make('group', axis=(-2, -1)), ValueError, 'no input channels to group'),
    (lambda make: make('mhe', axis=4)(np.ones(SHAPE)), ValueError,
     r'axis must be .* -4 to 3 for a kernel of shape \(3, 3, 4, 6\), got 4'),
    (lambda make: make('mhe', axis=-5)(np.ones(SHAPE)), ValueError, 'axis must .*got -5'),
    (lambda make: make('mhe', axis=(-2, -1))(np.ones((3, 4))), ValueError,
     r'leave one for the inputs .*got \(-2, -1\)'),
    (lambda make: make('mhe')(np.ones(3)), ValueError,
     r'of shape \(3,\) must .*biases and scales have no neurons'),
    (lambda make: make('mhe')(np.ones((3, 4), int)), TypeError, 'got int64'),
    (lambda make: make('group', groups=3)(np.ones(SHAPE)), ValueError,
     'groups must divide .*got 3, but the kernel has 4'),
    (lambda make: make('mhe')(tf.placeholder(tf.float32, [None, 3])), ValueError,
     'shape of a kernel must be known')])
def test_mistakes(session, make, error, words):
  with pytest.raises(error, match=words) as raised:
    make(comhe_tf1.kernel_regularizer)
  assert '\n' not in str(raised.value)


@pytest.mark.parametrize('name, value', [
    ('method', 'mhe'), ('role', 'output'), ('axis', 0), ('weight', 0.), ('seed', 2),
    ('settings', {})])
def test_attributes_cannot_be_set(name, value):
  regularizer = comhe_tf1.kernel_regularizer('random', seed=1)
  config = regularizer.get_config()
  with pytest.raises(AttributeError, match=name + ' of a regularizer cannot be set: what '
                                                  'is compiled would not follow'):
    setattr(regularizer, name, value)
  with pytest.raises(TypeError):
    regularizer.settings['pd'] = 3
  assert regularizer.get_config() == config


@pytest.mark.parametrize('method', STATELESS)
def test_pickle(session, rng, method):
  kernel = rng.randn(*SHAPE)
  regularizer = some_regularizer(method, weight=0.5, seed=3)
  value = regularizer(kernel)   # by now it has state of this graph
  again = pickle.loads(pickle.dumps(regularizer))
  assert again.get_config() == regularizer.get_config()
  assert session.run(again(kernel)) == session.run(value)


@pytest.mark.parametrize('method', list(methods.METHODS))
def test_pickle_of_the_whole_network_s(method):
  regularizer = comhe_tf1.create(method)
  assert pickle.loads(pickle.dumps(regularizer)).settings == regularizer.settings


def test_pickle_by_value(session, rng):
  """As schedulers of other machines send functions."""
  cloudpickle = pytest.importorskip('cloudpickle')
  kernel = rng.randn(4, 5)
  send = cloudpickle.loads(cloudpickle.dumps(lambda: comhe_tf1.half_space_energy(kernel)))
  assert session.run(send()) == pytest.approx(ground_truth.half_space_energy(kernel))


FIRST_CALL = '''
import tensorflow as tf
import comhe_tf1
regularizers = [comhe_tf1.kernel_regularizer(method) for method in (
    'random', 'mhe', 'group', 'srip')]
kernel = tf.random.normal([3, 3, 4, 5])


@tf.function
def total():
  return (sum(regularizer(kernel) for regularizer in regularizers)
          + comhe_tf1.half_space_energy(kernel))


total()
'''


@needs_eager
def test_first_call_within_a_function(tmp_path, root):
  """Autograph, which reads the code that it finds in a file, complains of none."""
  path = tmp_path / 'first_call.py'
  path.write_text(FIRST_CALL)
  process = subprocess.run(
      [sys.executable, str(path)], cwd=root, stderr=subprocess.PIPE,
      universal_newlines=True, env=dict(os.environ, PYTHONPATH=root), check=True)
  assert 'AutoGraph' not in process.stderr
