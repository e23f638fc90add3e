"""The health check of a container."""
import json
import os
import time

from comhe_tf1 import health as command
from comhe_tf1.command_line import health


def test_stalled_is_measured_by_the_longest_silence_before():
  times = [0., 100., 300.]
  assert not health.stalled(times, 300. + 2000.)
  assert health.stalled(times, 300. + 2001.)
  assert not health.stalled([0., 1., 2.], 2. + 600.)
  assert health.stalled([0., 1., 2.], 2. + 601.)


def test_nothing_is_said_of_too_few_lines():
  assert not health.stalled([], 1e9)
  assert not health.stalled([0.], 1e9)


def test_reads_the_run_that_is_being_written(tmp_path, capsys):
  path = os.path.join(str(tmp_path), 'metrics.jsonl')
  now = time.time()
  with open(os.path.join(str(tmp_path), 'env.json'), 'w'):
    pass
  os.utime(os.path.join(str(tmp_path), 'env.json'), (now - 9000, now - 9000))
  with open(path, 'w') as file:
    # The first was written before the run was resumed; the last one is torn.
    for moment in (now - 90000, now - 8000, now - 7900):
      file.write(json.dumps({'wall_time': moment}) + '\n')
    file.write('{"wall')
    file.flush()
    assert health.times_of(path) == [now - 8000, now - 7900]
    assert path in health.open_metrics()
    assert command.main() == 1
    assert path in capsys.readouterr().out
  assert path not in health.open_metrics()
