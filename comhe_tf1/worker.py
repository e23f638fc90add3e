"""A worker of a cluster: `python -m comhe_tf1.worker --cluster cluster.json --task N`.

Computes what a training sends it, for whoever connects: TensorFlow's runtime has no
authentication.
"""
import argparse
import signal

from comhe_tf1.cluster import listening
from comhe_tf1.cluster import members as clusters
from comhe_tf1.cluster import reaching
from comhe_tf1.utils import arguments
from comhe_tf1.utils import signals
from comhe_tf1.utils import terminal
from comhe_tf1.utils import tf_setup
from comhe_tf1.utils import version_check

LOOPBACK = '127.0.0.1'


def address(text):
  """Type of --bind: an unset variable of a shell is none."""
  if not text:
    raise argparse.ArgumentTypeError('expected an address of this machine, got \'\'')
  return text


def make_parser():
  """The parser of this command line."""
  parser = arguments.Parser(
      prog='comhe_tf1.worker',
      description='Offer this machine\'s devices to trainings of train.py --master. Runs '
                  'until it is ended by a signal. There is no authentication: whoever '
                  'reaches the port runs what he likes. Use a private network.')
  parser.add_argument(
      '--cluster', type=arguments.path, required=True, metavar='FILE',
      help='JSON: the job\'s name and the addresses of all its tasks, the same file on '
           'every machine, such as {"worker": ["10.0.0.5:2222", "10.0.0.6:2222"]}')
  parser.add_argument(
      '--task', type=arguments.whole(0, 2 ** 20), required=True, metavar='N',
      help='which of them this is, from 0')
  parser.add_argument(
      '--bind', type=address, metavar='ADDRESS',
      help='the IPv4 address of this machine at which to listen, and at no other; '
           '0.0.0.0 for all (default: 127.0.0.1, which this machine alone reaches)')
  arguments.add_device_flags(parser)
  return parser


def note(text):
  terminal.note('comhe_tf1.worker', text)


def main(argv=None):
  parser = make_parser()
  args = parser.parse_args(argv)
  try:
    cluster = clusters.load(args.cluster)
  except clusters.ClusterError as error:
    parser.error(str(error))
  if args.task >= len(cluster.addresses):
    parser.error('--task: %s has tasks 0 to %d, got %d' % (
        args.cluster, len(cluster.addresses) - 1, args.task))
  host, port = clusters.parse_address(cluster.addresses[args.task])
  signals.leave_whatever_happens()
  twins = reaching.twins(cluster.addresses)
  if twins:
    parser.error('%s: %s and %s are one address, and each task needs its own' % (
        (args.cluster,) + twins))
  if args.bind is None and not is_loopback(host):
    parser.error('task %d is at %s, where this worker would not listen; add --bind %s '
                 'if that network is private' % (args.task, host, host))
  try:
    listens_at = reaching.resolve(args.bind or LOOPBACK)
    listening.check_free(listens_at, port)
  except OSError as error:
    note('error: cannot listen at %s, port %d: %s; a worker needs an IPv4 address of this '
         'machine and a port that nothing else has' % (
             args.bind or LOOPBACK, port, error.strerror or error))
    return 1
  try:
    return serve(args, cluster, listens_at, port)
  except tf_setup.NoGpuError as error:
    parser.error('--gpu_no %s: %s' % (args.gpu_no, error))


def is_loopback(host):
  """Whether a host is where a worker listens by itself; an unknown one is not."""
  try:
    return reaching.resolve(host) == LOOPBACK
  except OSError:
    return False


def serve(args, cluster, listens_at, port):
  """Serves until a signal comes; returns the exit status where it cannot."""
  tf, config = tf_setup.tensorflow(
      arguments.gpus_or_default(args.gpu_no), tf32=args.tf32,
      deterministic=args.deterministic, any_environment=args.any_environment,
      gpu_required=args.gpu_no is not None)
  from comhe_tf1.cluster import serving

  card = dict(clusters.card(tf.__version__, args.tf32, args.deterministic), task=args.task,
              cluster={cluster.job: list(cluster.addresses)})
  try:
    server = serving.start(cluster, args.task, config, card, listens_at, port)
  except serving.ListeningError as error:
    note('error: %s' % error)
    return 1
  except tf.errors.OpError as error:
    note('error: %s' % tf_setup.failure(tf, error))
    return 1
  print('worker %d of %d: TensorFlow %s, listening at %s:%d, without authentication'
        % (args.task, len(cluster.addresses), tf.__version__, listens_at, port), flush=True)
  while server:
    signal.pause()


if __name__ == '__main__':
  terminal.command('comhe_tf1.worker', main, ImportError, version_check.Refusal,
                  tf_setup.StartError)
