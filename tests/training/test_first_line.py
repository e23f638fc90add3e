import numpy as np

from comhe_tf1.published import published_runs
from comhe_tf1.training import first_line


def test_the_nine_published_figures():
  lines = []
  assert first_line.check(lines.append)
  assert lines[-1] == '9 of 9 figures match to the last digit'
  assert lines[-2].startswith('no data; with the official CIFAR-100')
  figures = [line.split()[-2] for line in lines if line.endswith('match')]
  assert figures == ['1.1871', '5.1348', '5.0269', '1.1856', '5.1797', '5.0191',
                     '1.1885', '5.1808', '5.0229']


def test_a_difference_is_reported(monkeypatch):
  # The random log was not made with its script's default seed.
  monkeypatch.setattr(published_runs, 'RUNS', {
      'random': published_runs.RUNS['random']._replace(random_seed=345)})
  lines = []
  assert not first_line.check(lines.append)
  assert lines[-1] == '0 of 3 figures match to the last digit'
  assert sum('DIFFERS' in line for line in lines) == 3


def test_a_first_batch_adds_fit_and_acc(monkeypatch):
  monkeypatch.setattr(published_runs, 'RUNS', {'angle': published_runs.RUNS['angle']})
  seeds, lines = [], []

  def first_batch(seed):
    seeds.append(seed)
    return np.zeros([128, 32, 32, 3], np.uint8), np.full([128], 7)

  assert not first_line.check(lines.append, None, first_batch, 'data: made up')
  assert seeds == [345]
  rows = [line.split() for line in lines[2:-2]]
  assert [row[2] for row in rows] == list(published_runs.QUANTITIES)
  assert rows[0][3] == '6.2162' and rows[0][5] == 'DIFFERS'
  assert rows[4][4] in ('0.0000', '1.0000')   # equal images with equal labels
  assert [row[5] for row in rows[1:4]] == ['match'] * 3
  assert lines[-2] == 'data: made up'
