import os

import pytest
import synthetic_logs

from comhe_tf1.published import published_runs
from comhe_tf1.records import recorded_run


def read(path):
  source, = recorded_run.find(str(path))
  return recorded_run.read(source)


def test_what_a_path_means(tmp_path):
  folder = tmp_path / 'logs'
  run = synthetic_logs.write_run(folder, 0, until=2000)
  synthetic_logs.write_log(folder, 3, until=2000)
  (folder / 'notes.txt').write_text('mine')
  names = [os.path.relpath(source.name, str(tmp_path))
           for source in recorded_run.find(str(folder))]
  assert names == ['logs/run_00', 'logs/log_test_03.txt']
  same = [run, run + '/'] + [str(folder / (f'log_{kind}_00.txt'))
                             for kind in ('train', 'test')]
  assert len({recorded_run.key(recorded_run.find(path)[0]) for path in same}) == 1
  assert recorded_run.read(recorded_run.find(run)[0]).args['random_seed'] == 1234
  # Another name: the file alone, with lines of both kinds.
  both = tmp_path / 'copy.txt'
  both.write_bytes(b''.join((folder / (f'log_{kind}_03.txt')).read_bytes()
                            for kind in ('train', 'test')))
  assert set(read(both).curves) == set(published_runs.QUANTITIES) | {'test acc'}


def test_both_formats(tmp_path):
  synthetic_logs.write_log(tmp_path / 'comhe', planted={73000: 0.7572}, last=0.7559)
  run = read(tmp_path / 'comhe')
  assert recorded_run.train_line(run, 0) == (0, dict(zip(
      published_runs.QUANTITIES, (6.3, 1.2, 5.1, 5.0, 0.01))))
  assert recorded_run.train_line(run, -1)[0] == 74900
  final = recorded_run.final(run)
  assert (final['last']['test_acc'], final['last']['step']) == (0.7559, 74999)
  assert (final['best']['test_acc'], final['best']['step']) == (0.7572, 73000)
  synthetic_logs.write_mhe_log(tmp_path / 'baseline', terms=False)
  run = read(tmp_path / 'baseline')
  assert recorded_run.train_line(run, 0) == (100, {'fit': 0.4, 'reg': 0.5, 'acc': 0.9})
  assert recorded_run.final(run)['last'] == {
      'test_acc': 0.7, 'step': 42499, 'label': 'after the last step; the result'}
  assert not run.problems


@pytest.mark.parametrize('end, steps', [
    ('++++iter_1500: test acc=0.0', [500, 1000]),      # torn
    ('++++iter_15', [500, 1000]),
    ('++++iter_1500: test acc=0.0300', [500, 1000, 1500]),   # whole but for the break
    ('\xff', [500, 1000])])
def test_a_line_that_is_being_written(tmp_path, end, steps):
  path = tmp_path / 'log_test_00.txt'
  path.write_bytes(b'++++iter_500: test acc=0.0100\r\n++++iter_1000: test acc=0.0200\n'
                   + end.encode('latin-1'))
  run = read(path)
  assert list(run.curves['test acc'].steps) == steps and not run.problems


def test_strange_lines_are_named_and_left_out(tmp_path):
  path = tmp_path / 'log_test_00.txt'
  good = b'++++iter_500: test acc=0.0100\n'
  path.write_bytes(good + b'rubbish\n++++iter_700: test acc=1.5000\n\xff\xfe\n'
                   b'++++iter_1000: test acc=0.0200\n')
  run = read(path)
  assert list(run.curves['test acc'].values) == [0.01, 0.02]
  problem, = run.problems
  assert problem == (
      f"{path}: line 2 is no log line: 'rubbish'; such lines: 3, left out")
  # As NaN may be logged, but not as an accuracy.
  path.write_bytes(good + b'====iter_0: fit=nan, reg=inf, acc=0.0100\n'
                   b'====iter_100: fit=1.0000, reg=1.0000, acc=nan\n')
  run = read(path)
  assert len(run.problems) == 1 and str(run.curves['fit'].values[0]) == 'nan'


@pytest.mark.parametrize('content, complaint', [
    (b'', 'no whole log line yet'), (b'+', 'no whole log line yet'),
    (b'\x7fELF\x00\n' * 3, 'line 1 is no log line: .*; such lines: 3, left out'),
    (b'++++iter_5: test acc=0.5000\n++++iter_5: test acc=0.5000\n',
     'line 2 is of step 5, after step 5: are these two runs in one file'),
    (b'x\n' * 5000, 'such lines: 1000, not read on')])
def test_files_without_a_run(tmp_path, content, complaint):
  path = tmp_path / 'log_test_00.txt'
  path.write_bytes(content)
  with pytest.raises(recorded_run.ReadError, match=complaint):
    read(path)


@pytest.mark.parametrize('file', ['log_train_00.txt', 'log_test_00.txt'])
def test_a_byte_order_mark_loses_no_line(tmp_path, file):
  synthetic_logs.write_run(tmp_path, until=2000)
  plain = read(tmp_path / 'run_00')
  for name in (file, 'run_00/args.json', 'run_00/env.json'):
    path = tmp_path / name
    path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes().replace(b'\n', b'\r\n'))
  assert read(tmp_path / 'run_00') == plain and not plain.problems


@pytest.mark.parametrize('encoding', ['utf-16', 'utf-16-be'])
def test_utf_16_is_named(tmp_path, encoding):
  path = tmp_path / 'log_test_00.txt'
  mark = '' if encoding == 'utf-16' else '\ufeff'
  path.write_bytes((mark + '++++iter_500: test acc=0.0100\n').encode(encoding))
  with pytest.raises(recorded_run.ReadError, match='log_test_00.txt is UTF-16 text, .*'
                                                   'save it as UTF-8'):
    read(path)


def test_a_huge_file(tmp_path):
  path = tmp_path / 'log_test_00.txt'
  with open(str(path), 'wb') as file:
    file.truncate(1 << 33)   # sparse: eight gigabytes of zeros without a line break
  with pytest.raises(recorded_run.ReadError, match='line 1 is no log line: .*such lines: 1000'):
    read(path)


def test_missing_things(tmp_path):
  with pytest.raises(recorded_run.ReadError, match='no such file or folder'):
    recorded_run.find(str(tmp_path / 'nothing'))
  with pytest.raises(recorded_run.ReadError, match='holds no log_train_NN.txt'):
    recorded_run.find(str(tmp_path))
  (tmp_path / 'run_00').mkdir()
  with pytest.raises(recorded_run.ReadError, match='no log_train_00.txt or log_test_00'):
    read(tmp_path / 'run_00')
  os.mkfifo(str(tmp_path / 'pipe'))   # reading it would wait for ever
  with pytest.raises(recorded_run.ReadError, match='neither a file nor a folder'):
    recorded_run.find(str(tmp_path / 'pipe'))


@pytest.mark.parametrize('content', [
    b'{"pd": ', b'[1]', b'\xff', b'[' * 100000])
def test_a_damaged_record_is_taken_as_missing(tmp_path, content):
  run = synthetic_logs.write_run(tmp_path, until=1000)
  with open(os.path.join(run, 'args.json'), 'wb') as file:
    file.write(content)
  found = read(run)
  assert found.args is None and len(found.problems) == 1
  assert 'args.json' in found.problems[0] and 'as if it were missing' in found.problems[0]


def test_layer_energies(tmp_path):
  run = synthetic_logs.write_run(tmp_path, until=1000)
  source, = recorded_run.find(run)
  by_kind, problems = recorded_run.layer_energies(source)
  assert set(by_kind) == {'energies', 'full_energies', 'half_energies'} and not problems
  assert list(by_kind['energies']['score'].steps) == [0, 100, 200, 300, 400]
  assert by_kind['energies']['score'].values[0] == 0.51
  with open(os.path.join(run, 'metrics.jsonl'), 'a') as file:
    file.write('[]\n{"step": 500, "energies": {"score": "much"}}\n{"kind": ')   # torn
  by_kind, problems = recorded_run.layer_energies(source)
  assert len(by_kind['energies']['score'].steps) == 5
  assert len(problems) == 1 and 'line 11 is no record' in problems[0]
  assert recorded_run.layer_energies(source._replace(folder=None)) == ({}, [])
