"""The health check of a container."""
import json
import os
import time

import pytest

from comhe_tf1 import health as command
from comhe_tf1.utils import health


@pytest.fixture(autouse=True)
def no_others(monkeypatch, tmp_path):
  """A training elsewhere on this machine, which may have stalled, is not to be seen."""
  opened = health.open_metrics
  monkeypatch.setattr(health, 'open_metrics', lambda: [
      path for path in opened() if path.startswith(str(tmp_path) + os.sep)])


def test_stalled_is_measured_by_the_longest_silence_before():
  times = [0., 100., 300.]
  assert not health.stalled(times, 300. + 2000.)
  assert health.stalled(times, 300. + 2001.)
  assert not health.stalled([0., 1., 2.], 2. + 600.)
  assert health.stalled([0., 1., 2.], 2. + 601.)


def test_nothing_is_said_of_too_few_lines():
  assert not health.stalled([], 1e9)
  assert not health.stalled([0.], 1e9)


def test_damaged_metrics_say_nothing(tmp_path, capsys):
  path = str(tmp_path / 'metrics.jsonl')
  with open(path, 'wb') as file:
    for line in (b'text', b'\xff', b'[]', b'{}', b'{"wall_time": "x"}', b'[' * 100000,
                 b'{"wall_time": 4e9}', b''):
      file.write(line + b'\n')
    file.flush()
    assert health.times_of(path) == []   # without an env.json beside it
    (tmp_path / 'env.json').write_text('')
    assert health.times_of(path) == [4e9]
    assert command.main([]) == 0
  with pytest.raises(SystemExit):
    command.main(['extra'])
  assert 'unrecognized arguments: extra' in capsys.readouterr().err


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
    assert health.open_metrics() == [path]
    assert command.main([]) == 1
    assert path in capsys.readouterr().out
  assert health.open_metrics() == []
