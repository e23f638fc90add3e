import pytest

from comhe_tf1.comparison import cells
from comhe_tf1.published import published_runs
from comhe_tf1.records import run_settings
from comhe_tf1.regularizers import methods


def test_the_figures_that_are_known():
  """Read off the authors' logs by hand."""
  assert [(run.last, run.best, f'{run.median:.4f}', run.random_seed)
          for run in published_runs.RUNS.values()] == [
              (0.7559, (0.7572, 73000), '0.7556', 1234),
              (0.7513, (0.7525, 67500), '0.7512', 345),
              (0.7474, (0.7483, 71000), '0.7470', 3456)]
  assert {name: run.last for name, run in published_runs.MHE_RUNS.items()
          if name in ('none', 'half_mhe_2', 'mhe_a0')} == {
              'none': 0.6974, 'half_mhe_2': 0.7399, 'mhe_a0': 0.7197}


@pytest.mark.parametrize('name', list(published_runs.ALL))
def test_facts_fit_together(name):
  run = published_runs.ALL[name]
  methods.resolve(run.regularizer, run.settings)   # settings that the method has
  assert 'github.com/' in run.source
  assert (run.protocol is published_runs.COMHE) == (name in published_runs.RUNS)
  assert (run.first_line is not None) == (name in published_runs.RUNS)
  if run.first_line:
    assert tuple(run.first_line) == published_runs.QUANTITIES
  if run.tests:
    assert list(run.tests) == sorted(set(run.protocol.milestones) | set(
        range(1000, run.protocol.steps, 1000)))
    assert run.best[0] >= max(list(run.tests.values()) + [run.last])
    assert run.best[1] % 500 == 0 and run.best[1] < run.protocol.steps
    # 0.01 at 500 and 1,000 in every log.
    assert [run.tests[500], run.tests[1000]] == [0.01, 0.01]
  assert bool(run.note) == (run.regularizer == 'mhe')


def test_tables_and_logs():
  """Which cells are the lowest error of a log; by hand, from the logs and the slides."""
  assert {cell.log: cell.error for cell in published_runs.CELLS if cell.log} == {
      'half_mhe_0': 26.18, 'half_mhe_1': 26.30, 'half_mhe_2': 25.96,
      'half_mhe_a0': 26.47, 'half_mhe_a1': 26.52, 'half_mhe_a2': 26.03,
      'mhe_0': 26.75, 'mhe_1': 27.09, 'mhe_2': 27.15, 'mhe_a1': 27.31}
  for cell in published_runs.CELLS:
    if cell.log:
      run = published_runs.MHE_RUNS[cell.log]
      assert f'{100 - 100 * run.best[0]:.2f}' == cell.shown_error
      known = run_settings.get_published_settings(run)
      assert all(known[flag] == value for flag, value in cell.settings.items())
  by_label = {cell.label: cell for cell in published_runs.CELLS}
  assert len(by_label) == len(published_runs.CELLS) == 87
  for name, error, column in (
      ('MHE table 2, Baseline, ', 47.72, '16/32/64'),
      ('MHE table 3, MHE, ', 28.16, 'CNN-6'),
      ('MHE table 2, Half-space MHE, ', 21.83, '256/512/1024'),
      ('MHE table 1, A-MHE, CIFAR-10, ', 6.21, 's = 2'),
      ('MHE table 4, A-MHE, ', 27.8, 'output layer only'),
      ('CoMHE table of CIFAR-10 and CIFAR-100, SRIP, ', 22.08, 'CIFAR-100')):
    assert by_label[name + column].error == error
  assert by_label['MHE table 3, Baseline, CNN-15'].error is None
  # The last column of table 4 is of table 1.
  assert sorted(cell.error for cell in by_label.values()
                if 'MHE table 4' in cell.places[1:]) == [
                    25.61, 26.03, 26.16, 26.17, 28.13]


def test_settings_that_no_cell_has():
  cell = next(cell for cell in published_runs.CELLS if cell.column == '16/32/64'
              and cell.row == 'Half-space MHE')
  settings = dict(cell.settings, max_steps=42500, lr_drops=[20000, 30000, 37500])
  match, = cells.matches(settings)
  assert match.cell is cell and not match.otherwise
  match, = cells.matches(dict(settings, power='0'))
  assert match.otherwise == ['--power 0, not 2']
  for changed in (dict(power='a2'), dict(max_steps=42499), dict(lr_drops=[]),
                  dict(energy_weight=0.), dict(batch_size=64), dict(width=0.3),
                  dict(lr_drops=None), dict(power=['2']), dict(data_md5='0' * 32)):
    assert cells.matches(dict(settings, **changed)) == []
  assert cells.matches({}) == []


def test_every_cell_is_of_a_method_and_a_page():
  for cell in published_runs.CELLS:
    assert cell.settings['regularizer'] in methods.METHODS
    assert all(place in published_runs.PAGES for place in cell.places)
    assert set(cell.doubtful) <= set(cell.settings)
    assert bool(cell.log) <= (cell.protocols == [published_runs.MHE])
