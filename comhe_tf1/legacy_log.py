"""The two log files of a run, in the original's format, folders and numbering.

`log_train_NN.txt` and `log_test_NN.txt`, NN the first free number from 00 to 99.
Every line is flushed as it is written.
"""
import os

MAX_LOGS = 100


class LogError(OSError):
  """The log files cannot be made; the message is for the user."""


def train_line(step, fit, reg, thom, thomf, acc):
  """The line of a training step; values are those before its update."""
  return ('====iter_%d: fit=%.4f, reg=%.4f, thom=%.4f, thomf=%.4f, acc=%.4f'
          % (step, fit, reg, thom, thomf, acc))


def test_line(step, acc):
  """The line of an evaluation made after the update of `step`."""
  return '++++iter_%d: test acc=%.4f' % (step, acc)


def folder(log_dir, regularizer, synthetic=False):
  """`<log_dir>/<name>_projection/pd<pd>_pn<pn>`, as the original.

  `_pnd<pnd>` stands for `_pn<pn>` where pnd is set, `_iter<iters>` follows where
  projections are trained. Runs on the synthetic sample lie under `sample/`.
  """
  name = 'pd%d' % regularizer.pd
  if getattr(regularizer, 'pnd', 0):
    name += '_pnd%d' % regularizer.pnd
  else:
    name += '_pn%d' % regularizer.pn
  if hasattr(regularizer, 'iters'):
    name += '_iter%d' % regularizer.iters
  parts = ['sample'] if synthetic else []
  return os.path.join(log_dir, *(
      parts + ['%s_projection' % regularizer.name, name]))


class LegacyLog(object):
  """The log files of one run, opened under the first free number.

  Both files are claimed in one go: two runs started at the same moment take
  different numbers. A context manager; leaving it closes the files.

  Args:
    path: folder of the files; made where missing.

  Attributes:
    train_path, test_path: the two files.

  Raises:
    LogError: the folder cannot be written or all numbers are taken.
  """

  def __init__(self, path):
    try:
      os.makedirs(path, exist_ok=True)
      claimed = _claim(path)
    except OSError as error:
      raise LogError('cannot write logs to %s: %s; choose another --log_dir'
                     % (path, error.strerror))
    if not claimed:
      raise LogError('all %d log numbers are taken in %s; move old logs away or '
                     'choose another --log_dir' % (MAX_LOGS, path))
    self._train, self._test = claimed
    self.train_path, self.test_path = self._train.name, self._test.name

  def __enter__(self):
    return self

  def __exit__(self, *error):
    self._train.close()
    self._test.close()

  def train(self, step, **measures):
    """Logs a training step, see `train_line`; returns the line."""
    return _write(self._train, train_line(step, **measures))

  def test(self, step, acc):
    """Logs an evaluation, see `test_line`; returns the line."""
    return _write(self._test, test_line(step, acc))


def _write(file, line):
  file.write(line + '\n')
  return line


def _claim(path):
  """Makes and opens the two files of the first free number, if there is one."""
  for number in range(MAX_LOGS):
    names = ['log_%s_%02d.txt' % (kind, number) for kind in ('train', 'test')]
    train_path, test_path = [os.path.join(path, name) for name in names]
    if os.path.exists(test_path):
      continue
    try:
      # Line-buffered, and only if no other run has made it.
      train = open(train_path, 'x', buffering=1)
    except FileExistsError:
      continue
    try:
      return train, open(test_path, 'x', buffering=1)
    except OSError:
      train.close()
      os.remove(train_path)
      raise
  return None
