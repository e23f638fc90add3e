"""What was measured, as a table and as JSON, and how all benchmarks end.

A row is a dict: measure (with its method), quantity (with its unit), contender, samples.
"""
import json
import statistics

import agreement
import measured_process

from comhe_tf1.utils import terminal
from comhe_tf1.utils import text_table


def lines(rows):
  """Medians with their spread, and as multiples of the first contender's, as lines."""
  table = [('', 'contender', 'median', 'minimum', 'maximum', 'samples', 'ratio')]
  first = {}
  for row in rows:
    title, samples = f'{row["measure"]} {row["quantity"]}', row['samples']
    median = statistics.median(samples)
    table.append((title, row['contender'], figure(median), figure(min(samples)),
                  figure(max(samples)), str(len(samples)),
                  f'{median / first.setdefault(title, median):.2f}'))
  return text_table.aligned(table, {0, 1})


def figure(value):
  """A number for a table."""
  return f'{value:.0f}' if value >= 1000 else f'{value:.4g}'


def keep(path, measured):
  """Writes what was measured as JSON, for what wants all samples; nothing without path."""
  if path:
    with open(path, 'w') as file:
      json.dump(measured, file, indent=1, sort_keys=True)


def finish(program, measure):
  """Calls what measures and shows; what went wrong is told in one line.

  Args:
    program: name of the script.
    measure: function without arguments.

  Returns:
    Exit status.
  """
  try:
    measure()
    return 0
  except agreement.Disagreement as error:
    terminal.note(program, f'error: no timings, the contenders disagree: {error}')
  except (measured_process.ContenderError, OSError) as error:
    terminal.note(program, f'error: {error}')
  except KeyboardInterrupt:
    terminal.note(program, 'interrupted')
    return 130
  return 1
