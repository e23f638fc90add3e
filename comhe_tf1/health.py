"""Health check of a container: `python -m comhe_tf1.health`."""
import time

from comhe_tf1.utils import arguments
from comhe_tf1.utils import health
from comhe_tf1.utils import terminal


def main(argv=None):
  """Returns 1 if a run has stalled, else 0: also where nothing is trained."""
  arguments.Parser(
      prog='comhe_tf1.health',
      description='Say which trainings on this machine have been silent for much longer '
                  'than before. Exit status 1 if there is one, else 0.').parse_args(argv)
  found = health.stalled_runs(time.time())
  for path, silence in found:
    print('%s: silent for %.0f s' % (terminal.one_line(path), silence))
  return 1 if found else 0


if __name__ == '__main__':
  terminal.command('comhe_tf1.health', main)
