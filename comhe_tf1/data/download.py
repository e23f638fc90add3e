"""Gets a data set's archive and unpacks its pickles.

`python cifar_input.py --download` is the command line. What happens is printed on
stdout, progress on stderr. The archive, its unfinished `.comhe_part` and, while it is
worked on, a `.lock` lie beside the folder of the pickles. Whatever fails, what has come
stays for the next call, and only bytes with the right md5 become a data set.
"""
import contextlib
import errno
import hashlib
import http.client
import os
import shutil
import sys
import tarfile
import time
import urllib.error
import urllib.request

from comhe_tf1.utils import locks
from comhe_tf1.utils import words

TIMEOUT = 30          # seconds without a byte
PAUSES = (1, 3, 9)    # seconds before trying again
SHOW_EVERY = 10       # seconds between lines of progress
PART = '.comhe_part'  # not .part, which browsers use
_BLOCK = 1 << 16
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)   # of the disk, not the connection


class DownloadError(Exception):
  """The data set cannot be had; the message, one line, is for the user."""


def download(data_set, folder, url=None):
  """Puts a data set's pickles into a folder, downloading what is needed.

  An archive that lies there already is used, an unfinished one is continued, and nothing
  that may be the user's is replaced: a file of another content is refused.

  Args:
    data_set: `datasets.DataSet` with an archive.
    folder: made where missing.
    url: where to get the archive instead.

  Raises:
    DownloadError: the server, the network or a file that lies there does not allow it.
    OSError: a file cannot be read or written.
  """
  folder = os.path.abspath(folder)
  archive = os.path.join(os.path.dirname(folder), os.path.basename(data_set.url))
  if _missing(data_set, folder):
    os.makedirs(folder, exist_ok=True)
    with _locked(archive + '.lock'):
      missing = _missing(data_set, folder)   # another process may have done it meanwhile
      if missing:
        if os.path.lexists(archive):
          _check(archive, data_set.md5)
        else:
          _get(data_set, url or data_set.url, archive)
        _unpack(data_set, archive, folder, missing)
        return
  print(f"{folder} holds {', '.join(data_set.members)} with the right md5; nothing to do",
        flush=True)


def _missing(data_set, folder):
  """The names of the pickles that the folder lacks; others of their names are refused."""
  names = []
  for name, md5 in data_set.members.items():
    path = os.path.join(folder, name)
    if os.path.lexists(path):
      _check(path, md5)
    else:
      names.append(name)
  return names


def _check(path, expected):
  """Refuses a file that lies there and is not what it should be."""
  md5 = _md5(path)
  if md5 != expected:
    raise DownloadError(f'{path} has md5 {md5} instead of {expected}; it is left as it is: '
                        'move it away, then call again')


def _md5(path):
  md5 = hashlib.md5()
  with open(path, 'rb') as file:
    for block in iter(lambda: file.read(_BLOCK), b''):
      md5.update(block)
  return md5.hexdigest()


@contextlib.contextmanager
def _locked(path):
  """Keeps other processes that do the same out; the file of the lock does not stay."""
  with open(path, 'a') as file:
    try:
      locks.take(file)
    except BlockingIOError:
      print(f'another process is downloading (it holds {path}); waiting for it', flush=True)
      locks.take(file, wait=True)
    try:
      yield
    finally:
      with contextlib.suppress(FileNotFoundError):
        os.remove(path)


def _get(data_set, url, archive):
  """Downloads the archive; each attempt continues where the one before was cut off."""
  print(f'downloading {url}', flush=True)
  part, by_hand = archive + PART, f'or put the archive at {archive} by other means'
  with open(part, 'ab') as file:
    for pause in PAUSES + (None,):
      try:
        _transfer(url, file, data_set.size)
        break
      except (OSError, ValueError, http.client.HTTPException) as error:
        if getattr(error, 'errno', None) in _FULL:
          raise
        reason = words.short(error if hasattr(error, 'code') else
                             getattr(error, 'reason', error))
        have = os.path.getsize(part)
        if pause is None or _is_final(error, url):
          raise DownloadError(f'cannot get {url}: {reason}; calling again continues at '
                              f'byte {have}, --url takes a mirror, {by_hand}')
        print(f'{reason}, at byte {have}; trying again in {pause} s', flush=True)
        time.sleep(pause)
  md5 = _md5(part)
  if md5 != data_set.md5:
    os.remove(part)
    raise DownloadError(f'{url} has md5 {md5} instead of {data_set.md5} and was removed; '
                        f'call again, try another --url, {by_hand}')
  os.rename(part, archive)


def _is_final(error, url):
  """Whether another attempt is useless: a wrong address or file stays wrong."""
  if isinstance(error, urllib.error.HTTPError):
    error.close()
    return error.code < 500 and error.code not in (408, 429)   # busy
  return url.startswith('file:') or isinstance(
      error, (ValueError, http.client.InvalidURL))


def _transfer(url, file, size):
  """Downloads what follows the bytes that a file has, up to `size`.

  Raises:
    ValueError, http.client.InvalidURL: the server gives something else, or there is none.
    OSError, http.client.HTTPException: the connection failed, or the disk is full.
  """
  have = file.seek(0, os.SEEK_END)
  if have >= size:
    return
  headers = {'Range': f'bytes={have}-'} if have else {}
  with contextlib.closing(urllib.request.urlopen(
      urllib.request.Request(url, headers=headers), timeout=TIMEOUT)) as response:
    have = _start(response.headers, have, size)
    file.truncate(have)
    shown = time.monotonic()
    while have < size:
      block = response.read1(_BLOCK)[:size - have]   # a server may send for ever
      if not block:
        raise ConnectionError('the connection was cut')
      file.write(block)
      file.flush()   # nothing that came is lost if the process is killed
      have += len(block)
      if time.monotonic() - shown >= SHOW_EVERY:
        shown = time.monotonic()
        print(f'{have / 1e6:.1f} of {size / 1e6:.1f} MB', file=sys.stderr, flush=True)


def _start(headers, have, size):
  """The byte at which an answer begins; without Content-Range it is the whole file."""
  if headers.get_content_type() == 'text/html':
    # Of a network that asks for a password first, as hotels have it.
    raise ValueError('a web page comes in its place; look at it in a browser')
  if 'Content-Range' in headers:
    if not headers['Content-Range'].startswith(f'bytes {have}-'):
      raise ValueError('the server answers with another part than was asked for')
    return have
  if headers.get('Content-Length', str(size)) != str(size):
    raise ValueError(
        f"what is there has {headers['Content-Length']} bytes instead of {size}")
  return 0


def _unpack(data_set, archive, folder, names):
  """Unpacks the pickles `names`: all are written and checked, then they get their names."""
  with tarfile.open(archive, 'r:gz') as tar:
    for member in tar:
      parent, _, name = member.name.partition('/')
      if parent == data_set.folder and name in names:
        path = os.path.join(folder, name + PART)
        with tar.extractfile(member) as source, open(path, 'wb') as target:
          shutil.copyfileobj(source, target)
        _check(path, data_set.members[name])
  for name in names:
    os.rename(os.path.join(folder, name + PART), os.path.join(folder, name))
  print(f"unpacked {', '.join(names)} into {folder}; {archive} may be deleted", flush=True)
