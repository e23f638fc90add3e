"""The training graph and the session loop that runs it."""
import collections

import numpy as np
import tensorflow.compat.v1 as tf

from comhe_tf1 import checkpoint
from comhe_tf1 import diagnosis
from comhe_tf1 import loss
from comhe_tf1 import network as networks
from comhe_tf1 import op_seeds as seeds
from comhe_tf1 import optimization
from comhe_tf1 import towers as spread

SIDE = 32
EVALUATION_BATCH = 100

Measures = collections.namedtuple('Measures', 'fit reg thom thomf acc')
Measures.__doc__ = """What the original logs of a training step, before its update.

fit: classification loss; reg: weight decay; thom: hyperspherical energy of the
first and hidden layers; thomf: of the output layer, weighted; acc: accuracy on
the training batch. Tensors in a graph, floats in a log.
"""

TrainingGraph = collections.namedtuple(
    'TrainingGraph', 'images labels learning_rate measures energies draws '
    'train_step test_fit test_correct network decayed diagnosis')
TrainingGraph.__doc__ = """Handles of a training graph.

images, labels, learning_rate: placeholders [batch, 32, 32, 3] uint8, [batch]
int64, scalar float32. measures: `Measures` of tensors. energies: layer name ->
energy. draws: as `regularizer.Terms`. train_step: operation, all updates.
test_fit: classification loss, and test_correct: [batch], with the moving
statistics. network: the `network.Network`. decayed: list of the variables that the
weight decay is of. diagnosis: as `diagnosis.unprojected_energies`, or None.
"""


def image_placeholders():
  """Placeholders of images [batch, 32, 32, 3] uint8 and labels [batch] int64."""
  return (tf.placeholder(tf.uint8, [None, SIDE, SIDE, 3], 'images'),
          tf.placeholder(tf.int64, [None], 'labels'))


def build(layers, regularizer, numbering, random_seed, bn_decay=networks.BN_DECAY,
          diagnosed_power=None, towers=spread.Towers()):
  """Builds everything a training runs into the default graph.

  Args:
    layers: plan of the network, list of `architectures.Layer`.
    regularizer: a configured `regularizer.Regularizer`.
    numbering: of the initial values: 'by_name', or as `op_seeds.original_op_seeds`.
    random_seed: seed of the graph.
    bn_decay: decay of the moving statistics.
    diagnosed_power: power of the energies in `diagnosis`; None for no diagnosis.
    towers: `towers.Towers`, which share the forward and backward pass of a training
      step; all else is placed on the first.

  Returns:
    `TrainingGraph`.

  Raises:
    ValueError: as `op_seeds.original_op_seeds` and the regulariser.
    methods.SettingError: a setting does not fit the network.
  """
  tf.set_random_seed(random_seed)
  op_seed_of = seeds.by_name if numbering == seeds.BY_NAME else (
      seeds.original_op_seeds(regularizer.name, numbering, layers,
                              regularizer.projections).get)
  with towers.first():
    images, labels = image_placeholders()
    learning_rate = tf.placeholder(tf.float32, [], 'learning_rate')

    network = networks.Network(layers, op_seed_of, bn_decay)
    decayed = network.trainable
    terms = regularizer(network.kernels, learning_rate, op_seed_of)
    logits, updates = network.spread_logits(towers.split(images), True, towers)
    parts = logits, towers.split(labels)
    measures = Measures(
        fit=spread.mean(towers.each(loss.classification_loss, *parts)),
        reg=loss.weight_decay(decayed),
        thom=terms.thom, thomf=terms.thomf,
        acc=spread.mean(towers.each(loss.accuracy, *parts)))
    total = measures.fit + measures.reg + measures.thom + measures.thomf
    step = optimization.momentum_step(total, network.trainable, learning_rate,
                                      after=measures, colocate=len(towers) > 1)
    with tf.name_scope('test'):
      test_logits, _ = network.logits(images, training=False)
    return TrainingGraph(
        images, labels, learning_rate, measures, terms.energies,
        terms.draws, tf.group(step, *(
            updates + ([] if terms.update is None else [terms.update]))),
        loss.classification_loss(test_logits, labels),
        loss.correct(test_logits, labels), network, decayed,
        None if diagnosed_power is None
        else diagnosis.unprojected_energies(network.kernels, diagnosed_power))


class NonFiniteError(Exception):
  """The training has broken down; the message is for the user."""


def step(session, graph, images, labels, rate, with_energies=False):
  """One training step: the regulariser's own steps and the network's, in one call.

  Returns:
    `Measures` of floats before the network's update, and the dict of the layers'
    energies (empty unless `with_energies`).
  """
  feed = {graph.learning_rate: rate, graph.images: images, graph.labels: labels}
  energies = graph.energies if with_energies else {}
  return session.run([graph.measures, energies, graph.train_step], feed)[:2]


def evaluate(session, graph, images, labels):
  """Accuracy with the moving statistics over a whole set, in its order.

  In batches of 100, as the original; a last, smaller batch counts by its size.
  """
  return mean_over(session, graph.test_correct, graph, images, labels)


def mean_over(session, per_image, graph, images, labels):
  """Mean of a tensor [..., batch] over all images of a set; see `evaluate`."""
  total = 0.
  for i in range(0, len(images), EVALUATION_BATCH):
    feed = {graph.images: images[i:i + EVALUATION_BATCH],
            graph.labels: labels[i:i + EVALUATION_BATCH]}
    total += np.sum(session.run(per_image, feed), axis=-1, dtype=np.float64)
  return total / len(images)


def train(session, graph, batches, test, rate_of, first_step, max_steps, log_every,
          eval_every, energy_every, on_train, on_test, on_energies, on_step):
  """Trains from `first_step` until `max_steps` are done.

  Args:
    session: with initialised variables.
    graph: `TrainingGraph`.
    batches: has `next()`, which returns images and labels.
    test: pair of test images and labels.
    rate_of: function from the step to its learning rate.
    first_step: first step to be trained.
    max_steps: number of steps in all.
    log_every: steps between logged steps, step 0 included.
    eval_every: steps between evaluations, step 0 excluded; the last step is
      always evaluated, once. Evaluations follow the step's update.
    energy_every: steps between diagnoses, step 0 included, and once more after the
      last step; 0 for none. They precede the step's update.
    on_train: called with the step, its `Measures` and its energies.
    on_test: called with the step and the test accuracy.
    on_energies: called with the number of steps done and the `diagnosis`.
    on_step: called with the number of steps done, after each.

  Raises:
    NonFiniteError: a term of the loss is NaN or infinite.
  """
  for i in range(first_step, max_steps):
    if energy_every and i % energy_every == 0:
      on_energies(i, session.run(graph.diagnosis))
    images, labels = batches.next()
    logged = i % log_every == 0
    measures, energies = step(session, graph, images, labels, rate_of(i), logged)
    broken = ['%s is %s' % item for item in measures._asdict().items()
              if not np.isfinite(item[1])]
    if broken:
      raise NonFiniteError('the loss is not finite at step %d: %s; try a smaller '
                           '--base_lr or --energy_weight' % (i, ', '.join(broken)))
    if logged:
      on_train(i, measures, energies)
    if (i > 0 and i % eval_every == 0) or i == max_steps - 1:
      on_test(i, evaluate(session, graph, *test))
    on_step(i + 1)
  if energy_every:
    on_energies(max_steps, session.run(graph.diagnosis))


def state(session):
  """Values of all variables of the session's graph: dict from name to array.

  Raises:
    NonFiniteError: one of them is NaN or infinite.
  """
  values = session.run({variable.op.name: variable for variable in _variables(session)})
  for name, value in sorted(values.items()):
    if not np.isfinite(value).all():
      raise NonFiniteError('variable %s is not finite any more; try a smaller '
                           '--base_lr' % name)
  return values


def restore(session, values, path):
  """Gives all variables of the session's graph the values of `state`.

  Args:
    session: its graph may have fewer variables than the values are of.
    values: dict from name to array.
    path: where they come from, for messages.

  Raises:
    checkpoint.CheckpointError: a value is missing or has another shape.
  """
  variables = _variables(session)
  for variable in variables:
    name, shape = variable.op.name, variable.shape.as_list()
    if name not in values or list(values[name].shape) != shape:
      raise checkpoint.CheckpointError('checkpoint %s holds no %s of shape %s'
                                       % (path, name, shape))
  # Through the initialisers: restoring adds nothing to the graph.
  session.run([variable.initializer for variable in variables],
              {variable.initializer.inputs[1]: values[variable.op.name]
               for variable in variables})


def _variables(session):
  return session.graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)


def advance(session, graph, steps, on_step):
  """Brings the streams of the stateful random operations to a later step.

  Args:
    session: new, no step trained in it yet.
    graph: `TrainingGraph`.
    steps: number of steps done when the state was saved.
    on_step: called after every step that was passed over.
  """
  if graph.draws is not None:
    for _ in range(steps):
      session.run(graph.draws)
      on_step()
