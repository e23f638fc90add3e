"""Pictures of a comparison; imports matplotlib, which nothing else here needs.

Panels are drawn one by one, so that a page can lay them out, or all into one picture.
The seeds of one setting are one curve with a band. Colours are those of Okabe and Ito,
which colour-blind readers can distinguish too.
"""
import collections
import contextlib
import io
import logging
import os
import typing

# Otherwise it writes about its font cache to standard error.
logging.getLogger('matplotlib').setLevel(logging.ERROR)

# A backend that a notebook sets may be missing here, which would end the import.
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
from comhe_tf1.published import published_runs
from comhe_tf1.records import run_settings
from comhe_tf1.utils import durable

COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
STYLES = ('-', '--', '-.', ':')
MARKERS = ('x', '+', '1', '2', '3', '4')
SIZE = 4.2, 3.4        # of a panel, inches
DPI = 160
COLUMNS = 3            # of panels in one picture
SHADES = 256           # of a PNG, which takes a third of the bytes of full colour


class Panel(typing.NamedTuple):
  """A plot.

  name: of its kind, see `panels`. caption: what it shows, in words. draw: function of
  axes.
  """
  name: str
  title: str
  caption: str
  draw: object


class Line(typing.NamedTuple):
  """A curve, or points if it has a marker; low, high: of a band, or None."""
  label: str
  steps: object
  values: object
  colour: str
  style: str
  low: object = None
  high: object = None
  marker: str = None


_TITLES = collections.OrderedDict([
    ('fit', 'Classification loss of the training batch (fit)'),
    ('reg', 'Weight decay (reg)'), ('thom', 'Energy of all layers but the last (thom)'),
    ('thomf', 'Energy of the last layer (thomf)')])
_NETWORK = ('dataset', 'model', 'width', 'depth')   # flags
_ZERO = 5e-5           # where a deviation of 0 is drawn, half of the last digit
_PARTS = 75            # of steps that are drawn as one point each
_MANY = 20             # points of a published curve, from which on they are a line
_PLAIN = ticker.FuncFormatter(lambda value, _: f'{value:g}')
_KINDS = collections.OrderedDict([
    ('energies', 'Terms of the layers'),
    ('full_energies', 'Full-space energies, unprojected'),
    ('half_energies', 'Half-space energies, unprojected')])


def panels(compared, energies, names=None, labels=None):
  """The plots of a comparison.

  Args:
    compared: `verdicts.Comparison`.
    energies: list of dicts, as `recorded_run.layer_energies`, one for every entry.
    names: those to draw, in order, or None for all: 'accuracy', 'late' (magnified), 'fit',
      'reg', 'thom', 'thomf', 'deviation', 'energy' (sums over layers), 'layers'.
    labels: list of str, one for every entry, or None for method and seed.

  Returns:
    List of `Panel`.
  """
  found = []
  by_number = {entry.number: by_kind
               for entry, by_kind in zip(compared.entries, energies)}
  for section in compared.sections:
    suffix = _suffix(section) if compared.sections[1:] else ''
    known = _labels(section, labels)
    found += _accuracies(section, suffix, known) + _losses(section, suffix, known)
    found += _energy_sums(section, suffix, by_number, known)
    for group, (label, _) in zip(section.groups, known):
      found += _layers(group, label, by_number, section.protocol)
  found += [_deviations(each) for each in compared.line_by_line
            if each.agreement.quantities]
  return found if names is None else [
      panel for name in names for panel in found if panel.name == name]


def _suffix(section):
  """Which steps a panel is of, a second line of its title."""
  whole = section.protocol.steps
  return (f'\n{whole:,} steps' if section.steps == whole else
          f'\nfirst {section.steps:,} of {whole:,} steps')


def _labels(section, given):
  """Pairs of label and settings of the groups, and then of the references, of a section.

  Where networks or data differ, every label says which it is.
  """
  known = []
  for group in section.groups:
    settings = group.entries[0].settings
    if given:
      names = (given[entry.number - 1] for entry in group.entries)
      label = ', '.join(collections.OrderedDict.fromkeys(names))
    elif settings is None:
      folder = os.path.basename(os.path.dirname(group.entries[0].run.key))
      label = f'{folder} (log, settings not recorded)'
    else:
      seeds = [str(entry.seed) for entry in group.entries]
      label = run_settings.described(settings) + (
          f', seed {seeds[0]}' if not seeds[1:] else
          f', {len(seeds)} seeds' if seeds[3:] else f', seeds {" ".join(seeds)}')
    known.append((label, settings))
  labels = [label for label, _ in known]
  known = [(f'{verdicts.numbers(group.entries)} {label}' if labels.count(label) > 1
            else label, settings)
           for (label, settings), group in zip(known, section.groups)]
  known += [(reference.label, reference.settings) for reference in section.references]
  for name in _NETWORK:
    values = {settings[name] for _, settings in known if settings and name in settings}
    if len(values) > 1:
      known = [(f'{label}, {name} {run_settings.shown(settings[name])}'
                if settings and name in settings and f'{name} ' not in label else label,
                settings) for label, settings in known]
  return known


def _accuracies(section, suffix, known):
  words = verdicts.describe_protocol(section.protocol, section.steps)
  lines = _lines(section, 'test acc', known)
  if not lines:
    return []
  found = [Panel('accuracy', 'Test accuracy', f'Test accuracy, not smoothed; {words}.',
                 _plot('Test accuracy' + suffix, 'test accuracy', lines, section,
                       bottom=0))]
  last_drop = max((drop for drop in section.protocol.lr_drops if drop < section.steps),
                  default=0)
  late = [_between(line, last_drop, section.steps) for line in lines]
  # Of no use before a run is that far.
  if last_drop and any(entry.tests[-1:] >= [(last_drop,)] for entry in section.entries):
    title = 'Test accuracy after the last decay step (magnified)'
    found.append(Panel(
        'late', title, f'The same after step {last_drop:,}; the axis does not start at 0.',
        _plot(title + suffix, 'test accuracy', [line for line in late if len(line.steps)],
              section)))
  return found


def _losses(section, suffix, known):
  words = verdicts.describe_protocol(section.protocol, section.steps)
  found = []
  for name, title in _TITLES.items():
    lines = _lines(section, name, known)
    if name in ('thom', 'thomf'):   # the term of a method without one
      lines = [line for line in lines if np.any(line.values)]
    if lines:
      found.append(Panel(
          name, title, f'{title}, as logged before the update; {words}.',
          _plot(title + suffix,
                name + (' (nats, log axis)' if name == 'fit' else ' (no unit)'),
                lines, section, log=name == 'fit')))
  return found


def _deviations(compared):
  """Deviation of a run's lines from those of its reference, over the steps."""
  title = f'Deviation of #{compared.entry.number} from {compared.label}'

  def draw(axes):
    for i, (name, quantity) in enumerate(compared.agreement.quantities.items()):
      steps, deviations = _largest(quantity.common_steps, quantity.deviations)
      # A log axis has no 0.
      axes.plot(steps, np.maximum(deviations, _ZERO), STYLES[i % 4], linewidth=1.1,
                color=COLOURS[i], label=name, marker='.', markersize=3)
    axes.axhline(2 * _ZERO, color='#555555', linewidth=0.8, linestyle=':')
    axes.set_yscale('log')
    axes.set_ylim(bottom=_ZERO / 1.5)
    axes.yaxis.set_major_formatter(_PLAIN)
    axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    _dress(axes, title, 'absolute deviation (log axis)', compared.entry.schedule.protocol)
    _legend(axes, 3)
  return Panel('deviation', title, (
      f'{title}: absolute deviation of the lines that both logs have. Of more than {_PARTS} '
      f'lines, the maxima of {_PARTS} parts are drawn. 0 is drawn at {_ZERO:g}. The dotted '
      f'line is one unit of the last of four digits.'), draw)


def _largest(steps, deviations):
  """The largest deviation of each of `_PARTS` parts with equally many lines."""
  at = [part[np.argmax(np.asarray(deviations)[part])] for part in _parts(len(steps))]
  return np.asarray(steps)[at], np.asarray(deviations)[at]


def _parts(count):
  """Indices from 0 to `count` - 1, in at most `_PARTS` arrays of about the same length."""
  return np.array_split(np.arange(count), max(1, min(_PARTS, count)))


def _energy_sums(section, suffix, by_number, known):
  """Panels of the sum over all layers but the last, one for each kind of sum."""
  kinds = collections.OrderedDict()
  for i, (group, (label, settings)) in enumerate(zip(section.groups, known)):
    power = str((settings or {}).get('power', '2'))
    for kind, space in (('half_energies', 'half'), ('full_energies', 'full')):
      sums = list(filter(None, (
          energy_sums.but_last(by_number[entry.number].get(kind, {}))
          for entry in group.entries)))
      if sums:
        curves, counts = zip(*sums)
        line = _line(label, curves, COLOURS[i % 6], STYLES[i // 6 % 4])
        if len(line.steps):   # several seeds may have none in common
          kinds.setdefault((space, counts[0], power), []).append((line, settings))
  return [_energy_sum(section, suffix, space, count, power, members)
          for (space, count, power), members in kinds.items()]


def _energy_sum(section, suffix, space, count, power, members):
  title = (f'Energies of the {count} layers but the last, {space} space'
           f'{"" if power == "2" else ", power " + power}')
  lines = [line for line, _ in members]
  published = collections.OrderedDict()
  if section.protocol == published_runs.COMHE:
    for line, settings in members:
      curve = energy_sums.published_for(settings)
      if curve:
        published.setdefault(curve.name, (curve.energies, line.colour))
  error = published_runs.ENERGY_ERROR
  drawn = _readable(lines + [
      Line(f'published {name}, width 1 (+-{error:g})', list(energies),
           list(energies.values()), colour, '', marker=MARKERS[i % 6])
      for i, (name, (energies, colour)) in enumerate(published.items())],
                    max(line.steps[-1] for line in lines))
  caption = (f'{title}: the sum over the layers, of the kernels as they are, not '
             f'projected; no unit.')
  if len(drawn) > len(lines):
    caption += (f' Published: CNN-9 of full width, read off by eye, +-{error:g}, from '
                f'{published_runs.ENERGY_SOURCE}, which do not say in which space.')
  return Panel('energy', title, caption,
               _plot(title + suffix, 'energy (no unit)', drawn, section))


def _lines(section, name, known):
  """The curves of a quantity: references below, runs above; seeds as one band."""
  lines = []
  groups = len(section.groups)
  for i, (reference, (label, _)) in enumerate(zip(section.references, known[groups:])):
    grey = ('black', '#777777')[i % 2]
    if reference.curves:
      lines.append(_line(label, [curves[name] for curves in reference.curves
                                 if name in curves], grey, STYLES[i % 4]))
      continue
    points = _points_of(reference, name, section)
    if points:
      steps, values = zip(*points)
      many = len(points) > _MANY
      lines.append(Line(label + ('' if many else ' (points)'), steps, values, grey,
                        STYLES[i % 4] if many else '',
                        marker=None if many else MARKERS[i % 6]))
  for i, (group, (label, _)) in enumerate(zip(section.groups, known)):
    lines.append(_line(label, [entry.run.curves[name] for entry in group.entries
                               if name in entry.run.curves],
                       COLOURS[i % 6], STYLES[i // 6 % 4]))
  return _readable([line for line in lines if line],
                   max(entry.newest for entry in section.entries))


def _readable(lines, newest):
  """Cuts what runs are compared with to their length while they are short.

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
  first = [(0, reference.first_line[name])] if reference.first_line else []
  last = reference.last_line if whole else None
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
  if len(rows) == 1:
    return Line(label, steps, rows[0], colour, style)
  return Line(label + ' (mean, range)', steps, rows.mean(axis=0), colour, style,
              low=rows.min(axis=0), high=rows.max(axis=0))


def _between(line, first, last):
  kept = (np.asarray(line.steps) >= first) & (np.asarray(line.steps) <= last)
  return line._replace(**{
      name: np.asarray(getattr(line, name))[kept]
      for name in ('steps', 'values', 'low', 'high') if getattr(line, name) is not None})


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
    # An axis that does not begin at 0 makes small values look like 0.
    cut = not log and axes.get_ylim()[0] > 0
    _dress(axes, title, quantity + (', axis does not start at 0' if cut else ''),
           section.protocol)
    _legend(axes, 2)
  return draw


def _layers(group, label, by_number, protocol):
  """Panels of the single layers of a group, one for each kind of energy."""
  found = []
  for kind, title in _KINDS.items():
    recorded = [by_number[entry.number][kind] for entry in group.entries
                if kind in by_number[entry.number]]
    if recorded:
      label += ' (mean)' if recorded[1:] and not label.endswith('(mean)') else ''
      found.append(Panel('layers', title, (
          f'{title}, {label}: the change of each of {len(recorded[0])} layers since it was '
          f'first recorded, and that first value; no unit. Of more than {_PARTS} values, '
          f'the means of {_PARTS} parts are drawn.'),
                         _changes(f'{title}\n{label}', recorded, protocol)))
  return found


def _changes(title, recorded, protocol):
  """Draws changes: the energies of layers are far apart and change little."""
  def draw(axes):
    shades = matplotlib.cm.get_cmap('viridis') if hasattr(
        matplotlib.cm, 'get_cmap') else matplotlib.colormaps['viridis']
    layers, most = list(recorded[0]), 1
    many = len(layers) > 16
    for i, layer in enumerate(layers):
      line = _line(layer, [run[layer] for run in recorded if layer in run],
                   shades(0.9 * i / max(1, len(layers) - 1)), STYLES[i % 4])
      if len(line.steps):
        # The terms of new random projections scatter more than the layers differ.
        parts = _parts(len(line.steps))
        most = max(most, len(parts[0]))
        axes.plot([line.steps[part].mean() for part in parts],
                  [line.values[part].mean() - line.values[0] for part in parts],
                  line.style, linewidth=1.1,
                  label=layer if many else f'{layer} {line.values[0]:.4f}',
                  color=line.colour, marker='.' if len(line.steps) == 1 else None)
    axes.yaxis.set_major_formatter(_PLAIN)
    _dress(axes, title, 'change since first value' + (
        '' if most == 1 else f', means of {most}'), protocol)
    _legend(axes, 4 if many else 3, 6 if many else 7)
  return draw


def _legend(axes, columns, size=8):
  labels = axes.get_legend_handles_labels()[1]
  if labels:
    axes.legend(fontsize=size, ncol=columns if max(map(len, labels)) < 32 else 1,
                loc='upper center', frameon=False, bbox_to_anchor=(0.45, 0),
                borderaxespad=34. / size, columnspacing=1)   # 34 points, below the label


def _dress(axes, title, quantity, protocol):
  """Titles, units, a grid, and the learning-rate decay steps within the axis."""
  axes.set_title(title, fontsize=9.5)
  axes.set_xlabel('training step', fontsize=9)
  axes.set_ylabel(quantity, fontsize=9)
  axes.tick_params(labelsize=8)
  axes.xaxis.set_major_formatter(ticker.FuncFormatter(
      lambda value, _: f'{value:,.0f}'))
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
  # Long legends take their height from below the panels, not from within.
  renderer = figure.canvas.get_renderer()
  legends = [axes.get_legend().get_window_extent(renderer).height / figure.dpi
             for axes in figure.axes if axes.get_legend()]
  figure.set_figheight(rows * (SIZE[1] + max([0.6] + legends) - 0.6))
  figure.tight_layout()
  return figure


@contextlib.contextmanager
def _own_settings():
  """Ignores the user's settings, which may ask for LaTeX or other sizes."""
  # Figures of any size may have been logged; axes should not warn about them.
  with matplotlib.rc_context(), np.errstate(all='ignore'):
    matplotlib.rcdefaults()
    yield


def _png(figure, file):
  """Writes a figure into a binary file, with a palette of its own colours."""
  full = io.BytesIO()
  figure.savefig(full, format='png', dpi=DPI)
  # Not dithered: dots would blur the lines and take more bytes.
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
