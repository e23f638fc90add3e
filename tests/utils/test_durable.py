import errno
import os

import pytest

from comhe_tf1.utils import durable


def test_lines_come_whole_or_not_at_all(tmp_path):
  with durable.Lines(str(tmp_path / 'log')) as lines:
    lines.add('first')
    lines.add('second')
    lines.cut(lambda line: line == 'first')
    lines.add('third')
  assert (tmp_path / 'log').read_text() == 'first\nthird\n'


@pytest.mark.parametrize('content', [
    b'first\r\nsecond\r\n', b'first\rsecond\r', b'\xef\xbb\xbffirst\nsecond\n',
    b'first\nsecond'], ids=['Windows', 'Mac', 'byte-order mark', 'no end'])
def test_lines_that_an_editor_has_rewritten_go_on(tmp_path, content):
  (tmp_path / 'log').write_bytes(content)
  with durable.Lines(str(tmp_path / 'log')) as lines:
    lines.cut(lambda line: True)
    lines.add('third')
  assert (tmp_path / 'log').read_bytes() == b'first\nsecond\nthird\n'


def test_writers_of_the_same_file_do_not_share_its_unfinished_one(tmp_path):
  path = str(tmp_path / 'file')
  others = tmp_path / 'file.part'
  others.write_text("somebody else's")

  def write(file):
    durable.write_atomically(path, lambda inner: inner.write(b'inner'))
    file.write(b'outer')

  durable.write_atomically(path, write)
  assert (tmp_path / 'file').read_text() == 'outer'
  assert sorted(os.listdir(str(tmp_path))) == ['file', 'file.part']


def test_the_unfinished_file_of_a_killed_process_goes_when_it_is_old(tmp_path):
  old, young = (tmp_path / (f'file.{number:016x}.part') for number in (1, 2))
  for path in (old, young):
    path.write_text('half')
  os.utime(str(old), (1e9, 1e9))
  durable.write_atomically(str(tmp_path / 'file'), lambda file: file.write(b'whole'))
  assert sorted(os.listdir(str(tmp_path))) == ['file', young.name]


def test_a_clean_up_that_fails_does_not_hide_the_cause(tmp_path, monkeypatch):
  def fails(*_):
    raise OSError(errno.EIO, os.strerror(errno.EIO))

  def write(file):
    raise KeyError('cause')

  monkeypatch.setattr(os, 'remove', fails)
  with pytest.raises(KeyError, match='cause'):
    durable.write_atomically(str(tmp_path / 'file'), write)
