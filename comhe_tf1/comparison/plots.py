"""Pictures of a comparison; imports matplotlib, which nothing else here needs.

Panels are drawn one by one, so that a page can lay them out, or all into one picture.
Colours are those of Okabe and Ito, which colour-blind readers can tell apart too.
"""
import collections
import contextlib
import io
import logging
import os

# Else it tells of its font cache on standard error.
logging.getLogger('matplotlib').setLevel(logging.ERROR)

# What a notebook sets for its own pictures may not be there, which ends the import.
_BACKEND = os.environ.pop('MPLBACKEND', None)
import matplotlib

if _BACKEND is not None:
  os.environ['MPLBACKEND'] = _BACKEND
from matplotlib import ticker
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
import numpy as np
from PIL import Image  # matplotlib needs it too

from comhe_tf1.comparison import energy_sums
from comhe_tf1.comparison import verdicts
from comhe_tf1.published import energy_plot
from comhe_tf1.published import published_runs
from comhe_tf1.records import recorded_run
from comhe_tf1.utils import durable

COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
STYLES = ('-', '--', '-.', ':')
MARKERS = ('x', '+', '1', '2', '3', '4')
SIZE = 4.2, 3.4        # of a panel, inches
DPI = 160
COLUMNS = 3            # of panels in one picture
SHADES = 256           # of a PNG, which takes a third of the bytes that full colour does

Panel = collections.namedtuple('Panel', 'title caption draw')
Panel.__doc__ = """A plot. caption: what it shows, in words. draw: function of axes."""

Line = collections.namedtuple('Line', 'label steps values low high colour style marker')
Line.__doc__ = """A curve, or points if it has a marker; low, high: of a band, or None."""

_LOSSES = (('fit', 'Classification loss of the training batch (fit)'),
           ('reg', 'Weight decay (reg)'),
           ('thom', 'Energy of all layers but the last (thom)'),
           ('thomf', 'Energy of the last layer (thomf)'))
_ZERO = 5e-5           # where a deviation of 0 is drawn, half of the last digit
_PARTS = 75            # of steps that are drawn as one point each
_PLAIN = ticker.FuncFormatter(lambda value, _: '%g' % value)
_KINDS = collections.OrderedDict([
    ('energies', 'Terms of the layers'),
    ('full_energies', 'Full-space energies, unprojected'),
    ('half_energies', 'Half-space energies, unprojected')])


def panels(compared, energies):
  """The plots of a comparison.

  Args:
    compared: `verdicts.Comparison`.
    energies: list of dicts, as `recorded_run.layer_energies`, one for every entry.

  Returns:
    List of `Panel`.
  """
  found = []
  suffixes = [_in_title(section) if compared.sections[1:] else ''
              for section in compared.sections]
  for section, suffix in zip(compared.sections, suffixes):
    found += _section(section, suffix)
  by_number = {entry.number: by_kind
               for entry, by_kind in zip(compared.entries, energies)}
  found += [_agreement(entry, agreed) for entry, agreed in compared.agreements
            if agreed.quantities]
  for section, suffix in zip(compared.sections, suffixes):
    found += _energy_sums(section, suffix, by_number)
    for group in section.groups:
      for kind, title in _KINDS.items():
        recorded = [by_number[entry.number][kind] for entry in group.entries
                    if kind in by_number[entry.number]]
        if recorded:
          title += ', %s%s' % (verdicts.numbers(group.entries),
                               ' (mean)' if recorded[1:] else '')
          found.append(Panel(
              title, '%s: what each of %d layers changed by since it was first recorded, '
              'and that first value; no unit. Of more than %d values, the means of %d '
              'parts are drawn.' % (title, len(recorded[0]), _PARTS, _PARTS),
              _energies(title, recorded, section.protocol)))
  return found


def _in_title(section):
  """Which steps a panel is of, a second line of its title, where there are others."""
  whole = section.protocol.steps
  return ('\n{:,} steps' if section.steps == whole else '\nfirst {:,} of {:,} steps'
          ).format(section.steps, whole)


def _section(section, suffix):
  words = verdicts.protocol_in_words(section.protocol, section.steps)
  accuracies = _lines(section, 'test acc')
  found = []
  if accuracies:
    found.append(Panel(
        'Test accuracy', 'Test accuracy, not smoothed; %s.' % words, _plot(
            'Test accuracy' + suffix, 'test accuracy', accuracies, section,
            bottom=0)))
    last_drop = max((drop for drop in section.protocol.lr_drops
                     if drop < section.steps), default=0)
    late = [_between(line, last_drop, section.steps) for line in accuracies]
    # Of no use before a run is as far.
    if last_drop and any(recorded_run.tests(entry.run)[-1:] >= [(last_drop,)]
                         for entry in section.entries):
      title = 'Test accuracy after the last rate drop (magnified)'
      found.append(Panel(
          title, 'The same after step {:,}; the axis does not begin at 0.'.format(
              last_drop), _plot(title + suffix, 'test accuracy',
                                [line for line in late if len(line.steps)], section)))
  for name, title in _LOSSES:
    lines = _lines(section, name)
    if lines:
      found.append(Panel(
          title, '%s, as logged before the update; %s.' % (title, words), _plot(
              title + suffix,
              name + (' (nats, log axis)' if name == 'fit' else ' (no unit)'),
              lines, section, log=name == 'fit')))
  return found


def _agreement(entry, agreed):
  """Deviation of a run's lines from those of its reference, over the steps."""
  title = 'Deviation of #%d from %s' % (entry.number, agreed.label)

  def draw(axes):
    for i, (name, quantity) in enumerate(agreed.quantities.items()):
      steps, deviations = _largest(quantity.steps, quantity.deviations)
      # A log axis has no 0.
      axes.plot(steps, np.maximum(deviations, _ZERO), STYLES[i % 4], linewidth=1.1,
                color=COLOURS[i], label=name, marker='.', markersize=3)
    axes.axhline(2 * _ZERO, color='#555555', linewidth=0.8, linestyle=':')
    axes.set_yscale('log')
    axes.set_ylim(bottom=_ZERO / 1.5)
    axes.yaxis.set_major_formatter(_PLAIN)
    axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    _dress(axes, title, 'absolute deviation (log axis)', entry.schedule.protocol)
    _legend(axes, 3)
  return Panel(title, '%s: absolute difference of the lines that both have, the largest '
               'of every %dth part where there are more; 0 is drawn at %g. The dotted '
               'line is one unit of the last of four digits.' % (title, _PARTS, _ZERO),
               draw)


def _largest(steps, deviations):
  """The largest deviation of each of `_PARTS` parts with equally many lines."""
  at = [part[np.argmax(np.asarray(deviations)[part])] for part in _parts(len(steps))]
  return np.asarray(steps)[at], np.asarray(deviations)[at]


def _parts(count):
  """Indices from 0 to `count` - 1, in at most `_PARTS` arrays of about the same length."""
  return np.array_split(np.arange(count), max(1, min(_PARTS, count)))


def _energy_sums(section, suffix, by_number):
  """Panels of the sum over all layers but the last, one for each kind of sum."""
  kinds = collections.OrderedDict()
  for i, group in enumerate(section.groups):
    settings = group.entries[0].settings or {}
    power = str(settings.get('power', '2'))
    for kind, space in (('half_energies', 'half'), ('full_energies', 'full')):
      sums = [(entry, energy_sums.but_last(by_number[entry.number].get(kind, {})))
              for entry in group.entries]
      sums = [(entry,) + found for entry, found in sums if found]
      if sums:
        entries, curves, counts = zip(*sums)
        line = _line(verdicts.numbers(entries) + (' (mean, range)' if curves[1:] else ''),
                     curves, COLOURS[i % 6], STYLES[i // 6 % 4])
        if len(line.steps):   # of several seeds, which may have none in common
          kinds.setdefault((space, counts[0], power), []).append((line, settings))
  return [_energy_sum(section, suffix, space, count, power, members)
          for (space, count, power), members in kinds.items()]


def _energy_sum(section, suffix, space, count, power, members):
  title = 'Energies of the %d layers but the last, %s space%s' % (
      count, space, '' if power == '2' else ', power ' + power)
  lines = [line for line, _ in members]
  points = collections.OrderedDict()
  if section.protocol == published_runs.COMHE:
    for line, settings in members:
      known = energy_sums.published_for(settings)
      if known:
        points.setdefault(known.name, (known.energies, line.colour))
  drawn = _readable(lines + [
      Line('published %s (+-%g)' % (name, energy_plot.ERROR), list(energies),
           list(energies.values()), None, None, colour, '', MARKERS[i % 6])
      for i, (name, (energies, colour)) in enumerate(points.items())],
                    max(line.steps[-1] for line in lines))
  caption = ('%s: the sum over the layers, of the kernels as they are, not projected; no '
             'unit.' % title)
  if len(drawn) > len(lines):
    caption += (' Published: CNN-9 of full width, read off by eye, +-%g, from %s, which '
                'do not say in which space.' % (
                    energy_plot.ERROR, energy_plot.SOURCE))
  return Panel(title, caption, _plot(
      title + suffix, 'energy (no unit)', drawn, section))


def _lines(section, name):
  """The curves of a quantity: references below, runs above; seeds as one band."""
  lines = []
  for i, reference in enumerate(section.references):
    grey = ('black', '#777777')[i % 2]
    if reference.curves:
      lines.append(_line(reference.label, [curves[name] for curves in reference.curves
                                           if name in curves], grey, STYLES[i % 4]))
      continue
    points = _points_of(reference, name, section)
    if points:
      steps, values = zip(*points)
      lines.append(Line(reference.label + ' (read off)', steps, values, None, None,
                        grey, '', MARKERS[i % 6]))
  for i, group in enumerate(section.groups):
    label = verdicts.numbers(group.entries) + (
        ' (mean, range)' if group.entries[1:] else '')
    lines.append(_line(label, [entry.run.curves[name] for entry in group.entries
                               if name in entry.run.curves],
                       COLOURS[i % 6], STYLES[i // 6 % 4]))
  return _readable([line for line in lines if line], max(
      curve.steps[-1] for entry in section.entries for curve in entry.run.curves.values()))


def _readable(lines, newest):
  """Cuts what runs are compared with where they are short yet, or would be specks.

  Args:
    lines: list of `Line`.
    newest: last step of the runs.
  """
  whole = max((line.steps[-1] for line in lines if len(line.steps)), default=0)
  if newest < 0.4 * whole:
    lines = [_between(line, 0, 1.5 * newest) for line in lines]
  return [line for line in lines if len(line.steps)]


def _points_of(reference, name, section):
  """What is known of a published run, which has no curves here."""
  whole = reference.schedule.steps == section.steps
  if name == 'test acc':
    points = [(step, value) for step, value in sorted(reference.tests.items())
              if step < section.steps]
    return points + ([(section.steps - 1, reference.lasts[0])] if whole else [])
  first = [(0, reference.first[name])] if reference.first else []
  last = reference.final_train if whole else None
  return first + ([(last[0], last[1][name])] if last and name in last[1] else [])


def _line(label, curves, colour, style):
  """A curve, or the mean of several with their range, at the steps that all have."""
  if not curves:
    return None
  # A damaged record may have steps in any order, or twice.
  ordered = [np.unique(curve.steps, return_index=True) for curve in curves]
  steps = ordered[0][0]
  for others, _ in ordered[1:]:
    steps = np.intersect1d(steps, others)
  rows = np.array([np.asarray(curve.values)[at[np.searchsorted(others, steps)]]
                   for curve, (others, at) in zip(curves, ordered)])
  several = len(rows) > 1
  return Line(label, steps, rows.mean(axis=0), rows.min(axis=0) if several else None,
              rows.max(axis=0) if several else None, colour, style, None)


def _between(line, first, last):
  kept = (np.asarray(line.steps) >= first) & (np.asarray(line.steps) <= last)
  return line._replace(**{
      name: getattr(line, name) if getattr(line, name) is None
      else np.asarray(getattr(line, name))[kept]
      for name in ('steps', 'values', 'low', 'high')})


def _plot(title, quantity, lines, section, bottom=None, log=False):
  def draw(axes):
    for line in lines:
      if line.marker:
        axes.plot(line.steps, line.values, line.marker, color=line.colour, zorder=4,
                  label=line.label, markersize=7, markeredgewidth=1.5)
        continue
      if line.low is not None:
        axes.fill_between(line.steps, line.low, line.high, color=line.colour,
                          alpha=0.25, linewidth=0)
      axes.plot(line.steps, line.values, line.style, color=line.colour, linewidth=1.1,
                label=line.label, marker='.' if len(line.steps) == 1 else None)
    if log:
      axes.set_yscale('log')
      axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
      axes.yaxis.set_major_formatter(_PLAIN)
      axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    if bottom is not None:
      axes.set_ylim(bottom=bottom)
    # Low figures are not to look like none.
    cut = not log and axes.get_ylim()[0] > 0
    _dress(axes, title, quantity + (', axis not from 0' if cut else ''),
           section.protocol)
    _legend(axes, 2)
  return draw


def _energies(title, recorded, protocol):
  """Changes, since the energies of layers lie far apart and move little."""
  def draw(axes):
    shades = matplotlib.cm.get_cmap('viridis') if hasattr(
        matplotlib.cm, 'get_cmap') else matplotlib.colormaps['viridis']
    layers, most = list(recorded[0]), 1
    many = len(layers) > 16
    for i, layer in enumerate(layers):
      line = _line(layer, [run[layer] for run in recorded if layer in run],
                   shades(0.9 * i / max(1, len(layers) - 1)), STYLES[i % 4])
      if len(line.steps):
        # Terms of fresh projections scatter more than the layers differ.
        parts = _parts(len(line.steps))
        most = max(most, len(parts[0]))
        axes.plot([line.steps[part].mean() for part in parts],
                  [line.values[part].mean() - line.values[0] for part in parts],
                  line.style, linewidth=1.1,
                  label=layer if many else '%s %.4f' % (layer, line.values[0]),
                  color=line.colour,
                  marker='.' if len(line.steps) == 1 else None)
    axes.yaxis.set_major_formatter(_PLAIN)
    _dress(axes, title, 'change since first value' + (
        '' if most == 1 else ', means of %d' % most), protocol)
    _legend(axes, 4 if many else 3, 6 if many else 7)
  return draw


def _legend(axes, columns, size=8):
  if axes.get_legend_handles_labels()[0]:
    axes.legend(fontsize=size, ncol=columns, loc='upper center', frameon=False,
                bbox_to_anchor=(0.45, -0.2), columnspacing=1)


def _dress(axes, title, quantity, protocol):
  """Titles, units, a grid, and the drops of the rate that lie within the axis."""
  axes.set_title(title, fontsize=9.5)
  axes.set_xlabel('training step', fontsize=9)
  axes.set_ylabel(quantity, fontsize=9)
  axes.tick_params(labelsize=8)
  axes.xaxis.set_major_formatter(ticker.FuncFormatter(
      lambda value, _: '{:,.0f}'.format(value)))
  axes.xaxis.set_major_locator(ticker.MaxNLocator(6, integer=True))
  axes.grid(True, linewidth=0.4, color='#cccccc')
  axes.set_axisbelow(True)
  low, high = axes.get_xlim()
  label = 'learning rate x 0.1'
  for drop in protocol.lr_drops:
    if low < drop < high:
      axes.axvline(drop, color='#555555', linewidth=0.8, linestyle=(0, (2, 2)),
                   label=label, zorder=1)
      label = None


def _figure(drawn, columns):
  rows = -(-len(drawn) // columns)
  figure = Figure(figsize=(SIZE[0] * columns, SIZE[1] * rows))
  FigureCanvasAgg(figure)
  for i, panel in enumerate(drawn):
    panel.draw(figure.add_subplot(rows, columns, i + 1))
  figure.tight_layout()
  return figure


@contextlib.contextmanager
def _own_settings():
  """Without those of the user's files, which may ask for LaTeX or other sizes."""
  # Figures of any size may have been logged, and axes are not to warn of them.
  with matplotlib.rc_context(), np.errstate(all='ignore'):
    matplotlib.rcdefaults()
    yield


def _png(figure, file):
  """Writes a figure into a binary file, with a palette of its own colours."""
  full = io.BytesIO()
  figure.savefig(full, format='png', dpi=DPI)
  # Not dithered: dots would blur the lines, and take more bytes.
  Image.open(full).convert('RGB').quantize(SHADES, dither=0).save(
      file, format='png', optimize=True, dpi=(DPI, DPI))


@_own_settings()
def image(panel):
  """A panel as a PNG, bytes."""
  file = io.BytesIO()
  _png(_figure([panel], 1), file)
  return file.getvalue()


@_own_settings()
def write(drawn, path):
  """Writes all panels as one picture, PNG, SVG or PDF by the path's ending.

  Raises:
    OSError: it cannot be written.
  """
  figure = _figure(drawn, min(COLUMNS, len(drawn)))
  kind = os.path.splitext(path)[1][1:]
  durable.write_atomically(path, lambda file: (
      _png(figure, file) if kind == 'png' else figure.savefig(file, format=kind)))
