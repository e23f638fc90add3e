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

from comhe_tf1.comparison import verdicts
from comhe_tf1.records import durable

COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
STYLES = ('-', '--', '-.', ':')
MARKERS = ('x', '+', '1', '2', '3', '4')
SIZE = 4.2, 3.4        # of a panel, inches
DPI = 160
COLUMNS = 3            # of panels in one picture

Panel = collections.namedtuple('Panel', 'title caption draw')
Panel.__doc__ = """A plot. caption: what it shows, in words. draw: function of axes."""

Line = collections.namedtuple('Line', 'label steps values low high colour style marker')
Line.__doc__ = """A curve, or points if it has a marker; low, high: of a band, or None."""

_LOSSES = (('fit', 'Classification loss of the training batch (fit)'),
           ('reg', 'Weight decay (reg)'),
           ('thom', 'Energy of all layers but the last (thom)'),
           ('thomf', 'Energy of the last layer (thomf)'))
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
  for section in compared.sections:
    found += _section(section)
  by_number = {entry.number: by_kind
               for entry, by_kind in zip(compared.entries, energies)}
  for section in compared.sections:
    for group in section.groups:
      for kind, title in _KINDS.items():
        recorded = [by_number[entry.number][kind] for entry in group.entries
                    if kind in by_number[entry.number]]
        if recorded:
          title += ', %s%s' % (verdicts.numbers(group.entries),
                               ' (mean)' if recorded[1:] else '')
          found.append(Panel(
              title, '%s: what each of %d layers changed by since it was first '
              'recorded, and that first value; no unit.' % (title, len(recorded[0])),
              _energies(title, recorded, section.protocol)))
  return found


def _section(section):
  words = verdicts.protocol_in_words(section.protocol, section.steps)
  accuracies = _lines(section, 'test acc')
  found = []
  if accuracies:
    found.append(Panel(
        'Test accuracy', 'Test accuracy, not smoothed; %s.' % words, _plot(
            'Test accuracy', 'test accuracy', accuracies, section,
            bottom=0)))
    last_drop = max((drop for drop in section.protocol.lr_drops
                     if drop < section.steps), default=0)
    late = [_since(line, last_drop) for line in accuracies]
    if last_drop and any(len(line.steps) for line in late):
      title = 'Test accuracy after the last rate drop (magnified)'
      found.append(Panel(
          title, 'The same after step {:,}; the axis does not begin at 0.'.format(
              last_drop), _plot(title, 'test accuracy',
                                [line for line in late if len(line.steps)], section)))
  for name, title in _LOSSES:
    lines = _lines(section, name)
    if lines:
      found.append(Panel(
          title, '%s, as logged before the update; %s.' % (title, words), _plot(
              title, name + (' (nats, log axis)' if name == 'fit' else ' (no unit)'),
              lines, section, log=name == 'fit')))
  return found


def _lines(section, name):
  """The curves of a quantity: references below, runs above; seeds as one band."""
  lines = []
  for i, reference in enumerate(section.references):
    grey = ('black', '#777777')[i % 2]
    points = _points_of(reference, name, section)
    if reference.curves:
      lines.append(_line(reference.label, [curves[name] for curves in reference.curves
                                           if name in curves], grey, STYLES[i % 4]))
    elif points:
      steps, values = zip(*points)
      lines.append(Line(reference.label + ' (read off)', steps, values, None, None,
                        grey, '', MARKERS[i % 6]))
  for i, group in enumerate(section.groups):
    label = verdicts.numbers(group.entries) + (
        ' (mean, range)' if group.entries[1:] else '')
    lines.append(_line(label, [entry.run.curves[name] for entry in group.entries
                               if name in entry.run.curves],
                       COLOURS[i % 6], STYLES[i // 6 % 4]))
  return [line for line in lines if line]


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
  steps = np.asarray(curves[0].steps)
  for curve in curves[1:]:
    steps = np.intersect1d(steps, curve.steps)
  rows = np.array([np.asarray(curve.values)[np.searchsorted(curve.steps, steps)]
                   for curve in curves])
  several = len(rows) > 1
  return Line(label, steps, rows.mean(axis=0), rows.min(axis=0) if several else None,
              rows.max(axis=0) if several else None, colour, style, None)


def _since(line, step):
  kept = np.asarray(line.steps) >= step
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
    axes.legend(fontsize=8, ncol=2, loc='upper center', bbox_to_anchor=(0.45, -0.2),
                frameon=False, columnspacing=1)
  return draw


def _energies(title, recorded, protocol):
  """Changes, since the energies of layers lie far apart and move little."""
  def draw(axes):
    shades = matplotlib.cm.get_cmap('viridis') if hasattr(
        matplotlib.cm, 'get_cmap') else matplotlib.colormaps['viridis']
    layers = list(recorded[0])
    many = len(layers) > 16
    for i, layer in enumerate(layers):
      line = _line(layer, [run[layer] for run in recorded if layer in run],
                   shades(0.9 * i / max(1, len(layers) - 1)), STYLES[i % 4])
      if len(line.steps):
        axes.plot(line.steps, line.values - line.values[0], line.style, linewidth=1.1,
                  label=layer if many else '%s %.4f' % (layer, line.values[0]),
                  color=line.colour,
                  marker='.' if len(line.steps) == 1 else None)
    axes.yaxis.set_major_formatter(_PLAIN)
    _dress(axes, title, 'change since first value', protocol)
    axes.legend(fontsize=6 if many else 7, ncol=4 if many else 3, loc='upper center',
                bbox_to_anchor=(0.45, -0.2), frameon=False, columnspacing=1)
  return draw


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
  with matplotlib.rc_context():
    matplotlib.rcdefaults()
    yield


@_own_settings()
def image(panel):
  """A panel as a PNG, bytes."""
  file = io.BytesIO()
  _figure([panel], 1).savefig(file, format='png', dpi=DPI)
  return file.getvalue()


@_own_settings()
def write(drawn, path):
  """Writes all panels as one picture, PNG, SVG or PDF by the path's ending.

  Raises:
    OSError: it cannot be written.
  """
  figure = _figure(drawn, min(COLUMNS, len(drawn)))
  durable.write_atomically(path, lambda file: figure.savefig(
      file, format=os.path.splitext(path)[1][1:], dpi=DPI))
