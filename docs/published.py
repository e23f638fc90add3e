#!/usr/bin/env python
"""Lists every figure that the authors published, its recipe and what is measured of it.

    python docs/published.py

reads the finished runs that `docs/results.py` keeps in results/ into published.json, and
writes published.md from that, from the published figures (`comhe_tf1/records/`) and from
the lines of `runs/`. It prints how many figures there are, how many have a recipe and how
many are measured.
"""
import collections
import os
import shlex
import sys

# First: it says where the others are.
import generated
import results

# isort: split
from comhe_tf1 import flags
from comhe_tf1.comparison import energy_sums
from comhe_tf1.comparison import published_tables
from comhe_tf1.data import datasets
from comhe_tf1.published import energy_plot
from comhe_tf1.published import published_runs
from comhe_tf1.records import run_settings
from comhe_tf1.utils import terminal

NAME = 'published'
# Files of recipes, the first one that has a figure is named.
FILES = ('published', 'mhe_repository', 'published_powers', 'published_width',
         'published_depth', 'published_layers', 'published_weights',
         'published_resnet32', 'cifar100_methods')
HEADINGS = ['figure', 'published', 'recipe', 'measured here']

INTRODUCTION = '''# What the authors published, and what re-derives it

Every figure on CIFAR in the authors' repositories and slides, the line of `runs/` that
re-derives it, and what this project has measured of it, read from `results/`. Written by
`docs/published.py` from `docs/published.json`, `comhe_tf1/published/published_runs.py`,
`comhe_tf1/comparison/published_tables.py` and `runs/`:

    python docs/published.py

after a run was added to `results/`. A log and a curve count as one figure each, a cell
that several tables have counts once.

**%s**

Test errors are in percent, of the slides of the two papers
(%s, `data/MHE_slides.pdf` pages 7 to 9 and
`data/CoMHE_slides.pdf` page 4), one run each as far as is known; the papers themselves
were not read for this. What is known of them:

- **Which step.** Ten cells (marked with the log's name) are the lowest of the 85 test
  errors of one of the MHE authors' logs, to the last digit. A cell is therefore to be
  compared with the lowest error of a run, 100 - 100 best, which is chosen on the test set;
  its last one stands beside it.
- **How long.** The MHE authors' code and logs take 42,500 steps, CoMHE's 75,000. The
  schedule of the ten cells is that of their logs, and is taken to be that of the other
  cells of their tables. It is doubtful for the baseline, whose log does not reach the
  tables' figure, for CIFAR-10 and ResNet-32, of which no code was released, and for
  CoMHE's own rows, whose released logs are other runs: there are two recipes then.
- **Powers.** Table 1 states them. The rows of tables 2 and 3 are concluded from the logs:
  at CNN-9 full-space MHE is the log of power 0, half-space MHE that of power 2. Those of
  table 4 follow from its last column, which is of table 1.
- **Weights.** The logs of full-space MHE were made with weights ten times smaller than the
  code's, and its recipes have these. Those of the other rows are taken to be the code's.
  The weights of Orthogonal and SRIP, and what they are of, are this project's choice.

A run stands beside a figure if its flags are the figure's. Where the authors do not state
a setting and the run has it otherwise, that is said, and the run does not count as a
measurement. Other seeds count.
'''
NOT_HERE = '''## Not here

Figures of networks and data that this project does not have are not counted: in the same
slides ImageNet (ResNet-18, 34 and 50), ModelNet-40 (PointNet), graphs, faces and generated
images. Nor are rows quoted from other authors (ResNet-110, ResNet-1001). No published
figures were found of other dimensions and numbers of projections, of groups, of the
maximum, of alternating projections, or of adversarial ones but for their log; and no
spread of any figure.
'''

Recipe = collections.namedtuple('Recipe', 'file number command settings')
Recipe.__doc__ = """A line of a file in runs/, and its flags, as `run_settings.of_run`."""

Row = collections.namedtuple('Row', 'section label published recipes measured counts')
Row.__doc__ = """A published figure.

section, label, published: text. recipes: list of `Recipe`. measured: list of text, one
for every run. counts: whether one of these runs has all of the figure's settings.
"""


def finished_runs(folder):
  """The finished runs in a folder, as they are kept in the page's record.

  Args:
    folder: path; where it is missing there are none.

  Returns:
    List of dicts.

  Raises:
    ValueError: as `results.read`.
  """
  return [{'name': each.name, 'settings': each.entry.settings,
           'last': each.entry.final['last']['test_acc'],
           'best': each.entry.final['best']['test_acc'],
           'energies': _energies(each.energies)} for each in results.read(folder)]


def _energies(by_kind):
  """Sums over all layers but the last: pairs of step and dict, of the first and last."""
  sums = collections.OrderedDict()
  for kind in ('half_energies', 'full_energies'):
    found = energy_sums.but_last(by_kind.get(kind, {}))
    if found:
      curve, _ = found
      for step in [step for step in curve.steps if step == 20000] + curve.steps[-1:]:
        value = curve.values[curve.steps.index(step)]
        sums.setdefault(step, {})[kind] = round(value, 4)
  return [[step, values] for step, values in sums.items()]


def recipes():
  """All recipes of FILES, in order."""
  found = []
  for name in FILES:
    with open(os.path.join(generated.ROOT, 'runs', name + '.sh')) as file:
      for number, line in enumerate(file, 1):
        words = shlex.split(line, comments=True)
        if words:
          args, _ = flags.parse(words[2:])
          settings = {name: value for name, value in vars(args).items()
                      if value is not None}
          settings['data_md5'] = datasets.DATASETS[args.dataset].digest
          found.append(Recipe('runs/%s.sh' % name, number, line.strip(), settings))
  return found


def _first_of_each(known, wanted):
  """The first recipe for every schedule, of those that a function wants."""
  by_protocol = collections.OrderedDict()
  for recipe in known:
    if wanted(recipe.settings):
      by_protocol.setdefault(published_tables.protocol_of(recipe.settings), recipe)
  return list(by_protocol.values())


def rows(record):
  """All published figures, list of `Row`."""
  known, runs = recipes(), record.get('runs', [])
  return (list(_logs(known, runs)) + list(_cells(known, runs))
          + list(_curves(known, runs)))


def _logs(known, runs):
  for name, facts in published_runs.ALL.items():
    wanted = run_settings.of_published(facts)

    def same(settings, but=frozenset()):
      return all(settings.get(flag) == value for flag, value in wanted.items()
                 if flag not in but)

    of_log = [run for run in runs if same(run['settings'], run_settings.DRAWS)]
    yield Row(
        'Logs of CoMHE' if name in published_runs.RUNS else 'Logs of MHE',
        '%s, %s' % (name, facts.source),
        'last %.4f, best %.4f at %s' % (
            facts.last, facts.best[0], '{:,}'.format(facts.best[1])),
        _first_of_each(known, same),
        ['%s: last %.4f, best %.4f, seed %s' % (
            run['name'], run['last'], run['best'], run['settings'].get('random_seed'))
         for run in of_log], bool(of_log))


def _cells(known, runs):
  for cell in published_tables.CELLS:
    label = published_tables.label(cell).split(', ', 1)
    other = ', '.join('%s %s' % place[:2] for place in cell.places[1:])
    error = published_tables.shown_error(cell)
    if cell.log:
      error += ' (log %s)' % cell.log
    elif cell.read_off:
      error += ' +- %g' % cell.read_off
    matching = [(run, match) for run in runs
                for match in published_tables.matches(run['settings'])
                if match.cell is cell]
    yield Row(
        label[0], label[1] + (' (also %s)' % other if other else ''), error,
        _first_of_each(known, lambda settings: _exactly(cell, settings)),
        ['%s: lowest %.2f, last %.2f, %s steps, seed %s%s' % (
            run['name'], 100 - 100 * run['best'], 100 - 100 * run['last'],
            '{:,}'.format(run['settings']['max_steps']),
            run['settings'].get('random_seed'),
            ''.join('; ' + words for words in match.otherwise))
         for run, match in matching],
        any(not match.otherwise for _, match in matching))


def _exactly(cell, settings):
  return any(match.cell is cell and not match.otherwise
             for match in published_tables.matches(settings))


def _curves(known, runs):
  for method, points in energy_plot.ENERGIES.items():
    wanted = run_settings.of_the_code(method, {})

    def same(settings):
      return published_tables.protocol_of(settings) is published_runs.COMHE and all(
          settings.get(flag) == value for flag, value in wanted.items())

    measured = [
        '%s: %s' % (run['name'], '; '.join('{:,}: {}'.format(step, ', '.join(
            '%.4f (%s space)' % (value, kind.split('_')[0])
            for kind, value in sorted(sums.items()))) for step, sums in run['energies']))
        for run in runs if run['energies'] and same(run['settings'])]
    values = ', '.join('{:,}: {:g}'.format(step, value)
                       for step, value in points.energies.items())
    yield Row(
        '%s %s' % published_tables.ENERGY[:2], points.name,
        values + (' (band %g to %g)' % points.band if points.band else ''),
        _first_of_each(known, lambda settings: settings['energy_every'] and same(
            settings)), measured, bool(measured))


def count(found):
  """How many figures there are, in words."""
  return '%d published figures: %d with a recipe, %d measured here' % (
      len(found), sum(bool(row.recipes) for row in found),
      sum(row.counts for row in found))


def page(record):
  """The text of published.md."""
  found = rows(record)
  lines = [INTRODUCTION % (count(found) + '.', published_tables.SOURCE)]
  sections = collections.OrderedDict()
  for row in found:
    sections.setdefault(row.section, []).append([
        row.label, row.published, '<br>'.join(
            '`%s` (line %d of `%s`)' % (recipe.command, recipe.number, recipe.file)
            for recipe in row.recipes) or 'none', '<br>'.join(row.measured) or 'none'])
  for section, cells in sections.items():
    lines += ['## ' + section, ''] + generated.table(HEADINGS, cells) + ['']
  return '\n'.join(lines) + '\n' + NOT_HERE


def main(argv=None):
  args = generated.parser(
      NAME, 'List every published figure, its recipe, and what is measured of it in '
      'results/.').parse_args(argv)

  def update(record):
    record['runs'] = finished_runs(results.RESULTS)

  status = generated.main(NAME, args, update, page)
  if status == 0:
    print(count(rows(generated.read(NAME))))
  return status


if __name__ == '__main__':
  terminal.print_anything()
  sys.exit(main())
