"""TensorFlow as a contender: this project's code, and what it is measured against.

    python benchmarks/tensorflow_contender.py '{"measure": "terms", ...}'

with the arguments of one of the generators below, as `measured_process.serve` takes them.
Whatever is timed ends with its values fetched: computed to the end, on a GPU too. And
every gradient is part of a fetched value, its sum of squares, since the graph optimizer
prunes what nobody fetches, even out of a tf.group.
"""
import contextlib
import json
import sys
from unittest import mock
import zlib

import measured_process
import plain
import step_data
import tensorflow.compat.v1 as tf

from comhe_tf1.networks import architectures
from comhe_tf1.networks import network as networks
from comhe_tf1.networks import op_seeds
from comhe_tf1.records import environment
from comhe_tf1.regularizers import blocks
from comhe_tf1.regularizers import energy
from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import projection
from comhe_tf1.regularizers import roles
from comhe_tf1.training import graph as graphs
from comhe_tf1.training import loop
from comhe_tf1.training import prefetch
from comhe_tf1.utils import arguments
from comhe_tf1.utils import tf_setup

NETWORKS = {'cnn9': architectures.cnn, 'resnet32': architectures.resnet32}
PANEL = 1024   # neurons


def regularizer_of(contender, method, settings):
  """The contender's regularizer."""
  create = plain.Plain if contender == 'plain' else methods.create
  return create(method, **settings)


def before_step(session, regularizer, feed=None):
  """The session calls that `plain` wants before a training step, one for each step of its
  projections; ours takes these steps in the training step's own call."""
  if isinstance(regularizer, plain.Plain):
    for _ in range(regularizer.settings.get('iters', 0)):
      session.run(regularizer.before_step, feed)


def draws_of(session):
  """The projections that are drawn, tensors [pd, d], by (d, op seed)."""
  drawn = {op.inputs[0].op.name: op.outputs[0]
           for op in session.graph.get_operations()
           if op.type == 'StatefulStandardNormalV2'}
  states = session.run({variable.op.name: variable for variable in tf.global_variables()
                        if variable.op.name in drawn})
  # A state is [counter, op seed, graph seed].
  return {(drawn[name].shape.as_list()[-1], state[1]): drawn[name]
          for name, state in states.items()}


def terms(config, contender, method, settings, keep=None):
  """All steps of the projections, then terms and gradients of CNN-9's ten layers.

  Args:
    config: of the session.
    contender: 'ours', 'plain' or 'floor'.
    method: name of the method.
    settings: those that differ from its defaults.
    keep: path of the file of the first steps, to be written.
  """
  with tf.Graph().as_default(), tf.Session(config=config) as session:
    tf.set_random_seed(methods.METHODS[method].random_seed)
    regularizer = regularizer_of(contender, method, settings)
    network = networks.Network(architectures.cnn(), op_seeds.by_name)
    if contender == 'floor':
      fetches, update = floor_of(network.kernels, regularizer.settings), None
    else:
      found = regularizer(network.kernels, tf.constant(step_data.RATE), op_seeds.by_name)
      fetches, update = {'thom': found.thom, 'thomf': found.thomf}, found.update
      gradients = tf.gradients(found.thom + found.thomf,
                               [kernel.tensor for kernel in network.kernels])
      for kernel, gradient in zip(network.kernels, gradients):
        fetches[f'gradient of {kernel.name}'] = tf.reduce_sum(tf.square(gradient))
    step = [fetches, [] if update is None else update]
    session.run(tf.global_variables_initializer())
    before_step(session, regularizer)
    if keep:
      variables = session.run({each.op.name: each for each in network.trainable})
      values, _, drawn = session.run(step + [draws_of(session)])
      step_data.keep(keep, variables, [drawn])
    else:
      values, _ = session.run(step)
    yield values

    def compute():
      before_step(session, regularizer)
      session.run(step)

    yield from measured_process.timed(compute)


def floor_of(kernels, settings):
  """What random projection cannot do without: draws, P W, and the product backward.

  Layers of equal c_in and d have the same draws. P^T (P W) stands for the backward
  product, P^T times the slopes by P W. Returns tensors by name.
  """
  groups = {}
  for kernel in kernels:
    if kernel.role == roles.HIDDEN:
      c_in, count = kernel.tensor.shape.as_list()[-2:]
      neurons = tf.reshape(kernel.tensor, [-1, count])
      groups.setdefault((c_in, neurons.shape.as_list()[0]), []).append(
          (kernel.name, neurons))
  fetches = {}
  for (c_in, d), layers in groups.items():
    draws = tf.concat([tf.random_normal([settings['pd'], d], seed=c_in + i)
                       for i in range(settings['pn'])], 0)
    projected = tf.matmul(draws, tf.concat([neurons for _, neurons in layers], 1))
    backward = tf.matmul(draws, projected, transpose_a=True)
    fetches['products of ' + ' '.join(name for name, _ in layers)] = tf.reduce_sum(
        tf.square(backward))
  return fetches


def step(config, network, contender, method, settings, scheme, random_seed, data,
         batch_size, keep=None):
  """Whole training steps: batch, steps of the projections, the network's update.

  Args:
    config: of the session.
    network: name in `NETWORKS`.
    contender: 'ours' or 'plain'.
    method, settings: as in `terms`.
    scheme, random_seed: as `graph.build`.
    data: folder of the images.
    batch_size: number of images.
    keep: as in `terms`.
  """
  with contextlib.ExitStack() as stack:
    stack.enter_context(tf.Graph().as_default())
    session = stack.enter_context(tf.Session(config=config))
    regularizer = regularizer_of(contender, method, settings)
    handles = graphs.build(NETWORKS[network](), regularizer, scheme, random_seed)
    operations = len(session.graph.get_operations())
    session.run(tf.global_variables_initializer())
    batches = step_data.batches(data, batch_size, random_seed)
    yield first_steps(session, handles, regularizer, batches, keep)
    batches = stack.enter_context(prefetch.Prefetched(batches))   # as train.py

    def compute():
      images, labels = batches.next()
      before_step(session, regularizer, {handles.learning_rate: step_data.RATE})
      loop.step(session, handles, images, labels, rate=step_data.RATE)

    yield from measured_process.timed(compute, 'step, s', operations=operations)


def first_steps(session, handles, regularizer, batches, keep):
  """Values of the first steps; keeps what they come from at the path `keep`, or None."""
  # After the first update, momentum is the gradient.
  squares = {f'gradient of {variable.op.name.rpartition("/")[0]}':
             tf.reduce_sum(tf.square(variable)) for variable in tf.global_variables()
             if variable.op.name.endswith('/filter/Momentum')}
  variables = session.run({each.op.name: each for each in handles.network.trainable})
  drawn = draws_of(session) if keep else {}
  values, draws = {}, []
  for count in range(step_data.FIRST):
    images, labels = batches.next()
    feed = {handles.images: images, handles.labels: labels,
            handles.learning_rate: step_data.RATE}
    before_step(session, regularizer, feed)
    # All of a step in one call: another one would draw anew.
    measures, of_step, _ = session.run([handles.measures, drawn, handles.train_step], feed)
    draws.append(of_step)
    values.update(step_data.values_of(count, measures._asdict()))
    if not count:
      values.update(session.run(squares), batch=zlib.crc32(images.tobytes()))
  if keep:
    step_data.keep(keep, variables, draws)
  return values


def layer(config, contender, neurons, inputs, projections):
  """Value and gradient of one large layer's half-space energy.

  Args:
    config: of the session.
    contender: 'ours', by blocks where the neurons are many; 'whole', with all cosines at
      once; 'products', only U^T U and U S, each entry of either as the plain formula has
      it, in panels.
    neurons, inputs, projections: as `step_data.layer`.
  """
  kernel, given = step_data.layer(neurons, inputs, projections)
  with tf.Graph().as_default(), tf.Session(config=config) as session:
    tensor, drawn = tf.placeholder(tf.float32, kernel.shape), None
    feed = {tensor: kernel}
    if projections:
      drawn = tf.placeholder(tf.float32, given.shape)
      feed[drawn] = given
    value, gradient = (products(tensor, drawn) if contender == 'products' else
                       energy_of(tensor, drawn, whole=contender == 'whole'))
    norm = tf.sqrt(tf.reduce_sum(tf.square(gradient)))
    session.run(tf.zeros([]))
    fetches = {'value': value, 'gradient': norm}
    yield from measured_process.with_peak(lambda: session.run(fetches, feed))


def energy_of(kernel, drawn, whole):
  """Half-space energy of W [d, N], or its mean over projections [pn, pd, d], and the
  gradient; `whole` without blocks."""
  with contextlib.ExitStack() as stack:
    if whole:
      stack.enter_context(mock.patch.object(blocks, 'needed', lambda *_: False))
    value = energy.half_space_energy(kernel) if drawn is None else tf.reduce_mean(
        projection.random_projection_energies(kernel[tf.newaxis], drawn))
    return value, tf.gradients(value, kernel)[0]


def products(kernel, drawn):
  """0, and U (U^T U) by panels of columns: the multiplications of the formula, no more."""
  neurons, (d, count) = kernel, kernel.shape.as_list()
  if drawn is not None:
    sets, pd, _ = drawn.shape.as_list()
    neurons = tf.reshape(tf.matmul(tf.reshape(drawn, [-1, d]), kernel), [sets, pd, count])

  def body(start, last):
    del last
    panel = neurons[..., start:start + PANEL]
    return start + PANEL, tf.matmul(
        neurons, tf.matmul(neurons, panel, transpose_a=True))

  return tf.zeros([]), tf.while_loop(
      lambda start, _: start < count, body, [tf.constant(0), neurons[..., :PANEL]],
      [tf.TensorShape([]), tf.TensorShape(neurons.shape.as_list()[:-1] + [None])],
      parallel_iterations=1, back_prop=False)[1]


def main(measure, gpu_no=None, **settings):
  answers = measured_process.start()
  _, config = tf_setup.tensorflow(arguments.gpus_or_default(gpu_no))   # as train.py
  with tf.Session(config=config) as session:
    facts = environment.describe(session)
  measures = {'terms': terms, 'step': step, 'layer': layer}
  measured_process.serve(answers, facts, measures[measure](config, **settings))


if __name__ == '__main__':
  main(**json.loads(sys.argv[1]))
