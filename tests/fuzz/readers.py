"""The project's readers of files, as `engine.Reader`, with good files to damage."""
import collections
import json
import os
import pickle
import pickletools
import tempfile

import engine
import numpy as np

import cifar_input
from comhe_tf1.comparison import energy_sums
from comhe_tf1.comparison import tables
from comhe_tf1.comparison import verdicts
from comhe_tf1.records import checkpoints
from comhe_tf1.records import log_format
from comhe_tf1.records import recorded_run

_JSON = [b'{', b'}', b'[', b']', b'"', b',', b':', b'null', b'true', b'-', b'NaN',
         b'Infinity', b'1e400', b'\\ud800', b'\xff', b'{}', b'[]', b'{"":', b'\n', b'\0']


def pickles():
  rng = np.random.RandomState(0)
  rows = {'data': rng.randint(0, 256, (2, 3072)).astype(np.uint8),
          'fine_labels': [3, 99], 'coarse_labels': [0, 1], 'filenames': ['a', 'b']}
  others = dict(rows, fine_labels=np.array([1, 2], '>i4'),
                data=np.asfortranarray(rows['data']))
  numpy_scalars = dict(rows, fine_labels=list(np.arange(2)))
  as_bytes = {key.encode(): value for key, value in rows.items()}
  ordered = collections.OrderedDict(rows, filenames=np.array(['a', 'b']), more={1, 'a'})
  seeds = [pickle.dumps(content, protocol)
           for content in (rows, others, numpy_scalars, as_bytes, ordered)
           for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
  codes = [op.code.encode('latin1') for op in pickletools.opcodes]

  def read(content, folder):
    path = os.path.join(folder, 'train')
    _write(path, content)
    cifar_input.load(path)

  return engine.Reader('pickles', seeds, read, cifar_input.DataError, codes + [
      b'cnumpy\nndarray\n', b'cnumpy\ndtype\n', b'cnumpy.core.multiarray\nscalar\n',
      b'cnumpy.core.multiarray\n_reconstruct\n', b'c_codecs\nencode\n',
      b'ccollections\nOrderedDict\n)R', b'2e', b'2a',
      b'O8', b'V8', b'M8', b'(lp0\n', b'r\xff\xff\xff\x7f', b'p2147483648\n', b'h\0'])


def checkpoint_facts():
  with tempfile.TemporaryDirectory() as folder:
    with checkpoints.Writer(folder, 1) as writer:
      prefix = writer.save(7, {'weights': np.arange(6, dtype=np.float32)},
                           {'rng': [1, 2], 'network': {'model': 'cnn9'}})
    others = {ending: _content(prefix + ending)
              for ending in ('.index', '.data-00000-of-00001')}
    seeds = [_content(prefix + '.json')]

  def read(content, folder):
    prefix = os.path.join(folder, 'model.ckpt-7')
    for ending, other in others.items():
      _write(prefix + ending, other)
    _write(prefix + '.json', content)
    checkpoints.load(prefix)

  return engine.Reader('checkpoints', seeds, read, checkpoints.CheckpointError, [
      b'{', b'}', b'[', b'null', b'"steps"', b'7', b'NaN', b'1e999', b'\xff'])


def _run_reader(name, file, seeds, tokens, read):
  """Reader of one file of a run whose other files are good."""
  train = [log_format.train_line(step, 6.3, 1.2, 5.1, 5., 0.01) for step in (0, 100, 200)]
  test = [log_format.test_line(step, 0.25) for step in (500, 1000)]
  files = {'log_train_00.txt': '\n'.join(train).encode() + b'\n',
           'log_test_00.txt': '\n'.join(test).encode() + b'\n',
           'run_00/args.json': b'{}'}

  def load(content, folder):
    if not os.path.exists(os.path.join(folder, 'run_00')):
      os.mkdir(os.path.join(folder, 'run_00'))
      for path, good in files.items():
        _write(os.path.join(folder, path), good)
    _write(os.path.join(folder, file), content)
    read(folder)

  return engine.Reader(name, seeds or [files[file]], load,
                       recorded_run.ReadError, tokens)


def _read_run(folder):
  run, = recorded_run.find(os.path.join(folder, 'run_00'))
  read = recorded_run.read(run)
  recorded_run.train_line(read, 0)
  recorded_run.train_line(read, -1)
  recorded_run.final(read)
  compared = verdicts.compare([read], verdicts.recorded_reference(folder, [read]))
  tables.text(tables.blocks(compared))
  tables.as_json(compared)


def _read_metrics(folder):
  run, = recorded_run.find(os.path.join(folder, 'run_00'))
  by_kind, _ = recorded_run.layer_energies(run)
  for layers in by_kind.values():
    energy_sums.but_last(layers)


_LOG = [b'====iter_', b'++++iter_', b'\n', b'\r\n', b'fit=', b'acc=', b'test acc=', b'nan',
        b'-inf', b', ', b'e308', b'e999', b'.', b'\xff', b'\0', b'\xe2\x80\xa8']


def train_log():
  return _run_reader('train_log', 'log_train_00.txt', None, _LOG, _read_run)


def test_log():
  return _run_reader('test_log', 'log_test_00.txt', None, _LOG, _read_run)


test_log.__test__ = False   # for pytest: it is none


def metrics():
  lines = [json.dumps({'kind': 'train', 'step': step, 'energies': {'a': 0.5, 'b': 1.5},
                       'full_energies': {'a': 1., 'score': 1.}, 'half_energies': {'a': 2.}})
           for step in (0, 100)]
  return _run_reader('metrics', 'run_00/metrics.jsonl',
                     ['\n'.join(lines).encode() + b'\n'], _JSON, _read_metrics)


_ARGS = {'regularizer': 'random', 'base_lr': 0.1, 'lr_drops': [1, 2], 'groups': None,
         'xla': False}


def args():
  return _run_reader('args', 'run_00/args.json', [json.dumps(_ARGS).encode()], _JSON,
                     _read_run)


def resume():
  # Not above, as it takes TensorFlow.
  from comhe_tf1.records import run_record

  def read(folder):
    run = run_record.resume(folder, _ARGS, _ARGS)
    if isinstance(run, run_record.RunRecord):
      with run:
        pass

  return _run_reader('resume', 'run_00/args.json', [json.dumps(_ARGS).encode()], _JSON,
                     read)._replace(errors=run_record.RunError)


def _write(path, content):
  with open(path, 'wb') as file:
    file.write(content)


def _content(path):
  with open(path, 'rb') as file:
    return file.read()


READERS = collections.OrderedDict((make.__name__, make) for make in (
    pickles, checkpoint_facts, train_log, test_log, metrics, args, resume))
