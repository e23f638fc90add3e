"""Reads the pickles of data sets, and runs nothing that they say.

The opcodes are interpreted by the standard library's unpickler in Python, whose memo is
a dict. What a pickle names is looked up in a table here: stand-ins make NumPy's arrays
and numbers from bytes, once type, shape and length fit. All else that a pickle names
becomes an `Unread`: nothing of it is imported or called.
"""
import io
import pickle
import re
import struct
import warnings

import numpy as np

_HEAD = 512          # bytes that tell what a file is
_NUMBER = re.compile('b1|[iu][1248]|f[248]')   # types of arrays that are read
_CIFAR_BINARY = (3073, 3074)   # bytes of an image and its labels in CIFAR's binary version

# First bytes of what lies in a data set's place now and then.
_OTHERS = [(re.compile(start, re.DOTALL | re.IGNORECASE), text) for start, text in [
    (br'\x1f\x8b', 'a gzip file; unpack it: tar xzf FILE, or gunzip'),
    (br'PK\x03\x04.*/data\.pkl|\x80.\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19',
     'a file of torch.save; write it anew with pickle.dump'),
    (br'\x93NUMPY', 'a file of numpy.save; write it anew with pickle.dump'),
    (br'PK\x03\x04|BZh|\xfd7zXZ\0|.{257}ustar', 'an archive; unpack it'),
    (br'MATLAB|\x89HDF', 'a file of MATLAB or HDF5; of CIFAR, the python version is read'),
    (br'(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|\?xml|head|!--)',
     'a web page; what it was downloaded from gave a page in place of the file: '
     'open the address in a browser, or get the file elsewhere'),
    (br'version https://git-lfs\.github\.com/',
     'a git-lfs pointer, which stands for the file; get that by git lfs pull')]]


class PickleError(Exception):
  """The file is no pickle of a data set; the message follows the file's name."""


class _DamageError(Exception):
  """The pickle breaks the rules of pickles."""


class Unread:
  """Stands for what is not read, and takes whatever the pickle does to it.

  Attributes:
    name: what it stands for.
  """

  def __init__(self, name):
    self.name = ascii(name[:200])[1:-1][:200]

  def __call__(self, *_):
    return self

  make = __call__   # as of a NumPy type

  def _ignore(self, *_):
    pass

  append = extend = add = __setitem__ = __setstate__ = _ignore


class _Rows(dict):
  """A dict of texts; other keys are left out, as hashing them could take for ever."""

  def __setitem__(self, key, value):
    if type(key) is bytes:   # a text of Python 2
      key = key.decode('latin1')
    if type(key) is str:
      super().__setitem__(key, value)

  def __setstate__(self, state):
    pass   # attributes of an OrderedDict


class _Dtype:
  """A NumPy type; its byte order comes later."""

  def __init__(self, code, *_):
    self._code, self._order, self._is_plain = _text(code), '|', True

  def __setstate__(self, state):
    # Version, byte order, and three that only compound types have.
    self._order, self._is_plain = _text(state[1]), tuple(state[2:5]) == (None,) * 3

  def make(self, data, shape, order):
    """An array that is a view of the bytes, or an `Unread` where it is none of numbers."""
    if type(self._code) is not str or self._order not in ('|', '<', '>', '='):
      raise _DamageError('an array of an impossible type')
    if not self._is_plain or not _NUMBER.fullmatch(self._code):
      return Unread(f'a NumPy array of type {self._code}')
    if len(shape) > 32 or not all(type(each) is int and each >= 0 for each in shape):
      raise _DamageError('an array of an impossible shape')
    dtype = np.dtype(self._order + self._code)
    size = dtype.itemsize
    for length in shape:
      size *= length
    if size != len(data):
      raise _DamageError(f'an array whose shape does not fit its {len(data)} bytes')
    return np.ndarray(shape, dtype, data, order=order)


class _Array:
  """An array; its content comes later."""

  def __init__(self, *_):
    self.value = Unread('a NumPy array without content')

  def __setstate__(self, state):
    _, shape, dtype, fortran, data = state
    self.value = dtype.make(data, shape, 'F' if fortran else 'C')


def _array_of_buffer(data, dtype, shape, order):
  array = _Array()
  array.value = dtype.make(data, shape, order)
  return array


def _scalar(dtype, data):
  array = dtype.make(data, (1,), 'C')
  return array if isinstance(array, Unread) else array.item()


def _ordered_dict(pairs=()):
  rows = _Rows()
  for key, value in pairs:
    rows[key] = value
  return rows


# Under the names of NumPy 1 and 2.
_STAND_INS = {('numpy', 'dtype'): _Dtype, ('collections', 'OrderedDict'): _ordered_dict}
for _core in ('numpy.core', 'numpy._core'):
  _STAND_INS.update({(_core + '.multiarray', '_reconstruct'): _Array,
                     (_core + '.multiarray', 'scalar'): _scalar,
                     (_core + '.numeric', '_frombuffer'): _array_of_buffer})


def _text(value):
  return value.decode('latin1') if isinstance(value, bytes) else value


class _Reader(pickle._Unpickler):
  """Interprets the opcodes of a pickle over plain values and stand-ins."""

  dispatch = dict(pickle._Unpickler.dispatch)

  def __init__(self, file):
    super().__init__(file, encoding='bytes')
    self._encoded = {}

  def find_class(self, module, name):
    if (module, name) == ('_codecs', 'encode'):
      return self._encode
    if name == 'bytes' and module in ('builtins', '__builtin__'):
      return lambda *arguments: Unread('bytes') if arguments else b''
    return _STAND_INS.get((module, name)) or Unread(f'{module}.{name}')

  def persistent_load(self, pid):
    return Unread('an object outside the file')

  def _encode(self, text, encoding):
    """Bytes, as Python 3 writes them for Python 2; of the same text, the same bytes."""
    if type(text) is not str or encoding not in ('latin1', 'latin-1'):
      return Unread('text in another encoding')
    if text not in self._encoded:
      self._encoded[text] = text.encode('latin1')
    return self._encoded[text]

  def _proto(self):
    self.proto = self.read(1)[0]   # the library of Python 3.6 refuses protocol 5

  def _bytearray8(self):
    # The library's makes room for the length that is claimed; Python 3.6 has none.
    self.append(self.read(struct.unpack('<Q', self.read(8))[0]))

  def _empty_dict(self):
    self.append(_Rows())

  def _dict(self):
    items = self.pop_mark()
    self.append(_ordered_dict(zip(items[::2], items[1::2])))

  def _empty_set(self):
    self.append(Unread('a set'))

  def _frozenset(self):
    self.pop_mark()
    self._empty_set()

  def _newobj(self):
    arguments, maker = self.stack.pop(), self.stack.pop()
    self.append(maker(*arguments))

  def _newobj_ex(self):
    self.stack.pop()
    self._newobj()

  def _instantiate(self, maker, arguments):   # of INST and OBJ
    self.append(maker(*arguments))

  def _build(self):
    state = self.stack.pop()
    self.stack[-1].__setstate__(state)   # the library's also sets attributes

  dispatch.update({
      pickle.PROTO[0]: _proto, 0x96: _bytearray8, pickle.EMPTY_DICT[0]: _empty_dict,
      pickle.DICT[0]: _dict, pickle.EMPTY_SET[0]: _empty_set,
      pickle.FROZENSET[0]: _frozenset, pickle.NEWOBJ[0]: _newobj,
      pickle.NEWOBJ_EX[0]: _newobj_ex, pickle.BUILD[0]: _build})


def read(path):
  """Reads a pickle.

  Returns:
    What it holds. Of a dict, the keys that are texts; arrays are views of what was read,
    and what is not read is an `Unread`.

  Raises:
    PickleError: the file is of another format, or is damaged.
    OSError: it cannot be read.
  """
  try:
    # A buffer would cost a copy.
    with open(path, 'rb', buffering=0) as file:
      head = file.read(_HEAD)
      for start, text in _OTHERS:
        if start.match(head):
          raise PickleError(f'is no pickle but {text}')
      file.seek(0)
      return _interpret(file.read())
  except MemoryError:
    raise PickleError('is too large for this machine\'s memory')


def _interpret(content):
  stream = io.BytesIO(content)
  try:
    with warnings.catch_warnings():   # of odd escapes in a text
      warnings.simplefilter('ignore')
      value = _Reader(stream).load()
  except (PickleError, MemoryError):
    raise
  except Exception as error:   # whatever follows from a value of the wrong kind
    raise PickleError(_damage(content, stream.tell(), error))
  if isinstance(value, dict):
    return {key: _plain(each) for key, each in value.items()}
  return _plain(value)


def _plain(value):
  return value.value if isinstance(value, _Array) else value


def _damage(content, place, error):
  """What is wrong with a file in which no pickle was found, read as far as `place`."""
  size = len(content)
  if size and content[:1] != b'\x80' and any(size % row == 0 for row in _CIFAR_BINARY):
    return ('is no pickle but, by its size, a file of CIFAR\'s binary version; the python '
            'version is read')
  why = f': {error}' if isinstance(error, _DamageError) else ''
  return (f'is not a whole pickle (damaged near byte {place} of {size}{why}); unpack the '
          'archive again')
