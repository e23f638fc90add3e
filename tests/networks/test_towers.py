"""A batch spread over devices computes what one device does.

Towers here are virtual CPU devices of one process, and real workers on loopback.
"""
import functools

import golden_run
import numpy as np
import processes
import pytest
import tensorflow.compat.v1 as tf

import comhe_tf1
from comhe_tf1.networks import batch_norm
from comhe_tf1.networks import towers
from comhe_tf1.training import graph as graphs
from comhe_tf1.training import loop

VARIANTS = ('random', 'angle', 'adversarial')


def cpus(count):
  return ['/device:CPU:%d' % i for i in range(count)]


def virtual(count, **settings):
  """Opens a session with so many CPU devices."""
  return tf.Session(config=tf.ConfigProto(device_count={'CPU': count}), **settings)


def golden_of(variant, version):
  path, = (path for path in golden_run.PATHS
           if f'/{variant}_' in path and path.endswith(f'_{version}.json'))
  return golden_run.read(path)


def assert_replays(golden, devices, open_session):
  golden_run.check(golden, golden_run.replay(
      golden, functools.partial(graphs.build, towers=towers.Towers(devices)),
      open_session))


@pytest.mark.slow
@pytest.mark.parametrize('variant', VARIANTS)
def test_golden_trajectories_on_towers(variant):
  assert_replays(golden_of(variant, 'tf112'), cpus(4), functools.partial(virtual, 4))


@pytest.fixture(scope='module')
def workers():
  with processes.Workers(2) as found:
    found.start(0, 1)
    yield found


def on_workers(workers):
  """Devices of both workers, and a function that opens a session on these alone."""
  tasks = range(2)
  return [workers.device(task) for task in tasks], functools.partial(
      tf.Session, workers.master, config=tf.ConfigProto(
          isolate_session_state=True,
          device_filters=['/job:worker/task:%d' % task for task in tasks]))


@pytest.mark.slow
@pytest.mark.parametrize('variant', VARIANTS)
def test_golden_trajectories_on_workers(workers, variant):
  assert_replays(golden_of(variant, 'tf114'), *on_workers(workers))


def trajectory(devices, images, labels, open_session):
  """Rows of a few steps of ResNet-32 with random projection."""
  with tf.Graph().as_default():
    handles = graphs.build(
        comhe_tf1.resnet32(width=0.125), comhe_tf1.create('random', pd=10, pn=3),
        'by_name', 345, towers=towers.Towers(devices))
    with open_session() as session:
      session.run(tf.global_variables_initializer())
      return [list(loop.step(session, handles, images[i], labels[i], 0.01)[0])
              for i in range(len(images))]


@pytest.fixture(scope='module')
def resnet32():
  """Images and labels of three steps of ResNet-32, and its rows on one device."""
  rng = np.random.RandomState(0)
  steps = (rng.randint(0, 256, [3, 8, 32, 32, 3]).astype(np.uint8),
           rng.randint(0, 100, [3, 8]))
  return steps + (np.array(trajectory([], *steps, open_session=tf.Session)),)


def assert_resnet32(resnet32, devices, open_session):
  images, labels, expected = resnet32
  actual = np.array(trajectory(devices, images, labels, open_session))
  np.testing.assert_allclose(actual[0], expected[0], rtol=golden_run.STEP_0)
  for i, name in enumerate(golden_run.TERMS):
    np.testing.assert_allclose(
        actual[:, i], expected[:, i], rtol=0,
        atol=golden_run.EVERY_STEP[name] * np.abs(expected[:, i]).max(), err_msg=name)


@pytest.mark.slow
def test_resnet32_on_towers(resnet32):
  assert_resnet32(resnet32, cpus(4), functools.partial(virtual, 4))


@pytest.mark.slow
def test_resnet32_on_workers(resnet32, workers):
  assert_resnet32(resnet32, *on_workers(workers))


def normalized(x, scale, shift, devices, own_statistics, weights):
  """Batch norm by towers: results, statistics, and gradients of sum(weights * y^2)."""
  with tf.Graph().as_default():
    spread = towers.Towers(devices, own_statistics)
    with spread.first():
      batch = tf.constant(x, tf.float32)
      variables = [tf.constant(value, tf.float32) for value in (scale, shift)]
      parts, mean, variance = batch_norm.by_batch(
          spread.split(batch), batch_norm.Parameters(*(variables + [None, None])), spread)
      y = tf.concat(parts, 0)
      gradients = tf.gradients(tf.reduce_sum(weights * y * y), [batch] + variables,
                               colocate_gradients_with_ops=True)
    with virtual(max(len(devices), 1)) as session:
      return session.run([y, mean, variance] + gradients)


def ground_truth(x, scale, shift, weights):
  """As `normalized`, in float64: gradients of batch norm written out."""
  mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
  root = np.sqrt(variance + batch_norm.EPSILON)
  unit = (x - mean) / root
  y = scale * unit + shift
  outer = 2 * weights * y
  inner = outer * scale
  d_x = (inner - inner.mean((0, 1, 2)) - unit * (inner * unit).mean((0, 1, 2))) / root
  return (y, mean, variance, d_x, (outer * unit).sum((0, 1, 2)), outer.sum((0, 1, 2)))


@pytest.mark.parametrize('count', [1, 2, 4])
@pytest.mark.parametrize('offset', [0., 300.], ids=['centred', 'far from zero'])
def test_batch_norm_is_of_the_whole_batch(rng, count, offset):
  # Unlike parts: statistics of one would not do for another.
  x = rng.randn(8, 3, 3, 5) * np.linspace(0.5, 4, 8)[:, None, None, None]
  x = (x + np.linspace(-3, 3, 8)[:, None, None, None] + offset).astype(np.float32)
  scale, shift, weights = rng.randn(5), rng.randn(5), rng.randn(*x.shape)
  expected = ground_truth(x.astype(np.float64), scale, shift, weights)
  actual = normalized(x, scale, shift, cpus(count) if count > 1 else [], False, weights)
  for one, other in zip(actual, expected):
    np.testing.assert_allclose(one, other, rtol=0, atol=2e-4 * np.abs(other).max())


def test_own_statistics_are_of_each_part(rng):
  x = rng.randn(6, 3, 3, 4) + np.linspace(-3, 3, 6)[:, None, None, None]
  scale, shift, weights = rng.randn(4), rng.randn(4), rng.randn(*x.shape)
  y, mean, variance = normalized(x, scale, shift, cpus(3), True, weights)[:3]
  parts = [ground_truth(part, scale, shift, part_weights) for part, part_weights in zip(
      np.split(x, 3), np.split(weights, 3))]
  np.testing.assert_allclose(y, np.concatenate([part[0] for part in parts]), atol=1e-4)
  np.testing.assert_allclose(mean, np.mean([part[1] for part in parts], 0), atol=1e-5)
  np.testing.assert_allclose(variance, np.mean([part[2] for part in parts], 0), rtol=1e-4)


def build(devices):
  with tf.Graph().as_default() as graph:
    graphs.build(comhe_tf1.cnn(width=0.25), comhe_tf1.create('random', pd=4, pn=2),
                   'by_name', 0, towers=towers.Towers(devices))
  return graph.get_operations()


def test_one_tower_adds_nothing_to_the_graph():
  operations = build([])
  assert not any(operation.device for operation in operations)
  assert sum(operation.type.startswith('FusedBatchNorm') and 'Grad' not in operation.type
             for operation in operations) == 2 * 9   # training, testing
  assert len(build(cpus(1))) == len(operations)


def test_places():
  operations = build(cpus(2))
  by_type = {}
  for operation in operations:
    if '/Initializer/' not in operation.name:   # colocated with its variable
      by_type.setdefault(operation.type, []).append(operation.device)
  first, second = cpus(2)
  # Convolutions of 11 layers: towers, and testing on the first.
  assert by_type['Conv2D'].count(second) == 11
  assert by_type['Conv2D'].count(first) == 22
  assert by_type['Conv2DBackpropFilter'].count(second) == 11
  for single in ('Placeholder', 'VarHandleOp', 'StatefulStandardNormalV2',
                 'ResourceApplyMomentum', 'ResourceApplyKerasMomentum',
                 'AssignSubVariableOp', 'L2Loss'):
    assert set(by_type.get(single, [first])) == {first}, single
  # Gradients are summed on the first device, of one tensor from each tower.
  sums = [operation for operation in operations if operation.type == 'AddN'
          and {one.device for one in operation.inputs} == {first, second}]
  assert len(sums) >= 11
  assert {operation.device for operation in sums} == {first}


def test_a_batch_that_does_not_divide(session):
  parts = towers.Towers(cpus(2)).split(tf.placeholder(tf.float32, [None]))
  with pytest.raises(tf.errors.InvalidArgumentError):
    session.run(parts, {parts[0].op.inputs[1]: np.zeros(3)})
