"""The deviations from recorded trajectories that docs/evidence/parity.md lists."""
import copy
import os
import re

import golden_run
import pytest


def test_deviations():
  """Each quantity is moved by a known amount, and only its own deviation shows."""
  golden = golden_run.read(next(path for path in golden_run.PATHS if 'angle' in path))
  names = list(golden_run.bounds())
  moved = {name: 0. for name in names}
  assert golden_run.deviations(golden, golden) == moved

  def check(change, **expected):
    ours = copy.deepcopy(golden)
    change(ours)
    found = golden_run.deviations(golden, ours)
    assert found == pytest.approx(dict(moved, **expected))

  def later(column, amount):
    def change(ours):
      ours['rows'][7][column] += amount
    return change

  for column, name in enumerate(golden_run.TERMS):
    largest = max(row[column] for row in golden['rows'])
    check(later(column, -0.5 * largest), **{name: 0.5})
    check(lambda ours: ours['rows'][0].__setitem__(
        column, 1.5 * golden['rows'][0][column]),
          **{'step 0: terms of the loss': 0.5,
             name: 0.5 * golden['rows'][0][column] / largest})
  check(later(4, 0.25), acc=0.25)
  check(later(5, 1), **{'batches that differ': 1.})
  check(lambda ours: ours['op_seeds'].update({'conv1_1/project': 1}),
        **{'op seeds that differ': 1.})
  check(lambda ours: ours['initial_norms'].update(
      {'fc6/filter': 1.25 * golden['initial_norms']['fc6/filter']}),
        **{'initial norms': 0.25})
  for name, what in (('fc6/filter', 'kernels'), ('fc6/project', 'trained projections'),
                     ('conv1_0/bn/gamma/bias', 'batch-norm scales')):
    check(lambda ours: ours['final_norms'].update(
        {name: 0.75 * golden['final_norms'][name]}), **{'final norms: ' + what: 0.25})
  check(lambda ours: ours['eval'].__setitem__(0, 2. * golden['eval'][0]),
        **{'evaluation: fit': 1.})
  check(lambda ours: ours['eval'].__setitem__(1, golden['eval'][1] + 0.5),
        **{'evaluation: acc': 0.5})


def test_small_norms_are_held_to_the_least():
  shifts, = (bound for bound in golden_run.FINAL_NORMS if 'shifts' in bound.what)
  golden = golden_run.read(golden_run.PATHS[0])
  ours = copy.deepcopy(golden)
  golden['final_norms']['conv1_0/bn/beta/bias'] = 0.
  ours['final_norms']['conv1_0/bn/beta/bias'] = 0.5 * shifts.minimum
  assert golden_run.deviations(golden, ours)['final norms: batch-norm shifts'] == 0.5


def test_figures_of_the_page_are_within_the_bounds(root):
  with open(os.path.join(root, 'docs', 'evidence', 'parity.md'), encoding='utf8') as file:
    rows = re.findall(r'^\| ([^|-][^|]*) \|((?: [\d.e-]+ \|){5})$', file.read(), re.M)
  bounds = golden_run.bounds()
  assert {name for name, _ in rows} == set(bounds)
  for name, figures in rows:
    *found, shown = figures.strip(' |').split(' | ')
    bound = bounds[name]
    assert shown == ('-' if bound is None else '0' if bound == 0 else f'{bound:.1e}')
    assert bound is None or all(float(figure) <= bound for figure in found)
