"""The two log files of a run: the original's format and numbering.

`log_train_NN.txt` and `log_test_NN.txt`, NN the first free number from 00 to 99.
"""
import os
import re
import typing

MAX_LOGS = 100
_FIELD = (r'([A-Za-z][A-Za-z0-9_ ]{0,30})='
          r'(-?[0-9]{1,15}(?:\.[0-9]{1,15})?(?:e[-+]?[0-9]{1,3})?|-?nan|-?inf)')
_LINE = re.compile(r'(====|\+\+\+\+)iter_([0-9]{1,9}): (%s(?:,? %s)*)$'
                   % (_FIELD, _FIELD))
_FIELDS = re.compile(_FIELD)


class Line(typing.NamedTuple):
  """A parsed line.

  kind: 'train' or 'test'. values: dict of floats. places: dict of how many decimal places
  each was printed with, negative where an exponent makes it so.
  """
  kind: str
  step: int
  values: dict
  places: dict


def train_line(step, fit, reg, thom, thomf, acc):
  """The line of a training step; values are those before its update."""
  return ('====iter_%d: fit=%.4f, reg=%.4f, thom=%.4f, thomf=%.4f, acc=%.4f'
          % (step, fit, reg, thom, thomf, acc))


def test_line(step, acc):
  """The line of an evaluation made after the update of `step`."""
  return '++++iter_%d: test acc=%.4f' % (step, acc)


def parse(text):
  """Parses a line of either log file of either repository of the authors.

  The MHE authors' lines may lack thom and thomf, and may end with more fields; as
  their program, NaN and infinities are accepted, but for accuracies.

  Args:
    text: str, without the line break.

  Returns:
    `Line`, whose values are named as in the line, or None if the text is no whole line.
  """
  match = _LINE.match(text)
  if not match:
    return None
  kind = 'train' if match.group(1) == '====' else 'test'
  fields = dict(_FIELDS.findall(match.group(3)))
  values = {name: float(value) for name, value in fields.items()}
  if kind == 'train' and 'fit' not in values:
    return None
  accuracy = values.get('acc' if kind == 'train' else 'test acc', -1.)
  if not 0 <= accuracy <= 1:
    return None
  return Line(kind, int(match.group(2)), values,
              {name: _places(value) for name, value in fields.items()})


def _places(text):
  """Decimal places of a printed number: 4 of '0.0100', 3 of '1.5e-2', 0 of 'nan'."""
  number, _, exponent = text.partition('e')
  return len(number.partition('.')[2]) - int(exponent or 0)


def paths(path, number):
  """Paths of the two log files of a run, that of the training lines first."""
  return [os.path.join(path, 'log_%s_%02d.txt' % (kind, number))
          for kind in ('train', 'test')]


def free_numbers(path):
  """The numbers from 00 to 99 that no log file in a folder has, in order."""
  return [number for number in range(MAX_LOGS)
          if not any(map(os.path.lexists, paths(path, number)))]
