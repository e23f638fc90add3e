"""What was measured, as tables, as JSON and as a figure.

A row is a dict: measure (with its variant), quantity (with its unit), contender,
samples.
"""
import collections
import json

import numpy as np

from comhe_tf1.utils import durable
from comhe_tf1.utils import text_table


def _grouped(rows):
  """Ordered dict from (measure, quantity) to an ordered dict contender -> samples."""
  groups = collections.OrderedDict()
  for row in rows:
    key = row['measure'], row['quantity']
    groups.setdefault(key, collections.OrderedDict())[row['contender']] = row['samples']
  return groups


def lines(rows):
  """Medians with their spread, then ratios to the first contender, as lines."""
  groups = _grouped(rows)
  table = [('', 'contender', 'median', 'least', 'most', 'samples')]
  for key, contenders in groups.items():
    for contender, samples in contenders.items():
      table.append((' '.join(key), contender) + tuple(
          ('%.0f' if value >= 1000 else '%.4g') % value
          for value in (np.median(samples), min(samples), max(samples)))
                   + (str(len(samples)),))
  names = list(collections.OrderedDict.fromkeys(row['contender'] for row in rows))
  ratios = [['ratio of medians'] + names]
  for key, contenders in groups.items():
    base = contenders.get(names[0])
    ratios.append([' '.join(key)] + [
        '%.2f' % (np.median(contenders[name]) / np.median(base))
        if base and name in contenders else '-' for name in names])
  return (text_table.aligned(table, {0, 1}) + ['']
          + text_table.aligned(ratios, {0}))


def keep(path, measured):
  """Writes what was measured as JSON, for what wants all samples."""
  durable.write_atomically(path, lambda file: file.write(
      json.dumps(measured, indent=1, sort_keys=True).encode()))


def plot(rows, path):
  """Draws medians, with bars from least to most, a panel for each quantity."""
  import matplotlib
  matplotlib.use('Agg')
  from matplotlib import pyplot

  groups = _grouped(rows)
  heights = [len(contenders) for contenders in groups.values()]
  figure, axes = pyplot.subplots(
      len(groups), 1, squeeze=False, gridspec_kw={'height_ratios': heights},
      figsize=(8, 0.6 * len(groups) + 0.35 * sum(heights)))
  for axis, ((measure, quantity), contenders) in zip(axes[:, 0], groups.items()):
    medians = [np.median(samples) for samples in contenders.values()]
    spread = [[median - min(samples), max(samples) - median]
              for median, samples in zip(medians, contenders.values())]
    axis.barh(range(len(medians)), medians, xerr=np.transpose(spread), capsize=2)
    axis.set_yticks(range(len(medians)))
    axis.set_yticklabels(list(contenders))
    axis.invert_yaxis()
    axis.set_title('%s: %s' % (measure, quantity), loc='left', fontsize='medium')
  figure.tight_layout()
  figure.savefig(path)
