"""One contender in a process of its own, which computes only when it is asked to.

    python benchmarks/worker.py ours|reduced|plain|floor

Speaks as `replies.py` says; beside what all are asked for,

    {"do": "golden", "variant": V}      values of a recorded step 0, see `agreement`
    {"do": "first_steps", "variant": V, "data": FOLDER}
                                        CNN-9's, kept in a file of `steps.py`; ours only

Whatever is timed ends with its values fetched: computed to the end, on a GPU too. And
every gradient is part of a fetched value, its sum of squares, since the graph
optimiser prunes what nobody fetches, even out of a tf.group.
"""
import contextlib
import functools
import os
import sys
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [ROOT, os.path.join(ROOT, 'tests', 'helpers')]

import agreement
import plain
import replies
import steps
import tensorflow.compat.v1 as tf

import cifar_input
from comhe_tf1.networks import architectures
from comhe_tf1.networks import network as networks
from comhe_tf1.networks import op_seeds
from comhe_tf1.records import environment
from comhe_tf1.regularizers import kernels as roles
from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import streams
from comhe_tf1.training import graph as graphs
from comhe_tf1.training import loop
from comhe_tf1.training import loss
from comhe_tf1.training import prefetch

# Of CNN-9's initial weights: so that the original, under TensorFlow 1.14, has the same.
NUMBERING = 'tf1.14'
CONFIG = tf.ConfigProto(allow_soft_placement=True)
CONFIG.gpu_options.allow_growth = True


def regularizer_of(contender, variant, settings):
  """The contender's regulariser."""
  create = plain.Plain if contender == 'plain' else methods.create
  if contender == 'reduced':
    settings = dict(settings, draw='reduced')
  return create(variant, **settings)


def before_step(session, regularizer, feed=None):
  """The session calls that a regulariser wants before a training step: plain's, one
  for each step of its projections; ours takes them in the training step's own."""
  if isinstance(regularizer, plain.Plain):
    for _ in range(regularizer.settings.get('iters', 0)):
      session.run(regularizer.before_step, feed)


def update_of(contender, variant, kernels, op_seed_of, settings, rate):
  """A whole update of the terms, in the default graph.

  Args:
    contender: 'ours', 'reduced', 'plain' or 'floor'.
    variant: name of the method.
    kernels: list of `kernels.Kernel`.
    op_seed_of: as `base.Regularizer`.
    settings: those of the method that differ from its defaults.
    rate: learning rate.

  Returns:
    Function of a session that takes the steps of the projections, then computes the
    terms and their gradients; returns values by name.
  """
  if contender == 'floor':
    fetches = floor_of(kernels, methods.resolve(variant, settings))
    return lambda session: session.run(fetches)
  regularizer = regularizer_of(contender, variant, settings)
  terms = regularizer(kernels, tf.constant(rate), op_seed_of)
  gradients = tf.gradients(terms.thom + terms.thomf,
                           [kernel.tensor for kernel in kernels])
  fetches = {'thom': terms.thom, 'thomf': terms.thomf}
  for kernel, gradient in zip(kernels, gradients):
    fetches['gradient of ' + kernel.name] = tf.reduce_sum(tf.square(gradient))

  updates = [] if terms.update is None else [terms.update]

  def update(session):
    before_step(session, regularizer)
    return session.run([fetches] + updates)[0]

  return update


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


def check(contender, variant):
  """Values of the small kernels, all draws replaced by `agreement.draw`."""
  with tf.Graph().as_default() as graph, tf.Session(config=CONFIG) as session:
    tf.set_random_seed(1)
    kernels = [roles.Kernel(name, tf.constant(kernel), role)
               for name, role, kernel in agreement.small_kernels()]
    update = update_of(contender, variant, kernels, op_seeds.by_name,
                       agreement.SMALL[variant], agreement.RATE)
    op_seed_of = {
        'RandomStandardNormal': lambda op: op.get_attr('seed2'),
        'StatefulStandardNormalV2': lambda op: starts[op.inputs[0].op.name][1]}
    starts = streams.positions(session, 0)
    given = {op.outputs[0]: agreement.draw(op.outputs[0].shape.as_list(),
                                           op_seed_of[op.type](op))
             for op in graph.get_operations() if op.type in op_seed_of}

    class Given(object):
      """The session, fed with the given draws."""
      run = staticmethod(lambda fetches, feed=None: session.run(fetches, given))

    Given.run(tf.global_variables_initializer())
    return update(Given)


def golden(contender, variant):
  """Weight decay, terms and gradients of CNN-9 with a recorded run's settings."""
  args, _ = agreement.golden(variant)
  settings = {name: args[name] for name in agreement.SMALL[variant]}
  with tf.Graph().as_default(), tf.Session(config=CONFIG) as session:
    network, update = cnn9_terms(contender, variant, settings, args['seed'], args['lr'])
    reg = loss.weight_decay(network.trainable)
    session.run(tf.global_variables_initializer())
    return dict(update(session), reg=session.run(reg))


def cnn9_terms(contender, variant, settings, random_seed, rate):
  """CNN-9 and `update_of` its kernels, in the default graph."""
  tf.set_random_seed(random_seed)
  layers = architectures.cnn()
  regularizer = regularizer_of(contender, variant, settings)
  op_seed_of = op_seeds.original_op_seeds(variant, NUMBERING, layers,
                                          regularizer.projections).get
  network = networks.Network(layers, op_seed_of)
  return network, update_of(contender, variant, network.kernels, op_seed_of, settings,
                            rate)


def build(regularizer, layers, numbering):
  """A whole training graph in the default graph; its handles."""
  variant = regularizer.name
  if not op_seeds.has_original(variant):   # `none`, which the original does not know
    numbering = op_seeds.BY_NAME
  return graphs.build(layers, regularizer, numbering, steps.random_seed_of(variant))


def first_steps(contender, variant, data):
  """Values of CNN-9's first steps, as `steps.values_of`; keeps what they come from."""
  regularizer, drawn = regularizer_of(contender, variant, {}), {}
  normal = regularizer.normal

  def remembered(shape, dtype, op_seeds):
    found = normal(shape, dtype, op_seeds)
    drawn.update({(shape[-1], op_seed): numbers
                  for op_seed, numbers in zip(op_seeds, found)})
    return found

  regularizer.normal = remembered
  with tf.Graph().as_default(), tf.Session(config=CONFIG) as session:
    handles = build(regularizer, architectures.cnn(), NUMBERING)
    squares = {variable.op.name: tf.reduce_sum(tf.square(variable))
               for variable in tf.global_variables()
               if variable.dtype.is_floating   # no position of a stream
               and variable not in handles.network.trainable}
    session.run(tf.global_variables_initializer())
    variables = session.run({variable.op.name: variable
                             for variable in handles.network.trainable})
    batches, values, draws = steps.batches_of(variant, data), {}, []
    for step in range(steps.FIRST):
      images, labels = batches.next()
      # All of a step in one call: another one would draw anew.
      measures, of_step, _ = session.run(
          [handles.measures, drawn, handles.train_step],
          {handles.images: images, handles.labels: labels,
           handles.learning_rate: agreement.RATE})
      draws.append(of_step)
      values.update(steps.values_of(step, measures._asdict(),
                                    None if step else session.run(squares)))
    steps.keep(variant, data, variables, draws)
    return values


# What is measured: generators as `replies.serve` has them.


def graph(contender, variant, data):
  """Building the training graph of CNN-9, and its operations."""
  del data
  for repetition in range(sys.maxsize):
    with tf.Graph().as_default() as built, steps.Timer() as timer:
      regularizer = regularizer_of(contender, variant, {})
      handles = build(regularizer, architectures.cnn(), NUMBERING)
    if repetition:
      yield {'build, s': timer.seconds, 'operations': len(built.get_operations())}
      continue
    with tf.Session(graph=built, config=CONFIG) as session, built.as_default():
      session.run(tf.global_variables_initializer())
      feed = {handles.learning_rate: agreement.RATE}
      before_step(session, regularizer, feed)
      yield session.run({name: getattr(handles.measures, name)
                         for name in ('reg', 'thom', 'thomf')}, feed)


def terms(contender, variant, data):
  """All steps of the projections, then terms and gradients of CNN-9's ten layers."""
  del data
  with tf.Graph().as_default(), tf.Session(config=CONFIG) as session:
    _, update = cnn9_terms(contender, variant, {}, steps.random_seed_of(variant),
                           agreement.RATE)
    session.run(tf.global_variables_initializer())
    yield update(session)
    while True:
      with steps.Timer() as timer:
        update(session)
      yield {'time, s': timer.seconds}


def augment(contender, variant, data):
  """Taking and augmenting a batch of 128. The first one also shuffles the set."""
  del contender
  batches = steps.batches_of(variant, data)
  yield {'batch': zlib.crc32(batches.next()[0].tobytes())}
  while True:
    with steps.Timer() as timer:
      batches.next()
    yield {'time, s': timer.seconds}


def training(layers, numbering, contender, variant, data):
  """A whole training step: batch, steps of the projections, the network's update."""
  batches = steps.batches_of(variant, data)
  with contextlib.ExitStack() as stack:
    if contender != 'plain':
      batches = stack.enter_context(prefetch.Prefetched(batches))   # as train.py
    stack.enter_context(tf.Graph().as_default())
    session = stack.enter_context(tf.Session(config=CONFIG))
    regularizer = regularizer_of(contender, variant, {})
    handles = build(regularizer, layers, numbering)
    session.run(tf.global_variables_initializer())
    for repetition in range(sys.maxsize):
      with steps.Timer() as timer:
        images, labels = batches.next()
        before_step(session, regularizer, {handles.learning_rate: agreement.RATE})
        measures, _ = loop.step(session, handles, images, labels, agreement.RATE)
      if repetition:
        yield {'time, s': timer.seconds}
      else:
        values = measures._asdict()
        del values['acc']   # one image more or less would be no disagreement
        yield dict(values, batch=zlib.crc32(images.tobytes()))


MEASURES = {
    'graph': graph, 'terms': terms, 'augment': augment,
    'cnn9': functools.partial(training, architectures.cnn(), NUMBERING),
    'resnet32': functools.partial(training, architectures.resnet32(), op_seeds.BY_NAME)}


def main(contender):
  reply = replies.start()
  if contender == 'plain':
    cifar_input.augment = plain.augment   # in this process alone
  with tf.Session(config=CONFIG) as session:
    reply(environment.describe(session))

  def mine(functions):
    return {name: functools.partial(function, contender)
            for name, function in functions.items()}

  replies.serve(reply, mine(MEASURES), mine(
      {'check': check, 'golden': golden, 'first_steps': first_steps}))


if __name__ == '__main__':
  main(sys.argv[1])
