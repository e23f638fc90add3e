"""compare.py as a user calls it, on synthetic logs."""
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest
import synthetic_logs

from comhe_tf1.published import published_runs
from comhe_tf1.records import run_settings

FIRST = dict(random=(6.3621, 1.1871, 5.1348, 5.0269, 0.0078),
             angle=(6.2162, 1.1856, 5.1797, 5.0191, 0.0))


def start(root, cwd, *flags, **settings):
  return subprocess.Popen(
      [sys.executable, os.path.join(root, 'compare.py')] + [str(flag) for flag in flags],
      cwd=str(cwd), **dict(dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                universal_newlines=True), **settings))


def call(root, cwd, *flags):
  """Runs compare.py; returns exit status, standard output, lines on standard error."""
  process = start(root, cwd, *flags)
  out, err = process.communicate(timeout=120)
  return process.returncode, out, err.splitlines()


def compare(root, cwd, *flags):
  """What --json prints."""
  status, out, err = call(root, cwd, '--json', *flags)
  assert status == 0 and not err, err
  return json.loads(out)


def words(text):
  """The text on one line, as it was before it was wrapped."""
  return ' '.join(text.split())


def test_logs_with_the_published_figures(root, tmp_path):
  """Logs with the published milestones give the published figures, in one call."""
  for name, folder in (('random', 'random_projection/pd40_pn20'),
                       ('angle', 'angle_projection/pd30_pn1_iter1')):
    run = published_runs.RUNS[name]
    planted = dict(run.tests)
    planted[run.best[1]] = run.best[0]
    synthetic_logs.write_log(tmp_path / folder, last=run.last, first=FIRST[name],
                             planted=planted)
  synthetic_logs.write_mhe_log(tmp_path / 'mhe' / 'baseline', last=0.6974, terms=False)
  synthetic_logs.write_mhe_log(tmp_path / 'mhe' / 'half_mhe_2', last=0.7399)
  logs = ['random_projection/pd40_pn20', 'angle_projection/pd30_pn1_iter1',
          'mhe/baseline', 'mhe/half_mhe_2']
  status, out, err = call(root, tmp_path, *logs)
  assert status == 0 and not err
  assert words(out).count('all figures match to the last digit') == 2
  assert 'its first training line is of step 100, not 0' in words(out)
  # The two protocols in two tables: nothing of one between the headings of the other.
  comhe, mhe = re.split('Test accuracy: 42,500 steps', out)
  rows = {line.split('  ')[1].strip(): line.split()[-4:] for line in comhe.splitlines()
          if line.startswith('  ') and line.count('0.') >= 4}
  for step in published_runs.COMHE.milestones:
    expected = [f'{published_runs.RUNS[name].tests[step]:.4f}'
                for name in ('random', 'angle')]
    assert rows[f'{step:,}'] == expected * 2
  assert rows['final (step 74,999)'] == ['0.7559', '0.7513'] * 2
  assert rows['best (chosen on the test set)'] == ['0.7572', '0.7525'] * 2
  assert '#3' not in re.split('Verdict on the final test accuracy: 75,000', comhe)[0].split('Test accuracy:')[1]
  assert '0.6974' in mhe and '0.7399' in mhe and '0.7559' not in mhe
  compared = compare(root, tmp_path, *logs)
  assert [section['protocol']['steps'] for section in compared['sections']] == [
      75000, 42500]
  for section in compared['sections']:
    for verdict in section['verdicts']:
      assert verdict['difference'] == 0 and verdict['within'] is True
      assert 'does not record its settings' in ' '.join(verdict['notes'])


def test_the_verdict_shows_its_arithmetic(root, tmp_path):
  """One run each: Student's t of the six half-space MHE runs, worked out by hand."""
  for last, verdict in ((0.7640, 'within'), (0.7650, 'above'), (0.7470, 'below')):
    folder = tmp_path / str(last)
    synthetic_logs.write_run(folder, last=last)
    status, out, err = call(root, tmp_path, folder)
    assert status == 0 and not err
    # sd of 0.7375 0.7360 0.7399 0.7353 0.7342 0.7394 is 0.002286.
    assert f'{verdict} the normal variation between seeds.' in out
    assert 'Limit of the difference: 0.0083 = 2.571 x 0.0023 x sqrt(1/1 + 1/1)' in words(out)
    found, = compare(root, tmp_path, folder)['sections'][0]['verdicts']
    assert found['difference'] == pytest.approx(last - 0.7559)
    assert found['spread'] == pytest.approx(0.0022863, abs=1e-6)
    assert found['limit'] == pytest.approx(2.5706 * 0.0022863 * 2 ** 0.5, abs=1e-6)


def test_several_seeds(root, tmp_path):
  lasts = [0.7530, 0.7550, 0.7570, 0.7542]
  for i, last in enumerate(lasts):
    synthetic_logs.write_run(tmp_path, i, synthetic_logs.flags(random_seed=i), last=last)
  # Not pooled: another rate, a seed that was there already, an unfinished one.
  synthetic_logs.write_run(tmp_path, 4, synthetic_logs.flags(base_lr=0.2))
  synthetic_logs.write_run(tmp_path, 5, synthetic_logs.flags(random_seed=2), last=0.9)
  synthetic_logs.write_run(tmp_path, 6, synthetic_logs.flags(random_seed=6), until=9000)
  section, = compare(root, tmp_path, '.')['sections']
  seeds, = section['seeds']
  assert seeds['entries'] == [1, 2, 3, 4]
  assert seeds['mean'] == pytest.approx(0.7548)
  assert seeds['sd'] == pytest.approx(0.0016813, abs=1e-7)   # by hand
  # Student's t of 3 degrees of freedom is 3.182.
  assert seeds['interval'] == pytest.approx(
      [0.7548 - 3.1824 * 0.0016813 / 2, 0.7548 + 3.1824 * 0.0016813 / 2], abs=1e-6)
  pooled, other = section['verdicts']
  # Pooled: 3 and 5 degrees of freedom; t of 8 is 2.306.
  spread = ((3 * 0.0016813 ** 2 + 5 * 0.0022863 ** 2) / 8) ** 0.5
  assert pooled['spread'] == pytest.approx(spread, abs=1e-6)
  assert pooled['limit'] == pytest.approx(2.306 * spread * (1 / 4. + 1) ** 0.5, abs=1e-6)
  assert 'without #7, not finished' in pooled['notes']
  assert '#6 has the seed of an earlier run and is left out' in pooled['notes']
  assert other['within'] is None and '--base_lr 0.2, not 0.1' in other['text']
  status, out, _ = call(root, tmp_path, '.')
  assert status == 0 and '0.7548  0.0017' in out and '95 %' in out


def test_logs_of_one_folder_are_seeds_unless_they_start_alike(root, tmp_path):
  folder = tmp_path / 'random_projection' / 'pd40_pn20'
  for number, fit in ((0, 6.1), (1, 6.2), (2, 6.2)):
    synthetic_logs.write_log(folder, number, first=(fit, 1.2, 5.1, 5.0, 0.01),
                             last=0.75 + number / 1000.)
  section, = compare(root, tmp_path, folder)['sections']
  assert section['seeds'][0]['entries'] == [1, 2]
  assert '#3 has the seed of an earlier run and is left out' in section['verdicts'][0]['notes']


def test_against_other_logs(root, tmp_path):
  for i, last in enumerate((0.75, 0.76)):
    synthetic_logs.write_log(tmp_path / 'theirs', i, last=last, first=(i, 1, 1, 1, 0.1))
  synthetic_logs.write_run(tmp_path / 'ours', args=synthetic_logs.flags('group'))
  section, = compare(root, tmp_path, 'ours')['sections']
  assert 'no verdict: no published run of this method' in section['verdicts'][0]['text']
  section, = compare(root, tmp_path, 'ours', '--against', 'theirs')['sections']
  verdict, = section['verdicts']
  assert verdict['theirs'] == pytest.approx(0.755) and verdict['within'] is True
  # Of the two runs and of the published six: 1 and 5 degrees of freedom.
  assert verdict['spread'] == pytest.approx(
      ((0.00707107 ** 2 + 5 * 0.0022863 ** 2) / 6) ** 0.5, abs=1e-6)
  section, = compare(root, tmp_path, 'ours', '--against', 'adversarial')['sections']
  assert '--regularizer group, not adversarial' in section['verdicts'][0]['text']
  # Neither the same network nor a second seed: no spread to judge by.
  for name, seed in (('a', 1), ('b', 2)):
    synthetic_logs.write_run(tmp_path / name, args=synthetic_logs.flags(
        'none', model='resnet32', random_seed=seed, op_seeds='by_name'))
  section, = compare(root, tmp_path, 'a', '--against', 'b')['sections']
  assert 'does not show how much seeds vary' in section['verdicts'][0]['text']
  synthetic_logs.write_run(tmp_path / 'theirs', 7)
  status, _, err = call(root, tmp_path, 'ours', '--against', 'theirs')
  assert status == 1 and 'runs of 2 different settings' in err[0] and len(err) == 1


@pytest.mark.parametrize('changed, first, wanted, kept', [
    ({}, FIRST['random'], 'all figures match to the last digit', 5),
    (dict(dataset='sample'), (7., 1.1871, 5.1348, 5.0269, 0.),
     'fit, acc differ; reg, thom, thomf match to the last digit, so the initial '
     'weights and projections are the same. This run has --dataset sample, not cifar100.', 3),
    (dict(batch_size=64), (7., 1.1871, 5.1348, 5.0269, 0.),
     '--batch_size 64, not 128', 3),
    (dict(random_seed=345), (7., 1., 5., 5.1, 0.), '--random_seed 345, not 1234', 0),
    (dict(op_seeds='tf1.14'), (7., 1., 5., 5.1, 0.), '--op_seeds tf1.14, not tf1.12', 0),
    (dict(pd=20), (6.3621, 1.1871, 5., 5.0269, 0.0078), 'thom differs; .*--pd 20, not 40',
     4),
    # The rate of step 0 moves no random projection: it explains nothing.
    (dict(base_lr=0.2), (6., 1.1871, 5., 5.0269, 0.0078), 'No recorded flag explains', 3),
    (dict(data_md5='abc'), (7., 1.1871, 5.1348, 5.0269, 0.), 
     'This run has data with md5 sum abc, not ad07.*46', 3),
    (dict(data_md5=None), (7., 1.1871, 5.1348, 5.0269, 0.), 'perhaps other data', 3)])
def test_the_first_line(tmp_path, changed, first, wanted, kept):
  from comhe_tf1.comparison import verdicts
  from comhe_tf1.records import recorded_run
  run = synthetic_logs.write_run(tmp_path, args=synthetic_logs.flags(**changed),
                                 first=first, until=1000)
  source, = recorded_run.find(run)
  line, = verdicts.compare([recorded_run.read(source)]).first_lines
  assert re.search(wanted, line.conclusion + '.')
  assert sum(ours == theirs for ours, theirs in line.figures.values()) == kept


def test_the_first_line_of_a_bare_log(root, tmp_path):
  folder = tmp_path / 'random_projection' / 'pd40_pn20'
  synthetic_logs.write_log(folder, until=1000)
  assert ('A log does not record why. Possible reasons: another seed than 1234'
          in words(call(root, tmp_path, folder)[1]))


def test_of_protocols(root, tmp_path):
  """No figure of a protocol in a column of another."""
  synthetic_logs.write_run(tmp_path / 'short', args=synthetic_logs.flags(max_steps=3500))
  synthetic_logs.write_run(tmp_path / 'other', args=synthetic_logs.flags(
      max_steps=42500, lr_drops=[40000]))
  synthetic_logs.write_run(tmp_path / 'mhe', args=synthetic_logs.flags(
      'half_mhe', max_steps=42500, power='2'), last=0.7399)
  found = compare(root, tmp_path, 'short', 'other', 'mhe')
  short, other, mhe = found['sections']
  # The first 3,500 of the 75,000 steps: milestones as far as they go, no last.
  assert short['steps'] == 3500 and short['references'] == ['published random']
  assert 'no verdict: this run has 3,500 steps' in short['verdicts'][0]['text']
  assert other['references'] == [] and (
      'no verdict: published random was trained for 75,000 steps'
      in other['verdicts'][0]['text'])
  assert mhe['verdicts'][0]['within'] is True
  out = call(root, tmp_path, 'short', 'other', 'mhe')[1]
  tables = {part.split('\n')[0]: part for part in out.split('Test accuracy: ')[1:]}
  short = tables['the first 3,500 of 75,000 steps, learning-rate decay steps 30,000, '
                 '50,000, 65,000'].split('Last training')[0]
  assert re.search(r'  3,000 +0\.\d{4} +0\.2086\n', short) and '0.7559' not in short
  assert re.search(r'  final \(step 42,499\) +0.7399 +0.7399\n', tables[
      '42,500 steps, learning-rate decay steps 20,000, 30,000, 37,500'])


def test_mhe_weights_are_told(root, tmp_path):
  synthetic_logs.write_run(tmp_path, args=synthetic_logs.flags(
      'mhe', max_steps=42500, energy_weight=0.1, output_energy_weight=1.), last=0.7278)
  status, out, _ = call(root, tmp_path, '.')
  assert status == 0 and 'weights ten times smaller' in words(out)
  assert 'within the normal variation' in out


def test_cells_of_the_tables(root, tmp_path):
  """A run beside the cells of its settings, in every format, without a verdict."""
  schedule = dict(max_steps=42500, random_seed=345, op_seeds='by_name')
  synthetic_logs.write_run(tmp_path / 'a', last=0.63, args=synthetic_logs.flags(
      'mhe', width=0.25, energy_weight=0.1, output_energy_weight=1., **schedule))
  synthetic_logs.write_run(tmp_path / 'b', last=0.74, args=synthetic_logs.flags(
      'half_mhe', **schedule))
  synthetic_logs.write_run(tmp_path / 'c', args=synthetic_logs.flags('group'))
  status, out, _ = call(root, tmp_path, 'a', 'b', 'c', '--report', 'report')
  table = out.split('Beside the authors\' tables')[1]
  assert status == 0 and '#3' not in table
  assert re.search(r'#1, MHE table 2, MHE, 16/32/64 +36.84 +36.96 +37.00 +1\n', table)
  assert re.search(r's = 2 +25.61 +25.96 +26.00 +2\n', table)
  assert re.search(r'64/128/256 +25.96 +25.96 +26.00 +3\n', table)
  assert 'There is no verdict here' in words(table)
  assert 'weights ten times smaller than the code\'s); this run has --power 2, not 0.' in (
      words(table))
  assert 'of the MHE authors\' log half_mhe_2, whose schedule is known' in words(table)
  assert 'MHE table 2, MHE, 16/32/64' in (tmp_path / 'report' / 'index.html').read_text()
  first, _, third = compare(root, tmp_path, 'a', 'b', 'c')['cells']
  assert (first['entry'], first['cell']['error']) == (1, 36.84)
  assert first['final'] == pytest.approx(37.) and 'power' in first['cell']['doubtful']
  assert third['cell']['log'] == 'half_mhe_2'


def test_a_run_in_progress(root, tmp_path):
  run = synthetic_logs.write_run(tmp_path, until=31000, finished=False)
  status, out, err = call(root, tmp_path, run)
  assert status == 0 and not err
  assert '#1: no verdict: not finished.' in out
  assert re.search(r'newest \(unfinished\) +0\.\d{4} +-', out)
  assert re.search(r'30,500 +0\.\d{4} +0\.6606', out)
  assert re.search(r'final \(step 74,999\) +- +0\.7559', out)


def test_good_runs_are_compared_beside_bad_ones(root, tmp_path):
  good = tmp_path / 'good'
  synthetic_logs.write_run(good)
  for name, content in (('empty', b''), ('binary', os.urandom(100000)),
                        ('malformed', b'++++iter_500: test acc=0.0100\n<b>\x1b[31m\n'),
                        ('two', b'++++iter_500: test acc=0.0100\n' * 2)):
    (tmp_path / name).mkdir()
    (tmp_path / name / 'log_test_00.txt').write_bytes(content)
  status, out, err = call(root, tmp_path, 'empty', 'binary', good, 'malformed', 'two',
                          'missing', good / 'log_test_00.txt')
  assert status == 1 and 'the normal variation between seeds' in out
  assert '#2 malformed/log_test_00.txt' in out and '#3' not in out
  assert len(err) == 6 and all(line.startswith('compare.py: ') for line in err)
  for wanted in ('empty/log_test_00.txt: no whole', 'binary.*no log line',
                 'malformed.*<b>', 'two.*two runs in one', 'missing: no such',
                 'warning: .* taken once'):
    assert sum(bool(re.search(wanted, line)) for line in err) == 1
  assert '\x1b' not in ''.join(err)
  status, out, err = call(root, tmp_path, 'empty', 'missing')
  assert status == 1 and not out and len(err) == 2


@pytest.mark.parametrize('flags, complaint', [
    ([], 'required: RUN'), (['x', '--json', '--markdown'], 'not allowed with'),
    (['x', '--watch', '--markdown'], 'not allowed with'), ([''], 'expected a path'),
    (['x', '--against', 'randon'], "got 'randon'"), (['x', '--plot', 'x.jpg'], '.png'),
    (['x', '--panels', 'accuracy,fti'], "got 'fti'"),
    (['x', '--csv'], 'unrecognized'), (['x', '--jso'], 'unrecognized')])
def test_mistakes(root, tmp_path, flags, complaint):
  status, out, err = call(root, tmp_path, *flags)
  assert status == 2 and not out and len(err) == 1 and complaint in err[0]


def test_where_nothing_can_be_written(root, tmp_path):
  synthetic_logs.write_run(tmp_path / 'log', until=2000)
  (tmp_path / 'file').write_text('precious')
  status, out, err = call(root, tmp_path, 'log', '--report', 'file')
  assert status == 1 and 'Runs' in out and 'file' in err[-1]
  assert (tmp_path / 'file').read_text() == 'precious'
  read, write = os.pipe()
  os.close(read)
  process = start(root, tmp_path, 'log', stdout=write)
  os.close(write)
  assert process.communicate(timeout=60)[1] == '' and process.returncode == 1


def test_markdown(root, tmp_path):
  synthetic_logs.write_run(tmp_path / 'a|b<c>')
  status, out, _ = call(root, tmp_path, '--markdown', 'a|b<c>')
  assert status == 0 and r'\#1 a\|b\<c\>/run\_00' in out
  table = [line for line in out.splitlines() if line.startswith('|')]
  assert '| ---: |' in ''.join(table)
  assert '| final (step 74,999) | 0.7500 | 0.7559 |' in out


def test_neither_tensorflow_nor_matplotlib_is_needed(root, tmp_path):
  synthetic_logs.write_run(tmp_path / 'log', until=2000)
  for name in ('tensorflow', 'matplotlib'):
    (tmp_path / 'none' / name).mkdir(parents=True)
    (tmp_path / 'none' / name / '__init__.py').write_text('raise ImportError("none")')
  env = dict(os.environ, PYTHONPATH=str(tmp_path / 'none'))
  for flags, status in (([], 0), (['--report', 'report'], 0), (['--plot', 'x.png'], 1)):
    process = start(root, tmp_path, 'log', *flags, env=env)
    out, err = process.communicate(timeout=60)
    assert process.returncode == status
    if flags:
      assert '--plot needs matplotlib' in err or 'no plots in the report' in err
  assert (tmp_path / 'report' / 'index.html').exists()


@pytest.mark.parametrize('backend', ['module://no_such.backend', 'nonsense'])
def test_settings_for_other_pictures_do_not_matter(root, tmp_path, backend):
  synthetic_logs.write_run(tmp_path / 'log', until=2000)
  (tmp_path / 'matplotlibrc').write_text('text.usetex: True\nlines.linewidth: 9\n')
  drawn = []
  for more in ({}, {'MPLBACKEND': backend, 'MATPLOTLIBRC': str(tmp_path)}):
    process = start(root, tmp_path / 'log', '.', '--plot', '../x.png',
                    env=dict(os.environ, **more))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0 and out and not err
    drawn.append((tmp_path / 'x.png').read_bytes())
  assert drawn[0] == drawn[1]


# As a notebook's: neither a file nor with a buffer below.
NOTEBOOK = """
import io, runpy, sys
class Stream(io.TextIOBase):
  encoding = 'utf-8'
  def __init__(self, file): self._file = file
  def write(self, text): return self._file.write('| ' + text)
  def flush(self): self._file.flush()
sys.stdout, sys.stderr = Stream(sys.stdout), Stream(sys.stderr)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


@pytest.mark.parametrize('command', [
    ['compare.py', 'log'],
    pytest.param(['train.py', '--dataset', 'sample', '--gpu_no', '-1', '--max_steps', '1',
                  '--width', '0.125', '--regularizer', 'none'], marks=pytest.mark.slow)])
def test_within_a_notebook(root, tmp_path, command):
  synthetic_logs.write_run(tmp_path / 'log', until=2000)
  process = subprocess.Popen(
      [sys.executable, '-c', NOTEBOOK, os.path.join(root, command[0])] + command[1:],
      cwd=str(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
      universal_newlines=True)
  out, err = process.communicate(timeout=120)
  assert process.returncode == 0 and not err and out.startswith('| ')


@pytest.mark.parametrize('flags', [
    ['gs://bucket/log'], ['log', '--against', 'file:///tmp'],
    ['log', '--plot', 's3://x.png'], ['log', '--report', 'hdfs://x/y']])
def test_addresses_are_no_paths(root, tmp_path, flags):
  status, out, err = call(root, tmp_path, *flags)
  assert status == 2 and not out and len(err) == 1
  assert 'expected a path of this machine, got ' in err[0]
  assert not os.listdir(str(tmp_path))


def test_watching_ends_with_the_run(root, tmp_path):
  run = synthetic_logs.write_run(tmp_path / 'log', until=2000, finished=False,
                                 args=synthetic_logs.flags(max_steps=2001))
  process = start(root, tmp_path, '--watch', run)
  for line in process.stdout:
    if 'no verdict' in line:
      break
  with open(str(tmp_path / 'log' / 'log_test_00.txt'), 'a') as file:
    file.write('++++iter_2000: test acc=0.1234\n')
  rest, err = process.communicate(timeout=30)
  assert process.returncode == 0 and not err
  assert '0.1234' in rest and '\x1b' not in rest   # no terminal: nothing is erased


def test_watching_on_a_terminal_until_interrupted(root, tmp_path):
  synthetic_logs.write_run(tmp_path / 'log', until=2000, finished=False)
  ours, theirs = pty.openpty()
  process = start(root, tmp_path, '--watch', 'log', stdout=theirs)
  os.close(theirs)
  shown = b''
  while b'no verdict: not finished' not in shown:
    shown += os.read(ours, 65536)
  assert shown.startswith(b'\x1b[H\x1b[2J')
  time.sleep(0.2)
  process.send_signal(signal.SIGINT)
  try:
    # What is left, which it may wait to get rid of.
    while os.read(ours, 65536):
      pass
  except OSError:   # how the end of a terminal shows
    pass
  assert process.wait(timeout=30) == 130
  assert process.stderr.read() == 'compare.py: interrupted\n'
  os.close(ours)


def test_settings_are_told_apart_from_seeds():
  ours = synthetic_logs.flags()
  for name, facts in published_runs.ALL.items():
    settings = run_settings.get_published_settings(facts)
    assert set(settings) <= set(ours) | {'iters'}, name
  assert run_settings.differences(ours, run_settings.get_published_settings(
      published_runs.RUNS['random'])) == []


@pytest.mark.slow
def test_a_fresh_run_of_this_project(root, tmp_path):
  """The sample is other data: the same weights, another fit."""
  process = subprocess.Popen(
      [sys.executable, os.path.join(root, 'train.py'), '--dataset', 'sample',
       '--max_steps', '1', '--random_seed', '1234', '--gpu_no', '-1'], cwd=str(tmp_path),
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
  out, _ = process.communicate(timeout=300)
  assert process.returncode == 0, out
  status, out, err = call(root, tmp_path, 'log/sample/random_projection/pd40_pn20')
  assert status == 0 and not err
  assert re.search(r'differs?; reg, thom, thomf(, acc)? match to the last digit, so '
                   'the initial weights and projections are the same. This run has --dataset '
                   'sample, not cifar100', words(out))
