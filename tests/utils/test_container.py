"""Advice that is right on a host, and in a container with and without mounts."""
import errno

import pytest

from comhe_tf1.records import run_record
from comhe_tf1.utils import container

# As the kernel writes it: the fifth word is where.
LINES = ('22 1 0:20 / / rw - overlay overlay rw\n'
         '23 22 8:1 /home/log /log rw - ext4 /dev/sda rw\n')


@pytest.fixture
def inside(tmp_path, monkeypatch):
  (tmp_path / 'mountinfo').write_text(LINES)
  monkeypatch.setattr(container, 'MOUNTS', str(tmp_path / 'mountinfo'))
  monkeypatch.setenv('COMHE_CONTAINER', 'repro')


@pytest.mark.parametrize('folder, mounted', [
    ('/log', True), ('/log/random_projection/run_00', True), ('/logs', False), ('/', False),
    ('/tmp/log', False)])
def test_what_is_mounted(inside, folder, mounted):
  # Mounted, and not there: no other mount would help.
  for number in (None, errno.ENOENT):
    assert (container.advice(folder, '/log', number) == '') == mounted
  for number in (errno.EACCES, errno.EROFS):
    assert '-v $PWD/log:/log --user' in container.advice(folder, '/log', number)


def test_on_a_host(monkeypatch):
  monkeypatch.delenv('COMHE_CONTAINER', raising=False)
  for number in (None, errno.EACCES):
    assert container.advice('/log', '/log', number) == ''


def test_the_advice_is_given(inside, tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(run_record.RunError, match='cannot write logs to .*; mount a folder'):
    run_record.start(str(tmp_path / 'file'), {})
