import inspect
import os
import subprocess
import sys

import pytest

import comhe_tf1
from comhe_tf1.regularizers import base
from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import roles

all_methods = pytest.mark.parametrize('method', list(methods.METHODS))


@all_methods
def test_entries_and_classes_agree(method):
  built = comhe_tf1.create(method)
  assert isinstance(built, base.Regularizer)
  assert built.name == method
  assert inspect.getdoc(type(built))
  assert set(built.settings) <= set(methods.SETTINGS)
  assert sorted(built.weights) == sorted(roles.ROLES)


@all_methods
def test_defaults_are_in_range_and_weights_follow_the_power(method):
  settings = methods.resolve(method, {})
  assert methods.resolve(method, settings) == settings
  assert None not in settings.values()
  if 'power' in settings:
    for power, weights in methods.POWERS.items():
      settings = methods.resolve(method, {'power': power})
      assert (settings['energy_weight'], settings['output_energy_weight']) == weights
    settings = methods.resolve(method, {'power': 'a1', 'energy_weight': 3})
    assert (settings['energy_weight'], settings['output_energy_weight']) == (3, 1.)


@pytest.mark.parametrize('method, settings, words', [
    ('random', dict(pd=0), 'pd must be a whole number from 1 to 65536, got 0'),
    ('random', dict(pn=0), 'pn must be a whole number from 1 to 4096, got 0'),
    ('random', dict(pnd=-1), 'pnd must be a whole number from 0 to .*, got -1'),
    ('angle', dict(pd=0), 'pd must be a whole number from 1 .*, got 0'),
    ('adversarial', dict(iters=-1), 'iters must be a whole number from 0 .*, got -1'),
    ('random', dict(pd='4'), "pd must be a whole number.*got '4'"),
    ('random', dict(pd=2.5), 'pd must be a whole number.*got 2.5'),
    ('group', dict(groups=-2), 'groups must be a whole number from 0 .*got -2'),
    ('mhe', dict(power='3'), "power must be one of 0, 1, 2, a0, a1, a2, got '3'"),
    ('mhe', dict(energy_weight=-1.), 'energy_weight must be a number from 0 .* got -1.0'),
    ('mhe', dict(energy_weight=float('nan')), 'energy_weight must be .* got nan'),
    ('srip', dict(energy_weight=None), 'energy_weight must be a number .* got None')])
def test_settings_out_of_range(method, settings, words):
  with pytest.raises(methods.SettingError, match=words):
    comhe_tf1.create(method, **settings)


def test_settings_that_a_method_does_not_have():
  with pytest.raises(TypeError, match="none has no setting 'power', only none at all"):
    comhe_tf1.create('none', power='2')
  with pytest.raises(TypeError, match="mhe has no setting 'pd', only power, energy_w"):
    comhe_tf1.create('mhe', pd=3)


@pytest.mark.parametrize('method, settings, expected', [
    ('random', {}, 'random_projection/pd40_pn20'),
    ('random', dict(pnd=16), 'random_projection/pd40_pnd16'),
    ('random', dict(power='a1'), 'random_projection/pd40_pn20_powera1'),
    ('random', dict(power='a1', energy_weight=0.5),
     'random_projection/pd40_pn20_powera1_weight0.5'),
    ('angle', {}, 'angle_projection/pd30_pn1_iter1'),
    ('angle', dict(pd=8, iters=0, pn=2), 'angle_projection/pd8_pn2_iter0'),
    ('adversarial', {}, 'adversarial_projection/pd30_pn1_iter10'),
    ('random_max', {}, 'random_max_projection/pd40_pn20'),
    ('half_mhe', {}, 'half_mhe/power2'),
    ('mhe', dict(power=0, output_energy_weight=1), 'mhe/power0_outputweight1'),
    ('group', dict(groups=8), 'group/groups8_power2'),
    ('none', {}, 'none/default'),
    ('srip', dict(energy_weight=0.01), 'srip/weight0.01')])
def test_folder(method, settings, expected):
  resolved = methods.resolve(method, settings)
  assert '/'.join(methods.folder(method, resolved)) == expected


def test_runs_with_other_settings_have_other_folders():
  others = {'pd': 7, 'pn': 3, 'pnd': 5, 'iters': 4, 'groups': 2, 'power': 'a0',
            'draw': 'reduced', 'gram': 'smaller', 'energy_weight': 0.3,
            'output_energy_weight': 0.2}
  assert sorted(others) == sorted(methods.SETTINGS)
  folders = []
  for method, entry in methods.METHODS.items():
    for given in [{}] + [{name: others[name]} for name in entry.settings]:
      folders.append(methods.folder(method, methods.resolve(method, given)))
  assert len(set(folders)) == len(folders)


def test_the_page_has_the_table(root):
  with open(os.path.join(root, 'docs', 'methods.md')) as file:
    assert methods.markdown() in file.read()
  assert subprocess.check_output(
      [sys.executable, '-m', 'comhe_tf1.regularizers.methods'], cwd=root,
      universal_newlines=True).strip() == methods.markdown()


def test_a_name_that_is_not_there():
  with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
    comhe_tf1.nonsense   # noqa: B018


def test_everything_that_is_named_is_there():
  for name in dir(comhe_tf1):
    assert getattr(comhe_tf1, name) is not None or name == '__cached__'
