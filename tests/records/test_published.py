import pytest

from comhe_tf1.records import published
from comhe_tf1.regularizers import methods


def test_the_figures_that_are_known():
  """As docs/comparing.md states them; read off the authors' logs by hand."""
  assert [(run.last, run.best, '%.4f' % run.median, run.random_seed)
          for run in published.RUNS.values()] == [
              (0.7559, (0.7572, 73000), '0.7556', 1234),
              (0.7513, (0.7525, 67500), '0.7512', 345),
              (0.7474, (0.7483, 71000), '0.7470', 3456)]
  assert {name: run.last for name, run in published.MHE_RUNS.items()
          if name in ('none', 'half_mhe_2', 'mhe_a0')} == {
              'none': 0.6974, 'half_mhe_2': 0.7399, 'mhe_a0': 0.7197}


@pytest.mark.parametrize('name', list(published.ALL))
def test_facts_fit_together(name):
  run = published.ALL[name]
  methods.resolve(run.regularizer, run.settings)   # settings that the method has
  assert run.runs == 1 and 'github.com/' in run.source
  assert run.protocol is (published.COMHE if name in published.RUNS else published.MHE)
  assert (run.fit is not None) == (name in published.RUNS)
  if run.tests:
    assert tuple(run.tests) == run.protocol.milestones
    assert run.best[0] >= max(list(run.tests.values()) + [run.last])
    assert run.best[1] % 500 == 0 and run.best[1] < run.protocol.steps
    # 0.01 at 500 and 1,000 in every log.
    assert [run.tests[500], run.tests[1000]] == [0.01, 0.01]
  assert bool(run.note) == (run.regularizer == 'mhe')
