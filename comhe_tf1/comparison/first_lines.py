"""The first line of a run beside its reference's, and what may explain a difference."""
import collections
import typing

from comhe_tf1.published import published_runs
from comhe_tf1.records import run_settings


class FirstLine(typing.NamedTuple):
  """The line iter_0 of a run, `verdicts.Entry`, beside that of its reference.

  figures: ordered dict from quantity to the pair of strings in the two lines. matches:
  whether all agree to the last digit, None if they cannot be compared.
  """
  entry: object
  figures: dict
  matches: bool
  conclusion: str


def compare(entry):
  """The `FirstLine` of a `verdicts.Entry`."""
  reference, line = entry.reference, entry.first_line
  missing = _nothing_to_compare(line, reference)
  if missing:
    return FirstLine(entry, {}, None, missing)
  (_, ours), (_, theirs) = line, reference.first_line
  figures = collections.OrderedDict(
      (name, (f'{ours[name]:.4f}' if name in ours else None, f'{theirs[name]:.4f}'))
      for name in published_runs.QUANTITIES if name in theirs)
  differing = [name for name, (ours, theirs) in figures.items() if ours != theirs]
  if not differing:
    return FirstLine(entry, figures, True, 'all figures match to the last digit')
  return FirstLine(entry, figures, False, f'{_which_differ(figures, differing)}. '
                                          f'{_why(entry, reference, differing)}')


def _nothing_to_compare(line, reference):
  """Why two lines of step 0 cannot be compared, or None."""
  if line is None:
    return 'there is no training line'
  if line[0] != 0:
    return (f'its first training line is of step {line[0]:,}, not 0, so there is nothing '
            f'to compare')
  if reference is None:
    return 'no published run of this method is known'
  if reference.first_line is None or reference.first_line[0] != 0:
    return f'{reference.label} has no line of step 0'
  return None


def _which_differ(figures, differing):
  kept = [name for name in figures if name not in differing]
  text = f'{", ".join(differing)} differ{"s" if len(differing) == 1 else ""}'
  if kept:
    text += (f'; {", ".join(kept)} match{"es" if len(kept) == 1 else ""} to the last '
             f'digit')
  if {'reg', 'thom', 'thomf'} <= set(kept):
    text += ', so the initial weights and projections are the same'
  return text


def _why(entry, reference, differing):
  """Why figures of the first line may differ."""
  if entry.settings is None or reference.settings is None:
    seed = (reference.settings or {}).get('random_seed')
    return (f'A log does not record why. Possible reasons: another seed'
            f'{"" if seed is None else f" than {seed}"}, other op seeds than those of '
            f'TensorFlow 1.8 to 1.12, other settings, other data, another batch size')
  names = {name for quantity in differing for name in run_settings.DECISIVE[quantity]}
  if 'iters' not in reference.settings:
    names.discard('base_lr')   # it only moves projections that are trained
  reasons = run_settings.differences(entry.settings, reference.settings, names)
  if reasons:
    return 'This run has ' + '; '.join(reasons)
  if entry.settings.get('data_md5') is None:
    cause = 'perhaps other data'
  else:
    cause = 'the data are the same; perhaps another version of this project'
  return (f'No recorded flag explains it: {cause}; or sums in another order, if only the '
          f'last digit differs')
