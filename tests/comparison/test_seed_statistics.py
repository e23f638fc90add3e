import numpy as np
import pytest

from comhe_tf1.comparison import seed_statistics


def test_spread_and_pooling():
  spread = seed_statistics.spread([1., 2., 4.])
  assert spread == (pytest.approx((7. / 3) ** 0.5), 2)
  # Variances 4 and 1 with 1 and 2 degrees of freedom: (4 + 2) / 3.
  assert seed_statistics.pooled([
      seed_statistics.Spread(2., 1), seed_statistics.Spread(1., 2)]) == (
          pytest.approx(2 ** 0.5), 3)
  assert seed_statistics.pooled([spread]) == (pytest.approx(spread.sd), 2)


@pytest.mark.parametrize('freedom, t', [
    # Printed tables of Student's distribution, two-sided 95 %.
    (1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (10, 2.228),
    (30, 2.042), (120, 1.980)])
def test_students_t(freedom, t):
  assert seed_statistics.student_t(freedom) == pytest.approx(t, abs=5e-4)


def test_students_t_covers_what_it_says(rng):
  """Differences of means of normal draws stay within t s sqrt(1/n + 1/m) so often."""
  ours, theirs = rng.randn(20000, 3), rng.randn(20000)
  sd = ours.std(axis=1, ddof=1)
  limit = seed_statistics.student_t(2) * sd * (1 / 3. + 1) ** 0.5
  inside = np.mean(np.abs(ours.mean(axis=1) - theirs) <= limit)
  assert abs(inside - 0.95) < 0.006   # four standard errors


def test_bootstrap_interval(rng):
  values = list(rng.randn(200))
  low, high = seed_statistics.bootstrap_interval(values)
  # The normal theory's interval, which holds for so many.
  half = 1.96 * np.std(values) / 200 ** 0.5
  assert low == pytest.approx(np.mean(values) - half, abs=0.02)
  assert high == pytest.approx(np.mean(values) + half, abs=0.02)
  assert (low, high) == seed_statistics.bootstrap_interval(values)
  assert seed_statistics.bootstrap_interval([0.5, 0.5]) == (0.5, 0.5)
