import collections
import datetime
import fractions
import gzip
import io
import os
import pickle
import struct
import tracemalloc

import numpy as np
import pytest

import cifar_input

DATA = np.random.RandomState(0).randint(0, 256, (3, 3072)).astype(np.uint8)
LABELS = [7, 0, 99]


def load(tmp_path, content):
  path = tmp_path / 'train'
  path.write_bytes(content)
  return cifar_input.load(str(path))


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize('make', [
    list, np.array, lambda labels: list(np.array(labels)), tuple,
    lambda labels: np.array(labels, '>u2')],
                         ids=['list', 'array', 'scalars', 'tuple', 'big-endian'])
def test_what_this_python_writes(tmp_path, protocol, make):
  rows = {'data': DATA, 'fine_labels': make(LABELS), 'batch_label': '\u00e4\u4e16\n',
          'filenames': ['a' * 5000, 'b'], 'more': [None, True, False, 0.5, -1, 1 << 40, {}]}
  for content in (rows, {key.encode(): value for key, value in rows.items()},
                  dict(rows, data=np.asfortranarray(DATA))):
    images, labels = load(tmp_path, pickle.dumps(content, protocol))
    assert labels.tolist() == LABELS and images[2, 1, 0, 1] == DATA[2, 1024 + 32]


WHOLE = pickle.dumps({'data': DATA, 'fine_labels': LABELS}, 2)
BINARY = b'\x13' + np.random.RandomState(1).bytes(20000)


class Further:
  """An object of a class, with attributes."""

  def __init__(self):
    self.attribute = [1]


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize('extra', [
    np.array(['a.png', 'bc.png']), np.array([b'a.png']), np.array(['a', 1, None], object),
    np.zeros(2, [('a', 'i4'), ('b', 'f8')]), np.array(['2020-01-01'], 'M8[D]'),
    np.str_('a'), np.longdouble(1), {1, 'a'}, frozenset([2]), bytearray(b'abc'), 1j,
    collections.OrderedDict(a=[1]), collections.defaultdict(list, a=[1]),
    collections.Counter('ab'), {(1, 2): 3, None: 4}, datetime.date(2020, 1, 1),
    fractions.Fraction(1, 2), slice(1), Ellipsis, Further(), Further, os.system, 1 << 5000],
                         ids=lambda value: type(value).__name__)
def test_keys_that_are_not_needed(tmp_path, protocol, extra):
  rows = {'data': DATA, 'fine_labels': LABELS, 'filenames': extra, 'more': [extra, extra]}
  for content in (rows, collections.OrderedDict(rows)):
    assert load(tmp_path, pickle.dumps(content, protocol)).labels.tolist() == LABELS


@pytest.mark.parametrize('key', ['data', 'fine_labels'])
@pytest.mark.parametrize('value, name', [
    (np.array(['a'] * 3), 'a NumPy array of type U1'), ({1, 2}, '(a set|.*[.]set)'),
    (np.array([1, 2, None], object), 'a NumPy array of type O8'),
    (datetime.date(2020, 1, 1), 'datetime.date')], ids=['texts', 'set', 'objects', 'date'])
def test_a_needed_key_that_holds_something_else(tmp_path, key, value, name):
  rows = dict({'data': DATA, 'fine_labels': LABELS}, **{key: value})
  for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
    with pytest.raises(cifar_input.DataError, match=(
        f'train: {key} holds {name}, which is not read; the pickle must be as in')):
      load(tmp_path, pickle.dumps(rows, protocol))


def npy(array):
  file = io.BytesIO()
  np.save(file, array)
  return file.getvalue()


@pytest.mark.parametrize('content, message', [
    (gzip.compress(WHOLE), 'is no pickle but a gzip file; unpack it'),
    (b'\n<!DOCTYPE html><html>404', 'is no pickle but a web page; '),
    (b'<html>', 'is no pickle but a web page; '),
    (b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n',
     'is no pickle but a git-lfs pointer, which stands for the file; get that by git lfs '
     'pull'),
    (b'cifar-100-python/'.ljust(257, b'\0') + b'ustar', 'is no pickle but an archive; '),
    (b'PK\x03\x04', 'is no pickle but an archive; unpack it'),
    (WHOLE.replace(b'\n', b'\r\n'), 'is not a whole pickle (damaged near byte '),
    (WHOLE.decode('latin1').encode(), 'is not a whole pickle (damaged near byte 1 of '),
    (WHOLE[:-1], 'is not a whole pickle (damaged near byte %d of %d); unpack the archive '
                 'again' % (len(WHOLE) - 1, len(WHOLE) - 1)),
    (WHOLE[:5000], 'is not a whole pickle (damaged near byte 5000 of 5000); '),
    (b'', 'is not a whole pickle (damaged near byte 0 of 0); '),
    (b'not a pickle', 'is not a whole pickle (damaged near byte 1 of 12); '),
    (WHOLE[:-1] + b'?.', 'is not a whole pickle (damaged near byte %d of %d); ' % (
        len(WHOLE), len(WHOLE) + 1)),
    (b'cos' + b'\xff' * 500 + b'\n\n.', 'is not a whole pickle (damaged near byte '),
    (b'ceval\x1b[31m\n' + b'x' * 5000 + b'\n.', 'holds eval\\x1b[31m.xxx'),
    (npy(DATA), 'is no pickle but a file of numpy.save; '),
    (b'PK\x03\x04' + b'\0' * 26 + b'archive/data.pkl',
     'is no pickle but a file of torch.save'),
    (pickle.dumps(0x1950a86a20f9469cfc6c, 2) + WHOLE,
     'is no pickle but a file of torch.save'),
    (b'MATLAB 5.0 MAT-file, Platform: GLNXA64',
     'is no pickle but a file of MATLAB or HDF5'),
    (b'\x89HDF\r\n\x1a\n', 'is no pickle but a file of MATLAB or HDF5; of CIFAR, the '
                           'python version is read'),
    (BINARY[:3074 * 3], "is no pickle but, by its size, a file of CIFAR's binary version"),
    (BINARY[:3073 * 3], "is no pickle but, by its size, a file of CIFAR's binary version"),
], ids=['gzip', 'page', 'page 2', 'git-lfs', 'tar', 'zip', 'crlf', 'utf-8', 'cut', 'cut 2',
        'empty', 'text', 'junk', 'odd name', 'odd name 2', 'npy', 'torch', 'old torch', 'mat',
        'hdf5', 'binary', 'binary 10'])
def test_the_advice_fits_the_cause(tmp_path, content, message):
  with pytest.raises(cifar_input.DataError) as error:
    load(tmp_path, content)
  line = str(error.value)
  assert line.startswith(f"{tmp_path / 'train'} {message}")
  assert line.isprintable() and len(line) < 600


_RECONSTRUCT = b'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS\'b\'\ntR'


def _array(shape, code=b'u1', order=b'|', compound=b'NNN', data=b"S'abcd'\n"):
  return (b"(S'data'\n" + _RECONSTRUCT + b'(I1\n' + shape + b"cnumpy\ndtype\n(S'" + code
          + b"'\nI0\nI1\ntR(I3\nS'" + order + b"'\n" + compound + b'I-1\nI-1\nI0\ntbI0\n'
          + data + b'tbd.')


@pytest.mark.parametrize('rows', [
    _array(b'(I3\nI3072\nt', data=b'T' + struct.pack('<i', DATA.size) + DATA.tobytes())[:-2],
    b"\x80\x05(S'data'\ncnumpy._core.numeric\n_frombuffer\n(\x96"
    + struct.pack('<Q', DATA.size) + DATA.tobytes()
    + b"cnumpy\ndtype\n(S'u1'\nI0\nI1\ntR(I3\nI3072\nt\x8c\x01CtR"],
                         ids=['Python 2', 'protocol 5'])
def test_what_other_pythons_write(tmp_path, rows):
  """The official files are of Python 2; Python 3.6 has no protocol 5."""
  images, labels = load(tmp_path, rows + b"S'fine_labels'\n(I7\nI0\nI99\nld.")
  np.testing.assert_array_equal(images, DATA.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
  assert labels.tolist() == LABELS


def _labels(labels):
  return pickle.dumps({'data': DATA, 'fine_labels': labels}, 2)


def _laughing(depth):
  labels = [0] * 3
  for _ in range(depth):
    labels = [labels] * 3
  return labels


NASTY = {
    'memo index 2^31': b'\x80\x02]r\x00\x00\x00\x80.',
    'memo index in text': b']p2147483648\n.',
    'huge memo index': b']p' + b'9' * 100000 + b'\n.',
    'get of nothing': b'j\xff\xff\xff\xff.',
    'get of itself': b']q\0h\0a.',
    'dict of itself': b'}q\0Nh\0s.',
    'tuple of a list of itself': b']q\0h\0\x85a.',
    'huge text': b'T\xff\xff\xff\x7f',
    'negative text': b'T\xff\xff\xff\xff',
    'huge bytes': b'\x8e' + b'\xff' * 8,
    'huge buffer': b'\x96' + b'\xff' * 7 + b'\x7f',
    'huge frame': b'\x95' + b'\xff' * 8 + b'].',
    'huge number': b'\x8b\xff\xff\xff\x7f',
    'long number': b'\x8b' + struct.pack('<i', 100000) + b'\x01' * 100000 + b'.',
    'long decimal': b'L' + b'7' * 100000 + b'L\n.',
    'long float': b'F' + b'7' * 100000 + b'\n.',
    'deep': b']' * 100000 + b'a' * 99999 + b'.',
    'deep tuples': b')' + b'\x85' * 100000 + b'.',
    'deep marks': b'(' * 100000 + b't' * 100000 + b'.',
    'labels that laugh': _labels(_laughing(30)),
    'arrays as labels': _labels([DATA.repeat(30, 0)] * 10000),
    'a key that laughs': b'})q\0' + b''.join(
        b'0h%ch%c\x86q%c' % (i, i, i + 1) for i in range(40)) + b'Ns.',
    'texts as labels': b"(S'data'\n" + pickle.dumps(DATA, 2)[2:-1] + b"S'fine_labels'\n(S'"
                       + b'x' * 100000 + b"'\nq\1" + b'h\1' * 10000 + b'ld.',
    'the same bytes over and over': (
        b"c_codecs\nencode\nq\0(X" + struct.pack('<I', 50000) + b'x' * 50000
        + b"S'latin1'\ntq\1R" + b'h\0h\1R' * 10000 + b'.'),
    'doubled': b'](' + b'2' * 300000 + b'e.',
    'many': b'}' * 300000 + b'.',
    'many numbers': b'(' + b'K\0' * 400000 + b'l.',
    'another codec': b"c_codecs\nencode\n(Vx\nS'zip'\ntR.",
    'objects': _array(b'(I4\nt', b'O8'),
    'text array': _array(b'(I1\nt', b'S4'),
    'structured': _array(b'(I1\nt', b'V4', compound=b"N(S'a'\nt}"),
    'fields': _array(b'(I4\nt', compound=b"N(S'a'\nt}"),
    'negative shape': _array(b'(I-4\nI-1\nt'),
    'overflow': _array(b'(L4294967296L\nL4294967296L\nI4\nt'),
    'overflow to fit': _array(b'(L9223372036854775807L\nI0\nt', data=b"S''\n"),
    'many dimensions': _array(b'(I4\n' + b'I1\n' * 100 + b't'),
    'truth as a length': _array(b'(I01\nI4\nt'),
    'too short': _array(b'(I5\nt'),
    'strange order': _array(b'(I4\nt', order=b'?'),
    'no type': b"(S'data'\n" + _RECONSTRUCT + b"(I1\n(I4\ntNI0\nS'abcd'\ntbd.",
    'its own bytes': _array(b'(I4\nt', data=b'g5\n'),
    'array without state': b"(S'data'\n" + _RECONSTRUCT + b"d.",
    'an array of a name': b"(S'data'\ncnumpy\nndarray\nd.",
    'no stop': b'\x80\x02]',
    'no mark': b'\x80\x02N]u.',
    'no mark 2': b'e.',
    'nothing on the stack': b'a.', 'nothing to put': b'q\0.', 'nothing to double': b'2.',
    'two values': b'NN.', 'a mark is left': b'(N.',
    'a call of text': b"S'a'\n)R.", 'an array called': b'cnumpy\nndarray\n)R.',
    'bytes of a size': b'cbuiltins\nbytes\n(I2000000000\ntR.',
    'too many arguments': b'cnumpy.core.multiarray\nscalar\n(NNNNtR.',
    'an old instance': b'(inumpy\nndarray\n.', 'a new object': b'cnumpy\nndarray\n)\x81.',
    'an extension': b'\x82\x01.', 'a persistent name': b'Pname\n.', 'a set': b'\x8f.',
    'not UTF-8': b'X\x02\0\0\0\xff\xfe.', 'odd escape': b"S'\\q\\xzz'\n.",
    'odd escape 2': b'V\\ud80\n.', 'odd pair': b'(Nd.',
    'out-of-band': b'\x97.', 'unhashable': b'}]Ns.', 'no module': b'NN\x93.',
}


@pytest.mark.parametrize('name', sorted(NASTY))
def test_nasty_inputs(tmp_path, name, capfd):
  tracemalloc.start()
  try:
    with pytest.raises(cifar_input.DataError) as error:
      load(tmp_path, NASTY[name])
    peak = tracemalloc.get_traced_memory()[1]
  finally:
    tracemalloc.stop()
  assert peak < 100 << 20
  assert str(error.value).isprintable() and len(str(error.value)) < 600
  assert capfd.readouterr() == ('', '')
