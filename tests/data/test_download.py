"""Downloads from a server of the test's own; nothing leaves the machine."""
import collections
import contextlib
import errno
import hashlib
import http.client
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

import cifar_input
from comhe_tf1.data import datasets
from comhe_tf1.data import download as downloads
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
  """Returns a .tar.gz of a dict from names to contents."""
  file = io.BytesIO()
  with tarfile.open(fileobj=file, mode='w:gz') as tar:
    for name, content in members.items():
      info = tarfile.TarInfo(name)
      info.size = len(content)
      tar.addfile(info, io.BytesIO(content))
  return file.getvalue()


def row(content, url='http://nowhere.invalid/set.tar.gz'):
  """A data set whose archive has this content."""
  return datasets.DataSet(
      'set', 'SET', 10, train=('train',), test='test', labels='labels', url=url,
      md5=md5(content), size=len(content), folder='set',
      members=collections.OrderedDict(
          (name, md5(pickle)) for name, pickle in PICKLES.items()))


# Others lie beside the pickles, and some of them have their names.
CONTENT = pack(collections.OrderedDict(
    [('set/file.txt', b'another'), ('train', b'another'), ('other/train', b'another'),
     ('set/deeper/train', b'another')]
    + [('set/' + name, content) for name, content in PICKLES.items()]))
SET = row(CONTENT)


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
  return lambda folder, url: start(
      '-c', 'from collections import OrderedDict\n'
      'from comhe_tf1.data.datasets import DataSet\n'
      'from comhe_tf1.data.download import download\n'
      f'download({SET!r}, {str(folder)!r}, {url!r})', cwd=root)


@pytest.fixture
def start_command(root, start, tmp_path):
  """Starts cifar_input.py in the test's folder."""
  return lambda *flags, **options: start(
      os.path.join(root, 'cifar_input.py'), *flags, cwd=str(tmp_path), **options)


def finish(process):
  """Returns exit status, lines on stdout, lines on stderr."""
  out, err = process.communicate(timeout=30)
  return process.returncode, out.splitlines(), err.splitlines()


def test_the_table():
  for name, row in datasets.PICKLED.items():
    assert row.name == name and row.url.startswith('https://www.cs.toronto.edu/~kriz/')
    # The remaining one names the classes.
    assert list(row.members)[:-1] == list(row.train) + [row.test]
    sums = [row.digest, row.md5] + list(row.members.values())
    assert all(len(value) == 32 and int(value, 16) for value in sums)
    assert len(set(sums)) == len(sums)


def left(folder):
  """What lies beside the folder of the data."""
  return sorted(path.name for path in folder.parent.iterdir())


def test_download(server, folder, capsys):
  download(SET, str(folder), server.url)
  assert holds(folder) == PICKLES
  assert left(folder) == ['data', 'set.tar.gz']
  assert (folder.parent / 'set.tar.gz').read_bytes() == CONTENT
  assert server.asked == [None]
  out, err = capsys.readouterr()
  assert out.splitlines()[-1].startswith('unpacked train, test, meta into ')
  assert not err


def test_the_published_url_is_the_default(server, folder):
  download(SET._replace(url=server.url), str(folder))
  assert holds(folder) == PICKLES


def test_a_folder_below_folders_that_are_missing(server, tmp_path):
  folder = tmp_path / 'a' / 'b' / 'data'
  download(SET, str(folder) + '/', server.url)
  assert holds(folder) == PICKLES
  assert left(folder) == ['data', 'set.tar.gz']


def test_all_there_already(folder, capsys):
  folder.mkdir()
  for name, content in PICKLES.items():
    (folder / name).write_bytes(content)
  download(SET, str(folder))
  assert 'nothing to do' in capsys.readouterr().out
  assert left(folder) == ['data']


def test_what_is_missing_is_added(server, folder):
  folder.mkdir()
  (folder / 'test').write_bytes(PICKLES['test'])
  (folder / 'mine').write_bytes(b'kept')
  (folder / 'train.comhe_part').write_bytes(b'of a process that was killed')
  before = os.stat(str(folder / 'test'))
  download(SET, str(folder), server.url)
  assert holds(folder) == dict(PICKLES, mine=b'kept')
  assert os.stat(str(folder / 'test')).st_ino == before.st_ino


def test_other_pickles_are_the_users(server, folder):
  folder.mkdir()
  (folder / 'test').write_bytes(b'mine')
  with pytest.raises(DownloadError, match='data/test has md5 %s instead of %s; it is left '
                     'as it is: move it away' % (md5(b'mine'), md5(PICKLES['test']))):
    download(SET, str(folder), server.url)
  assert holds(folder) == {'test': b'mine'} and left(folder) == ['data']
  assert not server.requests


def test_an_archive_on_disk_needs_no_network(folder):
  (folder.parent / 'set.tar.gz').write_bytes(CONTENT)
  download(SET, str(folder))
  assert holds(folder) == PICKLES


@pytest.mark.parametrize('wrong', [CONTENT[:700], CONTENT + b'x', b''],
                         ids=['unfinished', 'too long', 'empty'])
def test_a_wrong_archive_on_disk_is_the_users(server, folder, wrong):
  """And so is what a browser downloads there."""
  mine = {'set.tar.gz': wrong, 'set.tar.gz.part': CONTENT[:900]}
  for name, content in mine.items():
    (folder.parent / name).write_bytes(content)
  with pytest.raises(DownloadError, match='set.tar.gz has md5 %s instead of %s; it is left '
                     'as it is: move it away, then call again$' % (
                         md5(wrong), md5(CONTENT))):
    download(SET, str(folder), server.url)
  assert left(folder) == ['data'] + sorted(mine)
  assert all((folder.parent / name).read_bytes() == content
             for name, content in mine.items())
  assert holds(folder) == {}


def test_a_file_url(tmp_path, folder):
  source = tmp_path / 'elsewhere'
  source.write_bytes(CONTENT)
  part_of(folder).write_bytes(b'junk')
  download(SET, str(folder), source.as_uri())
  assert holds(folder) == PICKLES
  with pytest.raises(DownloadError, match='cannot get file:///.*No such file'):
    download(SET, str(folder / 'more'), (tmp_path / 'none').as_uri())


def test_a_cut_connection_is_continued(server, folder, capsys):
  server.faults = [('cut', 1000), ('cut', 500)]
  download(SET, str(folder), server.url)
  assert server.asked == [None, 'bytes=1000-', 'bytes=1500-']
  assert holds(folder) == PICKLES
  assert 'the connection was cut, at byte 1500; trying again' in capsys.readouterr().out


def test_giving_up_and_calling_again(server, folder):
  server.faults = [('cut', 1000)] + [('cut', 0)] * 2
  with pytest.raises(DownloadError, match=(
      'the connection was cut; calling again continues at byte 1000, --url takes a mirror, '
      'or put the archive at %s by other means$' % (folder.parent / 'set.tar.gz'))):
    download(SET, str(folder), server.url)
  assert part_of(folder).read_bytes() == CONTENT[:1000]
  assert left(folder) == ['data', 'set.tar.gz.comhe_part'] and holds(folder) == {}
  download(SET, str(folder), server.url)
  assert server.asked == [None] + ['bytes=1000-'] * 3
  assert holds(folder) == PICKLES


def test_a_stalled_connection_times_out(server, folder, monkeypatch, capsys):
  monkeypatch.setattr(downloads, 'TIMEOUT', 0.2)
  server.faults = [('hold', 3000)]
  download(SET, str(folder), server.url)
  assert server.asked == [None, 'bytes=3000-']
  assert 'timed out, at byte 3000' in capsys.readouterr().out
  assert holds(folder) == PICKLES


def test_a_server_without_ranges_starts_over(server, folder):
  server.ranges = False
  part_of(folder).write_bytes(b'x' * 900)
  server.faults = [('cut', 1000)]
  download(SET, str(folder), server.url)
  assert server.asked == ['bytes=900-', 'bytes=1000-']
  assert holds(folder) == PICKLES


def test_a_server_without_ranges_that_always_cuts(server, folder):
  server.ranges = False
  server.faults = [('cut', 1000)] * 9
  with pytest.raises(DownloadError, match='calling again'):
    download(SET, str(folder), server.url)
  assert len(server.requests) == 3


def test_a_server_without_lengths(server, folder):
  server.lengths = False
  part_of(folder).write_bytes(CONTENT[:900])
  server.faults = [('cut', 1000)]
  download(SET, str(folder), server.url)
  assert server.asked == ['bytes=900-', 'bytes=1900-']
  assert holds(folder) == PICKLES


def test_a_server_that_sends_for_ever(server, folder):
  server.lengths = False
  server.content = b'x' + CONTENT * 1000
  server.pause = 0.001
  with pytest.raises(DownloadError, match='instead of .* and was removed; call again'):
    download(SET, str(folder), server.url)
  assert left(folder) == ['data']


def test_a_complete_part(server, folder):
  part_of(folder).write_bytes(CONTENT)
  download(SET, str(folder), server.url)
  assert not server.requests and holds(folder) == PICKLES


@pytest.mark.parametrize('part', [b'junk', CONTENT + b'x', b'x' * len(CONTENT)],
                         ids=['of another file', 'too long', 'of the right length'])
def test_a_wrong_part_is_removed(server, folder, part):
  part_of(folder).write_bytes(part)
  with pytest.raises(DownloadError, match='and was removed; call again'):
    download(SET, str(folder), server.url)
  download(SET, str(folder), server.url)
  assert holds(folder) == PICKLES


@pytest.mark.parametrize('lengths, wrong, words', [
    (True, CONTENT[:-1], 'what is there has %d bytes instead of %d' % (
        len(CONTENT) - 1, len(CONTENT))),
    (True, CONTENT[:-1] + b'x', f'has md5 .* instead of {md5(CONTENT)} and was removed'),
    (False, CONTENT[:-1] + b'x', f'has md5 .* instead of {md5(CONTENT)} and was removed'),
    (False, CONTENT[:-9], 'HTTP Error 416: .*; calling again continues at byte %d' % (
        len(CONTENT) - 9))],
                         ids=['shorter', 'other', 'other, no length', 'shorter, no length'])
def test_wrong_bytes(server, folder, lengths, wrong, words):
  server.content, server.lengths = wrong, lengths
  with pytest.raises(DownloadError, match=words) as error:
    download(SET, str(folder), server.url)
  assert str(folder.parent / 'set.tar.gz') in str(error.value)
  assert not (folder.parent / 'set.tar.gz').exists() and holds(folder) == {}


def test_not_found(server, folder):
  server.faults = [('status', 404)]
  with pytest.raises(DownloadError, match=(
      'cannot get %s: HTTP Error 404: Not Found; calling again continues at byte 0, --url '
      'takes a mirror, or put the archive at %s by other means$' % (
          server.url, folder.parent / 'set.tar.gz'))):
    download(SET, str(folder), server.url)
  assert len(server.requests) == 1 and holds(folder) == {}


def test_a_busy_server_is_tried_again(server, folder):
  server.faults = [('status', 503), ('status', 429)]
  download(SET, str(folder), server.url)
  assert len(server.requests) == 3 and holds(folder) == PICKLES


@pytest.mark.parametrize('answer, words', [
    (b'200 OK\r\nContent-Length: %s\r\n\r\nabc' % (5000 * b'9'), '999[.][.][.]; calling'),
    (b'206 OK\r\nContent-Range: bytes 5000000000000-\r\n\r\nabc', 'another part than'),
    (b'200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 'cannot get'),
    (b'503 \x1b[2J\r\n\r\n', r'503: \\x1b\[2J; calling again'),
    (b'302 OK\r\nLocation: file:///etc/passwd\r\n\r\n', 'is not allowed')],
                         ids=lambda value: 'answer' if isinstance(value, bytes) else '')
def test_answers_that_no_server_should_give(server, folder, capsys, answer, words):
  server.faults = [('raw', b'HTTP/1.1 ' + answer)] * 9
  with pytest.raises(DownloadError, match=words):
    download(SET, str(folder), server.url)
  assert '\x1b' not in capsys.readouterr().out
  assert not part_of(folder).exists() or part_of(folder).stat().st_size < 50


def test_a_page_in_place_of_the_archive(server, folder):
  """As a hotel's network gives it; what was downloaded before is kept."""
  part_of(folder).write_bytes(CONTENT[:900])
  server.faults = [('raw', b'HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n'
                           b'\r\n<html>Welcome')]
  with pytest.raises(DownloadError, match='a web page comes in its place; .* --url'):
    download(SET, str(folder), server.url)
  assert part_of(folder).read_bytes() == CONTENT[:900]
  download(SET, str(folder), server.url)
  assert server.asked == ['bytes=900-'] * 2 and holds(folder) == PICKLES


@pytest.mark.parametrize('number', [errno.EHOSTUNREACH, errno.ETIMEDOUT])
def test_a_network_that_fails_while_reading(server, folder, monkeypatch, capsys, number):
  failures = [OSError(number, os.strerror(number))]
  read1 = http.client.HTTPResponse.read1

  def fail_once(response, *size):
    if failures:
      raise failures.pop()
    return read1(response, *size)

  monkeypatch.setattr(http.client.HTTPResponse, 'read1', fail_once)
  download(SET, str(folder), server.url)
  assert 'trying again' in capsys.readouterr().out and holds(folder) == PICKLES


def test_no_server(folder):
  with socket.socket() as free:
    free.bind(('127.0.0.1', 0))   # bound and not listening: refuses
    with pytest.raises(DownloadError, match='Connection refused.*; calling again'):
      download(SET, str(folder), 'http://127.0.0.1:%d/x' % free.getsockname()[1])


@pytest.mark.parametrize('url', [
    'http://a..b/x', 'http://%s.example/x' % ('x' * 70), 'http:///x', 'http://[/x',
    'http://127.0.0.1:port/x', 'http://127.0.0.1:1/a b', 'cifar.tar.gz', 'file:x'])
def test_an_address_that_cannot_be(folder, url):
  with pytest.raises(DownloadError) as error:
    download(SET, str(folder), url)
  assert str(error.value).startswith(f'cannot get {url}: ')


def test_lines_of_progress(server, folder, monkeypatch, capsys):
  monkeypatch.setattr(downloads, 'SHOW_EVERY', 0.02)
  server.pause = 0.03
  part_of(folder).write_bytes(CONTENT[:10000])
  download(SET, str(folder), server.url)
  lines = capsys.readouterr().err.splitlines()
  assert len(lines) >= 2 and set(lines) <= {'0.0 of 0.0 MB', '0.0 of 0.1 MB'}


def test_two_processes(start_download, server, folder):
  server.faults = [('hold', 5000)]
  first = start_download(folder, server.url)
  wait_until(lambda: server.requests)
  second = start_download(folder, server.url)
  assert second.stdout.readline().startswith('another process is downloading')
  server.released.set()
  assert finish(first)[0] == 0
  status, out, _ = finish(second)
  assert status == 0 and len(out) == 1 and out[0].endswith('nothing to do')
  assert len(server.requests) == 1 and holds(folder) == PICKLES
  assert left(folder) == ['data', 'set.tar.gz']


def test_killed_and_called_again(start_download, server, folder):
  server.faults = [('hold', 12345)]
  process = start_download(folder, server.url)
  wait_until(lambda: part_of(folder).exists() and
             part_of(folder).stat().st_size == 12345)
  process.kill()
  finish(process)
  download(SET, str(folder), server.url)
  assert server.asked == [None, 'bytes=12345-']
  assert holds(folder) == PICKLES and left(folder) == ['data', 'set.tar.gz']


@pytest.mark.parametrize('flags, words', [
    ([], 'the following arguments are required: --download'),
    (['--down'], 'required: --download'),   # no abbreviations
    (['--download', 'extra'], 'unrecognized arguments: extra'),
    (['--download', '--dataset', 'mnist'], "invalid choice: 'mnist'"),
    (['--download', '--data_dir', ''], "expected a path, got ''"),
    (['--download', '--data_dir', 's3://bucket'], "expected a path of this machine"),
    (['--download', '--url', 'ftp://h/x'], "file:///..., got 'ftp://h/x'"),
    (['--download', '--url', 'cifar.tar.gz'], "got 'cifar.tar.gz'"),
    (['--download', '--url', 'http:///x'], "got 'http:///x'")])
def test_usage_errors(capsys, flags, words):
  with pytest.raises(SystemExit) as error:
    cifar_input.main(flags)
  out, err = capsys.readouterr()
  assert error.value.code == 2 and not out
  assert err.startswith('cifar_input.py: error: ') and words in err
  assert err.count('\n') == 1


@pytest.mark.parametrize('flags, archive', [
    ([], 'cifar-100-python.tar.gz'),
    (['--dataset', 'cifar10'], 'cifar-10-python.tar.gz')])
def test_wrong_bytes_by_the_command(start_command, server, tmp_path, flags, archive):
  status, _, err = finish(start_command(
      '--download', '--url', server.url, *flags))
  assert status == 1 and len(err) == 1
  assert err[0].startswith('cifar_input.py: error: cannot get ')
  assert f'has {len(CONTENT)} bytes instead of ' in err[0]
  assert f'put the archive at {tmp_path / archive} by other means' in err[0]
  assert not list(tmp_path.glob('*/*')) and not (tmp_path / archive).exists()


def test_the_home_folder(start_command, tmp_path):
  """A shell does not expand the ~ of --flag=~/folder, or of a variable in a file."""
  for name, content in [('here/train', b'mine'), ('there/cifar-100-python/train', b'mine')]:
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_bytes(content)
  home = dict(os.environ, HOME=str(tmp_path), COMHE_DATA_DIR='~/there')
  for flags, place in [(['--data_dir=~/here'], 'here'), ([], 'there/cifar-100-python')]:
    status, _, err = finish(start_command('--download', *flags, env=home))
    assert status == 1 and err[0].startswith(
        f'cifar_input.py: error: {tmp_path / place}/train has md5 ')
  assert not (tmp_path / '~').exists()


def test_a_folder_that_cannot_be(start_command, server, tmp_path):
  (tmp_path / 'data').write_bytes(b'a file')
  for name in ('data', 'data/deeper/data'):
    status, _, err = finish(start_command(
        '--download', '--url', server.url, '--data_dir', name))
    assert status == 1 and len(err) == 1
    assert err[0].startswith('cifar_input.py: error: cannot read or write ') and 'data' in err[0]
  assert not server.requests


def test_a_full_disk(start_command, server, tmp_path):
  server.lengths = False
  status, _, err = finish(start_command(
      '--download', '--url', server.url,
      # Python would leave half a .pyc under this limit, and trip over it later.
      env=dict(os.environ, PYTHONDONTWRITEBYTECODE='1'),
      preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))))
  assert status == 1 and len(err) == 1
  assert err[0] == ('cifar_input.py: error: cannot read or write cifar-100-python: '
                    'File too large')
  assert (tmp_path / 'cifar-100-python.tar.gz.comhe_part').read_bytes() == CONTENT[:9000]


def test_interrupted(start_command, server, tmp_path):
  server.faults, server.lengths = [('hold', 2000)], False
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
