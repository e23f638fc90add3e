"""Tables for the terminal."""


def aligned(rows, left):
  """Rows of strings as lines with aligned columns.

  Args:
    rows: list of sequences of strings, of equal length.
    left: set of the columns that are aligned to the left, the others to the right.

  Returns:
    List of strings.
  """
  widths = [max(map(len, column)) for column in zip(*rows)]
  return ['  '.join(cell.ljust(width) if i in left else cell.rjust(width)
                    for i, (cell, width) in enumerate(zip(row, widths))).rstrip()
          for row in rows]
