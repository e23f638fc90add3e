"""The authors' tables as data, for comparison; no TensorFlow.

Test errors in percent, read off the slides of the two papers
(github.com/rmlin/rmlin.github.io, data/MHE_slides.pdf pages 7 to 9 and
data/CoMHE_slides.pdf page 4): one run each as far as is known, no spread given. The
slides say neither how long was trained, nor at which step a figure was taken, nor
every weight and power. What is concluded of that rests on the MHE authors' released
logs: ten cells are, to their last digit, 100 - 100 * the best test accuracy of one of
these logs. A cell is therefore to be compared with a run's lowest error.

A cell that several tables have is here once. Left out are figures of networks and data
that this project does not have: ImageNet, point clouds, graphs, and rows quoted from
other authors.
"""
import collections

from comhe_tf1.data import datasets
from comhe_tf1.published import published_runs
from comhe_tf1.records import run_settings
from comhe_tf1.regularizers import methods

SOURCE = 'github.com/rmlin/rmlin.github.io'

Place = collections.namedtuple('Place', 'paper what page')
Place.__doc__ = """Where a figure is: paper, 'MHE' or 'CoMHE'; what, in words; page of
the slides data/<paper>_slides.pdf in SOURCE."""

TABLE_1, TABLE_2, TABLE_3 = [Place('MHE', 'table %d' % i, 7) for i in (1, 2, 3)]
TABLE_4 = Place('MHE', 'table 4', 8)
WEIGHTS = Place('MHE', 'plot of weights', 8)
TABLE_5 = Place('MHE', 'table 5', 9)
DEPTH, RESNET, ENERGY = [Place('CoMHE', what, 4) for what in (
    'table of depths', 'table of CIFAR-10 and CIFAR-100', 'plot of energies')]

Cell = collections.namedtuple(
    'Cell', 'places row column error settings doubtful protocols log read_off')
Cell.__doc__ = """A published test error.

places: tuple of `Place`, all that have it, the first one first. row, column: as there,
in words. error: in percent, None for a training that did not converge.
settings: flags of `train.py` that re-derive it, but for how long is trained; as stated
or, where the authors do not state them, as concluded. doubtful: dict from the flags
that are not stated to the tuple of other values that cannot be excluded.
protocols: tuple of `published_runs.Protocol`: one that is known (from `log`) or taken from
other cells of the table; two where that is doubtful, the likelier one first.
log: name in `published_runs.MHE_RUNS` of the log whose lowest test error it is, None where
it is not known how it was taken. read_off: error of reading it off a plot, in percent,
or None.
"""

Match = collections.namedtuple('Match', 'cell otherwise')
Match.__doc__ = """A cell whose settings a run has. otherwise: list of strings such as
'--power 2, not 0', about doubtful settings that the run has otherwise.
"""

_BOTH = published_runs.MHE, published_runs.COMHE
_EUCLIDEAN = '0', '1', '2'


def _cell(places, row, column, error, regularizer, settings=(), doubtful=(),
          protocols=_BOTH, read_off=None, **network):
  """A cell; settings: of the method, with weights of full-space MHE as logged."""
  settings, doubtful = dict(settings), dict(doubtful)
  if regularizer == 'mhe':
    for name, weight in published_runs.smaller_weights(settings['power']).items():
      if name not in settings:
        settings[name] = weight
        doubtful[name] = (10. * weight,)
  flags = run_settings.of_the_code(regularizer, settings)
  flags.update(network)
  if flags['model'] != 'cnn9':
    del flags['depth']
  log = _log_of(flags, error)
  if log:
    doubtful.pop('power', None)
  return Cell(places, row, column, error, flags, doubtful,
              (published_runs.MHE,) if log else protocols, log, read_off)


def _log_of(flags, error):
  """Name of the MHE authors' log whose lowest test error this is, or None."""
  for name, run in published_runs.MHE_RUNS.items():
    known = run_settings.of_published(run)
    if error is not None and '%.2f' % (100 - 100 * run.best[0]) == '%.2f' % error and (
        all(known[flag] == value for flag, value in flags.items())):
      return name
  return None


_VARIANTS = (('MHE', 'mhe', ''), ('Half-space MHE', 'half_mhe', ''),
             ('A-MHE', 'mhe', 'a'), ('Half-space A-MHE', 'half_mhe', 'a'))


def _powers():
  """MHE, table 1; one power of each row is in table 4 too, another in 2 and 3."""
  table_4 = {('MHE', '0'), ('Half-space MHE', '2'), ('A-MHE', '2'),
             ('Half-space A-MHE', '2')}
  for dataset, column, protocols, baseline, rows in (
      ('cifar10', 'CIFAR-10', _BOTH, 7.75, (
          (6.22, 6.74, 6.44), (6.28, 6.54, 6.30), (6.21, 6.77, 6.45),
          (6.52, 6.49, 6.44))),
      ('cifar100', 'CIFAR-100', (published_runs.MHE,), 28.13, (
          (27.15, 27.09, 26.16), (25.61, 26.30, 26.18), (26.17, 27.31, 27.90),
          (26.03, 26.52, 26.47)))):
    whole = dataset == 'cifar100'
    yield _cell((TABLE_1,) + (TABLE_2, TABLE_3, TABLE_4, WEIGHTS, DEPTH) * whole,
                'Baseline', column, baseline, 'none', dataset=dataset)
    for (row, regularizer, angular), errors in zip(_VARIANTS, rows):
      for power, error in zip('210', errors):
        yield _cell((TABLE_1,) + (TABLE_4,) * (whole and (row, power) in table_4), row,
                    '%s, s = %s' % (column, power), error, regularizer,
                    dict(power=angular + power), protocols=protocols, dataset=dataset)


def _of_unstated_power(places, row, column, error, **network):
  """MHE or half-space MHE where the power is concluded: from tables 2 and 3, CNN-9."""
  regularizer, power = {'MHE': ('mhe', '0'), 'Half-space MHE': ('half_mhe', '2')}[row]
  return _cell(places, row, column, error, regularizer, dict(power=power), dict(
      power=tuple(other for other in _EUCLIDEAN if other != power)), **network)


def _widths():
  """MHE, table 2; the CNN-9 in its middle is in the tables of depths too."""
  for row, errors in (('Baseline', (47.72, 38.64, None, 24.95, 25.45)),
                      ('MHE', (36.84, 30.05, 26.75, 24.05, 23.14)),
                      ('Half-space MHE', (35.16, 29.33, 25.96, 23.38, 21.83))):
    for width, error in zip((0.25, 0.5, 1, 2, 4), errors):
      column = '/'.join('%d' % (filters * width) for filters in (64, 128, 256))
      places = (TABLE_2,) + (TABLE_3, DEPTH) * (width == 1)
      if row != 'Baseline':
        yield _of_unstated_power(places, row, column, error, width=width,
                                 protocols=(published_runs.MHE,))
      elif width != 1:   # that one is in table 1
        yield _cell(places, row, column, error, 'none', width=width)


def _depths():
  """MHE, table 3, and what CoMHE adds to it."""
  places = TABLE_3, DEPTH
  for depth, baseline, mhe, half in ((6, 32.08, 28.16, 27.56), (15, None, 26.90, 25.84)):
    column = 'CNN-%d' % depth
    yield _cell(places, 'Baseline', column, baseline, 'none', depth=depth)
    for row, error in (('MHE', mhe), ('Half-space MHE', half)):
      yield _of_unstated_power(places, row, column, error, depth=depth,
                               protocols=(published_runs.MHE,))
  for row, regularizer, errors in (('RP-CoMHE', 'random', (26.73, 24.39, 24.21)),
                                   ('AP-CoMHE', 'angle', (26.55, 24.33, 24.55))):
    for depth, error in zip((6, 9, 15), errors):
      yield _cell((DEPTH,), row, 'CNN-%d' % depth, error, regularizer,
                  protocols=_BOTH[::-1], depth=depth)


def _layers():
  """MHE, table 4; its cells of both kinds of layers have the powers, see `_powers`."""
  for (row, regularizer, angular), power, output, hidden in zip(
      _VARIANTS, '0222', (26.85, None, 27.8, None), (26.55, 26.28, 26.56, 26.64)):
    power = angular + power
    doubtful = dict(power=tuple(other for other in methods.POWERS if other != power
                                and other.startswith('a') == bool(angular)))
    for column, error, without in (('output layer only', output, 'energy_weight'),
                                   ('hidden layers only', hidden,
                                    'output_energy_weight')):
      if error is not None:
        yield _cell((TABLE_4,), row, column, error, regularizer,
                    {'power': power, without: 0.}, doubtful,
                    protocols=(published_runs.MHE,))


def _weights():
  """MHE, the plot of table 4's kind over the weight of the term.

  Read off the picture's pixels; the baseline, 28.13, comes out as 28.12 to 28.13.
  """
  for row, regularizer, power, name, errors in (
      ('MHE, output layer only', 'mhe', '0', 'output_energy_weight',
       (28.04, 27.38, 27.12, 27.21, 27.82)),
      ('MHE, hidden layers only', 'mhe', '0', 'energy_weight',
       (27.17, 27.07, 26.32, 26.26, 26.48)),
      ('Half-space MHE, hidden layers only', 'half_mhe', '2', 'energy_weight',
       (26.94, 26.50, 25.70, 25.77, 26.32))):
    settings = dict(power=power, energy_weight=0., output_energy_weight=0.)
    for weight, error in zip((0.01, 0.1, 1., 10., 100.), errors):
      yield _cell((WEIGHTS,), row, 'weight %g' % weight, error, regularizer,
                  dict(settings, **{name: weight}),
                  dict(power=tuple(other for other in _EUCLIDEAN if other != power)),
                  protocols=(published_runs.MHE,), read_off=0.02)


def _resnet():
  """CoMHE, whose rows baseline, MHE and half-space MHE are those of MHE's table 5."""
  for row, regularizer, errors in (
      ('Baseline', 'none', (5.19, 22.87)), ('Orthogonal', 'orthogonal', (5.02, 22.36)),
      ('SRIP', 'srip', (4.75, 22.08)), ('MHE', 'mhe', (4.72, 22.19)),
      ('Half-space MHE', 'half_mhe', (4.66, 22.04)),
      ('RP-CoMHE', 'random', (4.59, 21.82)), ('AP-CoMHE', 'angle', (4.57, 21.63))):
    both_papers = regularizer in ('none', 'mhe', 'half_mhe')
    places = (TABLE_5, RESNET) if both_papers else (RESNET,)
    for dataset, column, error in zip(
        ('cifar10', 'cifar100'), ('CIFAR-10', 'CIFAR-100'), errors):
      network = dict(dataset=dataset, model='resnet32')
      if regularizer in ('mhe', 'half_mhe'):
        yield _of_unstated_power(places, row, column, error, **network)
      else:
        yield _cell(places, row, column, error, regularizer,
                    protocols=_BOTH if both_papers else _BOTH[::-1], **network)


CELLS = tuple(cell for table in (_powers, _widths, _depths, _layers, _weights, _resnet)
              for cell in table())

def protocol_of(settings):
  """The authors' `published_runs.Protocol` that flags train by to its end, or None."""
  for protocol in _BOTH:
    if settings.get('max_steps') == protocol.steps and (
        settings.get('lr_drops') == list(protocol.lr_drops)):
      return protocol
  return None


def matches(settings):
  """The cells that a run is to be shown beside.

  Args:
    settings: flags of the run, as `run_settings.of_run`.

  Returns:
    List of `Match`: of every cell whose settings the run has, but for doubtful ones,
    and whose protocol, or one of them, it is trained by. Of none on data that are
    recorded and not the official ones.
  """
  protocol, found = protocol_of(settings), []
  if 'data_md5' in settings and not datasets.is_official(
      settings.get('dataset'), settings['data_md5']):
    return found
  for cell in CELLS:
    otherwise = _otherwise(cell, settings) if protocol in cell.protocols else None
    if otherwise is not None:
      found.append(Match(cell, otherwise))
  return found


def _otherwise(cell, settings):
  """As `Match.otherwise`; None where the settings are not the cell's."""
  differing = [name for name, value in cell.settings.items()
               if settings.get(name) != value]
  if any(settings.get(name) not in cell.doubtful.get(name, ()) for name in differing):
    return None
  return run_settings.differences(settings, cell.settings, differing)


def label(cell):
  """'MHE table 2, Half-space MHE, 16/32/64'"""
  return '%s %s, %s, %s' % (cell.places[0].paper, cell.places[0].what, cell.row,
                            cell.column)


def shown_error(cell):
  """A cell as the tables have it, to two digits."""
  return 'not converged' if cell.error is None else '%.2f' % cell.error


def known_of(cell):
  """What is known of how a cell came about, in words."""
  if cell.log:
    words = ('the lowest test error of the MHE authors\' log %s, whose schedule is known'
             % cell.log)
  else:
    words = 'at which step it was taken is not known, %s' % (
        'and its schedule is taken from other cells of the table'
        if not cell.protocols[1:] else 'nor whether %s or %s steps were trained' % tuple(
            '{:,}'.format(protocol.steps) for protocol in cell.protocols))
  if cell.doubtful:
    words += '; not stated but concluded: %s' % ', '.join(
        '--%s %s' % (name, run_settings.shown(cell.settings[name]))
        for name in sorted(cell.doubtful))
  if cell.settings['regularizer'] == 'mhe':
    words += ' (%s)' % published_runs.SMALLER_NOTE
  if cell.read_off:
    words += '; read off a plot, to %g' % cell.read_off
  return words
