"""Pictures of a comparison; imports matplotlib, which nothing else here needs.

Panels are drawn one by one, so that a page can lay them out, or all into one picture.
The seeds of one setting are one curve with a band. Colours are those of Okabe and Ito,
which colour-blind readers can distinguish too.
"""
import collections
import io
import os
import typing

# A backend that a notebook sets may be missing here, which would end the import.
os.environ.pop('MPLBACKEND', None)
from matplotlib import cm
from matplotlib import style
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

# By name in the logs: name of the panel, title, label of the axis.
_CURVES = collections.OrderedDict([
    ('test acc', ('accuracy', 'Test accuracy', 'test accuracy')),
    ('fit', ('fit', 'Classification loss of the training batch (fit)',
             'fit (nats, log axis)')),
    ('reg', ('reg', 'Weight decay (reg)', 'reg (no unit)')),
    ('thom', ('thom', 'Energy of all layers but the last (thom)', 'thom (no unit)')),
    ('thomf', ('thomf', 'Energy of the last layer (thomf)', 'thomf (no unit)'))])
_KINDS = collections.OrderedDict([
    ('energies', 'Terms of the layers'),
    ('full_energies', 'Full-space energies, unprojected'),
    ('half_energies', 'Half-space energies, unprojected')])
_NETWORK = ('dataset', 'model', 'width', 'depth')   # flags
_ZERO = 5e-5           # where a deviation of 0 is drawn, half of the last digit
_PARTS = 75            # of steps that are drawn as one point each
_MANY = 20             # points of a published curve, from which on they are a line
_PLAIN = ticker.FuncFormatter(lambda value, _: f'{value:g}')


class Panel(typing.NamedTuple):
  """A plot.

  name: of its kind, see `panels`. caption: what it shows, in words. draw: function of
  axes.
  """
  name: str
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
  drawn = []
  by_number = {entry.number: by_kind
               for entry, by_kind in zip(compared.entries, energies)}
  for section in compared.sections:
    whole = section.protocol.steps
    suffix = '' if not compared.sections[1:] else (
        f'\n{whole:,} steps' if section.steps == whole else
        f'\nfirst {section.steps:,} of {whole:,} steps')
    labelled = _labels(section, labels)
    drawn += _curves(section, suffix, labelled)
    drawn += _energy_sums(section, suffix, by_number, labelled)
    for group, (label, _) in zip(section.groups, labelled):
      drawn += _layers(group, label, by_number, section.protocol)
  drawn += [_deviations(each) for each in compared.line_by_line
            if each.agreement.quantities]
  return drawn if names is None else [
      panel for name in names for panel in drawn if panel.name == name]


def _labels(section, given):
  """Pairs of label and settings of the groups, and then of the references, of a section.

  Where networks or data differ, every label says which it is.
  """
  labelled = [(_label(group, given), group.entries[0].settings) for group in section.groups]
  labels = [label for label, _ in labelled]
  labelled = [(f'{verdicts.numbers(group.entries)} {label}' if labels.count(label) > 1
            else label, settings)
           for (label, settings), group in zip(labelled, section.groups)]
  labelled += [(reference.label, reference.settings) for reference in section.references]
  for name in _NETWORK:
    values = {settings[name] for _, settings in labelled if settings and name in settings}
    if len(values) > 1:
      labelled = [(f'{label}, {name} {run_settings.shown(settings[name])}'
                if settings and name in settings and f'{name} ' not in label else label,
                settings) for label, settings in labelled]
  return labelled


def _label(group, given):
  """What a group is called: by the user, or by its settings and seeds."""
  settings = group.entries[0].settings
  if given:
    return ', '.join(collections.OrderedDict.fromkeys(
        given[entry.number - 1] for entry in group.entries))
  if settings is None:
    folder = os.path.basename(os.path.dirname(group.entries[0].run.key))
    return f'{folder} (log, settings not recorded)'
  seeds = [str(entry.seed) for entry in group.entries]
  return run_settings.described(settings) + (
      f', {len(seeds)} seeds' if seeds[3:] else
      f', seed{"s" if seeds[1:] else ""} {" ".join(seeds)}')


def _curves(section, suffix, labelled):
  """Panels of what the logs hold."""
  drawn = []
  for quantity, (name, title, axis) in _CURVES.items():
    lines = _lines(section, quantity, labelled)
    if name in ('thom', 'thomf'):   # the term of a method without one
      lines = [line for line in lines if np.any(line.values)]
    if lines:
      how = 'not smoothed' if name == 'accuracy' else 'as logged before the update'
      drawn.append(Panel(name, f'{title}, {how}; {section.title}.', _plot(
          title + suffix, axis, lines, section, log=name == 'fit',
          bottom=0 if name == 'accuracy' else None)))
      if name == 'accuracy':
        drawn += _late(section, suffix, lines)
  return drawn


def _late(section, suffix, lines):
  """The panel of the test accuracies after the last decay step, if it is reached."""
  last_drop = max((drop for drop in section.protocol.lr_drops if drop < section.steps),
                  default=0)
  if not last_drop or not any(entry.tests and entry.tests[-1][0] >= last_drop
                              for entry in section.entries):
    return []
  late = [_between(line, last_drop, section.steps) for line in lines]
  return [Panel('late', f'The same after step {last_drop:,}; the axis does not start at 0.',
                _plot('Test accuracy after the last decay step (magnified)' + suffix,
                      'test accuracy', [line for line in late if len(line.steps)],
                      section))]


def _deviations(compared):
  """Deviation of a run's lines from those of its reference, over the steps."""
  title = f'Deviation of {compared.entry.label} from {compared.label}'

  def draw(axes):
    for i, (name, quantity) in enumerate(compared.agreement.quantities.items()):
      deviations = np.array(quantity.deviations)
      largest = [part[np.argmax(deviations[part])] for part in _parts(len(deviations))]
      # A log axis has no 0.
      axes.plot(np.array(quantity.common_steps)[largest],
                np.maximum(deviations[largest], _ZERO), STYLES[i % 4], linewidth=1.1,
                color=COLOURS[i], label=name, marker='.', markersize=3)
    axes.axhline(2 * _ZERO, color='#555555', linewidth=0.8, linestyle=':')
    _use_log_axis(axes)
    axes.set_ylim(bottom=_ZERO / 1.5)
    _dress(axes, title, 'absolute deviation (log axis)',
           compared.entry.schedule.protocol, legend_columns=3)
  return Panel('deviation', (
      f'{title}: absolute deviation of the lines that both logs have. Of more than '
      f'{_PARTS} lines, the maxima of {_PARTS} parts are drawn. 0 is drawn at {_ZERO:g}. '
      f'The dotted line is one unit of the last of four digits.'), draw)


def _parts(count):
  """Indices from 0 to `count` - 1, in at most `_PARTS` arrays of about the same length."""
  return np.array_split(np.arange(count), max(1, min(_PARTS, count)))


def _energy_sums(section, suffix, by_number, labelled):
  """Panels of the sum over all layers but the last, one for each kind of sum."""
  kinds = collections.OrderedDict()
  for i, (group, (label, settings)) in enumerate(zip(section.groups, labelled)):
    power = str((settings or {}).get('power', '2'))
    for space in ('half', 'full'):
      sums = list(filter(None, (
          energy_sums.but_last(by_number[entry.number].get(f'{space}_energies', {}))
          for entry in group.entries)))
      if sums:
        curves, counts = zip(*sums)
        line = _line(label, curves, *_look(i))
        if len(line.steps):   # several seeds may have none in common
          title = (f'Energies of the {counts[0]} layers but the last, {space} space'
                   f'{"" if power == "2" else ", power " + power}')
          kinds.setdefault(title, []).append((line, settings))
  return [_energy_sum(section, suffix, title, members)
          for title, members in kinds.items()]


def _energy_sum(section, suffix, title, members):
  """The panel of one kind of sum; members: pairs of line and settings."""
  published = collections.OrderedDict()
  for line, settings in members:
    curve = energy_sums.published_for(settings)
    if curve and section.protocol == published_runs.COMHE:
      published.setdefault(curve.name, (curve.energies, line.colour))
  error = published_runs.ENERGY_ERROR
  lines = [line for line, _ in members]
  points = [Line(f'published {name}, width 1 (+-{error:g})', list(energies),
                 list(energies.values()), colour, '', marker=MARKERS[i % 6])
            for i, (name, (energies, colour)) in enumerate(published.items())]
  drawn = _readable(lines + points, max(line.steps[-1] for line in lines))
  caption = (f'{title}: the sum over the layers, of the kernels as they are, not '
             f'projected; no unit.')
  if len(drawn) > len(lines):
    caption += (f' Published: CNN-9 of full width, read off by eye, +-{error:g}, from '
                f'{published_runs.ENERGY_SOURCE}, which do not say in which space.')
  return Panel('energy', caption, _plot(title + suffix, 'energy (no unit)', drawn, section))


def _look(i):
  """Colour and style of the i-th group."""
  return COLOURS[i % 6], STYLES[i // 6 % 4]


def _lines(section, name, labelled):
  """The curves of a quantity: references below, runs above; seeds as one band."""
  lines = []
  groups = len(section.groups)
  for i, (reference, (label, _)) in enumerate(zip(section.references, labelled[groups:])):
    grey = ('black', '#777777')[i % 2]
    points = _points_of(reference, name, section)
    if reference.curves:
      lines.append(_line(label, [curves[name] for curves in reference.curves
                                 if name in curves], grey, STYLES[i % 4]))
    elif len(points) > _MANY:
      lines.append(Line(label, *zip(*points), colour=grey, style=STYLES[i % 4]))
    elif points:
      lines.append(Line(label + ' (points)', *zip(*points), colour=grey, style='',
                        marker=MARKERS[i % 6]))
  for i, (group, (label, _)) in enumerate(zip(section.groups, labelled)):
    lines.append(_line(label, [entry.run.curves[name] for entry in group.entries
                               if name in entry.run.curves], *_look(i)))
  return _readable([line for line in lines if line],
                   max(entry.newest for entry in section.entries))


def _readable(lines, newest):
  """Cuts what runs are compared with to their length while they are short.

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
    points = [(step, value) for step, value in reference.tests if step < section.steps]
    return points + ([(section.steps - 1, reference.lasts[0])]
                     if whole and reference.lasts else [])
  lines = [reference.first_line] + [reference.last_line] * whole
  return [(line[0], line[1][name]) for line in lines if line and name in line[1]]


def _line(label, curves, colour, line_style):
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
    return Line(label, steps, rows[0], colour, line_style)
  return Line(label + ' (mean, range)', steps, rows.mean(axis=0), colour, line_style,
              low=rows.min(axis=0), high=rows.max(axis=0))


def _between(line, first, last):
  kept = (np.asarray(line.steps) >= first) & (np.asarray(line.steps) <= last)
  return line._replace(**{
      name: np.asarray(getattr(line, name))[kept]
      for name in ('steps', 'values', 'low', 'high') if getattr(line, name) is not None})


def _plot(title, quantity, lines, section, bottom=None, log=False):
  """The function that draws lines."""
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
      _use_log_axis(axes)
      axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    if bottom is not None:
      axes.set_ylim(bottom=bottom)
    # An axis that does not start at 0 makes small values look like 0.
    cut = not log and axes.get_ylim()[0] > 0
    _dress(axes, title, quantity + (', axis does not start at 0' if cut else ''),
           section.protocol, legend_columns=2)
  return draw


def _layers(group, label, by_number, protocol):
  """Panels of the single layers of a group, one for each kind of energy."""
  drawn = []
  for kind, title in _KINDS.items():
    recorded = [by_number[entry.number][kind] for entry in group.entries
                if kind in by_number[entry.number]]
    if recorded:
      name = label + (' (mean)' if recorded[1:] else '')
      drawn.append(Panel('layers', (
          f'{title}, {name}: the change of each of {len(recorded[0])} layers since it was '
          f'first recorded, and that first value; no unit. Of more than {_PARTS} values, '
          f'the means of {_PARTS} parts are drawn.'),
                         _changes(f'{title}\n{name}', recorded, protocol)))
  return drawn


def _changes(title, recorded, protocol):
  """Draws changes: the energies of layers are far apart and change little."""
  def draw(axes):
    layers, longest = list(recorded[0]), 1
    many = len(layers) > 16
    for i, layer in enumerate(layers):
      line = _line(layer, [run[layer] for run in recorded if layer in run],
                   cm.viridis(0.9 * i / max(1, len(layers) - 1)), STYLES[i % 4])
      if len(line.steps):
        # The terms of new random projections scatter more than the layers differ.
        parts = _parts(len(line.steps))
        longest = max(longest, len(parts[0]))
        axes.plot([line.steps[part].mean() for part in parts],
                  [line.values[part].mean() - line.values[0] for part in parts],
                  line.style, linewidth=1.1,
                  label=layer if many else f'{layer} {line.values[0]:.4f}',
                  color=line.colour, marker='.' if len(line.steps) == 1 else None)
    axes.yaxis.set_major_formatter(_PLAIN)
    _dress(axes, title, 'change since first value' + (
        '' if longest == 1 else f', means of {longest}'), protocol,
           legend_columns=4 if many else 3, legend_size=6 if many else 7)
  return draw


def _use_log_axis(axes):
  axes.set_yscale('log')
  axes.yaxis.set_major_formatter(_PLAIN)
  axes.yaxis.set_minor_formatter(ticker.NullFormatter())


def _dress(axes, title, quantity, protocol, legend_columns, legend_size=8):
  """Titles, units, a grid, the learning-rate decay steps within the axis, a legend."""
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
  drops = [drop for drop in protocol.lr_drops if low < drop < high]
  for drop in drops:
    axes.axvline(drop, color='#555555', linewidth=0.8, linestyle=(0, (2, 2)), zorder=1,
                 label='learning rate x 0.1' if drop == drops[0] else None)
  labels = axes.get_legend_handles_labels()[1]
  if labels:
    short = max(map(len, labels)) < 32
    axes.legend(fontsize=legend_size, ncol=legend_columns if short else 1,
                loc='upper center', frameon=False, bbox_to_anchor=(0.45, 0),
                # 34 points, below the label of the axis.
                borderaxespad=34. / legend_size, columnspacing=1)


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


def render(drawn, kind='png', columns=1):
  """Panels as one picture.

  Args:
    drawn: list of `Panel`.
    kind: 'png', 'svg' or 'pdf'.
    columns: number of panels side by side.

  Returns:
    The file's bytes.
  """
  file = io.BytesIO()
  # Not the user's settings, which may ask for LaTeX or other sizes. Figures of any size
  # may have been logged; axes should not warn about them.
  with style.context('default', after_reset=True), np.errstate(all='ignore'):
    _figure(drawn, columns).savefig(file, format=kind, dpi=DPI)
  if kind != 'png':
    return file.getvalue()
  reduced = io.BytesIO()
  # Not dithered: dots would blur the lines and take more bytes.
  Image.open(file).convert('RGB').quantize(SHADES, dither=0).save(
      reduced, format='png', optimize=True, dpi=(DPI, DPI))
  return reduced.getvalue()


def write(drawn, path):
  """Writes all panels as one picture, PNG, SVG or PDF by the path's ending.

  Raises:
    OSError: it cannot be written.
  """
  picture = render(drawn, os.path.splitext(path)[1][1:], min(COLUMNS, len(drawn)))
  durable.write_atomically(path, picture)
