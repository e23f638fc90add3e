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


def test_interval_of_a_mean():
  """By hand: sd sqrt(7 / 3), t of 2 degrees of freedom 4.303."""
  low, high = seed_statistics.mean_interval([1., 2., 4.])
  half = 4.3027 * (7. / 3) ** 0.5 / 3 ** 0.5
  assert (low, high) == (pytest.approx(7. / 3 - half, abs=1e-3),
                         pytest.approx(7. / 3 + half, abs=1e-3))


def test_mean_difference_by_hand():
  # Seeds 1 and 2 in both: differences 1 and 3, sd sqrt(2), t of 1 degree 12.706.
  found = seed_statistics.mean_difference({1: 5., 2: 9., 3: 0.}, {1: 4., 2: 6., 7: 9.})
  assert found == (2., pytest.approx(12.7062, abs=1e-3), True, (2, 2))
  # No seed in both: variances 0.5 and 2 pooled, 1.25; t of 2 degrees 4.303.
  found = seed_statistics.mean_difference({1: 5., 2: 6.}, {3: 4., 4: 6.})
  assert found == (0.5, pytest.approx(4.3027 * 1.25 ** 0.5, abs=1e-3), False, (2, 2))
  # One run beside several has their spread; one of each has none.
  found = seed_statistics.mean_difference({1: 5.}, {1: 4., 2: 6.})
  assert found == (0., pytest.approx(12.7062 * 2 ** 0.5 * 1.5 ** 0.5, abs=2e-3), False,
                   (1, 2))
  assert seed_statistics.mean_difference({1: 5.}, {1: 4.}) == (1., None, True, (1, 1))
  assert seed_statistics.mean_difference({1: 5.}, {2: 4.}) == (1., None, False, (1, 1))


@pytest.mark.parametrize('paired', [True, False])
def test_the_interval_of_a_difference_covers_what_it_says(rng, paired):
  """Also where both runs of a seed have something in common, as the same batches."""
  inside = 0
  for _ in range(4000):
    shared = rng.randn(3)
    ours = dict(enumerate(0.5 + shared + 0.5 * rng.randn(3)))
    theirs = dict(zip(range(3) if paired else range(3, 6), (
        shared if paired else rng.randn(3)) + 0.5 * rng.randn(3)))
    found = seed_statistics.mean_difference(ours, theirs)
    assert found.paired == paired
    inside += abs(found.mean - 0.5) <= found.half_width
  assert abs(inside / 4000. - 0.95) < 0.0138   # four standard errors
