"""The figures that the authors published, read from the JSON files beside this module.

logs.json: the authors' released logs, one run each, CNN-9 on CIFAR-100: three of
github.com/rmlin/CoMHE and thirteen of github.com/wy1iu/MHE. The two repositories train
for different numbers of steps (`Protocol`), so their figures are not comparable. A line
with the label i is about step i, counted from 0: the evaluation is made after that
step's update, and the last one is labelled steps - 1.

tables.json: test errors in percent from the slides of the two papers; a cell is to be
compared with a run's lowest error. energies.json: energies over the training, read by eye
off a plot in the CoMHE slides. docs/results.md says where they come from, what is left
out, and what is concluded where the slides do not say it.

The plot does not say which layers are summed. The layers of CNN-9 without the last start
at 5.01 in half space and 5.02 in full space, so their sum is taken to be meant.
"""
import collections
import json
import os
import typing

from comhe_tf1.regularizers import methods

BASE_LR = 0.1
BATCH_SIZE = 128
OP_SEED_SCHEME = 'tf1.12'
QUANTITIES = ('fit', 'reg', 'thom', 'thomf', 'acc')   # of a training line


class Protocol(typing.NamedTuple):
  """How long is trained.

  steps: number of training steps. lr_drops: steps before which the learning rate is
  multiplied by 0.1. milestones: steps at which test accuracies are compared, beside the
  last one.
  """
  steps: int
  lr_drops: tuple
  milestones: tuple


class Run(typing.NamedTuple):
  """A published log; what is not known is None.

  regularizer, settings: the method of `methods` and its settings that are not the
  defaults. random_seed: the seed that reproduces it (1234 for random projection, whose
  script has the default 345). scheme: of its op seeds. first_line: ordered dict from
  `QUANTITIES` to the figures of its line `iter_0`; reg, thom and thomf do not depend on
  the data.
  tests: ordered dict, step -> test accuracy, at the milestones and every 1,000 steps.
  last: test accuracy after the last step. best: the highest test accuracy, chosen on
  the test set, and its step. median: of the last 20 test accuracies. final_train: step
  and figures of the last training line. source: repository. note: what must be said
  wherever the figures are shown.
  """
  protocol: Protocol
  regularizer: str
  settings: dict
  last: float
  best: tuple
  source: str
  random_seed: int = None
  scheme: str = None
  first_line: dict = None
  tests: dict = None
  median: float = None
  final_train: tuple = None
  note: str = None


class Cell(typing.NamedTuple):
  """A published test error.

  places: the tables and plots that have it, names in `PAGES`, the first one first. row,
  column: as there. error: in percent, None for a training that did not converge.
  settings: flags of `train.py` that reproduce it, without the number of steps; as
  stated or, where the authors do not state them, as concluded. doubtful: dict from the
  flags that are not stated to other values that cannot be excluded.
  protocols: one if it is known (from `log`) or taken from other cells of the table; two
  if that is doubtful, the likelier one first. log: name in `MHE_RUNS` of the log whose
  lowest test error it is, None if it is not known which step it is of. read_off: error
  of reading it off a plot, in percent, or None.
  """
  places: list
  row: str
  column: str
  error: float
  settings: dict
  protocols: list
  doubtful: dict = {}
  log: str = None
  read_off: float = None

  @property
  def label(self):
    """'MHE table 2, Half-space MHE, 16/32/64'"""
    return f'{self.places[0]}, {self.row}, {self.column}'

  @property
  def shown_error(self):
    """The error as the tables have it, with two digits."""
    return 'not converged' if self.error is None else f'{self.error:.2f}'


class EnergyCurve(typing.NamedTuple):
  """A curve of the plot.

  name: of the curve there. energies: ordered dict, step -> sum. band: lowest and highest
  sum around the last of these steps, or None where the curve is thin.
  """
  name: str
  energies: dict
  band: tuple = None


def settings_of_the_code(regularizer, settings=()):
  """What the authors' code trains a method with, as flags, without the number of steps.

  Args:
    regularizer: method, name in `methods.METHODS`.
    settings: dict of its settings that are not its defaults, and other flags.
  """
  method = {name: value for name, value in dict(settings).items()
            if name in methods.SETTINGS}
  flags = dict(regularizer=regularizer, dataset='cifar100', model='cnn9', width=1, depth=9,
               batch_size=BATCH_SIZE, base_lr=BASE_LR, bn_decay=0.999, bn_stats='batch')
  flags.update(methods.resolve(regularizer, method))
  flags.update(settings)
  if flags['model'] != 'cnn9':
    del flags['depth']
  return flags


def _load(name):
  path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
  with open(path, encoding='utf-8') as file:
    return json.load(file, object_pairs_hook=collections.OrderedDict)


def _by_step(figures):
  return collections.OrderedDict((int(step), value) for step, value in figures.items())


def _run(content):
  content = dict(content)
  for name, read in (('protocol', PROTOCOLS.get), ('settings', dict), ('best', tuple),
                     ('tests', _by_step), ('final_train', tuple)):
    if name in content:
      content[name] = read(content[name])
  return Run(**content)


def _cell(content):
  content = dict(content, protocols=[PROTOCOLS[name] for name in content['protocols']])
  settings = dict(content['settings'])
  content['settings'] = settings_of_the_code(settings.pop('regularizer'), settings)
  return Cell(**content)


_LOGS, _TABLES, _ENERGIES = map(_load, ('logs.json', 'tables.json', 'energies.json'))

PROTOCOLS = {name: Protocol(content['steps'], tuple(content['lr_drops']),
                            tuple(content['milestones']))
             for name, content in _LOGS['protocols'].items()}
COMHE, MHE = PROTOCOLS['CoMHE'], PROTOCOLS['MHE']
# By name, such as 'random' or 'half_mhe_2'.
ALL = collections.OrderedDict(
    (content.pop('name'), _run(content)) for content in _LOGS['runs'])
RUNS, MHE_RUNS = (
    collections.OrderedDict((name, run) for name, run in ALL.items()
                            if run.protocol is protocol) for protocol in (COMHE, MHE))

SOURCE = _TABLES['source']   # of the slides, data/<paper>_slides.pdf
PAGES = _TABLES['pages']     # of the slides, by table or plot
CELLS = tuple(map(_cell, _TABLES['cells']))

ENERGY_SOURCE, ENERGY_ERROR = _ENERGIES['source'], _ENERGIES['error']
# By method, as in `methods.METHODS`.
ENERGIES = collections.OrderedDict(
    (method, EnergyCurve(content['name'], _by_step(content['energies']), content['band']))
    for method, content in _ENERGIES['curves'].items())
