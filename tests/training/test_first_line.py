from comhe_tf1.records import published
from comhe_tf1.training import first_line


def test_the_nine_published_figures():
  lines = []
  assert first_line.check(lines.append)
  assert lines[-1] == '9 of 9 figures match to the last digit'
  figures = [line.split()[-2] for line in lines if line.endswith('match')]
  assert figures == ['1.1871', '5.1348', '5.0269', '1.1856', '5.1797', '5.0191',
                     '1.1885', '5.1808', '5.0229']


def test_a_difference_is_reported(monkeypatch):
  # The random log was not made with its script's default seed.
  monkeypatch.setattr(published, 'RUNS', {
      'random': published.RUNS['random']._replace(random_seed=345)})
  lines = []
  assert not first_line.check(lines.append)
  assert lines[-1] == '0 of 3 figures match to the last digit'
  assert sum('DIFFERS' in line for line in lines) == 3
