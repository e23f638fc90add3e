import errno
import os
import resource

import pytest

from comhe_tf1.utils import durable


def test_lines_come_whole(tmp_path):
  log = tmp_path / 'log'
  log.write_text('')
  for line in 'first', 'second':
    durable.add_line(str(log), line)
  durable.cut_lines(str(log), lambda line: line == 'first')
  durable.add_line(str(log), 'third')
  assert log.read_text() == 'first\nthird\n'
  assert durable.read_lines(str(log)) == ['first', 'third']


@pytest.mark.parametrize('content', [
    b'first\r\nsecond\r\n', b'first\rsecond\r', b'\xef\xbb\xbffirst\nsecond\n',
    b'first\nsecond'], ids=['Windows', 'Mac', 'byte-order mark', 'no end'])
def test_lines_that_an_editor_has_rewritten_go_on(tmp_path, content):
  log = tmp_path / 'log'
  log.write_bytes(content)
  durable.cut_lines(str(log), lambda line: True)
  durable.add_line(str(log), 'third')
  assert log.read_bytes() == b'first\nsecond\nthird\n'


def test_nothing_of_what_does_not_fit_stays(tmp_path):
  """On a full disk, which a limit of the size of files stands for."""
  log = tmp_path / 'log'
  log.write_text('first\n')
  limits = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
  try:
    for write, content in ((durable.add_line, 'too long'),
                           (durable.write_atomically, b'x' * 11)):
      with pytest.raises(OSError, match="File too large: .*/log'"):
        write(str(log), content)
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
  assert log.read_text() == 'first\n' and os.listdir(str(tmp_path)) == ['log']


def test_what_a_killed_writer_left_is_written_over(tmp_path):
  (tmp_path / ('file' + durable.PART)).write_text('half of something long')
  durable.write_atomically(str(tmp_path / 'file'), b'whole')
  assert (tmp_path / 'file').read_text() == 'whole'
  assert os.listdir(str(tmp_path)) == ['file']


def test_a_clean_up_that_fails_does_not_hide_the_cause(tmp_path, monkeypatch):
  def fails(*_):
    raise OSError(errno.EIO, os.strerror(errno.EIO))

  monkeypatch.setattr(os, 'remove', fails)
  monkeypatch.setattr(os, 'fsync', lambda _: os.close(-1))
  with pytest.raises(OSError, match='Bad file descriptor'):
    durable.write_atomically(str(tmp_path / 'file'), b'content')
