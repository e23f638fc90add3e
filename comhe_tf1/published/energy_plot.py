"""Energies over the training, as the CoMHE authors plot them; no TensorFlow.

Read off the picture by eye, to 0.01, on 2026-11-25. It shows one curve a method from step
20,000 to 75,000, and says neither which layers are summed nor in which space. The ten
layers but the last of CNN-9 start at 5.01 in half space and at 5.02 in full space, which
is why the sum over these layers is taken to be meant.
"""
import collections

SOURCE = ('the CoMHE authors\' slides, github.com/rmlin/rmlin.github.io, '
          'data/CoMHE_slides.pdf')
ERROR = 0.01   # of reading

Points = collections.namedtuple('Points', 'name energies band')
Points.__doc__ = """A curve of the picture.

name: of the curve there. energies: ordered dict, step -> sum. band: pair of the lowest
and highest sum around the last of these steps, or None where the curve is thin.
"""


def _points(name, early, late, band=None):
  return Points(name, collections.OrderedDict([(20000, early), (75000, late)]), band)


# By method, as in `methods.METHODS`.
ENERGIES = collections.OrderedDict([
    ('none', _points('Baseline', 5.32, 5.24, (5.19, 5.28))),
    ('orthogonal', _points('Orthogonal', 5.17, 5.14)),
    ('half_mhe', _points('HS-MHE', 5.07, 5.03)),
    ('angle', _points('AP-CoMHE', 5.02, 5.005)),
    ('random', _points('RP-CoMHE', 5.00, 4.995)),
])
