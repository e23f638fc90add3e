import pytest

from comhe_tf1.records import summary_metrics


def test_final_figures():
  tests = [(500 * i, value) for i, value in enumerate([0.9] + [0.1, 0.3] * 10 + [0.2])]
  final = summary_metrics.compute(tests)
  assert final['last'] == {'test_acc': 0.2, 'step': 10500,
                           'label': 'after the last step; the result'}
  assert (final['best']['test_acc'], final['best']['step']) == (0.9, 0)
  # The last 20 hold 0.3 ten times, 0.1 nine times and 0.2 once.
  assert final['median_of_last_20']['test_acc'] == pytest.approx(0.25)
  assert summary_metrics.compute(tests[:3])['median_of_last_20'] == {
      'test_acc': 0.3, 'evaluations': 3, 'label': 'of the last 3 evaluations'}
