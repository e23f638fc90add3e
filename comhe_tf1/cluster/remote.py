"""Sessions on workers, `python -m comhe_tf1.worker`: who must answer, who was lost."""
import contextlib

import tensorflow.compat.v1 as tf

ANSWER = 20   # seconds that a worker may take to answer, before a training
STEP = 300    # and a call of a session, such as a training step
_NOBODY = '/replica:1'   # a filter of devices that lets a session see its master alone
_LOST = (tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError,
         tf.errors.UnavailableError)


class WorkerError(Exception):
  """A worker does not answer or was lost; the message is for the user."""


def check(master, processes):
  """Waits for every worker that a training needs.

  Args:
    master: grpc://host:port of the one that is to lead.
    processes: TensorFlow's names of the workers, such as /job:worker/task:1.

  Raises:
    WorkerError: one does not answer.
  """
  for process in [_NOBODY] + processes:
    config = tf.ConfigProto(device_filters=[process],
                            operation_timeout_in_ms=1000 * ANSWER)
    try:
      with tf.Session(master, graph=tf.Graph(), config=config) as trial:
        trial.list_devices()   # it is opened by its first use
    except _LOST:
      who = (f'the worker of --master {master}' if process == _NOBODY
             else f'worker {process} in the cluster of {master}')
      raise WorkerError(f'{who} does not answer within {ANSWER} s; start it with python '
                        '-m comhe_tf1.worker, or name others')


@contextlib.contextmanager
def session(master, processes, config):
  """A `tf.Session` on workers.

  After a failure within TensorFlow it stays open: closing it would wait for a worker that
  is gone, and so does Python's end (`os._exit` does not).

  Args:
    master, processes: as `check`.
    config: `tf.ConfigProto`, which is changed.

  Raises:
    WorkerError: a worker was lost. TensorFlow 2.21 tells at once, 1.14 never does: its call
      ends after `STEP` seconds.
  """
  config.device_filters.extend(processes)
  # Its variables are not those of another training on the same workers.
  config.isolate_session_state = True
  config.operation_timeout_in_ms = 1000 * STEP
  opened = tf.Session(master, config=config)
  try:
    yield opened
  except _LOST as error:
    raise WorkerError(
        f'lost a worker ({type(error).__name__} within a call of at most {STEP} s); the '
        'same command with --resume, also with other --devices, continues from the last '
        'checkpoint')
  except tf.errors.OpError:
    raise
  except BaseException:   # a signal, a mistake: the workers' memory is freed
    opened.close()
    raise
  opened.close()
