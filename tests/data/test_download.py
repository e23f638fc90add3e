"""Downloads from a server of the test's own; nothing leaves the machine."""
import collections
import contextlib
import errno
import fcntl
import hashlib
import http.server
import io
import os
import random
import resource
import signal
import socket
import socketserver
import subprocess
import sys
import tarfile
import threading
import time

import pytest

from comhe_tf1.data import download as downloads
from comhe_tf1.data.download import Archive
from comhe_tf1.data.download import download
from comhe_tf1.data.download import DownloadError

# Noise, so that the archive is as large as they are.
NOISE = random.Random(0)
PICKLES = collections.OrderedDict(
    (name, bytes(NOISE.getrandbits(8) for _ in range(size)))
    for name, size in [('train', 40000), ('test', 9000), ('meta', 500)])


def md5(content):
  return hashlib.md5(content).hexdigest()


def pack(members):
  """Returns a .tar.gz; members are (name, content or type of a special member)."""
  file = io.BytesIO()
  with tarfile.open(fileobj=file, mode='w:gz') as tar:
    for name, content in members:
      info = tarfile.TarInfo(name)
      if isinstance(content, bytes) and len(content) != 1:
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
      else:
        info.type, info.linkname = content, '/etc/passwd'
        tar.addfile(info)
  return file.getvalue()


def facts(content, url='http://nowhere.invalid/set.tar.gz', pickles=PICKLES):
  return Archive(url, md5(content), len(content), 'set', collections.OrderedDict(
      (name, md5(pickle)) for name, pickle in pickles.items()))


CONTENT = pack([('set/' + name, content) for name, content in PICKLES.items()])


class Handler(http.server.BaseHTTPRequestHandler):
  def do_GET(self):
    server = self.server
    server.requests.append((self.path, self.headers.get('Range')))
    fault, value = server.faults.pop(0) if server.faults else (None, None)
    if fault == 'raw':
      self.wfile.write(value)
      self.close_connection = True
      return
    content = server.content
    if fault == 'status':
      self.send_error(value)
      return
    start = 0
    if server.ranges and self.headers.get('Range'):
      start = int(self.headers['Range'][len('bytes='):-1])
      if start >= len(content):
        self.send_error(416)
        return
      self.send_response(206)
      self.send_header('Content-Range', 'bytes %d-%d/%d' % (
          start, len(content) - 1, len(content)))
    else:
      self.send_response(200)
    if server.lengths:
      self.send_header('Content-Length', str(len(content) - start))
    self.end_headers()
    end = len(content) if fault is None else start + value
    try:
      for place in range(start, end, 8192):
        self.wfile.write(content[place:min(place + 8192, end)])
        time.sleep(server.pause)
      if fault == 'hold':
        server.released.wait(20)
        self.wfile.write(content[end:])
    except OSError:
      pass   # the client was killed, or had waited long enough

  def log_message(self, *_):
    pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
  """Serves `content` and records the requests.

  Attributes:
    faults: what goes wrong with the next requests: ('cut', bytes sent before),
      ('hold', bytes sent before waiting for `released`), ('status', code),
      ('raw', the whole answer).
    ranges, lengths: whether Range is understood, Content-Length sent.
    pause: seconds between blocks.
    requests: (path, Range) of each request.
  """
  daemon_threads = True

  def __init__(self):
    super().__init__(('127.0.0.1', 0), Handler)
    self.content, self.faults, self.requests = CONTENT, [], []
    self.ranges = self.lengths = True
    self.pause = 0
    self.released = threading.Event()
    self.url = 'http://127.0.0.1:%d/set.tar.gz' % self.server_port

  @property
  def asked(self):
    """The requests' Range headers."""
    return [asked for _, asked in self.requests]


@pytest.fixture
def server():
  server = Server()
  thread = threading.Thread(target=server.serve_forever, args=(0.01,))
  thread.start()
  yield server
  server.released.set()
  server.shutdown()
  thread.join()
  server.server_close()


@pytest.fixture(autouse=True)
def quick_and_direct(monkeypatch):
  monkeypatch.setattr(downloads, 'PAUSES', (0.01, 0.02))
  for name in ('http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY', 'no_proxy',
               'NO_PROXY'):
    monkeypatch.delenv(name, raising=False)


@pytest.fixture
def folder(tmp_path):
  return tmp_path / 'data'


def holds(folder):
  """Returns what a folder holds, by name."""
  return {path.name: path.read_bytes() for path in folder.iterdir()}


def part_of(folder):
  return folder.parent / 'set.tar.gz.comhe_part'


def wait_until(condition):
  end = time.monotonic() + 20
  while not condition():
    assert time.monotonic() < end
    time.sleep(0.01)


@pytest.fixture
def start():
  """Starts Python with the words given; what still runs after a test is killed."""
  with contextlib.ExitStack() as stack:
    def start(*words, **options):
      process = stack.enter_context(subprocess.Popen(
          [sys.executable] + list(words), stdout=subprocess.PIPE,
          stderr=subprocess.PIPE, universal_newlines=True, **options))
      stack.callback(process.kill)
      return process
    yield start


@pytest.fixture
def start_download(root, start):
  """Starts `download` in another process."""
  return lambda archive, folder, url: start(
      '-c', 'from collections import OrderedDict\n'
      'from comhe_tf1.data.download import Archive, download\n'
      'download(%r, %r, %r)' % (archive, str(folder), url), cwd=root)


@pytest.fixture
def start_command(root, start, tmp_path):
  """Starts cifar_input.py in the test's folder."""
  return lambda *flags, **options: start(
      os.path.join(root, 'cifar_input.py'), *flags, cwd=str(tmp_path), **options)


def finish(process):
  """Returns exit status, lines on stdout, lines on stderr."""
  out, err = process.communicate(timeout=30)
  return process.returncode, out.splitlines(), err.splitlines()


def test_the_facts():
  for name, words in [('cifar100', 'cifar-100-python cifar-100-python'),
                      ('cifar10', 'cifar-10-python cifar-10-batches-py')]:
    archive = downloads.ARCHIVES[name]
    file, archive_folder = words.split()
    assert archive.url == 'https://www.cs.toronto.edu/~kriz/%s.tar.gz' % file
    assert archive.folder == archive_folder
    sums = [archive.md5] + list(archive.members.values())
    assert all(len(value) == 32 and int(value, 16) for value in sums)
    assert len(set(sums)) == len(sums)


def test_download(server, folder, capsys):
  download(facts(CONTENT), str(folder), server.url)
  assert holds(folder) == PICKLES
  assert {path.name for path in folder.parent.iterdir()} == {
      'data', 'set.tar.gz', 'set.tar.gz.lock'}
  assert (folder.parent / 'set.tar.gz').read_bytes() == CONTENT
  assert server.asked == [None]
  out, err = capsys.readouterr()
  assert out.splitlines()[-1].startswith('unpacked train, test, meta into ')
  assert not err


def test_the_published_url_is_the_default(server, folder):
  download(facts(CONTENT, server.url), str(folder))
  assert holds(folder) == PICKLES


def test_a_folder_below_folders_that_are_missing(server, tmp_path):
  folder = tmp_path / 'a' / 'b' / 'data'
  download(facts(CONTENT), str(folder) + '/', server.url)
  assert holds(folder) == PICKLES
  assert (tmp_path / 'a' / 'b' / 'set.tar.gz').exists()


def test_the_present_folder(server, folder, monkeypatch):
  folder.mkdir()
  monkeypatch.chdir(folder)
  download(facts(CONTENT), '.', server.url)
  assert holds(folder) == PICKLES


def test_all_there_already(folder, capsys):
  folder.mkdir()
  for name, content in PICKLES.items():
    (folder / name).write_bytes(content)
  download(facts(CONTENT), str(folder))
  assert 'nothing to do' in capsys.readouterr().out
  assert os.listdir(str(folder.parent)) == ['data']


def test_only_what_is_wrong_is_replaced(server, folder, capsys):
  folder.mkdir()
  (folder / 'train').write_bytes(b'another')
  (folder / 'test').write_bytes(PICKLES['test'])
  (folder / 'mine').write_bytes(b'kept')
  before = os.stat(str(folder / 'test'))
  download(facts(CONTENT), str(folder), server.url)
  assert holds(folder) == dict(PICKLES, mine=b'kept', **{'train.before': b'another'})
  assert os.stat(str(folder / 'test')).st_ino == before.st_ino
  lines = [line for line in capsys.readouterr().out.splitlines() if 'replacing' in line]
  assert lines == ['%s had another md5; replacing it, it is kept as %s' % (
      folder / 'train', folder / 'train.before')]
  # What was kept stays where another one is replaced, and whatever its name.
  (folder / 'train').write_bytes(b'a third')
  (folder / 'train.tmp').write_bytes(b'kept')
  download(facts(CONTENT), str(folder))
  assert holds(folder) == dict(PICKLES, mine=b'kept', **{
      'train.before': b'another', 'train.before_2': b'a third', 'train.tmp': b'kept'})


def test_an_archive_on_disk_needs_no_network(folder, capsys):
  (folder.parent / 'set.tar.gz').write_bytes(CONTENT)
  download(facts(CONTENT), str(folder))
  assert holds(folder) == PICKLES
  assert 'using %s' % (folder.parent / 'set.tar.gz') in capsys.readouterr().out


@pytest.mark.parametrize('wrong', [CONTENT[:700], CONTENT + b'x', b''],
                         ids=['unfinished', 'too long', 'empty'])
def test_a_wrong_archive_on_disk_is_the_users(server, folder, wrong):
  """And so is what a browser downloads there."""
  mine = {'set.tar.gz': wrong, 'set.tar.gz.part': CONTENT[:900]}
  for name, content in mine.items():
    (folder.parent / name).write_bytes(content)
  for _ in range(2):
    with pytest.raises(DownloadError, match='set.tar.gz is not the archive: its md5 is %s '
                       'instead of %s; it is left as it is: move it away, then call again$'
                       % (md5(wrong), md5(CONTENT))):
      download(facts(CONTENT), str(folder), server.url)
  assert holds(folder.parent) == dict(mine, **{'set.tar.gz.lock': b''})
  (folder.parent / 'set.tar.gz').rename(folder.parent / 'away')
  download(facts(CONTENT), str(folder), server.url)
  assert server.asked == [None] and holds(folder) == PICKLES
  assert (folder.parent / 'set.tar.gz.part').read_bytes() == CONTENT[:900]


def test_a_link_to_nothing_is_the_users(server, folder):
  (folder.parent / 'set.tar.gz').symlink_to(folder.parent / 'not mounted')
  with pytest.raises(DownloadError, match='is not the archive: a link to nothing; '):
    download(facts(CONTENT), str(folder), server.url)
  assert os.readlink(str(folder.parent / 'set.tar.gz')).endswith('not mounted')
  assert not server.requests


def test_an_archive_that_comes_meanwhile_stays(start_download, server, folder):
  server.faults = [('hold', 5000)]
  process = start_download(facts(CONTENT), folder, server.url)
  wait_until(lambda: server.requests)
  (folder.parent / 'set.tar.gz').write_bytes(b'mine')
  server.released.set()
  _, _, err = finish(process)
  assert 'has come while' in err[-1]
  assert (folder.parent / 'set.tar.gz').read_bytes() == b'mine'
  (folder.parent / 'set.tar.gz').unlink()
  download(facts(CONTENT), str(folder), server.url)
  assert server.asked == [None, 'bytes=%d-' % len(CONTENT)]   # nothing is lost
  assert holds(folder) == PICKLES


@pytest.mark.parametrize('name', ['set.tar.gz', 'data/train'])
def test_what_has_no_end(folder, name):
  folder.mkdir()
  os.mkfifo(str(folder.parent / name))
  with pytest.raises(DownloadError, match='%s is not a file that can be read' % name):
    download(facts(CONTENT), str(folder))
  assert (folder.parent / name).is_fifo()


def test_what_a_killed_process_left_is_swept(server, folder):
  leftover = folder / '.comhe_unfinished_x'
  leftover.mkdir(parents=True)
  (leftover / 'train').write_bytes(b'half')
  download(facts(CONTENT), str(folder), server.url)
  assert holds(folder) == PICKLES


def test_a_file_url(tmp_path, folder):
  source = tmp_path / 'elsewhere'
  source.write_bytes(CONTENT)
  part_of(folder).write_bytes(b'junk')
  download(facts(CONTENT), str(folder), source.as_uri())
  assert holds(folder) == PICKLES
  with pytest.raises(DownloadError, match='cannot read file:///.*No such file'):
    download(facts(b'other'), str(folder / 'more'), (tmp_path / 'none').as_uri())


def test_a_cut_connection_is_continued(server, folder, capsys):
  # More cuts than pauses: each got further.
  server.faults = [('cut', 1000), ('cut', 500), ('cut', 20000), ('cut', 1)]
  download(facts(CONTENT), str(folder), server.url)
  assert server.asked == [None, 'bytes=1000-', 'bytes=1500-', 'bytes=21500-',
                          'bytes=21501-']
  assert holds(folder) == PICKLES
  assert 'the connection was cut, at byte 1500; trying again' in capsys.readouterr().out


def test_giving_up_and_calling_again(server, folder):
  server.faults = [('cut', 1000)] + [('cut', 0)] * 2
  with pytest.raises(DownloadError, match='the connection was cut; calling again '
                                          'continues at byte 1000, --url takes a mirror$'):
    download(facts(CONTENT), str(folder), server.url)
  assert part_of(folder).read_bytes() == CONTENT[:1000] and not folder.exists()
  download(facts(CONTENT), str(folder), server.url)
  assert server.asked == [None] + ['bytes=1000-'] * 3
  assert holds(folder) == PICKLES


def test_a_stalled_connection_times_out(server, folder, monkeypatch, capsys):
  monkeypatch.setattr(downloads, 'TIMEOUT', 0.2)
  server.faults = [('hold', 3000)]
  download(facts(CONTENT), str(folder), server.url)
  assert server.asked == [None, 'bytes=3000-']
  assert 'nothing came for 0.2 s, at byte 3000' in capsys.readouterr().out
  assert holds(folder) == PICKLES


def test_a_server_without_ranges_starts_over(server, folder):
  server.ranges = False
  part_of(folder).write_bytes(b'x' * 900)
  server.faults = [('cut', 1000)]
  download(facts(CONTENT), str(folder), server.url)
  assert server.asked == ['bytes=900-', 'bytes=1000-']
  assert holds(folder) == PICKLES


def test_a_server_without_ranges_that_always_cuts(server, folder):
  server.ranges = False
  server.faults = [('cut', 1000)] * 9
  with pytest.raises(DownloadError, match='calling again'):
    download(facts(CONTENT), str(folder), server.url)
  assert len(server.requests) == 3


def test_a_server_without_lengths(server, folder):
  server.lengths = False
  part_of(folder).write_bytes(CONTENT[:900])
  download(facts(CONTENT), str(folder), server.url)
  assert server.asked == ['bytes=900-']
  assert holds(folder) == PICKLES
  # A cut cannot be told from the end then, except by the md5.
  server.faults = [('cut', 1000)]
  download(facts(CONTENT), str(folder.parent / 'deeper' / 'data'), server.url)
  assert server.asked[1:] == [None, None]


def test_a_server_that_sends_for_ever(server, folder, monkeypatch):
  """What comes is kept to one byte more than the archive has."""
  server.lengths = False
  server.content = CONTENT * 40
  sizes, md5_of = [], downloads._md5

  def measured(path):
    if path == str(part_of(folder)):
      sizes.append(os.path.getsize(path))
    return md5_of(path)

  monkeypatch.setattr(downloads, '_md5', measured)
  with pytest.raises(DownloadError, match='instead of .* and was removed'):
    download(facts(CONTENT), str(folder), server.url)
  assert sizes == [len(CONTENT) + 1] * 2
  assert not part_of(folder).exists()


def test_what_is_no_file_of_ours(folder, tmp_path):
  """Neither followed nor waited for."""
  mine, pipe = tmp_path / 'mine', tmp_path / 'pipe'
  mine.write_bytes(b'precious')
  os.mkfifo(str(pipe))
  part_of(folder).symlink_to(mine)
  with pytest.raises(DownloadError, match='is no file that this program has begun'):
    download(facts(CONTENT), str(folder), 'file://%s' % mine)
  assert mine.read_bytes() == b'precious' and part_of(folder).is_symlink()
  part_of(folder).unlink()
  with pytest.raises(DownloadError, match='cannot read file://.*no regular file'):
    download(facts(CONTENT), str(folder), 'file://%s' % pipe)
  lock = tmp_path / 'set.tar.gz.lock'
  lock.unlink()
  os.mkfifo(str(lock))
  with pytest.raises(DownloadError, match='cannot lock .*no regular file'):
    download(facts(CONTENT), str(folder), 'file://%s' % mine)


def test_a_complete_part(server, folder):
  part_of(folder).write_bytes(CONTENT)
  download(facts(CONTENT), str(folder), server.url)
  assert server.asked == ['bytes=%d-' % len(CONTENT)]   # answered 416
  assert holds(folder) == PICKLES


@pytest.mark.parametrize('part', [b'junk', CONTENT + b'x', b'x' * len(CONTENT)],
                         ids=['of another file', 'too long', 'of the right length'])
def test_a_wrong_part_is_started_over(server, folder, capsys, part):
  part_of(folder).write_bytes(part)
  download(facts(CONTENT), str(folder), server.url)
  assert server.asked == ['bytes=%d-' % len(part), None]
  assert holds(folder) == PICKLES
  assert 'starting over' in capsys.readouterr().out


def test_wrong_bytes(server, folder):
  server.content = CONTENT[:-1] + b'x'
  folder.mkdir()
  (folder / 'train').write_bytes(b'mine')
  with pytest.raises(DownloadError) as error:
    download(facts(CONTENT), str(folder), server.url)
  for words in (md5(server.content), md5(CONTENT), 'removed', '--url'):
    assert words in str(error.value)
  assert server.asked == [None, None]   # once more, then no more
  assert holds(folder) == {'train': b'mine'}
  assert sorted(path.name for path in folder.parent.iterdir()) == [
      'data', 'set.tar.gz.lock']


def test_not_found_is_not_tried_again(server, folder):
  server.faults = [('status', 404)]
  with pytest.raises(DownloadError, match='cannot get %s: the server answers 404 '
                                          'Not Found$' % server.url):
    download(facts(CONTENT), str(folder), server.url)
  assert len(server.requests) == 1


def test_a_busy_server_is_tried_again(server, folder):
  server.faults = [('status', 503), ('status', 429)]
  download(facts(CONTENT), str(folder), server.url)
  assert len(server.requests) == 3 and holds(folder) == PICKLES


@pytest.mark.parametrize('answer, words', [
    (b'200 OK\r\nContent-Length: \xb2\r\n\r\nabc', 'has md5 %s' % md5(b'abc')),
    (b'200 OK\r\nContent-Length: -3\r\n\r\nabc', 'has md5 %s' % md5(b'abc')),
    (b'200 OK\r\nContent-Length: %s\r\n\r\nabc' % (5000 * b'9'), 'has md5'),
    (b'206 OK\r\nContent-Range: bytes 5000000000000-\r\n\r\nabc', 'another part than'),
    (b'206 OK\r\nContent-Range: bytes %s-\r\n\r\nabc' % (5000 * b'9'), 'another part'),
    (b'206 OK\r\nContent-Range: bytes \xb2-\r\n\r\nabc', 'another part than'),
    (b'206 OK\r\nContent-Range: \r\n\r\nabc', 'another part than'),
    (b'200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabcdef\r\n0\r\n\r\n', 'cannot get'),
    (b'200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 'cannot get'),
    (b'503 \x1b[2J\r\n\r\n', r'503 \\x1b\[2J; calling again'),
    (b'503 ' + 5000 * b'x' + b'\r\n\r\n', 'xxx[.][.][.]; calling again'),
    (b'302 OK\r\nLocation: http://[/\r\n\r\n', 'Invalid IPv6'),
    (b'302 OK\r\nLocation: file:///etc/passwd\r\n\r\n', 'is not allowed')],
                         ids=lambda value: 'answer' if isinstance(value, bytes) else '')
def test_answers_that_no_server_should_give(server, folder, capsys, answer, words):
  server.faults = [('raw', b'HTTP/1.1 ' + answer)] * 9
  with pytest.raises(DownloadError, match=words):
    download(facts(CONTENT), str(folder), server.url)
  assert '\x1b' not in capsys.readouterr().out
  assert not part_of(folder).exists() or part_of(folder).stat().st_size < 50


def test_a_page_in_place_of_the_archive(server, folder):
  """As a hotel's network gives it; what was downloaded before is kept."""
  part_of(folder).write_bytes(CONTENT[:900])
  server.faults = [('raw', b'HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n'
                           b'\r\n<html>Welcome')]
  with pytest.raises(DownloadError, match='a web page comes in its place; .* --url$'):
    download(facts(CONTENT), str(folder), server.url)
  assert part_of(folder).read_bytes() == CONTENT[:900]
  download(facts(CONTENT), str(folder), server.url)
  assert server.asked == ['bytes=900-'] * 2 and holds(folder) == PICKLES


def test_no_server(folder):
  with socket.socket() as free:
    free.bind(('127.0.0.1', 0))   # bound and not listening: refuses
    with pytest.raises(DownloadError, match='Connection refused; calling again'):
      download(facts(CONTENT), str(folder), 'http://127.0.0.1:%d/x' %
               free.getsockname()[1])


@pytest.mark.parametrize('host', ['a..b', 'x' * 70 + '.example'])
def test_a_host_that_cannot_be(folder, host):
  with pytest.raises(DownloadError, match='cannot get http://'):
    download(facts(CONTENT), str(folder), 'http://%s/set' % host)


def test_lines_of_progress(server, folder, monkeypatch, capsys):
  monkeypatch.setattr(downloads, 'SHOW_EVERY', 0.02)
  server.pause = 0.03
  part_of(folder).write_bytes(CONTENT[:10000])
  download(facts(CONTENT), str(folder), server.url)
  lines = capsys.readouterr().err.splitlines()
  assert len(lines) >= 2
  for line in lines:
    rest = line.split(' of ')[1]
    assert rest.startswith('0.0 MB (') and ' MB/s, 0:00:0' in rest
    assert rest.endswith(' left')
  server.lengths = False
  download(facts(CONTENT), str(folder.parent / 'deeper' / 'data'), server.url)
  assert all(line.endswith(' MB/s') for line in capsys.readouterr().err.splitlines())


class Terminal(io.StringIO):
  def isatty(self):
    return True


@pytest.mark.parametrize('with_tqdm', [True, False])
def test_a_terminal(server, folder, monkeypatch, with_tqdm):
  if with_tqdm:
    pytest.importorskip('tqdm')
  else:
    monkeypatch.setattr(downloads, 'tqdm', None)
  monkeypatch.setattr(downloads, 'SHOW_EVERY', 0.02)
  monkeypatch.setattr(sys, 'stderr', Terminal())
  server.pause = 0.03
  download(facts(CONTENT), str(folder), server.url)
  shown = sys.stderr.getvalue()
  assert 'B/s' in shown and ('\r' in shown) == with_tqdm


def test_other_members_are_ignored(folder):
  content = pack([
      ('set', tarfile.DIRTYPE), ('../evil', b'evil'), ('/tmp/evil', b'evil'),
      ('set/../evil', b'evil'), ('set/sub/train', b'evil'), ('./set/train', b'evil'),
      ('train', b'evil'), ('xet/train', b'evil'), ('set/link', tarfile.SYMTYPE),
      ('set/file.txt~', b'')
  ] + [('set/' + name, pickle) for name, pickle in PICKLES.items()])
  (folder.parent / 'set.tar.gz').write_bytes(content)
  download(facts(content), str(folder))
  assert holds(folder) == PICKLES
  assert sorted(path.name for path in folder.parent.iterdir()) == [
      'data', 'set.tar.gz', 'set.tar.gz.lock']


@pytest.mark.parametrize('last, words', [
    ([('set/meta', tarfile.SYMTYPE)], 'set/meta is not a regular file'),
    ([('set/meta', tarfile.LNKTYPE)], 'set/meta is not a regular file'),
    ([('set/meta', tarfile.FIFOTYPE)], 'set/meta is not a regular file'),
    ([('set/meta', tarfile.CHRTYPE)], 'set/meta is not a regular file'),
    ([('set/meta', tarfile.DIRTYPE)], 'set/meta is not a regular file'),
    ([('set/../meta', b'evil')], 'has no set/meta'),
    ([('set/meta', b'other')], 'set/meta has md5 %s instead of %s' % (
        md5(b'other'), md5(PICKLES['meta']))),
    ([], 'has no set/meta')])
def test_a_wrong_member(folder, last, words):
  """Nothing is replaced, not even by members that are right."""
  content = pack([('set/' + name, PICKLES[name]) for name in ('train', 'test')] + last)
  (folder.parent / 'set.tar.gz').write_bytes(content)
  folder.mkdir()
  (folder / 'train').write_bytes(b'mine')
  with pytest.raises(DownloadError, match=words):
    download(facts(content), str(folder))
  assert holds(folder) == {'train': b'mine'}


@pytest.mark.parametrize('content', [b'', b'text', CONTENT[:5000]],
                         ids=['empty', 'text', 'cut'])
def test_not_an_archive(folder, content):
  (folder.parent / 'set.tar.gz').write_bytes(content)
  with pytest.raises(DownloadError, match='set.tar.gz cannot be unpacked|unpack .*gz'):
    download(facts(content), str(folder))
  assert holds(folder) == {}


def test_a_folder_that_cannot_be(server, folder):
  folder.write_bytes(b'a file')
  with pytest.raises(DownloadError, match='Not a directory'):
    download(facts(CONTENT), str(folder), server.url)
  with pytest.raises(DownloadError, match='Not a directory'):
    download(facts(CONTENT), str(folder / 'deeper' / 'data'), server.url)
  assert not server.requests


def test_two_processes(start_download, server, folder):
  server.faults = [('hold', 5000)]
  archive = facts(CONTENT)
  first = start_download(archive, folder, server.url)
  wait_until(lambda: server.requests)
  second = start_download(archive, folder, server.url)
  waits = second.stdout.readline()
  assert waits.startswith('another process is downloading')
  server.released.set()
  assert finish(first)[0] == 0
  status, out, _ = finish(second)
  assert status == 0 and len(out) == 1 and out[0].endswith('nothing to do')
  assert len(server.requests) == 1 and holds(folder) == PICKLES


def test_killed_and_called_again(start_download, server, folder):
  server.faults = [('hold', 12345)]
  process = start_download(facts(CONTENT), folder, server.url)
  wait_until(lambda: part_of(folder).exists() and
             part_of(folder).stat().st_size == 12345)
  process.kill()
  finish(process)
  download(facts(CONTENT), str(folder), server.url)
  assert server.asked == [None, 'bytes=12345-']
  assert holds(folder) == PICKLES


def test_a_proxy(start_download, server, folder, monkeypatch):
  # This server stands for the proxy: it gets the whole address.
  monkeypatch.setenv('http_proxy', server.url)
  status, _, err = finish(start_download(
      facts(CONTENT), folder, 'http://cifar.invalid/set.tar.gz'))
  assert status == 0, err
  assert server.requests == [('http://cifar.invalid/set.tar.gz', None)]
  assert holds(folder) == PICKLES


@pytest.mark.parametrize('flags, words', [
    ([], 'the following arguments are required: --download'),
    (['--down'], 'required: --download'),   # no abbreviations
    (['--download', 'extra'], 'unrecognized arguments: extra'),
    (['--download', '--dataset', 'mnist'], "invalid choice: 'mnist'"),
    (['--download', '--data_dir', ''], "expected a path, got ''"),
    (['--download', '--data_dir', 's3://bucket'], "expected a path of this machine"),
    (['--download', '--url', 'ftp://h/x'], "file:///..., got 'ftp://h/x'"),
    (['--download', '--url', 'cifar.tar.gz'], "got 'cifar.tar.gz'"),
    (['--download', '--url', ''], "got ''"),
    (['--download', '--url', 'http:///x'], "got 'http:///x'"),
    (['--download', '--url', 'http://[/x'], "got 'http://[/x'"),
    (['--download', '--url', 'http://h:port/x'], "got 'http://h:port/x'"),
    (['--download', '--url', 'http://h/a b'], "got 'http://h/a b'"),
    (['--download', '--url', 'http://h/a\n'], "got 'http://h/a\\n'"),
    (['--download', '--url', 'file:x'], "got 'file:x'"),
    (['--download', '--url', 'file://h/x'], "got 'file://h/x'")])
def test_usage_errors(capsys, flags, words):
  import cifar_input
  with pytest.raises(SystemExit) as error:
    cifar_input.main(flags)
  out, err = capsys.readouterr()
  assert error.value.code == 2 and not out
  assert err.startswith('cifar_input.py: error: ') and words in err
  assert err.count('\n') == 1


def test_usage_error_of_the_command(start_command, tmp_path):
  status, out, err = finish(start_command())
  assert status == 2 and not out and len(err) == 1
  assert not os.listdir(str(tmp_path))


@pytest.mark.parametrize('flags, archive', [
    ([], 'cifar-100-python.tar.gz'),
    (['--dataset', 'cifar10'], 'cifar-10-python.tar.gz')])
def test_wrong_bytes_by_the_command(start_command, server, tmp_path, flags, archive):
  status, _, err = finish(start_command(
      '--download', '--url', server.url, *flags))
  assert status == 1 and len(err) == 1
  assert err[0].startswith('cifar_input.py: error: ') and md5(CONTENT) in err[0]
  assert os.listdir(str(tmp_path)) == [archive + '.lock']


@pytest.mark.parametrize('code', [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(server, folder, monkeypatch, capsys, code):
  def flock(*_):
    raise OSError(code, os.strerror(code))

  monkeypatch.setattr(fcntl, 'flock', flock)
  download(facts(CONTENT), str(folder), server.url)
  out = capsys.readouterr().out.splitlines()
  assert out[0].startswith('%s cannot be locked (%s)' % (
      folder.parent / 'set.tar.gz.lock', os.strerror(code)))
  assert out[-1].startswith('unpacked ')


def test_a_full_disk(start_command, server):
  status, _, err = finish(start_command(
      '--download', '--url', server.url,
      # Python would leave half a .pyc under this limit, and trip over it later.
      env=dict(os.environ, PYTHONDONTWRITEBYTECODE='1'),
      preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))))
  assert status == 1 and len(err) == 1
  assert err[0].startswith('cifar_input.py: error: cannot write ')
  assert err[0].endswith('cifar-100-python.tar.gz.comhe_part: File too large')


def test_interrupted(start_command, server, tmp_path):
  server.faults = [('hold', 2000)]
  process = start_command(
      '--download', '--url', server.url,
      # Whoever runs the tests in the background may have it ignored.
      preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
  part = tmp_path / 'cifar-100-python.tar.gz.comhe_part'
  wait_until(lambda: part.exists() and part.stat().st_size == 2000)
  process.send_signal(signal.SIGINT)
  status, _, err = finish(process)
  assert status == 130
  assert err == ['cifar_input.py: interrupted; calling again continues']
  assert part.stat().st_size == 2000


def test_nobody_reads_the_lines(start_command, server):
  process = start_command('--download', '--url', server.url)
  process.stdout.close()
  process.wait(30)
  assert process.returncode == 1 and not process.stderr.read()
