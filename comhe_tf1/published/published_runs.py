"""Facts about the authors' published runs, for comparison; no TensorFlow.

Read off the logs in the authors' repositories, one run each, CNN-9 on CIFAR-100: the
three of github.com/rmlin/CoMHE and the thirteen of github.com/wy1iu/MHE. The two
repositories train differently long (`Protocol`), so that their figures are not
comparable. A line's label i says that it is about step i, counted from 0: an
evaluation is made after that step's update, and the last one is labelled steps - 1.
"""
import collections

from comhe_tf1.regularizers import methods

BASE_LR = 0.1
BATCH_SIZE = 128
NUMBERING = 'tf1.12'
QUANTITIES = ('fit', 'reg', 'thom', 'thomf', 'acc')   # of a training line

Protocol = collections.namedtuple('Protocol', 'steps lr_drops milestones')
Protocol.__doc__ = """How long is trained.

steps: number of training steps. lr_drops: steps before which the rate is multiplied
by 0.1. milestones: steps at which test accuracies are compared, beside the last one.
"""
COMHE = Protocol(75000, (30000, 50000, 65000),
                 (500, 1000, 3000, 10000, 30000, 30500, 50000, 50500, 65500))
MHE = Protocol(42500, (20000, 30000, 37500),
               (500, 1000, 3000, 10000, 20000, 20500, 30000, 30500, 38000))

Run = collections.namedtuple(
    'Run', 'protocol regularizer settings random_seed numbering fit reg thom thomf acc '
           'tests last best median final_train runs source note')
Run.__new__.__defaults__ = (None,) * len(Run._fields)
Run.__doc__ = """A published run; what is not known is None.

protocol: `Protocol`. regularizer, settings: the method of `methods` and its settings
where they are not its defaults. random_seed: the seed that reproduces it; the
random-projection log was not made with that script's default, 345. numbering: of op
seeds. fit, reg, thom, thomf, acc: of its line `iter_0`; reg, thom and thomf do not
depend on the data.
tests: ordered dict, milestone -> test accuracy. last: test accuracy after the last
step. best: pair of the highest test accuracy and its step, chosen on the test set.
median: of the last 20 test accuracies. final_train: pair of the step and the dict of
the last training line. runs: how many runs these are. source: repository. note: what
must be said wherever the figures are shown, or None.
"""


def _train(*values):
  return collections.OrderedDict(zip(QUANTITIES, values))


def _tests(protocol, *values):
  return collections.OrderedDict(zip(protocol.milestones, values))


def _comhe(regularizer, settings, random_seed, first, tests, **figures):
  first = dict(zip(QUANTITIES, first))
  return Run(COMHE, regularizer, settings, random_seed, NUMBERING,
             tests=_tests(COMHE, *tests), runs=1, source='github.com/rmlin/CoMHE',
             **dict(first, **figures))


RUNS = collections.OrderedDict([
    ('random', _comhe(
        'random', dict(pd=40, pn=20), 1234, (6.3621, 1.1871, 5.1348, 5.0269, 0.0078),
        (0.0100, 0.0100, 0.2086, 0.4247, 0.4717, 0.6606, 0.6600, 0.7376, 0.7545),
        last=0.7559, best=(0.7572, 73000), median=0.7556,
        final_train=(74900, _train(0.1133, 0.4542, 5.1273, 4.9526, 1.)))),
    ('angle', _comhe(
        'angle', dict(pd=30, pn=1, iters=1), 345, (6.2162, 1.1856, 5.1797, 5.0191, 0.),
        (0.0100, 0.0100, 0.1129, 0.4107, 0.4305, 0.6431, 0.6597, 0.7306, 0.7518),
        last=0.7513, best=(0.7525, 67500), median=0.75125,
        final_train=(74900, _train(0.1171, 0.4551, 5.1133, 4.9527, 1.)))),
    ('adversarial', _comhe(
        'adversarial', dict(pd=30, pn=1, iters=10), 3456,
        (6.3228, 1.1885, 5.1808, 5.0229, 0.0234),
        (0.0100, 0.0100, 0.0377, 0.4479, 0.4391, 0.6657, 0.6334, 0.7276, 0.7453),
        last=0.7474, best=(0.7483, 71000), median=0.7470,
        final_train=(74900, _train(0.1354, 0.4606, 5.1111, 4.9529, 0.9922)))),
])

SMALLER_NOTE = ('the published mhe logs were made with weights ten times smaller than '
                'the code\'s')


def smaller_weights(power):
  """Weights, as settings, of the published runs of full-space MHE; see SMALLER_NOTE."""
  weight, output_weight = methods.POWERS[power]
  return dict(energy_weight=weight / 10., output_energy_weight=output_weight / 10.)


def _mhe(regularizer, power, last, **figures):
  """A run of the MHE authors, who set no seed and began to log at step 100."""
  settings = {} if power is None else {'power': power}
  if regularizer == 'mhe':
    settings.update(smaller_weights(power))
  return Run(MHE, regularizer, settings, last=last, runs=1,
             source='github.com/wy1iu/MHE',
             note=SMALLER_NOTE if regularizer == 'mhe' else None, **figures)


MHE_RUNS = collections.OrderedDict([
    ('none', _mhe(
        'none', None, 0.6974, best=(0.7003, 40000), median=0.69775, tests=_tests(
            MHE, 0.01, 0.01, 0.0154, 0.2920, 0.3858, 0.5937, 0.5966, 0.6817, 0.6985),
        final_train=(42400, collections.OrderedDict(
            [('fit', 0.3751), ('reg', 0.4855), ('acc', 0.8984)])))),
    ('half_mhe_0', _mhe('half_mhe', '0', 0.7375, best=(0.7382, 38000))),
    ('half_mhe_1', _mhe('half_mhe', '1', 0.7360, best=(0.7370, 41500))),
    ('half_mhe_2', _mhe(
        'half_mhe', '2', 0.7399, best=(0.7404, 40500), median=0.7381, tests=_tests(
            MHE, 0.01, 0.01, 0.0830, 0.3824, 0.2561, 0.6439, 0.5934, 0.7010, 0.7389),
        final_train=(42400, _train(0.1757, 0.5661, 5.0183, 4.9547, 0.9844)))),
    ('half_mhe_a0', _mhe('half_mhe', 'a0', 0.7353, best=(0.7353, 42499))),
    ('half_mhe_a1', _mhe('half_mhe', 'a1', 0.7342, best=(0.7348, 40500))),
    ('half_mhe_a2', _mhe('half_mhe', 'a2', 0.7394, best=(0.7397, 40000))),
    ('mhe_0', _mhe('mhe', '0', 0.7316, best=(0.7325, 41000))),
    ('mhe_1', _mhe('mhe', '1', 0.7285, best=(0.7291, 41500))),
    ('mhe_2', _mhe('mhe', '2', 0.7278, best=(0.7285, 41000))),
    ('mhe_a0', _mhe('mhe', 'a0', 0.7197, best=(0.7214, 40000))),
    ('mhe_a1', _mhe('mhe', 'a1', 0.7250, best=(0.7269, 41000))),
    ('mhe_a2', _mhe('mhe', 'a2', 0.7276, best=(0.7296, 38000))),
])
ALL = collections.OrderedDict(list(RUNS.items()) + list(MHE_RUNS.items()))
