#!/usr/bin/env python
"""Keeps finished trainings in results/, and writes results/README.md from them.

    python docs/results.py --add log/w025_none    # a folder with one finished run
    python docs/results.py --add log/cnn9_width0.25/none/default/run_01 --name none_346
    python docs/results.py                        # writes the page anew

A run is kept in results/NAME, where NAME is the folder's own if no other is given: both
logs, args.json, env.json, final.json and metrics.jsonl, as training wrote them, but
without the folders of the machine (--data_dir, --log_dir); a large metrics.jsonl is
compressed. Checkpoints are not kept. Where results/NAME holds a picture curves.png, as
`compare.py --plot` draws it, the page shows it.
"""
import collections
import gzip
import json
import os
import re
import shlex
import shutil
import statistics
import sys
import textwrap

# First: it says where the others are.
import generated

# isort: split
from comhe_tf1.comparison import cells
from comhe_tf1.comparison import published_tables
from comhe_tf1.comparison import verdicts
from comhe_tf1.records import recorded_run
from comhe_tf1.records import run_settings
from comhe_tf1.utils import arguments
from comhe_tf1.utils import durable
from comhe_tf1.utils import terminal

RESULTS = os.path.join(generated.ROOT, 'results')
FOLDERS = ('data_dir', 'log_dir')   # flags
LARGE = 1 << 18   # bytes of a metrics.jsonl, from which on it is compressed
PAUSE = 10        # times the usual time between two lines: more was no training
PICTURE = 'curves.png'

INTRODUCTION = '''# Results

What this project has trained to its end, misses like hits. A folder for each run holds its
files as training wrote them, but for the names of the machine's folders; this page is
written from them by

    python docs/results.py

*Last* is the headline. *Best* is chosen on the test set, so that it is no result; it
stands here because most of the published test errors were chosen so
(`docs/published.md`). All are of the whole test set, 10,000 images of CIFAR. `python
compare.py results/NAME` shows more of a run.
'''
HEADINGS = ['run', 'method and network', 'steps', 'seed', 'last', 'best',
            'median of the last 20', 'published']

Result = collections.namedtuple('Result', 'name source entry verdict energies')
Result.__doc__ = """A finished run.

name: of its folder. source: `recorded_run.Source`. entry: `verdicts.Entry`. verdict:
`verdicts.Verdict`, beside the published run of its method. energies: by kind and layer,
see `recorded_run.layer_energies`.
"""


class ResultError(ValueError):
  """A folder holds no run that can be kept; the message is for the user."""


def add(folder, name=None, results=RESULTS):
  """Copies the one finished run in or below a folder; returns where it is now.

  Args:
    folder: path.
    name: of its folder in `results`, or None for that of `folder`.
    results: path.

  Raises:
    ResultError: there is none, or more than one; it is damaged; the name is taken.
  """
  found = [path for path, folders, names in os.walk(folder) if 'final.json' in names]
  if len(found) != 1:
    raise ResultError('%s must hold one finished run, but has %d; name the folder of a '
                      'single one' % (folder, len(found)))
  name = name or os.path.basename(os.path.abspath(folder))
  if not re.match(r'(?!run_\d\d$)[A-Za-z0-9][\w.-]*$', name):
    raise ResultError('%r is no name of a result; choose one with --name' % name)
  target = os.path.join(results, name)
  if os.path.exists(target):
    raise ResultError('%s is there already; choose another --name, or remove it'
                      % os.path.relpath(target))
  source = read_one(found[0], name).source
  run = os.path.join(target, os.path.basename(source.folder))
  os.makedirs(run)
  for path in source.logs:
    shutil.copy(path, target)
  shutil.copy(os.path.join(source.folder, 'final.json'), run)
  for file, strip in (('args.json', _args_without_folders),
                      ('env.json', _environments_without_folders)):
    with open(os.path.join(source.folder, file)) as original:
      content = strip(json.load(original))
    with open(os.path.join(run, file), 'w') as copy:
      copy.write(json.dumps(content, indent=2, sort_keys=True) + '\n')
  _keep_metrics(recorded_run.metrics_path(source), run)
  return target


def _args_without_folders(args):
  return {flag: value for flag, value in args.items() if flag not in FOLDERS}


def _environments_without_folders(environments):
  return [dict(each, command=_command(each)) for each in environments]


def _command(environment):
  """The words of a command without the folders of the machine it ran on."""
  skipped = ['--' + flag for flag in FOLDERS]
  words = iter(environment.get('command') or ())
  kept = [os.path.basename(next(words, ''))]
  for word in words:
    if word in skipped:
      next(words, None)
    elif word.split('=')[0] not in skipped:
      kept.append(word)
  return kept


def _keep_metrics(path, run):
  """Copies a metrics.jsonl into a folder, compressed if it is large."""
  if os.path.getsize(path) < LARGE or path.endswith('.gz'):
    shutil.copy(path, run)
    return
  with open(path, 'rb') as original, open(
      os.path.join(run, os.path.basename(path) + '.gz'), 'wb') as copy:
    # Without name and time: the same file again if it is made again.
    with gzip.GzipFile(filename='', mode='wb', fileobj=copy, mtime=0) as packed:
      shutil.copyfileobj(original, packed)


def read(results=RESULTS):
  """The finished runs in a folder, each in a folder of its own: list of `Result`.

  Raises:
    ResultError: one is not finished, or cannot be read; the folder holds no runs.
  """
  names = sorted(os.listdir(results)) if os.path.isdir(results) else ()
  return [read_one(os.path.join(results, name), name) for name in names
          if os.path.isdir(os.path.join(results, name))]


def read_one(folder, name):
  """The one finished run in a folder of logs, or of a run's folder, as `Result`.

  Args:
    folder: path.
    name: what it is called.

  Raises:
    ResultError: as `read`.
  """
  try:
    sources = recorded_run.find(folder)
    if len(sources) != 1:
      raise ResultError('%s holds %d runs, not one' % (name, len(sources)))
    run = recorded_run.read(sources[0]._replace(name=name))
  except recorded_run.ReadError as error:
    raise ResultError(str(error))
  energies, problems = recorded_run.layer_energies(sources[0])
  compared = verdicts.compare([run])
  entry, = compared.entries
  if recorded_run.metrics_path(sources[0]) is None:
    problems.append('there is no metrics.jsonl')
  if entry.settings is None:
    problems.append('there is no args.json to say how it was trained')
  if not run.environments:
    problems.append('there is no env.json to say what it was trained on')
  if not (run.finished and entry.finished):
    problems.append('it is not finished')
  for problem in run.problems + problems:
    raise ResultError('%s: %s' % (name, problem))
  return Result(name, sources[0], entry, compared.sections[0].verdicts[0], energies)


def page(found, results=RESULTS):
  """The text of results/README.md, from a list of `Result` in a folder."""
  rows = [[
      '[%s](#%s)' % (each.name, _anchor(each.name)),
      run_settings.described(each.entry.settings),
      '{:,}'.format(each.entry.schedule.steps),
      str(each.entry.settings['random_seed'])] + [
          '%.4f' % each.entry.final[figure]['test_acc']
          for figure in ('last', 'best', 'median_of_last_20')] + [_published(each)]
          for each in found]
  lines = [INTRODUCTION] + generated.table(HEADINGS, rows)
  for each in found:
    lines += ['', '## ' + each.name, ''] + _details(each)
    if os.path.exists(os.path.join(results, each.name, PICTURE)):
      lines += ['', '![Test accuracy, losses and energies](%s/%s)' % (each.name, PICTURE)]
  return '\n'.join(lines) + '\n'


def _anchor(heading):
  """Where GitHub's links find a heading."""
  return re.sub(r'[^\w-]', '', heading.lower())


def _published(result):
  """The published figures of a run's settings, in a few words."""
  words = []
  if result.verdict.difference is not None:
    words.append('last %.4f (%+.4f here)' % (
        result.verdict.theirs, result.verdict.difference))
  words += ['test error %s' % _beside(each) for each in cells.beside([result.entry])]
  return '; '.join(words) or 'none'


def _beside(beside):
  """A cell's test error with those of the run, and by how much they differ."""
  def here(error):
    known = beside.cell.error is not None
    return '%.2f' % error + (' (%+.2f)' % (error - beside.cell.error) if known else '')

  return '%s, here lowest %s, last %s' % (
      published_tables.shown_error(beside.cell), here(beside.lowest), here(beside.last))


def _details(result):
  """Command, settings, machine and time of a run, verdict and cells, as lines."""
  environments = result.entry.run.environments
  command = [word for word in _command(environments[0])[1:] if word != '--resume']
  facts = [_trained(result.entry), _figures(result.entry.final)]
  facts += _machines(environments)
  facts.append('%s; %s.' % (_time(result.source), _interruptions(environments)))
  facts.append(_beside_log(result.verdict))
  facts += [note[:1].upper() + note[1:] + '.' for note in result.verdict.notes]
  facts += _beside_cells(result.entry)
  lines = ['    python train.py ' + ' '.join(map(shlex.quote, command)), '']
  for fact in facts:
    lines += textwrap.wrap('- ' + fact, generated.WIDTH, subsequent_indent='  ',
                           break_on_hyphens=False, break_long_words=False)
  return lines


def _trained(entry):
  """Data, network and schedule."""
  settings = entry.settings
  return 'Trained with %s: %s; %s; seed %s.' % (
      run_settings.data(settings), ', '.join(
          '--%s %s' % (name, run_settings.shown(settings[name]))
          for name in ('model', 'width', 'depth', 'batch_size', 'base_lr', 'op_seeds')
          if name in settings),
      verdicts.protocol_in_words(entry.schedule.protocol, entry.schedule.steps),
      settings['random_seed'])


def _figures(final):
  """Test errors, which the tables have, of the figures that are accuracies above."""
  return ('Test errors (%%): last %.2f; lowest %.2f, after step %s; median of the last %d '
          '%.2f.' % (
              cells.error_of(final['last']), cells.error_of(final['best']),
              '{:,}'.format(final['best']['step']),
              final['median_of_last_20']['evaluations'],
              cells.error_of(final['median_of_last_20'])))


def _machines(environments):
  """What a run was made with and on, a sentence for each part where that changed."""
  found = collections.OrderedDict()
  for each in environments:
    found.setdefault('commit %s%s; Python %s, TensorFlow %s; %s, %s cores%s.' % (
        (each.get('git_commit') or 'not recorded')[:12],
        ', with changes' if each.get('git_changes') else '', each.get('python'),
        each.get('tensorflow'), each.get('cpu'), each.get('cpu_count'),
        ''.join(', ' + gpu for gpu in each.get('gpus') or ())), each.get('from_step'))
  if len(found) == 1:
    return [text[:1].upper() + text[1:] for text in found]
  return ['From step {:,}: {}'.format(step, text) for text, step in found.items()]


def _interruptions(environments):
  steps = ['{:,}'.format(each['from_step']) for each in environments[1:]]
  if not steps:
    return 'never interrupted'
  if len(steps) == 1:
    return 'interrupted once, and continued from step ' + steps[0]
  return 'interrupted %d times, and continued from steps %s' % (
      len(steps), ', '.join(steps))


def _beside_log(verdict):
  """The verdict of `compare.py`, with its arithmetic and the figure's source."""
  if verdict.reference is None:
    return 'Beside the published logs: %s.' % verdict.text
  words = 'Beside %s (%s): ' % (verdict.reference.label, verdict.reference.source)
  if verdict.difference is None:
    return words + verdict.text + '.'
  return '%slast %.4f, here %.4f, difference %+.4f; %s. %s.' % (
      words, verdict.theirs, verdict.ours, verdict.difference,
      verdict.text, verdict.arithmetic[:1].upper() + verdict.arithmetic[1:])


def _beside_cells(entry):
  """A sentence for every cell of the authors' tables that a run has the settings of."""
  found = cells.beside([entry])
  if not found:
    return ['No cell of the authors\' tables has these settings.']
  return ['Beside %s (%s, data/%s_slides.pdf page %d): test error %s. %s' % (
      published_tables.label(each.cell), published_tables.SOURCE,
      each.cell.places[0].paper, each.cell.places[0].page, _beside(each), each.saying)
          for each in found]


def _time(source):
  """Hours of training without its pauses, and the usual time of a step, in words."""
  marks = []
  for _, text in recorded_run.lines_of(recorded_run.metrics_path(source)):
    entry = json.loads(text)
    if entry.get('kind') == 'train':
      marks.append((entry['step'], entry['wall_time']))
  gaps = [(after - before, then - now) for (before, now), (after, then)
          in zip(marks, marks[1:])]
  if not gaps:
    return 'Too short to be timed'
  usual = statistics.median(clock / steps for steps, clock in gaps)
  worked = sum(clock for steps, clock in gaps if clock <= PAUSE * usual * steps)
  return '%.1f hours of training, median %.3f s a step' % (worked / 3600., usual)


def write(results=RESULTS):
  """Writes README.md of a folder of results."""
  text = page(read(results), results)
  durable.write_atomically(os.path.join(results, 'README.md'),
                           lambda file: file.write(text.encode()))


def main(argv=None):
  parser = arguments.Parser(prog='results.py', description='Keep finished trainings in '
                        'results/, and write results/README.md from them.')
  parser.add_argument('--add', type=arguments.path, metavar='FOLDER', action='append',
                      default=[], help='a run\'s folder run_NN, or one with a single '
                      'finished run below it; may be repeated')
  parser.add_argument('--name', help='what the run is called in results/ (default: as '
                      'the folder)')
  args = parser.parse_args(argv)
  if args.name is not None and len(args.add) != 1:
    parser.error('--name needs exactly one --add')
  try:
    for folder in args.add:
      kept = add(folder, args.name)
      terminal.note('results.py', 'kept in ' + os.path.relpath(kept))
    write()
  except (OSError, ValueError, recorded_run.ReadError) as error:
    terminal.note('results.py', 'error: %s' % error)
    return 1
  return 0


if __name__ == '__main__':
  terminal.print_anything()
  sys.exit(main())
