"""Health check of a container: `python -m comhe_tf1.health`."""
import sys
import time

from comhe_tf1.command_line import health


def main():
  """Returns 1 if a run has stalled, else 0: also where nothing is trained."""
  found = health.stalled_runs(time.time())
  for path, silence in found:
    print('%s: silent for %.0f s' % (path, silence))
  return 1 if found else 0


if __name__ == '__main__':
  sys.exit(main())
