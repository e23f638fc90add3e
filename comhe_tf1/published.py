"""Facts about the authors' published runs, for comparison.

Read off the three logs in the authors' repository (github.com/rmlin/CoMHE): one
run each of CNN-9 on CIFAR-100, 75,000 steps, op seeds numbered `tf1.12`.
"""
import collections

BASE_LR = 0.1
NUMBERING = 'tf1.12'

Run = collections.namedtuple('Run', 'random_seed settings reg thom thomf')
Run.__doc__ = """A published run.

random_seed: the seed that reproduces it; the random-projection log was not made
with that script's default, 345. settings: arguments of its regulariser.
reg, thom, thomf: of its line `iter_0`, which do not depend on the data.
"""

RUNS = collections.OrderedDict([
    ('random', Run(1234, dict(pd=40, pn=20), 1.1871, 5.1348, 5.0269)),
    ('angle', Run(345, dict(pd=30, pn=1, iters=1), 1.1856, 5.1797, 5.0191)),
    ('adversarial', Run(3456, dict(pd=30, pn=1, iters=10), 1.1885, 5.1808, 5.0229)),
])
