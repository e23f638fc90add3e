"""Reads the pickles of data sets, and runs nothing that they say.

Python's unpickler calls what a file names, and NumPy believes what a file says of an
array: a damaged one can end the interpreter or take all memory. Here the opcodes are
interpreted over plain values, protocols 0 to 5; arrays are made from the bytes once
their type and size are checked. What is made is bounded by the file's own length.
"""
import codecs
import re
import struct
import warnings

import numpy as np

from comhe_tf1.utils import files

PROTOCOL = 5         # the newest that is read
_LONG = 1 << 10      # bytes that stay where they lie in the file, as they are an array's
_HEAD = 512          # bytes that tell what a file is
# An image has 3072 bytes and takes about ten opcodes: one in 64 bytes is plenty.
_OPCODES, _BYTES_PER_OPCODE = 200000, 64

_DTYPE = re.compile('b1|[iu][1248]|f[248]')

# All that a pickled array, string or number names, under the modules of NumPy 1 and 2.
_NAMES = {('numpy', 'ndarray'): 'ndarray', ('numpy', 'dtype'): 'dtype',
          ('_codecs', 'encode'): 'encode',
          ('__builtin__', 'bytes'): 'bytes', ('builtins', 'bytes'): 'bytes'}
for _core in ('numpy.core', 'numpy._core'):
  _NAMES.update({(_core + '.multiarray', '_reconstruct'): 'reconstruct',
                 (_core + '.multiarray', 'scalar'): 'scalar',
                 (_core + '.numeric', '_frombuffer'): 'frombuffer'})

# First bytes of what lies in a data set's place now and then.
_OTHERS = [(re.compile(start, re.DOTALL | re.IGNORECASE), text) for start, text in [
    (br'\x1f\x8b', 'a gzip file; unpack it: tar xzf FILE, or gunzip'),
    (br'PK\x03\x04|BZh|\xfd7zXZ\0|.{257}ustar', 'an archive; unpack it'),
    (br'(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|\?xml|head|!--)',
     'a web page; what it was downloaded from gave a page in place of the file: '
     'open the address in a browser, or get the file elsewhere'),
    (br'version https://git-lfs\.github\.com/',
     'a git-lfs pointer, which stands for the file; get that by git lfs pull'),
    (br'\xef\xbf\xbd|\xc2\x80[\0-\x0f]',
     'a pickle that some program changed as if it were text; copy the file as binary '
     'data, or unpack the archive again')]]


class PickleError(Exception):
  """The file is no pickle of a data set; the message follows the file's name."""


class _Damage(Exception):
  """The pickle breaks the rules of pickles."""


class _End(Exception):
  """The pickle ends too early."""


class _Name(object):
  """A function or class that the pickle names; what it stands for is never touched."""

  def __init__(self, kind):
    self.kind = kind


class _Dtype(object):
  """A NumPy type; its byte order comes later."""

  def __init__(self, code):
    self.code, self.dtype = code, np.dtype(code)

  def set_order(self, state):
    # Version, byte order, and three that only compound types have.
    order, compound = _text(state[1]), state[2:5]
    if (order not in ('|', '<', '>', '=') or compound != (None,) * 3
        or order == '|' and self.dtype.itemsize > 1):
      raise _Damage('an array\'s type that no data set needs')
    self.dtype = np.dtype(order + self.code)


class _Array(object):
  """An array; its content comes later."""

  value = None


def read(path):
  """Reads a pickle.

  Returns:
    What it holds. Of a dict, the keys that are bytes are text, and the arrays are
    views of the file's content.

  Raises:
    PickleError: the file is no pickle, is damaged, or names what no data set needs.
    OSError: it cannot be read.
  """
  # A buffer would cost a copy.
  with open(path, 'rb', buffering=0, opener=files.regular) as file:
    content = file.read(_HEAD)
    for start, text in _OTHERS:
      if start.match(content):
        raise PickleError('is no pickle but %s' % text)
    if content[:1] == b'\x80' and content[1:2] > bytes(bytearray([PROTOCOL])):
      raise PickleError('is of pickle protocol %d, and 0 to %d can be read; write it '
                        'anew with pickle.dump(..., protocol=4)'
                        % (bytearray(content)[1], PROTOCOL))
    if content[:1] in _Reader.OPCODES:
      try:
        file.seek(0)
        content = file.read()
      except MemoryError:
        raise PickleError('is too large for this machine\'s memory')
  return _interpret(content)


def _interpret(content):
  reader = _Reader(content)
  try:
    with warnings.catch_warnings():   # of odd escapes in a string
      warnings.simplefilter('ignore')
      value = reader.run()
  except _End:
    _refuse_text(content)
    raise PickleError('is not a whole pickle (it breaks off: its %d bytes lack the end); '
                      'unpack the archive again' % len(content))
  except PickleError:
    _refuse_text(content)
    raise
  # What follows from a value of the wrong kind, or from none, where one is needed.
  except (_Damage, IndexError, KeyError, OverflowError, TypeError, ValueError,
          struct.error) as error:
    _refuse_text(content)
    raise PickleError('is not a whole pickle (damaged at byte %d%s); unpack the archive '
                      'again' % (reader.place, ': %s' % error if isinstance(
                          error, _Damage) else ''))
  if isinstance(value, dict):
    return {key: _plain(each) for key, each in value.items()}
  return _plain(value)


def _refuse_text(content):
  """Tells of a transfer that took the file for text and lengthened all line breaks."""
  breaks = content.count(b'\n')
  if breaks and breaks == content.count(b'\r\n'):
    raise PickleError('was copied as text, which made \\r\\n of every \\n; copy it as '
                      'binary data, or unpack the archive again')


def _plain(value):
  if isinstance(value, _Array):
    return value.value
  return value


def _text(value):
  return value.decode('latin1') if isinstance(value, bytes) else value


def _build_array(data, dtype, shape, order):
  """A view of the bytes, which may have to be made of text first."""
  if not isinstance(dtype, _Dtype) or not isinstance(shape, tuple) or len(shape) > 32:
    raise _Damage('an array without type or shape')
  size = dtype.dtype.itemsize
  for length in shape:
    if type(length) is not int or not 0 <= length <= 1 << 48:
      raise _Damage('an array of an impossible shape')
    size *= length
  if size != len(data):
    raise _Damage('an array whose shape does not fit its %d bytes' % len(data))
  return np.ndarray(shape, dtype.dtype, data, order=order)


class _Reader(object):
  """Interprets the opcodes of a pickle.

  Args:
    content: bytes of the file.

  Attributes:
    place: of the opcode that is interpreted.
  """

  def __init__(self, content):
    self._content, self._view, self._next = content, memoryview(content), 0
    self._stack, self._marks, self._memo = [], [], {}
    self._copies = 4 * len(content) + (1 << 16)
    self.place = 0

  def run(self):
    content, stack, memo = self._content, self._stack, self._memo
    opcodes = self.OPCODES
    left = _OPCODES + len(content) // _BYTES_PER_OPCODE
    end = len(content)
    while left > 0:
      left -= 1
      place = self.place = self._next
      code = content[place] if place + 5 <= end else None
      # What a data set has by the ten thousand, without a call.
      if code == 0x55:   # U, a short text
        self._next = place + 2 + content[place + 1]
        if self._next > end:
          raise _End()
        stack.append(content[place + 2:self._next].decode('latin1'))
      elif code == 0x72:   # r, put
        memo[int.from_bytes(content[place + 1:place + 5], 'little')] = stack[-1]
        self._next = place + 5
      elif code == 0x4b:   # K, a small number, and those that follow it
        run = content[place:place + 2048:2]
        count = len(run) - len(run.lstrip(b'K'))
        self._next = place + 2 * count
        if self._next > end:
          raise _End()
        stack += content[place + 1:self._next:2]
        left -= count
      else:
        code = content[place:place + 1]
        if code == b'.':
          if len(stack) != 1 or self._marks:
            raise _Damage('values are left over')
          return stack[0]
        if not code:
          raise _End()
        if code not in opcodes:
          raise _Damage('no pickle has %r there' % code)
        self._next = place + 1
        opcodes[code](self)
    raise PickleError('holds more values than a data set of its size; the images must '
                      'be one NumPy array')

  # What follows an opcode.

  def _take(self, count):
    """Where the next `count` bytes start and end."""
    start = self._next
    self._next = start + count
    if count < 0:
      raise _Damage('a negative length')
    if self._next > len(self._content):
      raise _End()
    return start, self._next

  def _bytes(self, count):
    start, end = self._take(count)
    return (self._view if count > _LONG else self._content)[start:end]

  def _number(self, form):
    form = '<' + form
    return struct.unpack_from(form, self._content, self._take(struct.calcsize(form))[0])[0]

  def _line(self):
    end = self._content.find(b'\n', self._next)
    if end < 0:
      raise _End()
    line = self._content[self._next:end]
    self._next = end + 1
    return line

  def _decimal(self, line):
    if not re.match(br'-?[0-9]{1,20}\r?$', line):
      raise _Damage('no number')
    return int(line)

  # The stack.

  def _since_mark(self):
    if not self._marks:
      raise _Damage('a list without its start')
    start = self._marks.pop()
    values = self._stack[start:]
    del self._stack[start:]
    return values

  def _pop(self):
    # Values before a mark are not within reach of what follows it.
    if self._marks and self._marks[-1] >= len(self._stack):
      raise _Damage('a value is missing')
    return self._stack.pop()

  def _push(self, value):
    self._stack.append(value)

  def _mark(self):
    self._marks.append(len(self._stack))

  def _pop_any(self):
    if self._marks and self._marks[-1] == len(self._stack):
      self._marks.pop()
    else:
      self._pop()

  def _tuple(self, count):
    values = [self._pop() for _ in range(count)]
    self._push(tuple(reversed(values)))

  def _put(self, index):
    self._memo[index] = self._stack[-1]

  def _get(self, index):
    if index not in self._memo:
      raise _Damage('a value that was not there before')
    self._push(self._memo[index])

  # Values.

  def _long(self, count):
    if count > 9:
      raise _Damage('a number of %d bytes' % count)
    self._push(int.from_bytes(self._bytes(count), 'little', signed=True))

  def _int(self):
    line = self._line()
    self._push({b'00': False, b'01': True}[line[:2]] if line.rstrip(b'\r') in (
        b'00', b'01') else self._decimal(line))

  def _decimal_long(self):
    line = self._line().rstrip(b'\r')
    self._push(self._decimal(line[:-1] if line.endswith(b'L') else line))

  def _float(self):
    line = self._line()
    if len(line) > 100 or b'_' in line:
      raise _Damage('no number')
    self._push(float(line))

  def _binary_float(self):
    self._push(struct.unpack_from('>d', self._content, self._take(8)[0])[0])

  def _old_string(self, count):
    """A text of Python 2; a long one can only be what an array holds."""
    self._push(_text(self._bytes(count)))

  def _quoted(self):
    line = self._line().rstrip(b' \t\r')
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b'"', b"'"):
      raise _Damage('a text without quotation marks')
    value = codecs.escape_decode(line[1:-1])[0]
    self._push(value if len(value) > _LONG else _text(value))

  def _unicode(self, count):
    start, end = self._take(count)
    self._push(str(self._view[start:end], 'utf-8', 'surrogatepass'))

  # Containers.

  def _extend(self, values):
    target = self._stack[-1]
    if not isinstance(target, list):
      raise _Damage('values for a list that is none')
    target.extend(values)

  def _set_items(self, values):
    target = self._stack[-1]
    if not isinstance(target, dict) or len(values) % 2:
      raise _Damage('values for a dict that is none')
    for i in range(0, len(values), 2):
      key = _text(values[i])
      if not (key is None or type(key) in (str, int, float, bool)):
        raise _Damage('a strange key of a dict')
      target[key] = values[i + 1]

  def _append(self):
    value = self._pop()
    self._extend([value])

  def _set_item(self):
    value = self._pop()
    self._set_items([self._pop(), value])

  def _dict(self):
    values = self._since_mark()
    self._push({})
    self._set_items(values)

  # Names, and what is made through them.

  def _name(self, module, name):
    if (module, name) not in _NAMES:
      shown = ascii('%s.%s' % (module[:100], name[:100]))[1:-1][:200]
      raise PickleError('refused: it would load %s, which no data set needs and which '
                        'could run code; get the file from a source you trust' % shown)
    self._push(_Name(_NAMES[module, name]))

  def _global(self):
    module = self._line().decode('utf-8', 'replace')
    self._name(module, self._line().decode('utf-8', 'replace'))

  def _stack_global(self):
    name, module = _text(self._pop()), _text(self._pop())
    if not isinstance(name, str) or not isinstance(module, str):
      raise _Damage('no name')
    self._name(module, name)

  def _instance(self):
    self._global()
    raise _Damage('an object that no data set needs')

  def _reduce(self):
    arguments, function = self._pop(), self._pop()
    if not isinstance(function, _Name) or not isinstance(arguments, tuple):
      raise _Damage('a call of nothing')
    self._push(getattr(self, '_make_' + function.kind)(*arguments))

  def _make_ndarray(self, *_):
    raise _Damage('an array that NumPy does not write so')

  def _make_reconstruct(self, kind, shape, code):
    if not isinstance(kind, _Name) or kind.kind != 'ndarray':
      raise _Damage('an array of another class')
    return _Array()

  def _make_dtype(self, code, *_):
    code = _text(code)
    if not isinstance(code, str) or not _DTYPE.fullmatch(code):
      raise _Damage('an array\'s type that no data set needs')
    return _Dtype(code)

  def _make_scalar(self, dtype, data):
    return _build_array(self._array_bytes(data), dtype, (1,), 'C')[0]

  def _make_frombuffer(self, data, dtype, shape, order):
    if order not in ('C', 'F'):
      raise _Damage('an array in no order')
    array = _Array()
    array.value = _build_array(self._array_bytes(data), dtype, shape, order)
    return array

  def _make_encode(self, text, encoding):
    if encoding not in ('latin1', 'latin-1') or not isinstance(text, str):
      raise _Damage('bytes that no data set needs')
    return self._encoded(text)

  def _make_bytes(self):
    return b''

  def _build(self):
    state = self._pop()
    if not isinstance(state, tuple):
      raise _Damage('a state of another class')
    target = self._stack[-1]
    if isinstance(target, _Dtype):
      target.set_order(state)
    elif isinstance(target, _Array):
      _, shape, dtype, fortran, data = state
      target.value = _build_array(self._array_bytes(data), dtype, shape,
                                  'F' if fortran else 'C')
    else:
      raise _Damage('a state for what has none')

  def _array_bytes(self, data):
    if isinstance(data, str):
      return self._encoded(data)
    if not isinstance(data, (bytes, memoryview)):
      raise _Damage('an array without bytes')
    return data

  def _encoded(self, text):
    self._copies -= len(text)
    if self._copies < 0:
      raise _Damage('the same bytes over and over')
    return text.encode('latin1')

  def _frame(self):
    count = self._number('Q')
    if count > len(self._content) - self._next:
      raise _End()

  def _protocol(self):
    if self._number('B') > PROTOCOL:
      raise _Damage('an unknown protocol')


_Reader.OPCODES = {
    b'(': _Reader._mark,
    b'.': None,   # the end, see run
    b'0': _Reader._pop_any,
    b'1': _Reader._since_mark,
    b'2': lambda self: self._push(self._stack[-1]),
    b'F': _Reader._float,
    b'I': _Reader._int,
    b'J': lambda self: self._push(self._number('i')),
    b'K': lambda self: self._push(self._number('B')),
    b'L': _Reader._decimal_long,
    b'M': lambda self: self._push(self._number('H')),
    b'N': lambda self: self._push(None),
    b'R': _Reader._reduce,
    b'S': _Reader._quoted,
    b'T': lambda self: self._old_string(self._number('i')),
    b'U': lambda self: self._old_string(self._number('B')),
    b'V': lambda self: self._push(self._line().decode('raw-unicode-escape')),
    b'X': lambda self: self._unicode(self._number('I')),
    b'a': _Reader._append,
    b'b': _Reader._build,
    b'c': _Reader._global,
    b'd': _Reader._dict,
    b'}': lambda self: self._push({}),
    b'e': lambda self: self._extend(self._since_mark()),
    b'g': lambda self: self._get(self._decimal(self._line())),
    b'h': lambda self: self._get(self._number('B')),
    b'i': _Reader._instance,
    b'j': lambda self: self._get(self._number('I')),
    b'l': lambda self: self._push(self._since_mark()),
    b']': lambda self: self._push([]),
    b'p': lambda self: self._put(self._decimal(self._line())),
    b'q': lambda self: self._put(self._number('B')),
    b'r': lambda self: self._put(self._number('I')),
    b's': _Reader._set_item,
    b't': lambda self: self._push(tuple(self._since_mark())),
    b')': lambda self: self._push(()),
    b'u': lambda self: self._set_items(self._since_mark()),
    b'G': _Reader._binary_float,
    b'B': lambda self: self._push(self._bytes(self._number('I'))),
    b'C': lambda self: self._push(self._bytes(self._number('B'))),
    b'\x80': _Reader._protocol,
    b'\x85': lambda self: self._tuple(1),
    b'\x86': lambda self: self._tuple(2),
    b'\x87': lambda self: self._tuple(3),
    b'\x88': lambda self: self._push(True),
    b'\x89': lambda self: self._push(False),
    b'\x8a': lambda self: self._long(self._number('B')),
    b'\x8b': lambda self: self._long(self._number('i')),
    b'\x8c': lambda self: self._unicode(self._number('B')),
    b'\x8d': lambda self: self._unicode(self._number('Q')),
    b'\x8e': lambda self: self._push(self._bytes(self._number('Q'))),
    b'\x93': _Reader._stack_global,
    b'\x94': lambda self: self._put(len(self._memo)),
    b'\x95': _Reader._frame,
    b'\x96': lambda self: self._push(self._bytes(self._number('Q'))),
}
