"""A worker of a cluster, for `train.py --master`: `python -m comhe_tf1.worker`.

TensorFlow's own server. The environment variable TF_CONFIG says where all workers are and
which of them this is, as TensorFlow has it:

    TF_CONFIG='{"cluster": {"worker": ["10.0.0.5:2222", "10.0.0.6:2222"]},
                "task": {"type": "worker", "index": 0}}'
"""
import json
import os
import time

from comhe_tf1.utils import arguments
from comhe_tf1.utils import signals
from comhe_tf1.utils import terminal
from comhe_tf1.utils import tf_setup

DANGER = ('TensorFlow\'s server asks for no password and listens at all addresses of this '
          'machine: whoever reaches its port can run any code as this user')
EXAMPLE = ('{"cluster": {"worker": ["10.0.0.5:2222", "10.0.0.6:2222"]}, "task": {"type": '
           '"worker", "index": 0}}')


def make_parser():
  """The parser of this command line."""
  parser = arguments.Parser(
      prog='comhe_tf1.worker',
      description='Let train.py --master use the devices of this machine, until a signal '
                  'stops it. The variable TF_CONFIG lists all workers and says which of '
                  'them this is, for example ' + EXAMPLE)
  parser.add_argument(
      '--trusted_network', action='store_true',
      help='required: says that you trust everybody who can reach this machine. ' + DANGER)
  arguments.add_device_flags(parser)
  return parser


def main(argv=None):
  """Serves until a signal comes; returns the exit status where it cannot."""
  parser = make_parser()
  args = parser.parse_args(argv)
  if not args.trusted_network:
    parser.error(DANGER + '; on a network of your own, start it with --trusted_network')
  text = os.environ.get('TF_CONFIG', '')
  try:
    content = json.loads(text)
    cluster, task = content['cluster'], content['task']
    job, index = task['type'], int(task['index'])
  except (ValueError, TypeError, KeyError):
    parser.error(f'TF_CONFIG: expected {EXAMPLE}, got {text!r}')
  signals.end_at_once()
  try:
    tf, config = tf_setup.tensorflow(
        arguments.gpus_or_default(args.gpu_no), tf32=args.tf32,
        deterministic=args.deterministic, skip_version_check=args.skip_version_check,
        gpu_required=args.gpu_no is not None)
  except tf_setup.NoGpuError as error:
    parser.error(f'--gpu_no {args.gpu_no}: {error}')
  try:
    server = tf.train.Server(tf.train.ClusterSpec(cluster), job_name=job, task_index=index,
                             config=config)
  except tf.errors.UnknownError as error:
    terminal.note(parser.prog, f'error: {error.message}; another program may have the port '
                               f'of TF_CONFIG={text}')
    return 1
  except (tf.errors.OpError, TypeError, ValueError) as error:
    parser.error(f'TF_CONFIG: {getattr(error, "message", error)}')
  print(f'worker {index} of job {job}: TensorFlow {tf.__version__}, open to whoever reaches '
        'its port', flush=True)
  while server:
    time.sleep(1)   # not for ever: a signal may come just before it


if __name__ == '__main__':
  terminal.command('comhe_tf1.worker', main, tf_setup.StartError)
