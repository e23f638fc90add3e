"""Whether trainings on this machine have stalled.

A training that hangs, on a GPU that has fallen off its bus or a file system that no
longer answers, looks like one that works. Its metrics say how often it writes.
"""
import glob
import json
import os

from comhe_tf1.utils import files

PATIENCE = 10     # times the longest silence so far
AT_LEAST = 600.   # seconds


def stalled(times, now):
  """Whether a run has been silent for much longer than ever before.

  Args:
    times: wall times of what it has written since it was started, in seconds.
    now: the present wall time.

  Returns:
    True if the silence is longer than `AT_LEAST` and `PATIENCE` times the longest one
    before. False for fewer than two times, which say nothing.
  """
  gaps = [later - earlier for earlier, later in zip(times, times[1:])]
  return bool(gaps) and now - times[-1] > max(AT_LEAST, PATIENCE * max(gaps))


def open_metrics():
  """Paths of the metrics that processes have open."""
  found = set()
  for link in glob.glob('/proc/[0-9]*/fd/*'):
    try:
      path = os.readlink(link)
      if os.path.basename(path) == 'metrics.jsonl':
        found.add(path)
    except OSError:  # ended meanwhile, or somebody else's
      pass
  return sorted(found)


def times_of(path):
  """Wall times of the whole lines of metrics since their run was started or resumed.

  Without what is damaged: a file of that name need not be a training's.
  """
  times = []
  try:
    since = os.path.getmtime(os.path.join(os.path.dirname(path), 'env.json'))
    with open(path, 'rb', opener=files.regular) as file:
      lines = [line for line in file if line.endswith(b'\n')]
  except OSError:
    return times
  for line in lines:
    try:
      moment = float(json.loads(line.decode())['wall_time'])
      if moment >= since:
        times.append(moment)
    except (ValueError, KeyError, TypeError, RecursionError):
      pass
  return times


def stalled_runs(now):
  """The metrics of runs that have stalled.

  Args:
    now: the present wall time.

  Returns:
    List of pairs of a path and the seconds since it was written; empty where nothing is
    trained.
  """
  found = [(path, times_of(path)) for path in open_metrics()]
  return [(path, now - times[-1]) for path, times in found if stalled(times, now)]
