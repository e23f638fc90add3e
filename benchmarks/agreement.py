"""What all contenders must compute alike before a timing of theirs is shown."""

# Relative, by the first word of a value's name. Gradients and convolutions are long
# sums of float32, whose order differs between contenders; batches are exact.
TOLERANCES = {'gradient': 1e-3, 'fit': 1e-3, 'batch': 0.}
TOLERANCE = 1e-5
FOUR_DECIMALS = 1e-4   # for values read off a log


class Disagreement(Exception):
  """Two contenders do not compute the same; the message says what differs."""


def compare(name, actual, expected, least=0.):
  """Compares values, dicts from names to numbers, by the names that both have.

  Args:
    name: of the contender, for the message.
    actual, expected: its values, and those of the first contender.
    least: tolerance that no value need be closer than.

  Raises:
    Disagreement: a value differs, or there is nothing to compare.
  """
  common = sorted(set(actual) & set(expected))
  if not common:
    raise Disagreement(f'{name}: nothing to compare')
  for value in common:
    tolerance = max(least, TOLERANCES.get(value.split()[0], TOLERANCE))
    # A NaN differs too.
    if not abs(actual[value] - expected[value]) <= tolerance * abs(expected[value]):
      raise Disagreement(
          f'{name}: {value} is {actual[value]:.9g}, expected {expected[value]:.9g}')
