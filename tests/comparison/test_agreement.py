"""How far two logs agree: against values worked out by hand, and through compare.py."""
import array
import decimal
import math
import os
import random

import pytest
import synthetic_logs
from test_compare import call
from test_compare import compare
from test_compare import words

from comhe_tf1.comparison import agreement
from comhe_tf1.records import log_format
from comhe_tf1.records import recorded_run


def curve(figures):
  """The curve of lines as they are logged: a dict, step -> printed figure."""
  found = recorded_run.Curve(array.array('l'), array.array('d'), array.array('h'))
  for step, text in sorted(figures.items()):
    line = log_format.parse('====iter_%d: fit=%s, acc=0.5' % (step, text))
    for values, value in zip(found, (step, line.values['fit'], line.places['fit'])):
      values.append(value)
  return found


def of(ours, theirs, **settings):
  return agreement.compare_curves(curve(ours), curve(theirs), **settings)


def logs(lines):
  """Curves of (step, fit, acc) in four digits."""
  return {name: curve({line[0]: f'{line[i]:.4f}' for line in lines})
          for i, name in ((1, 'fit'), (2, 'acc'))}


@pytest.mark.parametrize('here, there, agrees', [
    ('0.9000', '0.8999', True), ('0.9000', '0.8998', False), ('1.0896', '1.0895', True),
    ('9.2094', '9.2096', False), ('0.9', '0.8', True), ('7', '8', True), ('7', '9', False),
    ('-0.0001', '0.0000', True), ('-0.0001', '0.0001', False),
    # The last digit of the one that has fewer.
    ('0.25', '0.2599', True), ('0.25', '0.2601', False), ('1.5e-3', '1.6e-3', True),
    ('1.5e-3', '1.7e-3', False), ('2e5', '3e5', True), ('200000', '200002', False),
    ('nan', 'nan', True), ('nan', '-nan', True), ('inf', 'inf', True),
    ('inf', '-inf', False), ('nan', '1.0000', False), ('1.0000', 'inf', False)])
def test_one_unit_of_the_last_digit(here, there, agrees):
  for pair in ((here, there), (there, here)):
    found = of({0: pair[0]}, {0: pair[1]})
    assert (found.agreeing, found.first_difference is None) == (int(agrees), agrees)


def test_whole_units_of_many_figures():
  """One unit always agrees and two never do; with floats some 2,700 of them would fail."""
  figures = ['%d.%04d' % divmod(i, 10000) for i in range(20002)]
  kept = dict(enumerate(figures[:20000]))
  one = of(kept, dict(enumerate(figures[1:20001])))
  assert one.agreeing == one.lines == 20000
  two = of(kept, dict(enumerate(figures[2:20002])))
  assert two.agreeing == 0 and set(two.deviations) == {0.0002}
  wrong = sum(abs(float(a) - float(b)) > 1e-4 for a, b in zip(figures, figures[1:]))
  assert wrong > 2000   # the case is a hard one


def test_by_hand():
  """Lines missing in either, other intervals, one log longer; drops at 300 and 500."""
  ours = {0: '1.0000', 100: '2.0000', 200: '3.0000', 250: '0.0000', 300: '4.0000',
          400: '5.0000', 500: '6.0000', 600: '7.0000', 700: '8.0000', 900: '0.0000'}
  theirs = {0: '1.0001', 100: '2.0000', 150: '0.0000', 200: '3.0003', 300: '4.0000',
            400: '5.0100', 500: '6.0001', 600: '7.5000', 700: '7.9000'}
  found = of(ours, theirs, drops=(300, 500))
  assert found[:5] == (
      8, 2, 100, agreement.Difference(200, '3.0000', '3.0003'), [
          agreement.Part(0, 300, 1, 0.0003, 200, 0.0003),
          agreement.Part(300, 500, 2, 0.01, 400, 0.005),
          agreement.Part(500, None, 3, 0.5, 600, 0.1)])
  assert found.common_steps == [0, 100, 200, 300, 400, 500, 600, 700]
  assert found.deviations == [0.0001, 0, 0.0003, 0, 0.01, 0.0001, 0.5, 0.1]
  assert of(theirs, ours, drops=(300, 500)).parts == found.parts
  until = of(ours, theirs, drops=(300, 500), until=300)
  assert until.lines == 3 and until.parts == found.parts[:1]
  same = of(ours, {step: ours[step] for step in (100, 400)})
  assert same[:5] == (2, 2, 400, None, [])
  assert of(ours, {50: '1.0000'})[:5] == (0, 0, None, None, [])
  strange = of({0: '1.0000', 1: 'nan', 2: '1.0000'},
               {0: '1.0000', 1: '1.0000', 2: '1.5000'})
  assert strange.parts == [agreement.Part(0, None, 2, math.inf, 1, math.inf)]


def test_against_a_slow_version():
  """Random walks: what a loop over `Decimal`s of the printed figures finds."""
  rng = random.Random(0)
  for _ in range(50):
    logged = []
    for interval in (rng.choice([1, 2, 3]), rng.choice([1, 2])):
      logged.append({step: f'{1 + rng.choice([0, 0, 0, 1, 1, 5]) * 0.0001:.4f}'
                     for step in range(rng.choice([0, 3]), rng.choice([20, 30]), interval)
                     if rng.random() < 0.9})
    here, there = logged
    agreeing, apart = 0, []
    for step in sorted(set(here) & set(there)):
      deviation = abs(decimal.Decimal(here[step]) - decimal.Decimal(there[step]))
      if deviation <= decimal.Decimal('0.0001') and not apart:
        agreeing += 1
      else:
        apart.append((step, float(deviation)))
    found = of(here, there, drops=(10,))
    assert found.agreeing == agreeing and found.lines == agreeing + len(apart)
    for part in found.parts:
      values = [value for step, value in apart if (step < 10) == (part.begin == 0)]
      middle = sorted(values)[(len(values) - 1) // 2:len(values) // 2 + 1]
      assert part.lines == len(values) and part.largest == max(values)
      assert part.median == pytest.approx(sum(middle) / len(middle))
    assert sum(part.lines for part in found.parts) == len(apart)


def test_schedules_that_differ():
  lines = [(step, 1. if step < 300 else 2., 0.5) for step in range(0, 500, 100)]
  found = agreement.compare_logs(logs(lines), logs(lines), (200, 400), (200, 300))
  assert found.until == 300 and found.quantities['fit'].lines == 3


def test_in_every_format(root, tmp_path):
  """A log that is another's up to step 900, resumed there, and then is not."""
  synthetic_logs.write_log(tmp_path / 'theirs')
  synthetic_logs.write_run(tmp_path / 'ours', until=31000, finished=False)
  path = tmp_path / 'ours' / 'log_train_00.txt'
  lines = path.read_text().splitlines()
  path.write_text('\n'.join(line.replace('reg=0.5000', 'reg=0.7500') if i > 9 else line
                            for i, line in enumerate(lines)) + '\n')
  flags = ['ours', '--against', 'theirs']
  status, out, err = call(root, tmp_path, *flags)
  assert status == 0 and not err
  assert agreement.HOW in words(out)
  rows = [line.split() for line in out.splitlines() if line.startswith('  #1 reg')]
  assert rows == [['#1', 'reg', '310', '10', '900', '1,000', '0.7500', '0.5000'],
                  ['#1', 'reg', '0.2500', '(0.2500)', '0.2500', '(0.2500)']]
  found, = compare(root, tmp_path, *flags)['line_by_line']
  assert found['entry'] == 1 and found['label'] == 'theirs'
  found = found['agreement']['quantities']
  assert found['reg']['first_difference'] == {
      'step': 1000, 'ours': '0.7500', 'theirs': '0.5000'}
  assert found['reg']['parts'] == [
      dict(begin=0, end=30000, lines=290, largest=0.25, at=1000, median=0.25),
      dict(begin=30000, end=50000, lines=10, largest=0.25, at=30000, median=0.25)]
  assert found['fit']['agreeing'] == 310
  assert found['test acc']['first_difference'] is None
  markdown = call(root, tmp_path, '--markdown', *flags)[1]
  assert r'| \#1 reg | 310 | 10 | 900 | 1,000 | 0.7500 | 0.5000 |' in markdown
  # Facts are no log: nothing line by line.
  assert compare(root, tmp_path, 'ours')['line_by_line'] == []


def test_no_step_in_common(root, tmp_path):
  for name, step in (('ours', 100), ('theirs', 200)):
    (tmp_path / name).write_text(f'++++iter_{step}: test acc=0.5000\n')
  status, out, err = call(root, tmp_path, 'ours', '--against', 'theirs')
  assert status == 0 and not err
  assert '#1 and theirs have no step in common.' in out
  assert agreement.HOW not in words(out)


def test_against_logs_without_all_quantities_or_an_end(root, tmp_path):
  """Also drawn: such references once ended in a traceback there."""
  pytest.importorskip('matplotlib')
  folder = tmp_path / 'mhe' / 'none'
  synthetic_logs.write_mhe_log(folder, terms=False)
  synthetic_logs.write_run(tmp_path / 'ours', until=3000, finished=False)
  parted = ('Of #1 and none, only steps before 20,000 are compared: there the schedules '
            'begin to differ.')
  for against in ('mhe/none', 'ours'):
    status, out, err = call(root, tmp_path, 'ours', '--against', against, '--plot', 'x.svg')
    assert status == 0 and not err
    assert (parted in words(out)) == (against == 'mhe/none')
    drawing = (tmp_path / 'x.svg').read_text(encoding='utf-8')
    assert f'<!-- Deviation of #1 from {os.path.basename(against)} -->' in drawing
