"""A worker's server: TensorFlow's own, heard at one address only."""
import tensorflow.compat.v1 as tf

from comhe_tf1.cluster import listening
from comhe_tf1.cluster import reaching
from comhe_tf1.cluster import remote


class ListeningError(Exception):
  """Others than were meant would reach the server; the message is for the user."""


def start(cluster, task, config, card, listens_at, port):
  """Starts the server of a task.

  Args:
    cluster: `members.Cluster`.
    task: number of this task in it.
    config: `tf.ConfigProto`.
    card: dict, what a training may read of this worker, see `members.card`.
    listens_at: IPv4 address, and no other unless it is `listening.ANYWHERE`.
    port: the task's port.

  Returns:
    The server, which serves as long as it is kept.

  Raises:
    ListeningError: the address cannot be kept to.
    tf.errors.OpError: there is no server to be had.
  """
  addresses = [reaching.directly_if_known(address) for address in cluster.addresses]
  server = tf.train.Server(
      tf.train.ClusterSpec({cluster.job: addresses}), job_name=cluster.job,
      task_index=task, config=config, start=False)
  try:
    # Nothing is served before.
    listening.only(listens_at, port)
  except OSError as error:
    raise ListeningError(
        'cannot keep others than %s out (%s); on a network that only you reach, '
        '--bind %s listens at all addresses' % (listens_at, error, listening.ANYWHERE))
  server.start()
  remote.show(server.target, card)
  return server
