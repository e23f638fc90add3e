"""Sessions on the workers of a cluster, which say first who they are."""
import contextlib
import json
import threading

import tensorflow.compat.v1 as tf

from comhe_tf1.cluster import devices
from comhe_tf1.cluster import members as clusters
from comhe_tf1.cluster import reaching

ANSWERING = 20 * 1000       # milliseconds that a worker may take to show its card
STEP = 10 * 60 * 1000       # and a call of a session
WATCH = 2.                  # seconds between looks whether they are still there
_REMEDY = ('the same command with --resume, also with other --devices, continues from the '
           'last checkpoint')
# TensorFlow waits for all processes of a cluster unless a filter names some; its own
# devices a worker has always. No process is of a second replica.
_ALONE = ['/replica:1']


def show(target, card):
  """Lets clients of a worker `read` its card.

  Args:
    target: of the worker's own server.
    card: JSON object.
  """
  with tf.Graph().as_default():
    shown = _shown_card(json.dumps(card))
    with tf.Session(target, config=tf.ConfigProto(device_filters=_ALONE)) as session:
      session.run(shown.initializer)


def read(who, address):
  """The card that a worker shows.

  Args:
    who: the worker, for messages.
    address: host:port.

  Returns:
    The card, with the address, and the one at which it was reached.

  Raises:
    clusters.ClusterError: there is no worker, or none of this project.
  """
  try:
    reached = reaching.directly(address)
    problem = reaching.silence(reached)
  except OSError as error:
    problem = error.strerror or str(error)
  if problem:
    raise clusters.ClusterError(
        '%s at %s does not answer (%s); start it with python -m comhe_tf1.worker, or '
        'name others' % (who, address, problem))
  config = tf.ConfigProto(device_filters=_ALONE, operation_timeout_in_ms=ANSWERING)
  with tf.Graph().as_default():
    shown = _shown_card('')
    try:
      with tf.Session('grpc://' + reached, config=config) as session:
        return dict(json.loads(session.run(shown).decode()), address=address,
                    reached=reached)
    except (tf.errors.OpError, ValueError):
      raise clusters.ClusterError(
          '%s at %s accepts connections, but does not answer as python -m '
          'comhe_tf1.worker under TensorFlow %s does once it has started; start it anew, '
          'or name the port of a worker if another program has this one'
          % (who, address, tf.__version__))


def _shown_card(content):
  # Of the older kind, whose operations every version of TensorFlow reads.
  return tf.get_variable('comhe_tf1_card', initializer=content, use_resource=False)


def workers(master, wanted, card):
  """Looks at the workers that a training needs.

  Args:
    master: grpc://host:port of the one that is to lead.
    wanted: list of `devices.Device`.
    card: this process's, see `clusters.card`.

  Returns:
    Dict from the processes' names to their cards, the master's first, as
    `read` returns them.

  Raises:
    clusters.ClusterError: one does not answer or is of other versions.
    devices.DeviceError: one is not in the cluster.
  """
  address = master[len('grpc://'):]
  leader = read('the worker of --master', address)
  clusters.compare('the worker at %s' % address, leader, card)
  cluster = clusters.from_json(leader['cluster'])
  found = {cluster.process(leader['task']): leader}
  for job, task in sorted({(device.job, device.task) for device in wanted}):
    if job != cluster.job or task >= len(cluster.addresses):
      raise devices.DeviceError(
          'there is no /job:%s/task:%d in the cluster of %s, which has /job:%s with tasks '
          '0 to %d' % (job, task, master, cluster.job, len(cluster.addresses) - 1))
    name = cluster.process(task)
    if name not in found:
      who, address = 'worker %s' % name, cluster.addresses[task]
      found[name] = read(who, address)
      clusters.compare('%s at %s' % (who, address), found[name], card)
      if found[name]['cluster'] != leader['cluster'] or found[name]['task'] != task:
        raise clusters.ClusterError(
            '%s at %s was started with another cluster file or --task than that at %s'
            % (who, address, master))
  return found


def configure(config, found):
  """Settings of a session on these workers and no others.

  Args:
    config: `tf.ConfigProto`, which is changed.
    found: as `workers` returns.
  """
  config.device_filters.extend(found)
  # Its variables are not those of another training on the same workers.
  config.isolate_session_state = True
  config.operation_timeout_in_ms = STEP


class LostError(Exception):
  """Workers were lost; the message is for the user."""


@contextlib.contextmanager
def session(config, found, on_lost):
  """A `tf.Session` that tells the loss of workers from other failures.

  After a failure within TensorFlow a session on workers stays open: closing it waits
  for those that are gone, for ever on some versions, and so does Python's end.

  Args:
    config: `tf.ConfigProto`.
    found: as `workers` returns; empty for this process.
    on_lost: called in a thread with a message for the user once a worker has gone
      while the session waits, as it may for ever; must end the process.

  Raises:
    LostError: after a failure within TensorFlow a worker does not answer any more.
  """
  leader = next(iter(found.values()), None)
  opened = tf.Session(leader and 'grpc://' + leader['reached'], config=config)
  with _watched(found, on_lost):
    try:
      yield opened
    except tf.errors.DeadlineExceededError:
      raise LostError('the workers took more than %d minutes for a call: one of them '
                      'hangs; %s' % (STEP // 60000, _REMEDY))
    except tf.errors.OpError:
      lost = _lost(found)
      if lost:
        raise LostError(lost)
      if not found:
        _close(opened)
      raise
    except BaseException:
      _close(opened)
      raise
    _close(opened)


def _close(opened):
  """Closes a session; that workers are gone by now matters no more."""
  try:
    opened.close()
  except tf.errors.OpError:
    pass


@contextlib.contextmanager
def _watched(found, on_lost):
  """Tries all workers every few seconds meanwhile."""
  ended = threading.Event()

  def watch():
    while not ended.wait(WATCH):
      lost = _lost(found)
      # Twice, so that a failing session has its say first.
      if lost and not ended.wait(WATCH) and _lost(found):
        on_lost(lost)

  if found:
    threading.Thread(target=watch, daemon=True).start()
  try:
    yield
  finally:
    ended.set()


def _lost(found):
  """A message about the workers that do not answer any more, '' if all do."""
  lost = []
  for name, card in sorted(found.items()):
    problem = reaching.silence(card['reached'])
    if problem:
      lost.append('%s at %s (%s)' % (name, card['address'], problem))
  return 'lost worker %s; %s' % (', '.join(lost), _REMEDY) if lost else ''
