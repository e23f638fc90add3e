"""The methods that train.py knows: one entry each, from which all else follows.

Flags and their help, defaults, the class that implements it, the name of the log
folder and the row in docs/methods.md (`python -m comhe_tf1.regularizers.methods` prints it).
Needs no TensorFlow.

W is the [d, N] matrix of a layer's neurons, P a projection, E and E_h the energy in
full and in half space (`energy`).
"""
import collections
import importlib
import numbers
import typing


class Setting(typing.NamedTuple):
  """A setting of methods.

  kind: int, float or a tuple of choices. help: for the command line. label: in the log
  folder's name, before the value. origin: where the defaults come from. metavar: of a
  number, for the command line. minimum, maximum: of a number.
  """
  kind: object
  help: str
  label: str
  origin: str = 'original'
  metavar: str = None
  minimum: float = None
  maximum: float = None


_MANY = 2 ** 31 - 1  # what TensorFlow counts with

# Energies of a pair of neurons (`pair_energy`), and the default weights of a layer's
# energy and of the output layer's, as the MHE authors' code.
POWERS = collections.OrderedDict([
    ('0', (1., 10.)), ('1', (1., 10.)), ('2', (1., 10.)),
    ('a0', (1., 10.)), ('a1', (0.1, 1.)), ('a2', (0.1, 1.))])

SETTINGS = collections.OrderedDict([
    ('pd', Setting(
        int, 'dimensions after projection',
        metavar='DIM', label='pd', minimum=1, maximum=65536)),
    ('pn', Setting(
        int, 'projections per layer; angle, angle_alternating and adversarial always use '
        'one, and have N only in the log folder\'s name',
        metavar='N', label='pn', minimum=1, maximum=4096)),
    ('pnd', Setting(
        int, 'one projection per N neurons of a layer, instead of --pn; 0: not used',
        metavar='N', label='pnd', minimum=0, maximum=_MANY)),
    ('draw', Setting(
        ('original', 'reduced'), 'original: draw the projections, as the authors\' code; '
        'reduced: draw fewer numbers, with the same distribution of each layer\'s term',
        label='draw')),
    ('iters', Setting(
        int, 'gradient steps of the projections before each training step',
        metavar='STEPS', label='iter', minimum=0, maximum=_MANY)),
    ('groups', Setting(
        int, 'number of groups of consecutive input channels in a layer; 0: one group '
        'per channel, but a 1x1 layer is one group',
        metavar='N', label='groups', origin='paper', minimum=0, maximum=65536)),
    ('gram', Setting(
        ('neurons', 'smaller'), 'what should be orthogonal: the neurons; or smaller: the '
        'neurons or the inputs, whichever are fewer; for orthogonal the term is then a '
        'mean, not a sum',
        label='gram', origin='paper')),
    ('power', Setting(
        tuple(POWERS), 'energy of a pair of neurons: 0, 1 and 2 depend on their distance; '
        'a0, a1 and a2 on their angle',
        label='power')),
    ('energy_weight', Setting(
        float, 'weight in the loss of each layer\'s term, except the output layer\'s',
        metavar='WEIGHT', label='weight', origin='original except orthogonal and srip',
        minimum=0., maximum=3e38)),
    ('output_energy_weight', Setting(
        float, 'weight of the output layer\'s term',
        metavar='WEIGHT', label='outputweight',
        origin='original except orthogonal and srip', minimum=0., maximum=3e38)),
])


class Method(typing.NamedTuple):
  """A method.

  implementation: '<module>.<class>' in this folder. settings: ordered dict from the
  name of a setting to its default, None for that of the power. summary: for help.
  formulas: of the terms of first, hidden and output layers, None where there is none.
  source: where it is defined. random_seed: default. trains_projection: whether it keeps
  a projection per hidden layer that it trains.
  """
  implementation: str
  settings: collections.OrderedDict
  summary: str
  formulas: tuple
  source: str
  random_seed: int = 345
  trains_projection: bool = False


_MHE = 'MHE, section 3'
_COMHE = 'CoMHE, section 4'
_FULL, _HALF = 'E(W)', 'E_h(W)'
_WEIGHTS = 'energy_weight', 'output_energy_weight'


def _energy(**settings):
  """Settings of a method with an energy, whose weights follow from the power."""
  return collections.OrderedDict(
      [(name, settings[name]) for name in SETTINGS if name in settings]
      + [('power', '2')] + [(name, None) for name in _WEIGHTS])


def _penalty(weight):
  """Settings of a method without an energy; its weight is this project's choice."""
  return collections.OrderedDict(
      [('gram', 'neurons')] + [(name, weight) for name in _WEIGHTS])


METHODS = collections.OrderedDict([
    ('none', Method(
        'base.Nothing', collections.OrderedDict(), summary='weight decay only',
        formulas=(None, None, None), source='baseline')),
    ('mhe', Method(
        'base.FullSpace', _energy(), summary='energy of the neurons',
        formulas=(_FULL, _FULL, _FULL), source=_MHE)),
    ('half_mhe', Method(
        'base.HalfSpace', _energy(),
        summary='energy of the neurons and their opposites',
        formulas=(_HALF, _HALF, _FULL), source=_MHE)),
    ('random', Method(
        'random_projection.RandomProjection',
        _energy(pd=40, pn=20, pnd=0, draw='original'),
        summary='mean over random projections',
        formulas=(_HALF, 'mean_i E_h(P_i W), P_i drawn anew at every step', _FULL),
        source=_COMHE + '; authors\' code')),
    ('random_max', Method(
        'random_projection.MaximumOverRandomProjections',
        _energy(pd=40, pn=20, pnd=0, draw='original'),
        summary='maximum over random projections',
        formulas=(_HALF, 'max_i E_h(P_i W), P_i drawn anew at every step', _FULL),
        source=_COMHE)),
    ('angle', Method(
        'trained_projection.AngleProjection', _energy(pd=30, pn=1, iters=1),
        summary='angle-preserving projection, with gradients through its last step',
        formulas=(_HALF, 'E_h(P\' W), P\' = P - lr d/dP ||cos(P W) - cos(W)||_F', _FULL),
        source=_COMHE + '; authors\' code', trains_projection=True)),
    ('angle_alternating', Method(
        'trained_projection.AlternatingAngleProjection', _energy(pd=30, pn=1, iters=1),
        summary='angle-preserving projection, trained alternately with the network',
        formulas=(_HALF, 'E_h(P W), P descends sum_{i<j} (theta(w_i, w_j) - '
                  'theta(P w_i, P w_j))^2', _FULL),
        source=_COMHE, trains_projection=True)),
    ('adversarial', Method(
        'trained_projection.AdversarialProjection', _energy(pd=30, pn=1, iters=10),
        summary='projection that raises the energy, with gradients through its last step',
        formulas=(_HALF, 'E_h(P\' W), P\' = P + lr d/dP E(P W)', _FULL),
        source=_COMHE + '; authors\' code', random_seed=3456, trains_projection=True)),
    ('group', Method(
        'base.Group', _energy(groups=0), summary='mean over groups of input channels',
        formulas=(_HALF, 'mean_g E_h(W_g), W_g the rows of W in group g', _FULL),
        source=_COMHE)),
    ('orthogonal', Method(
        'base.Orthogonal', _penalty(1.),
        summary='orthogonality of the neurons, a baseline',
        formulas=3 * ('||U^T U - I||_F^2, u_i = w_i / r_i',),
        source='a baseline of the CoMHE paper')),
    # Of raw kernels: at the default rate of 0.1 larger weights make these grow without end.
    ('srip', Method(
        'base.SpectralIsometry', _penalty(1e-3),
        summary='spectral restricted isometry, a baseline',
        formulas=3 * ('sigma_max(W^T W - I), by two power iterations',),
        source='Bansal et al., NeurIPS 2018')),
])


class SettingError(ValueError):
  """A setting is out of range or does not fit the network.

  The message is for the user and begins with the setting's name.

  >>> comhe_tf1.create('orthogonal', gram=0)
  Traceback (most recent call last):
      ...
  comhe_tf1.regularizers.methods.SettingError: gram must be one of neurons, smaller, got 0
  """


def resolve(method, settings):
  """All settings of a method, checked, defaults filled in.

  Args:
    method: name in METHODS.
    settings: dict of those that are given.

  Returns:
    Ordered dict from name to value.

  Raises:
    TypeError: the method has no such setting.
    SettingError: a value is out of range.
  """
  resolved = METHODS[method].settings.copy()
  for name, value in settings.items():
    if name not in resolved:
      raise TypeError('%s has no setting %r, only %s'
                      % (method, name, ', '.join(resolved) or 'none at all'))
    check(name, value, resolved[name])
    resolved[name] = str(value) if name == 'power' else value
  for name, default in zip(_WEIGHTS, POWERS[resolved.get('power', '2')]):
    if name in resolved and resolved[name] is None:
      resolved[name] = default
  return resolved


def check(name, value, default=None, setting=None):
  """Raises SettingError for a value out of range; `setting`: whose range, if not its own."""
  setting = SETTINGS[setting or name]
  if setting.kind is int:
    # Whole numbers of any kind, NumPy's too, but not 2.5 or '4'.
    good = hasattr(value, '__index__') and setting.minimum <= value <= setting.maximum
    wanted = 'a whole number from %d to %d' % (setting.minimum, setting.maximum)
  elif setting.kind is float:
    good = value is default or (isinstance(value, numbers.Real)
                                and setting.minimum <= value <= setting.maximum)
    wanted = f'a number from {setting.minimum:g} to {setting.maximum:g}'
  else:
    good = str(value) in setting.kind
    wanted = 'one of ' + ', '.join(setting.kind)
  if not good:
    raise SettingError(f'{name} must be {wanted}, got {value!r}')


def with_library_defaults(method, settings):
  """The settings given for a layer of any network, with the defaults for such.

  Layers of other networks have many more neurons than inputs, which cannot be orthogonal,
  and a sum over all their pairs outweighs the loss: gram is 'smaller'.
  """
  has_gram = method in METHODS and 'gram' in METHODS[method].settings
  return dict({'gram': 'smaller'} if has_gram else {}, **settings)


def describe_owners(setting):
  """The methods that have a setting, in words, for help."""
  owners = [name for name, method in METHODS.items() if setting in method.settings]
  others = [name for name in METHODS if name not in owners]
  return (', '.join(owners) if len(owners) <= len(others)
          else 'all methods except ' + ', '.join(others))


def describe_defaults(setting):
  """The defaults of a setting by method, in words, for help."""
  by_value = collections.OrderedDict()
  for name, method in METHODS.items():
    if setting in method.settings:
      value = _describe_default(setting, method.settings[setting])
      by_value.setdefault(value, []).append(name)
  most = max(by_value, key=lambda value: len(by_value[value]))
  words = [f"{value} with {', '.join(names)}"
           for value, names in by_value.items() if value != most]
  return '; '.join(words + ['otherwise ' + most if words else most])


def _describe_default(setting, default):
  """A default for help; None is that of the power."""
  if default is not None:
    return str(_short(default))
  by_weight = collections.OrderedDict()
  for power, weights in POWERS.items():
    by_weight.setdefault(weights[_WEIGHTS.index(setting)], []).append(power)
  return ', '.join(f"{weight:g} for powers {' '.join(powers)}"
                   for weight, powers in by_weight.items())


def implementation(method):
  """The class of a method.

  Raises:
    SettingError: there is no such method.
  """
  if method not in METHODS:
    raise SettingError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
  module, cls = METHODS[method].implementation.split('.')
  return getattr(importlib.import_module('comhe_tf1.regularizers.' + module), cls)


def create(method, **settings):
  """The regularizer of a method, configured.

  Args: as `resolve`.

  Returns:
    `base.Regularizer`.

  Raises:
    TypeError, SettingError: as `resolve` and `implementation`.

  >>> kernel = comhe_tf1.Kernel('fc', np.eye(2), comhe_tf1.HIDDEN)
  >>> evaluate(comhe_tf1.create('half_mhe', energy_weight=10.)([kernel]).loss)
  4.1667
  """
  return implementation(method)(**settings)


def folder(method, settings):
  """Name of the log folder: two levels, the first three methods' as the original.

  `<method>_projection/pd<pd>_pn<pn>` with `_pnd<pnd>` for `_pn<pn>` where pnd is set
  and `_iter<iters>` where projections are trained; without projections
  `<method>/power<power>`. What else differs from the default follows.

  Args:
    method: name in METHODS.
    settings: as `resolve` returns them.

  Returns:
    Pair of names.
  """
  projects = 'pd' in settings
  always = (('pd', 'pnd' if settings.get('pnd') else 'pn', 'iters') if projects
            else ('power',))
  instead = ('pn', 'pnd') if projects else ()
  # Those of the weights follow from the power.
  defaults = resolve(method, {'power': settings['power']} if 'power' in settings else {})
  defaults.update(power=METHODS[method].settings.get('power'))
  parts = [f'{SETTINGS[name].label}{_short(value)}'
           for name, value in settings.items()
           if name in always or (name not in instead and value != defaults[name])]
  return method + ('_projection' if projects else ''), '_'.join(parts) or 'default'


def _short(value):
  return f'{value:g}' if isinstance(value, float) else value


def markdown():
  """The table of methods in docs/methods.md."""
  lines = ['| `--regularizer` | term of a hidden layer | own flags and defaults | source |',
           '|---|---|---|---|']
  for name, method in METHODS.items():
    flags = ['`--%s %s`' % item for item in method.settings.items()
             if item[0] not in _WEIGHTS + ('power',)]
    lines.append('| `%s` | %s | %s | %s |' % (
        name, (method.formulas[1] or '-').replace('|', '\\|'), ' '.join(flags) or '-',
        method.source))
  return '\n'.join(lines)


if __name__ == '__main__':
  print(markdown())
