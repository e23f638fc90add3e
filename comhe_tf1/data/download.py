"""Gets the CIFAR archives: resumable, checked by md5, safe to call twice at once.

`python cifar_input.py --download` is its command line. What happens is printed on
stdout; progress is shown on stderr.
"""
import collections
import contextlib
import hashlib
import http.client
import os
import re
import shutil
import socket
import stat
import sys
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib

from comhe_tf1.utils import container
from comhe_tf1.utils import durable
from comhe_tf1.utils import files
from comhe_tf1.utils import locks
from comhe_tf1.utils import words

try:
  import tqdm
except ImportError:  # welcome, not needed
  tqdm = None

from comhe_tf1.utils import staging

TIMEOUT = 30          # seconds without a byte
PAUSES = (1, 3, 9)    # seconds before trying again without having got further
SHOW_EVERY = 10       # seconds between lines of progress
# Ends of names. Browsers give an unfinished file the name .part, and it is not ours.
PART = '.comhe_part'
BEFORE = '.before'
_BLOCK = 1 << 16
_NUMBER = re.compile('[0-9]{1,18}')

Archive = collections.namedtuple('Archive', 'url md5 size folder members')
Archive.__doc__ = """A .tar.gz of pickles.

  url: where it is published; ends in the name it has on disk.
  md5: of the whole file.
  size: of the whole file, in bytes.
  folder: the one that holds the pickles inside it.
  members: dict from the pickles' names to their md5.
"""

ARCHIVES = {
    'cifar100': Archive(
        url='https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz',
        md5='eb9058c3a382ffc7106e4002c42a8d85',
        size=169001437,
        folder='cifar-100-python',
        members=collections.OrderedDict([
            ('train', '16019d7e3df5f24257cddd939b257f8d'),
            ('test', 'f0ef6b0ae62326f3e7ffdfab6717acfc'),
            ('meta', '7973b15100ade9c7d40fb424638fde48')])),
    'cifar10': Archive(
        url='https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz',
        md5='c58f30108f718f92721af3b95e74349a',
        size=170498071,
        folder='cifar-10-batches-py',
        members=collections.OrderedDict([
            ('data_batch_1', 'c99cafc152244af753f735de768cd75f'),
            ('data_batch_2', 'd4bba439e000b95fd0a9bffe97cbabec'),
            ('data_batch_3', '54ebc095f3ab1f0389bbae665268c751'),
            ('data_batch_4', '634d18415352ddfa80567beed471001a'),
            ('data_batch_5', '482c414d41f54cd18b22e5b47cb7c3cb'),
            ('test_batch', '40351d587109b95175f43aff81a1287e'),
            ('batches.meta', '5ff9c542aee3614f3951f8cda6e48888')])),
}


class DownloadError(Exception):
  """The data set cannot be had; the message, one line, is for the user."""


class _Broken(Exception):
  """The connection failed; another one may do better."""


def download(archive, data_dir, url=None):
  """Puts an archive's pickles into a folder, downloading what is needed.

  Does nothing where the pickles are there with the right md5. The archive, its
  unfinished `.comhe_part` and its `.lock` lie beside the folder. An archive that lies
  there already is used; an unfinished one is continued. Nothing that may be the
  user's is removed: another file of the archive's name is refused, other pickles get
  another name.

  Args:
    archive: `Archive`.
    data_dir: the folder; made where missing.
    url: where to get the archive instead (see `checked_url`).

  Raises:
    DownloadError: the server, the network, the disk or the archive's content
      does not allow it. No pickle has been touched then, except where the disk
      failed between replacing one and the next.
  """
  already = '%s holds %s with the right md5; nothing to do' % (
      data_dir, ', '.join(archive.members))
  if not _wrong_members(archive, data_dir):
    print(already, flush=True)
    return
  with _explained('find the present folder'):
    parent = os.path.dirname(os.path.abspath(data_dir))
  path = os.path.join(parent, archive.url.split('/')[-1])
  with _explained('make the folder %s' % parent):
    os.makedirs(parent, exist_ok=True)
  with _locked(path + '.lock'):
    # Once more: another process may have done the work meanwhile.
    names = _wrong_members(archive, data_dir)
    if not names:
      print(already, flush=True)
      return
    _get_archive(archive, url or archive.url, path)
    _unpack(archive, path, data_dir, names)


def checked_url(url):
  """Returns `url` if it is one that `download` takes.

  Raises:
    ValueError: it is not of the form http(s)://HOST/... or file:///...
  """
  parts = urllib.parse.urlsplit(url)
  whole = (url.lower().startswith('file:///') if parts.scheme == 'file'
           else parts.scheme in ('http', 'https') and parts.hostname)
  # Reading the port raises ValueError where it is no number.
  if not whole or parts.port == 0 or re.search(r'[\s\x00-\x1f\x7f]', url):
    raise ValueError(url)
  return url


@contextlib.contextmanager
def _explained(what):
  """Turns errors of the local files into a line for the user."""
  try:
    yield
  except OSError as error:
    remedy = (isinstance(error.filename, str) and
              container.data_remedy(os.path.dirname(error.filename), error.errno))
    raise DownloadError('cannot %s: %s%s' % (
        what, error.strerror or error, '; ' + remedy if remedy else ''))


@contextlib.contextmanager
def _locked(path):
  """Keeps other processes that do the same out."""
  with contextlib.ExitStack() as stack:
    with _explained('lock %s' % path):
      file = stack.enter_context(open(path, 'a', opener=files.regular))
      try:
        locks.take(file)
      except BlockingIOError:
        print('another process is downloading (it holds %s); waiting for it' % path,
              flush=True)
        locks.take(file, wait=True)
    yield


def _md5(path):
  """Returns a file's md5, or None where there is none of that name."""
  digest = hashlib.md5()
  with _explained('read %s' % path):
    try:
      kind = os.stat(path).st_mode
    except FileNotFoundError:
      return None
    if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
      raise DownloadError('%s is not a file that can be read to its end' % path)
    with open(path, 'rb') as file:
      for block in iter(lambda: file.read(_BLOCK), b''):
        digest.update(block)
  return digest.hexdigest()


def _size(path):
  with _explained('read %s' % path):
    try:
      return os.stat(path).st_size
    except FileNotFoundError:
      return 0


def _wrong_members(archive, data_dir):
  """Returns the names of the pickles that the folder lacks or has otherwise."""
  return [name for name, md5 in archive.members.items()
          if _md5(os.path.join(data_dir, name)) != md5]


def _get_archive(archive, url, path):
  """Makes `path` the whole archive."""
  part = path + PART
  if os.path.lexists(path):
    found = _md5(path)
    if found != archive.md5:
      raise DownloadError('%s is not the archive: %s; it is left as it is: move it away, '
                          'then call again' % (path, 'a link to nothing' if found is None
                                               else 'its md5 is %s instead of %s'
                                               % (found, archive.md5)))
    print('using %s' % path, flush=True)
    return
  if os.path.lexists(part) and not stat.S_ISREG(os.lstat(part).st_mode):
    raise DownloadError('%s is no file that this program has begun: move it away, then '
                        'call again' % part)
  for last_time in (False, True):
    _fetch(url, part, archive.size)
    found = _md5(part)
    with _explained('rename or remove %s' % part):
      if found == archive.md5:
        if not os.path.lexists(path):   # where one has come meanwhile, it stays
          os.replace(part, path)
          return
        raise DownloadError('%s has come while %s was downloaded; remove one of them, '
                            'then call again' % (path, part))
      os.remove(part)
    if last_time:
      raise DownloadError(
          '%s has md5 %s instead of %s and was removed; the server, or something '
          'on the way to it, gives another file: try another --url'
          % (url, found, archive.md5))
    print('the download has md5 %s instead of %s; starting over' % (
        found, archive.md5), flush=True)


def _fetch(url, part, size):
  """Downloads what `part` lacks, over as many connections as it takes.

  Where more than `size` bytes come, what comes is not the archive, and one more is kept
  to show that: a server may send for ever.
  """
  print('downloading %s' % url, flush=True)
  pauses = list(PAUSES)
  while True:
    before = _size(part)
    try:
      _transfer(url, part, before, size + 1)
      return
    except _Broken as error:
      now = _size(part)
      if now > before:
        pauses = list(PAUSES)
      if not pauses:
        raise DownloadError('cannot get %s: %s; calling again continues at byte %d, '
                            '--url takes a mirror' % (url, error, now))
      print('%s, at byte %d; trying again in %g s' % (error, now, pauses[0]),
            flush=True)
      time.sleep(pauses.pop(0))


def _transfer(url, part, have, most):
  """Downloads what follows the first `have` bytes, to `most` in all, by one connection."""
  response = _open(url, have)
  if response is None:
    return
  with contextlib.closing(response):
    if response.headers.get('Content-Type', '').startswith('text/html'):
      # Of a network that asks for a password first, as hotels have it.
      raise DownloadError('cannot get %s: a web page comes in its place; look at it in a '
                          'browser, or try another --url' % url)
    start = _start(response.headers.get('Content-Range'), have)
    length = response.headers.get('Content-Length', '')
    left = int(length) if _NUMBER.fullmatch(length) else None
    end = None if left is None else start + left
    with _explained('write %s' % part), open(part, 'ab') as file:
      file.truncate(start)
      with _Progress(start, end) as progress:
        room = most - start
        for block in _blocks(response, left):
          if not room:
            break
          block = block[:room]
          room -= len(block)
          file.write(block)
          file.flush()   # nothing that came is lost if the process is killed
          progress.add(len(block))


def _start(content_range, have):
  """The byte at which an answer begins; without Content-Range it is the whole file.

  A place before byte `have` needs no check here: a wrong one shows in the md5.
  """
  if content_range is None:
    return 0
  place = re.match('bytes ([^-]*)-', content_range)
  if not place or not _NUMBER.fullmatch(place.group(1)) or int(place.group(1)) > have:
    raise _Broken('the server answers with another part than was asked for')
  return int(place.group(1))


def _open(url, have):
  """Returns the answer to a request, or None if nothing follows byte `have`."""
  headers = {'Range': 'bytes=%d-' % have} if have else {}
  try:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == 'file':
      with open(urllib.request.url2pathname(parts.path), 'rb', opener=files.regular):
        pass
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers),
                                  timeout=TIMEOUT)
  except urllib.error.HTTPError as error:
    error.close()
    if error.code == 416 and have:
      return None
    answer = words.short('the server answers %d %s' % (error.code, error.reason))
    if error.code in (408, 429) or error.code >= 500:
      raise _Broken(answer)
    raise DownloadError('cannot get %s: %s' % (url, answer))
  except (http.client.InvalidURL, ValueError) as error:
    raise DownloadError('cannot get %s: %s' % (url, error))
  except (OSError, http.client.HTTPException) as error:
    if parts.scheme == 'file':
      raise DownloadError('cannot read %s: %s' % (url, _reason(error)))
    raise _Broken(_reason(error))


def _blocks(response, left):
  """Yields what comes, `left` bytes in all (None: as long as anything comes)."""
  while left != 0:
    try:
      block = response.read1(_BLOCK if left is None else min(_BLOCK, left))
    except (OSError, ValueError, http.client.HTTPException) as error:
      raise _Broken(_reason(error))
    if block:
      left = left and left - len(block)
      yield block
    elif left is None:
      return
    else:
      raise _Broken('the connection was cut')


def _reason(error):
  if isinstance(error, urllib.error.URLError):
    error = error.reason
  if isinstance(error, socket.timeout):
    return 'nothing came for %g s' % TIMEOUT
  return words.short(getattr(error, 'strerror', None) or str(error) or type(error).__name__)


class _Progress(object):
  """Shows bytes, rate and time left on stderr; a bar where that is a terminal.

  Args:
    start: bytes that were there before.
    end: bytes of the whole file, or None where the server does not say.
  """

  def __init__(self, start, end):
    self._start, self._done, self._end = start, start, end
    self._began = self._shown = time.monotonic()
    self._bar = tqdm and tqdm.tqdm(
        total=end, initial=start, unit='B', unit_scale=True, dynamic_ncols=True,
        leave=False, file=sys.stderr, disable=None)
    if self._bar is not None and self._bar.disable:   # not a terminal
      self._bar = None

  def __enter__(self):
    return self

  def __exit__(self, *error):
    if self._bar is not None:
      self._bar.close()

  def add(self, count):
    """Counts bytes that came."""
    self._done += count
    now = time.monotonic()
    if self._bar is not None:
      self._bar.update(count)
    elif now - self._shown >= SHOW_EVERY:
      self._shown = now
      print(self._line(now - self._began), file=sys.stderr, flush=True)

  def _line(self, seconds):
    rate = (self._done - self._start) / seconds
    if self._end is None:
      return '%.1f MB, %.3f MB/s' % (self._done / 1e6, rate / 1e6)
    left = int((self._end - self._done) / rate)
    return '%.1f of %.1f MB (%d %%), %.3f MB/s, %d:%02d:%02d left' % (
        self._done / 1e6, self._end / 1e6, 100 * self._done // self._end,
        rate / 1e6, left // 3600, left // 60 % 60, left % 60)


def _unpack(archive, path, data_dir, names):
  """Unpacks the pickles `names`, and nothing else, into the folder.

  All are written elsewhere and checked before the first takes its place.
  """
  with _explained('unpack %s into %s' % (path, data_dir)):
    os.makedirs(data_dir, exist_ok=True)
    staging.sweep(data_dir)
    with staging.inside(data_dir) as folder:
      staged = [(name, os.path.join(folder, name)) for name in names]
      try:
        with tarfile.open(path, 'r:gz') as tar:
          _stage(archive, path, tar, dict(staged))
      except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DownloadError('%s cannot be unpacked: %s' % (path, error))
      for name, temporary in staged:
        target = os.path.join(data_dir, name)
        if os.path.lexists(target):
          kept = _free_name(target + BEFORE)
          os.rename(target, kept)
          print('%s had another md5; replacing it, it is kept as %s' % (target, kept),
                flush=True)
        os.replace(temporary, target)
  print('unpacked %s into %s; %s may be deleted' % (', '.join(names), data_dir, path),
        flush=True)


def _free_name(path):
  """The path, with a number behind where that is taken."""
  number, free = 1, path
  while os.path.lexists(free):
    number, free = number + 1, '%s_%d' % (path, number + 1)
  return free


def _stage(archive, path, tar, temporaries):
  """Writes members to files, dict from name to path, and checks them."""
  for member in tar:
    name = member.name[len(archive.folder) + 1:]
    if member.name != '%s/%s' % (archive.folder, name) or name not in temporaries:
      continue
    if not member.isreg():
      raise DownloadError('%s: %s is not a regular file' % (path, member.name))
    temporary = temporaries.pop(name)
    with tar.extractfile(member) as source, open(temporary, 'wb') as target:
      shutil.copyfileobj(source, target)
      target.flush()
      durable.sync(target.fileno())
    found = _md5(temporary)
    if found != archive.members[name]:
      raise DownloadError('%s: %s has md5 %s instead of %s' % (
          path, member.name, found, archive.members[name]))
  if temporaries:
    raise DownloadError('%s has no %s' % (path, ', '.join(
        '%s/%s' % (archive.folder, name) for name in temporaries)))
