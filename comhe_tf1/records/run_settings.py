"""What a run was trained with, as far as its record or its folder's name says.

Needs no TensorFlow. Settings have the names and values of train.py's flags.
"""
import os
import re
import typing

from comhe_tf1.data import datasets
from comhe_tf1.published import published_runs
from comhe_tf1.regularizers import methods

# Flags that make a run another draw of the same experiment.
DRAWS = frozenset(['random_seed', 'op_seeds', 'xla', 'tf32', 'deterministic'])
# What decides what is trained; all else is where things are and what is written.
MATERIAL = DRAWS | set(methods.SETTINGS) | {
    'regularizer', 'model', 'width', 'depth', 'dataset', 'data_md5', 'batch_size',
    'base_lr', 'lr_drops', 'max_steps', 'bn_decay', 'bn_stats'}

_WEIGHTS = ('random_seed', 'op_seeds', 'dataset', 'model', 'width', 'depth')
_TERMS = _WEIGHTS + ('regularizer', 'base_lr') + tuple(
    name for name in methods.SETTINGS if name != 'output_energy_weight')
_BATCH = _WEIGHTS + ('batch_size', 'data_md5')
# Flags that decide a figure of the first line.
DECISIVE = {'fit': _BATCH, 'acc': _BATCH, 'reg': _WEIGHTS, 'thom': _TERMS,
            'thomf': _WEIGHTS + ('regularizer', 'power', 'output_energy_weight')}


def get_published_settings(run):
  """The settings of a published run, as flags; those that are not known are missing."""
  settings = published_runs.settings_of_the_code(run.regularizer, run.settings)
  settings.update(max_steps=run.protocol.steps, lr_drops=list(run.protocol.lr_drops),
                  data_md5=datasets.DATASETS['cifar100'].digest)
  if run.random_seed is not None:
    settings.update(random_seed=run.random_seed, op_seeds=run.scheme)
  return settings


def get_settings(run):
  """The settings of a run, `recorded_run.Run`, or None if they are not recorded."""
  return run.args and {name: value for name, value in run.args.items()
                       if name in MATERIAL and value is not None}


def differences(settings, wanted, names=None):
  """Where settings differ.

  Args:
    settings, wanted: dicts; what one of them lacks does not count.
    names: those to look at, or None for all.

  Returns:
    List of strings such as '--pd 30, not 40'.
  """
  differing = [name for name in sorted(settings)
               if name in wanted and (names is None or name in names)
               and settings[name] != wanted[name]]
  if 'dataset' in differing and 'data_md5' in differing:
    differing.remove('data_md5')   # goes without saying
  return [f'{"data with md5 sum" if name == "data_md5" else "--" + name} '
          f'{shown(settings[name])}, not {shown(wanted[name])}' for name in differing]


def data(settings):
  """What a run was trained with, as `datasets.describe`, or None if unknown."""
  dataset, data_md5 = settings.get('dataset'), settings.get('data_md5')
  if dataset in list(datasets.DATASETS) and data_md5:
    return datasets.describe(dataset, data_md5)
  return None


def shown(value):
  if isinstance(value, list):
    return ','.join(map(str, value)) or "''"
  return f'{value:g}' if isinstance(value, float) else str(value)


def described(settings):
  """A method and its settings in a few words."""
  name = str(settings.get('regularizer'))
  usual = {}
  if name in methods.METHODS:
    power = settings.get('power')
    known = isinstance(power, str) and power in methods.POWERS
    usual = methods.resolve(name, {'power': power} if known else {})
  words = [name]
  words += [f'{name} {shown(settings[name])}' for name in usual
            if name in settings and (name in ('pd', 'pn', 'power')
                                     or settings[name] != usual[name])]
  words += [f'{name} {shown(settings[name])}' for name, usual in (
      ('dataset', 'cifar100'), ('model', 'cnn9'), ('width', 1), ('depth', 9),
      ('batch_size', 128), ('base_lr', 0.1), ('bn_decay', 0.999), ('bn_stats', 'batch'))
      if settings.get(name, usual) != usual]
  return ', '.join(words)


def variant_of_folder(run):
  """Name in `published_runs.ALL` that the folders of a run's logs suggest, or None.

  The authors' logs say nothing of their settings but by the folders' names:
  random_projection/.../pd40_pn20 and half_mhe_2.
  """
  for name in reversed(os.path.dirname(run.key).split(os.sep)):
    match = re.match('(random|angle|adversarial)(_projection)?$', name)
    if match:
      return match.group(1)
    name = {'baseline': 'none', 'log_baseline': 'none'}.get(name, name)
    if name in published_runs.MHE_RUNS:
      return name
  return None


def _variant_of_first_line(run):
  """Name of the published run whose line of step 0 a run has, to the digit, or None."""
  ours = [run.curves[name].values[0] if name in run.curves
          and run.curves[name].steps[0] == 0 else None
          for name in published_runs.QUANTITIES]
  for name, facts in published_runs.RUNS.items():
    if ours == list(facts.first_line.values()):
      return name
  return None


def variant_of(run):
  """Name in `published_runs.ALL` of the published run of a run's method, or None.

  Other settings than the method and, for the MHE family, the power may differ.
  """
  settings = get_settings(run)
  if settings is None:
    return variant_of_folder(run) or _variant_of_first_line(run)
  for name, facts in published_runs.ALL.items():
    if facts.regularizer == settings.get('regularizer') and (
        name in published_runs.RUNS
        or facts.settings.get('power') == settings.get('power')):
      return name
  return None


class Schedule(typing.NamedTuple):
  """How long a run is trained.

  protocol: `published_runs.Protocol`; one without milestones of its own if it is neither
  of the published ones. steps: number of steps of this run, which may stop earlier than
  its protocol. known: whether that is recorded, not concluded from the lines.
  """
  protocol: published_runs.Protocol
  steps: int
  known: bool


def schedule_of(run):
  """The `Schedule` of a run; that of a bare log follows from its lines."""
  return _recorded_schedule(get_settings(run) or {}) or _concluded_schedule(run)


def _recorded_schedule(settings):
  """The `Schedule` that settings name, or None."""
  steps, drops = settings.get('max_steps'), settings.get('lr_drops')
  if not isinstance(steps, int) or not isinstance(drops, list) or not all(
      isinstance(drop, int) for drop in drops):
    return None
  for protocol in (published_runs.COMHE, published_runs.MHE):
    if tuple(drops) == protocol.lr_drops and steps <= protocol.steps:
      return Schedule(protocol, steps, True)
  own = published_runs.Protocol(
      steps, tuple(drop for drop in drops if drop < steps),
      tuple(step for step in published_runs.COMHE.milestones if step < steps))
  return Schedule(own, steps, True)


def _concluded_schedule(run):
  """The `Schedule` that lines suggest."""
  # The MHE authors' logs have no line of step 0, and end with step 42,499.
  last = max(max(curve.steps) for curve in run.curves.values())
  fit = run.curves.get('fit')
  if last == published_runs.MHE.steps - 1 or (
      last < published_runs.MHE.steps and fit and fit.steps[0] > 0):
    protocol = published_runs.MHE
  elif last < published_runs.COMHE.steps:
    protocol = published_runs.COMHE
  else:
    protocol = published_runs.Protocol(last + 1, (), published_runs.COMHE.milestones)
  return Schedule(protocol, protocol.steps, False)
