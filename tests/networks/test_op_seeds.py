import pytest

import comhe_tf1
from comhe_tf1.networks import op_seeds
from comhe_tf1.regularizers import methods

# conv1_0, conv1_1 and score at the original's defaults, by hand: 152 + 8 (87 + 62 *
# 20) + 3 + 20 + 62 * 20 = 12031, 140 + 8 (87 + 50 * 20) + 3 + 20 + 50 * 20 = 9859;
# the recorded runs in test_golden.py check all of them at other settings.
DEFAULTS = [
    (comhe_tf1.RandomProjection(), 'tf1.12', 14, 152, 12031),
    (comhe_tf1.RandomProjection(), 'tf1.14', 14, 140, 9859),
    (comhe_tf1.AngleProjection(), 'tf1.12', 15, 153, 2555),
    (comhe_tf1.AngleProjection(), 'tf1.14', 15, 141, 2354),
    (comhe_tf1.AdversarialProjection(), 'tf1.12', 15, 153, 2915),
    (comhe_tf1.AdversarialProjection(), 'tf1.14', 15, 141, 2858)]


@pytest.mark.parametrize('regularizer, scheme, first, second, last', DEFAULTS)
def test_defaults(regularizer, scheme, first, second, last):
  seeds = comhe_tf1.original_op_seeds(regularizer.name, scheme,
                                      comhe_tf1.cnn(), regularizer.projections)
  assert seeds['conv1_0/filter'] == first
  assert seeds['conv1_1/filter'] == second
  assert seeds['score/filter'] == last


def test_pnd_gives_every_layer_its_own_step():
  regularizer = comhe_tf1.RandomProjection(pnd=16)
  seeds = comhe_tf1.original_op_seeds('random', 'tf1.12', comhe_tf1.cnn(),
                                      regularizer.projections)
  assert seeds['conv2_0/filter'] - seeds['conv1_2/filter'] == 87 + 62 * 4 + 1
  assert seeds['conv2_1/filter'] - seeds['conv2_0/filter'] == 87 + 62 * 8
  assert seeds['score/filter'] - seeds['fc6/filter'] == 20 + 62 * 16


@pytest.mark.parametrize('variant, scheme', [('random', 'tf1.6'), ('x', 'tf1.12')])
def test_unknown(variant, scheme):
  with pytest.raises(ValueError, match=f'{variant!r}.*{scheme!r}'):
    comhe_tf1.original_op_seeds(variant, scheme, comhe_tf1.cnn(), lambda n: 1)


def test_schemes():
  assert {scheme for _, scheme in op_seeds._IDS} == set(op_seeds.SCHEMES)


def test_by_name_is_the_crc_32_of_the_name():
  assert op_seeds.by_name('123456789') == 0xcbf43926 & 0x7fffffff   # its check value
  assert op_seeds.by_name('conv1_0/filter') == 0x079478ef


def test_recorded_variants():
  assert [name for name in methods.METHODS if op_seeds.has_original(name)] == [
      'random', 'angle', 'adversarial']
