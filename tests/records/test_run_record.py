import errno
import fcntl
import json
import multiprocessing
import os

import pytest
import tensorflow.compat.v1 as tf

from comhe_tf1.records import environment
from comhe_tf1.records import log_format
from comhe_tf1.records import run_record
from comhe_tf1.training import graph as graphs
from comhe_tf1.utils import durable

ARGS = {'pd': 40, 'base_lr': 0.1, 'log_dir': 'log'}
FIXED = ('pd', 'base_lr', 'max_steps', 'lr_drops', 'random_seed')
MEASURES = graphs.Measures(1., 2., 3., 4., 0.5)


def begin(record, session, step=0):
  record.begin(session, environment.describe(session), step)


def lines_of(path):
  with open(str(path)) as file:
    return file.read().splitlines()


def test_all_files_of_a_run(session, tmp_path):
  tf.constant(1., name='something')
  with run_record.start(str(tmp_path / 'new'), ARGS) as record:
    begin(record, session)
    line = record.train(0, MEASURES, {'conv1_0': 0.25, 'score': 0.5}, 0.1)
    assert line == '====iter_0: fit=1.0000, reg=2.0000, thom=3.0000, thomf=4.0000, acc=0.5000'
    record.test(500, 0.01)
    final = record.finish()
  run = tmp_path / 'new' / 'run_00'
  assert sorted(name.split('.')[0] for name in os.listdir(str(run))) == [
      'args', 'env', 'events', 'final', 'lock', 'metrics']
  assert json.loads((run / 'args.json').read_text()) == ARGS
  env, = json.loads((run / 'env.json').read_text())
  assert env['from_step'] == 0 and env['tensorflow'] == tf.__version__
  assert {'python', 'numpy', 'cpu', 'gpus', 'git_commit', 'cuda_build'} <= set(env)
  train, test = (json.loads(line) for line in lines_of(run / 'metrics.jsonl'))
  assert train.pop('wall_time') <= test.pop('wall_time')
  assert train == dict(MEASURES._asdict(), kind='train', step=0, learning_rate=0.1,
                       energies={'conv1_0': 0.25, 'score': 0.5})
  assert test == {'kind': 'test', 'step': 500, 'test_acc': 0.01}
  assert json.loads((run / 'final.json').read_text()) == final
  assert lines_of(tmp_path / 'new' / 'log_train_00.txt') == [line]
  assert lines_of(tmp_path / 'new' / 'log_test_00.txt') == ['++++iter_500: test acc=0.0100']


def test_every_line_is_on_disk_at_once(session, tmp_path):
  with run_record.start(str(tmp_path), ARGS) as record:
    begin(record, session)
    for step in range(2):
      record.train(step, MEASURES, {}, 0.1)
      assert len(lines_of(tmp_path / 'log_train_00.txt')) == step + 1
      assert len(lines_of(tmp_path / 'run_00' / 'metrics.jsonl')) == step + 1
    record.test(500, 0.01)
    assert lines_of(tmp_path / 'log_test_00.txt') == ['++++iter_500: test acc=0.0100']


def events_of(run):
  return [event for name in sorted(os.listdir(str(run))) if name.startswith('events')
          for event in tf.train.summary_iterator(str(run / name))]


def test_events_for_tensorboard(session, tmp_path):
  with run_record.start(str(tmp_path), ARGS) as record:
    begin(record, session)
    record.train(0, MEASURES, {'conv1_0': 0.25}, 0.1)
    record.test(500, 0.01)
  with run_record.resume(str(tmp_path), ARGS, FIXED) as record:
    begin(record, session, 300)
    record.train(300, MEASURES, {}, 0.1)
  events = events_of(tmp_path / 'run_00')
  scalars = [(event.step, value.tag, value.simple_value) for event in events
             for value in event.summary.value]
  assert (0, 'thomf', 4.) in scalars and (0, 'energy/conv1_0', 0.25) in scalars
  assert (500, 'test_acc', pytest.approx(0.01)) in scalars and (300, 'fit', 1.) in scalars
  assert sum(bool(event.graph_def) for event in events) == 1
  assert [event.step for event in events
          if event.session_log.status == tf.SessionLog.START] == [0, 300]


def test_cutting_back(session, tmp_path):
  with run_record.start(str(tmp_path), ARGS) as record:
    begin(record, session)
    record.train(0, MEASURES, {}, 0.1)
    record.energies(1, '2', {})   # of the step that is made again
    record.train(1, MEASURES, {}, 0.1)
    record.test(1, 0.01)
  with run_record.resume(str(tmp_path), ARGS, FIXED) as record:
    record.cut(1)
    begin(record, session, 1)
    record.train(1, MEASURES, {}, 0.1)
  assert [line.split(':')[0] for line in lines_of(tmp_path / 'log_train_00.txt')] == [
      '====iter_0', '====iter_1']
  assert not lines_of(tmp_path / 'log_test_00.txt')
  assert len(lines_of(tmp_path / 'run_00' / 'metrics.jsonl')) == 2
  assert [env['from_step'] for env in run_record.read_json(
      str(tmp_path / 'run_00' / 'env.json'))] == [0, 1]


@pytest.mark.parametrize('change', [
    lambda content: content.replace(b'\n', b'\r\n'), lambda content: content[:-1],
    lambda content: content + b'====iter_2: fit=1.0', lambda content: b'\xef\xbb\xbf' + content,
    lambda content: content + b'====iter_7: fit=1.0000, acc=0.5000\n'],
                         ids=['CRLF', 'no end', 'torn', 'byte-order mark', 'beyond'])
def test_logs_whose_ends_were_changed_go_on(session, tmp_path, change):
  log = tmp_path / 'log_train_00.txt'
  with run_record.start(str(tmp_path), ARGS) as record:
    begin(record, session)
    for step in (0, 1):
      record.train(step, MEASURES, {}, 0.1)
  wanted = log.read_bytes()
  log.write_bytes(change(wanted))
  with run_record.resume(str(tmp_path), ARGS, FIXED) as record:
    record.cut(2)
    begin(record, session, 2)
    record.train(2, MEASURES, {}, 0.1)
  assert log.read_bytes() == wanted + wanted.splitlines(True)[0].replace(
      b'iter_0', b'iter_2')


def start_and_leave(folder, **args):
  with run_record.start(str(folder), dict(ARGS, **args)) as record:
    durable.add_line(record.train_log, 'line')
    return record


def finish(tmp_path, name, final='{"last": {}}'):
  (tmp_path / name / 'final.json').write_text(final)


def test_the_newest_unfinished_run_with_these_flags(session, tmp_path):
  for base_lr in (0.1, 0.2, 0.1, 0.2):
    start_and_leave(tmp_path, base_lr=base_lr)
  finish(tmp_path, 'run_02')
  for base_lr, expected in ((0.1, 'run_00'), (0.2, 'run_03')):
    with run_record.resume(str(tmp_path), dict(ARGS, base_lr=base_lr), FIXED) as record:
      assert os.path.basename(record.path) == expected
  with pytest.raises(run_record.RunError, match=(
      'run_03 was run with other flags: --base_lr was 0.2, is 0.3, --pd was 40, is 30')):
    run_record.resume(str(tmp_path), dict(ARGS, base_lr=0.3, pd=30), FIXED)
  with run_record.resume(str(tmp_path), dict(ARGS, log_dir='x'), FIXED) as record:
    assert os.path.basename(record.path) == 'run_00'


def test_flags_of_another_version(session, tmp_path):
  """One that is gone, or has another name now, keeps no run from going on."""
  start_and_leave(tmp_path, gone=3)
  with run_record.resume(str(tmp_path), ARGS, FIXED) as record:
    assert os.path.basename(record.path) == 'run_00'


def test_a_finished_run_gives_its_results(tmp_path):
  start_and_leave(tmp_path)
  finish(tmp_path, 'run_00')
  assert run_record.resume(str(tmp_path), ARGS, FIXED) == {'last': {}}


def test_a_finished_run_is_not_lengthened(tmp_path):
  start_and_leave(tmp_path, max_steps=7)
  finish(tmp_path, 'run_00')
  with pytest.raises(run_record.RunError, match='--max_steps was 7, is 9'):
    run_record.resume(str(tmp_path), dict(ARGS, max_steps=9), FIXED)
  # With other settings too it is another run, and that is not begun yet.
  assert run_record.resume(str(tmp_path), dict(ARGS, max_steps=9, base_lr=1), FIXED) is None


@pytest.mark.parametrize('name', ['random_seed', 'lr_drops'])
def test_runs_of_one_list_are_not_in_each_others_way(tmp_path, name):
  """So that every job of an array can be put back into its queue."""
  start_and_leave(tmp_path, **{name: 1})
  assert run_record.resume(str(tmp_path), dict(ARGS, **{name: 2}), FIXED) is None


@pytest.mark.parametrize('content, words', [
    ('17', 'cannot continue .*run_00: args.json holds no flags'),
    ('[' * 100000, 'cannot continue .*run_00: '),
    ('{"pd": "%s"}' % ('x' * 5000), 'was run with other flags: '),
    ('{"p\\u007fd": "a\\nb"}', 'was run with other flags: ')])
def test_damaged_flags(tmp_path, content, words):
  start_and_leave(tmp_path)
  (tmp_path / 'run_00' / 'args.json').write_text(content)
  with pytest.raises(run_record.RunError, match=words) as error:
    run_record.resume(str(tmp_path), ARGS, FIXED)
  line = str(error.value)
  assert line.isprintable() and len(line) < len(str(tmp_path)) + 800


@pytest.mark.parametrize('content', ['{"a"', '{}', '[' * 100000])
def test_a_damaged_environment(session, tmp_path, content):
  start_and_leave(tmp_path)
  (tmp_path / 'run_00' / 'env.json').write_text(content)
  with run_record.resume(str(tmp_path), ARGS, FIXED) as record:
    with pytest.raises(run_record.RunError, match='env.json is damaged: move it away'):
      begin(record, session, 1)
  assert (tmp_path / 'run_00' / 'env.json').read_text() == content


def test_damaged_metrics_at_the_end(session, tmp_path):
  with run_record.start(str(tmp_path), ARGS) as record:
    begin(record, session)
    record.test(0, 0.5)
    with open(os.path.join(record.path, 'metrics.jsonl'), 'a') as file:
      file.write('{"kind": "test"}\n')
    with pytest.raises(run_record.RunError, match='metrics.jsonl is damaged'):
      record.finish()


def test_nothing_to_resume(tmp_path):
  for folder in (tmp_path, tmp_path / 'missing'):
    assert run_record.resume(str(folder), ARGS, FIXED) is None
  start_and_leave(tmp_path)
  (tmp_path / 'run_00' / 'args.json').write_text('{"pd": ')
  with pytest.raises(run_record.RunError, match='cannot continue .*run_00'):
    run_record.resume(str(tmp_path), ARGS, FIXED)
  (tmp_path / 'run_00' / 'args.json').unlink()   # ended before it was written
  assert run_record.resume(str(tmp_path), ARGS, FIXED) is None


def test_lines_of_a_file_that_was_removed(tmp_path):
  """They would all go with it, and nobody would be told."""
  with run_record.start(str(tmp_path), ARGS) as record:
    durable.add_line(record.train_log, 'line')
    os.remove(record.train_log)
    with pytest.raises(OSError, match='No such file or directory: .*log_train_00.txt'):
      durable.add_line(record.train_log, 'line')


@pytest.mark.parametrize('save_every, kept', [(4, True), (5, False), (0, True)])
def test_what_was_logged_is_not_cut_where_no_checkpoint_can_make_it_again(
    tmp_path, save_every, kept):
  args = dict(ARGS, save_every=save_every)
  with run_record.start(str(tmp_path), args) as record:
    durable.add_line(record.train_log, log_format.train_line(4, 1, 1, 1, 1, 1))
  with run_record.resume(str(tmp_path), args, FIXED) as record:
    if kept:
      with pytest.raises(run_record.RunError, match='lines of 5 steps'):
        record.cut(0)
    else:
      record.cut(0)
    assert bool(durable.read_lines(record.train_log)) == kept


def test_a_run_in_progress_is_left_alone(tmp_path):
  with run_record.start(str(tmp_path), ARGS):
    with pytest.raises(run_record.RunError, match='trained by another process'):
      run_record.resume(str(tmp_path), ARGS, FIXED)


def test_taken_numbers(tmp_path):
  for name in ('log_train_00.txt', 'log_test_01.txt'):
    (tmp_path / name).write_text('precious')
  os.symlink('nowhere', str(tmp_path / 'log_test_02.txt'))
  (tmp_path / 'run_03' / 'checkpoints').mkdir(parents=True)
  (tmp_path / 'run_04').write_text('precious')
  assert start_and_leave(tmp_path).path.endswith('run_05')
  assert (tmp_path / 'log_train_00.txt').read_text() == 'precious'
  for number in range(100):
    (tmp_path / ('log_train_%02d.txt' % number)).write_text('')
  before = sorted(os.listdir(str(tmp_path)))
  with pytest.raises(run_record.RunError, match='all 100 log numbers are taken'):
    run_record.start(str(tmp_path), ARGS)
  assert sorted(os.listdir(str(tmp_path))) == before


def test_a_file_where_the_folder_should_be(tmp_path):
  (tmp_path / 'log').write_text('precious')
  with pytest.raises(run_record.RunError, match='cannot write logs.*--log_dir'):
    run_record.start(str(tmp_path / 'log' / 'below'), ARGS)


@pytest.fixture
def same_number(monkeypatch):
  """Every process is number 1, as in containers."""
  monkeypatch.setattr(os, 'getpid', lambda: 1)


def assert_different(folder, count):
  names = os.listdir(str(folder))
  for form in ('run_%02d', 'log_train_%02d.txt', 'log_test_%02d.txt'):
    assert {form % number for number in range(count)} <= set(names)
  assert len(names) == 3 * count


def test_processes_of_the_same_number_that_start_together(tmp_path, same_number):
  context = multiprocessing.get_context('fork')
  gate = context.Barrier(8, timeout=60)

  def begin_together():
    gate.wait()
    start_and_leave(tmp_path)

  processes = [context.Process(target=begin_together) for _ in range(8)]
  for process in processes:
    process.start()
  for process in processes:
    process.join(60)
  assert [process.exitcode for process in processes] == [0] * 8
  assert_different(tmp_path, 8)


@pytest.mark.parametrize('code', [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(tmp_path, monkeypatch, capsys, code):
  def flock(*_):
    raise OSError(code, os.strerror(code))

  monkeypatch.setattr(fcntl, 'flock', flock)
  start_and_leave(tmp_path)
  line, = capsys.readouterr().out.splitlines()
  assert line.startswith('%s cannot be locked (%s)' % (
      tmp_path / 'run_00' / 'lock', os.strerror(code)))
