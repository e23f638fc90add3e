"""Reads what a training left: log files of either repository, and a run's folder.

Needs no TensorFlow. Files are read line by line and their figures kept as arrays, so
neither a huge nor a binary file takes much memory. A last line without a line break is
just being written, and is no mistake.
"""
import array
import collections
import json
import os
import re
import typing

from comhe_tf1.published import published_runs
from comhe_tf1.records import log_format
from comhe_tf1.records import summary_metrics

LONGEST = 1 << 16        # characters of a line
HOPELESS = 1000          # lines of a file that may be strange, then it is left
_RUN = re.compile(r'run_(\d\d)$')
_LOG = re.compile(r'log_(?:train|test)_(\d\d)\.txt$')


class Source(typing.NamedTuple):
  """Where a run is.

  name: for the user. logs: paths of its log files, some of which may be missing.
  folder: path of its run_NN, or None.
  """
  name: str
  logs: list
  folder: str


class Curve(typing.NamedTuple):
  """A quantity over the steps; arrays of equal length.

  places: decimal places that each value was printed with, see `log_format.Line`; None
  if it was not read from a log.
  """
  steps: typing.Sequence
  values: typing.Sequence
  places: typing.Sequence = None


class Run(typing.NamedTuple):
  """A run as it was recorded.

  name: for the user. key: identifies the run, whatever path it was named by. curves: dict
  from the names of `published_runs.QUANTITIES`, and 'test acc', to `Curve`, without those
  that were not logged. args: dict of flags, or None if they are not recorded.
  environments: list of dicts. finished: whether the run's folder says so. problems: list
  of lines for the user.
  """
  name: str
  key: str
  curves: dict
  args: dict
  environments: list
  finished: bool
  problems: list


class ReadError(Exception):
  """There is nothing to compare; the message is for the user."""


def find(path):
  """The runs that a path means.

  Args:
    path: a run's folder run_NN; a folder with log files, whose runs are all meant; one
      of a run's two log files, which stands for both; or any other file of log lines.

  Returns:
    List of `Source`, not empty.

  Raises:
    ReadError: there is no log file.
  """
  name = os.path.normpath(path)
  folder, base = os.path.split(os.path.abspath(path))
  if os.path.isdir(path):
    match = _RUN.match(base)
    if match:
      return [_source(os.path.dirname(name), folder, match.group(1))]
    numbers = sorted({match.group(1) for match in map(_LOG.match, os.listdir(path))
                      if match})
    if not numbers:
      raise ReadError(f'{path} holds no log_train_NN.txt or log_test_NN.txt; name the '
                      f'folder that does')
    return [_source(name, os.path.join(folder, base), number) for number in numbers]
  if not os.path.exists(path):
    raise ReadError(f'{path}: no such file or folder')
  if not os.path.isfile(path):
    raise ReadError(f'{path} is neither a file nor a folder')
  match = _LOG.match(base)
  if match:
    return [_source(os.path.dirname(name), folder, match.group(1))]
  return [Source(name, [os.path.join(folder, base)], None)]


def _source(shown, folder, number):
  run = os.path.join(folder, 'run_' + number)
  if os.path.isdir(run):
    return Source(os.path.join(shown, 'run_' + number),
                  log_format.paths(folder, int(number)), run)
  return Source(os.path.join(shown, f'log_test_{number}.txt'),
                log_format.paths(folder, int(number)), None)


def key(source):
  """Tells runs apart, whatever path they were named by."""
  return os.path.realpath(source.logs[-1])


def lines_of(path):
  """Yields the lines of a file as pairs of number from 1 and text without line break.

  The last line has the number 0 if its line break is missing. Bytes that are not UTF-8
  become U+FFFD, and a line longer than LONGEST becomes several. A byte-order mark is left
  out.

  Raises:
    ReadError: it is UTF-16.
    OSError: the file cannot be read.
  """
  with open(path, encoding='utf-8-sig', errors='replace') as file:
    for number, line in enumerate(iter(lambda: file.readline(LONGEST), ''), 1):
      if number == 1 and line[:2] == '\ufffd\ufffd' and '\0' in line[:4]:
        raise ReadError(f'{path} is UTF-16 text, as PowerShell writes it; save it as '
                        f'UTF-8')
      whole = line.endswith('\n') or len(line) == LONGEST
      yield number if whole else 0, line.rstrip('\n')


def _describe_strange(path, wanted, strange):
  """A list of one line for the user, or of none.

  Args:
    path: of a file.
    wanted: what its lines should be.
    strange: list of pairs of number and text, its lines that are not.
  """
  done = 'left out' if len(strange) < HOPELESS else 'not read on'
  return [f'{path}: line {number} is no {wanted}: {text[:60]!r}; such lines: '
          f'{len(strange)}, {done}' for number, text in strange[:1]]


def read(source):
  """Reads a run.

  Args:
    source: `Source`.

  Returns:
    `Run`, with at least one curve.

  Raises:
    ReadError: there is no figure in its files, or those of two runs.
  """
  curves, problems = {}, []
  there = [path for path in source.logs if os.path.exists(path)]
  if not there:
    names = ' or '.join(map(os.path.basename, source.logs))
    raise ReadError(f'{source.name}: there is no {names} beside it')
  for path in there:
    try:
      problems += _read_log(path, curves)
    except OSError as error:
      problems.append(f'{path}: {error.strerror}')
  if not curves:
    raise ReadError(problems[0] if problems else
                    f'{source.name}: no whole log line yet')
  args = _read_json(source, 'args.json', dict, problems)
  environments = _read_json(source, 'env.json', list, problems)
  return Run(
      name=source.name, key=key(source), curves=curves, args=args,
      environments=[facts for facts in environments or [] if isinstance(facts, dict)],
      finished=bool(source.folder) and os.path.exists(
          os.path.join(source.folder, 'final.json')), problems=problems)


def _read_log(path, curves):
  """Adds the figures of a log file to `curves`; returns lines about what is wrong."""
  strange = []
  for number, text in lines_of(path):
    line = log_format.parse(text)
    # Without its line break, the last figure may be cut too.
    if number == 0 and not (line and re.search(r'\.\d{4}$', text)):
      continue
    if line is None:
      strange.append((number, text))
      if len(strange) == HOPELESS:
        break
      continue
    for name in published_runs.QUANTITIES if line.kind == 'train' else ('test acc',):
      if name in line.values:
        steps, values, places = curves.setdefault(
            name, Curve(array.array('l'), array.array('d'), array.array('h')))
        if steps and steps[-1] >= line.step:
          which = f'line {number}' if number else 'the last line'
          raise ReadError(f'{path}: {which} is of step {line.step}, after step '
                          f'{steps[-1]}: are these two runs in one file?')
        steps.append(line.step)
        values.append(line.values[name])
        places.append(line.places[name])
  return _describe_strange(path, 'log line', strange)


def _read_json(source, name, kind, problems):
  """Content of a file of the run's folder, or None."""
  path = source.folder and os.path.join(source.folder, name)
  if not path or not os.path.exists(path):
    return None
  try:
    with open(path, 'rb') as file:
      content = json.loads(file.read(LONGEST * 16).decode('utf-8-sig'))
    if isinstance(content, kind):
      return content
    problem = f'holds no {kind.__name__}'
  except OSError as error:
    problem = error.strerror
  except (ValueError, RecursionError):
    problem = 'is not valid JSON'
  problems.append(f'{path}: {problem}; taken as if it were missing')
  return None


def layer_energies(source):
  """Energies of the layers over the steps, as a run's metrics.jsonl has them.

  Args:
    source: `Source`.

  Returns:
    Pair of an ordered dict from 'energies' (the terms trained on), 'full_energies' and
    'half_energies' (of the kernels as they are) to ordered dicts from layer to
    `Curve`, without what was not recorded; and a list of lines about what is wrong.
  """
  by_kind = collections.OrderedDict()
  path = source.folder and os.path.join(source.folder, 'metrics.jsonl')
  if not path or not os.path.exists(path):
    return by_kind, []
  strange = []
  try:
    for number, text in lines_of(path):
      if number == 0 or len(strange) == HOPELESS:
        break
      try:
        _add_energies(json.loads(text), by_kind)
      except (ValueError, TypeError, KeyError, AttributeError, RecursionError,
              OverflowError):
        strange.append((number, text))
  except (OSError, ReadError) as error:
    return by_kind, [str(error)]
  return by_kind, _describe_strange(path, 'record', strange)


def _add_energies(entry, by_kind):
  step = entry['step']
  for kind in ('energies', 'full_energies', 'half_energies'):
    for layer, value in sorted(entry.get(kind, {}).items()):
      curve = by_kind.setdefault(kind, collections.OrderedDict()).setdefault(
          layer, Curve(array.array('l'), array.array('d')))
      value = float(value)
      curve.steps.append(step)
      curve.values.append(value)


def train_line(run, index):
  """Pair of the step of a training line and a dict of its figures, or None without any.

  Args:
    run: `Run`.
    index: 0 for the first line, -1 for the last.
  """
  if 'fit' not in run.curves:
    return None
  step = run.curves['fit'].steps[index]
  return step, collections.OrderedDict(
      (name, run.curves[name].values[index]) for name in published_runs.QUANTITIES
      if name in run.curves and run.curves[name].steps[index] == step)


def tests(run):
  """List of pairs of step and test accuracy."""
  curve = run.curves.get('test acc')
  return list(zip(curve.steps, curve.values)) if curve else []


def final(run):
  """As `summary_metrics.compute`, or None without a test accuracy."""
  pairs = tests(run)
  return summary_metrics.compute(pairs) if pairs else None
