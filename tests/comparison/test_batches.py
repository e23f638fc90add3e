"""Whether two logs have the same batches: invented scatters, kept runs, compare.py."""
import math
import os

import numpy as np
import pytest
import synthetic_logs
from test_agreement import curve
from test_compare import call
from test_compare import compare
from test_compare import words

from comhe_tf1.comparison import batches
from comhe_tf1.records import log_format
from comhe_tf1.records import recorded_run

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def curves(ours, theirs, interval=100):
  return [curve({i * interval: f'{value:.4f}' for i, value in enumerate(values)})
          for values in (ours, theirs)]


def sections(ours, theirs, start=0, drops=(), interval=100):
  return batches.correlate_curves(*curves(ours, theirs, interval), start=start, drops=drops)


def noise(seed, lines):
  return np.random.RandomState(seed).randn(lines)


def losses(batch, own, weight=0.8):
  """Losses that scatter with their batch, and by themselves."""
  return 5 + weight * batch + math.sqrt(1 - weight ** 2) * own


def test_scatter_by_hand():
  assert batches.scatter([1, 5, 3, 4]).tolist() == [3, -1.5]
  np.testing.assert_allclose(batches.scatter(2 - 3. * np.arange(9)), np.zeros(7))


def test_correlation_by_hand():
  """Equal values share their ranks: 1, 2.5, 2.5, 4."""
  assert batches.correlation([1, 9, 9, 70], [1, 2, 3, 4]) == pytest.approx(
      4.5 / math.sqrt(4.5 * 5))
  assert batches.correlation([1, 2, 3], [30, 20, 10]) == -1
  assert batches.correlation([1, 1, 1], [1, 2, 3]) is None


@pytest.mark.parametrize('lines', [20, 100, 300])
def test_standard_error_is_that_of_unrelated_scatters(lines):
  found = [batches.correlation(batches.scatter(noise(2 * i, lines + 2)),
                               batches.scatter(noise(2 * i + 1, lines + 2)))
           for i in range(1000)]
  # The estimate of 1,000 is good to 2.2 %; ranks have a variance about 3 % smaller.
  assert np.std(found) == pytest.approx(batches.standard_error(lines), rel=0.08)
  assert abs(np.mean(found)) < 5 * batches.standard_error(lines) / math.sqrt(1000)


def test_same_batches_are_told_from_others():
  answers = {True: [], False: [], 'moved': []}
  for i in range(120):
    batch, other, ours, theirs = (noise(4 * i + j, 152) for j in range(4))
    for kind, seen in ((True, batch), (False, other), ('moved', np.roll(batch, 1))):
      section, = sections(losses(batch, ours), losses(seen, theirs))
      answers[kind].append(section.same)
  assert set(answers[True]) <= {True, None} and answers[True].count(True) >= 116
  for kind in (False, 'moved'):
    assert answers[kind].count(True) <= 1 and answers[kind].count(False) >= 96


@pytest.mark.parametrize('lines', [30, 60, 150])
def test_weakly_related_ones_are_rarely_denied(lines):
  """A correlation of 0.5, of which few lines tell nothing."""
  answers = []
  for i in range(120):
    batch, ours, theirs = (noise(3 * i + j, lines) for j in range(3))
    section, = sections(losses(batch, ours, 0.72), losses(batch, theirs, 0.72))
    answers.append(section.same)
  assert answers.count(False) <= 6
  assert answers.count(None if lines < 100 else True) > 60


def test_many_lines_of_others_are_denied():
  answers = [sections(noise(2 * i, 400), noise(2 * i + 1, 400))[0].same
             for i in range(60)]
  assert answers.count(False) >= 59 and None not in answers


def test_a_trend_without_scatter_says_nothing():
  """Both fall alike: correlated, but just as much with one of them moved."""
  falling = 9.2 * 0.97 ** np.arange(150)
  section, = sections(falling, falling + 0.1)
  assert section.correlation > 0.9 and section.same is None
  section, = sections(np.full(150, 9.2103), noise(0, 150))
  assert section.correlation is None and section.same is None
  # One line alone scatters, in both.
  alone = np.where(np.arange(150) == 2, 9.1, 9.2103)
  section, = sections(alone, alone)
  assert section.correlation == pytest.approx(1) and section.shifted is None
  assert section.same is None


def test_sections_by_hand():
  """Cut at decay steps of either; at least MIN_LINES lines and their neighbours."""
  batch = noise(0, 200)
  found = sections(batch, batch, start=1000, drops=(5000, 7100, 18000))
  # From 1,000 to 4,900 there are 40 lines, two of them without neighbours.
  assert [section[:3] for section in found] == [
      (0, 5000, 38), (7100, 18000, 107)]   # 21 and 20 lines are too few
  assert all(section.correlation == pytest.approx(1) for section in found)
  assert [section.error for section in found] == [
      pytest.approx(math.sqrt(35 / 18. / lines)) for lines in (38, 107)]


def test_lines_missing_and_not_finite():
  values = noise(0, 60)
  ours, theirs = (dict(enumerate(f'{value:.4f}' for value in values)) for _ in (0, 1))
  ours[20], theirs[21], ours[30] = 'nan', 'nan', '1.7e308'
  del theirs[40], ours[50]
  ours[29] = ours[31] = '-1.7e308'
  section, = batches.correlate_curves(curve(ours), curve(theirs), 0, ())
  # 58 but for 19 to 22, 29 to 31, and three for each that is missing.
  assert section.lines == 58 - 4 - 3 - 6 and section.correlation > 0.9


def test_kept_runs_of_one_seed_take_the_same_batches():
  """Two methods at a quarter of the width; and one of them moved by a line."""
  none, half = (recorded_run.read(recorded_run.find(
      os.path.join(ROOT, 'results', name))[0]).curves['fit']
                for name in ('w025_none', 'w025_half_mhe'))
  drops = (20000, 30000, 37500)
  assert [section.same for section in batches.correlate_curves(none, half, 0, drops)
          ] == [True] * 4
  moved = half._replace(steps=[step + 100 for step in half.steps])
  found = batches.correlate_curves(none, moved, 0, drops)
  assert found[0].correlation < 0 and True not in [each.same for each in found]


def rewrite(path, scatter):
  """Lets `fit` of a log scatter; the first ten lines stay as they are."""
  lines = []
  for i, text in enumerate(path.read_text().splitlines()):
    line = log_format.parse(text)
    values = dict(line.values)
    if i >= 10:
      values['fit'] += 0.1 * scatter[i]
    lines.append(log_format.train_line(line.step, *[values[name] for name in (
        'fit', 'reg', 'thom', 'thomf', 'acc')]))
  path.write_text('\n'.join(lines) + '\n')


def test_in_every_format(root, tmp_path):
  """The same batches before 30,000, others from there on."""
  batch, other, ours, theirs = (noise(i, 750) for i in range(4))
  synthetic_logs.write_log(tmp_path / 'theirs')
  synthetic_logs.write_run(tmp_path / 'ours', until=50000, finished=False)
  rewrite(tmp_path / 'theirs' / 'log_train_00.txt', losses(batch, theirs))
  rewrite(tmp_path / 'ours' / 'log_train_00.txt', losses(
      np.where(np.arange(750) < 300, batch, other), ours))
  flags = ['ours', '--against', 'theirs']
  status, out, err = call(root, tmp_path, *flags)
  assert status == 0 and not err
  assert ('#1 beside theirs: the same batches: before 30,000; different batches: 30,000 '
          'to 49,999.') in words(out)
  found, = compare(root, tmp_path, *flags)['line_by_line']
  assert (found['entry'], found['label']) == (1, 'theirs')
  assert [(section['begin'], section['end'], section['lines'], section['same'])
          for section in found['batches']] == [
              (0, 30000, 288, True), (30000, 50000, 198, False)]
  first = found['batches'][0]
  shown = f"{first['correlation']:.2f} ({first['error']:.2f})"
  assert [line for line in out.splitlines()
          if line.startswith('  #1') and shown in line]
  assert shown in call(root, tmp_path, '--markdown', *flags)[1]
  # Logs that do not part, and facts, which are no log.
  for flags in (['theirs', '--against', 'theirs'], ['theirs']):
    assert not any(each['batches'] for each in compare(root, tmp_path, *flags)[
        'line_by_line'])
    assert 'Batches' not in call(root, tmp_path, *flags)[1]


def test_after_schedules_that_part(root, tmp_path):
  """Lines that agree until the rates differ; from there the batches tell."""
  batch, ours = noise(0, 750), noise(1, 750)
  synthetic_logs.write_log(tmp_path / 'theirs')
  synthetic_logs.write_run(tmp_path / 'ours', args=synthetic_logs.flags(
      lr_drops=[20000, 50000, 65000]))
  theirs = losses(batch, noise(2, 750))
  rewrite(tmp_path / 'theirs' / 'log_train_00.txt', theirs)
  rewrite(tmp_path / 'ours' / 'log_train_00.txt', np.where(
      np.arange(750) < 200, theirs, losses(batch, ours)))
  found, = compare(root, tmp_path, 'ours', '--against', 'theirs')['line_by_line']
  assert [(section['begin'], section['end'], section['same'])
          for section in found['batches']] == [
              (20000, 30000, True), (30000, 50000, True), (50000, 65000, True),
              (65000, None, True)]
