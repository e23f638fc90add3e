#!/usr/bin/env python
"""Keeps finished trainings in results/, and writes results/README.md from them.

    python docs/results.py --add log/w025_none    # a --log_dir with one finished run
    python docs/results.py                        # writes the page anew

A run is kept as training wrote it: both logs, args.json, env.json, final.json and
metrics.jsonl, in results/NAME, where NAME is the folder's own. Checkpoints are not kept.
"""
import json
import os
import shutil
import statistics
import sys
import textwrap

# First: it says where the others are.
import generated

# isort: split
from comhe_tf1.command_line import flags
from comhe_tf1.command_line import streams
from comhe_tf1.comparison import cells
from comhe_tf1.comparison import verdicts
from comhe_tf1.records import durable
from comhe_tf1.records import published_tables
from comhe_tf1.records import recorded_run
from comhe_tf1.records import run_settings

RESULTS = os.path.join(generated.ROOT, 'results')
KEPT = ('args.json', 'env.json', 'final.json', 'metrics.jsonl')
PAUSE = 10   # times the usual time between two lines: more was no training

INTRODUCTION = '''# Results

What this project has trained to its end, misses like hits. A folder for each run holds its
files as training wrote them; this page is written from them by

    python docs/results.py

*Last* is the headline. *Best* is chosen on the test set, so that it is no result; it
stands here because most of the published test errors were chosen so
(`docs/published.md`). All are test accuracies on the 10,000 test images. `python
compare.py results/NAME` shows more of a run.
'''
HEADINGS = ['run', 'method', 'steps', 'seed', 'last', 'best', 'median of the last 20',
            'published']


class ResultError(ValueError):
  """A folder holds no run that can be kept; the message is for the user."""


def add(folder, results=RESULTS):
  """Copies the one finished run below a folder; returns where it is now.

  Raises:
    ResultError: there is none, or more than one.
  """
  found = [os.path.join(path, name) for path, folders, _ in os.walk(folder)
           for name in sorted(folders)
           if os.path.exists(os.path.join(path, name, 'final.json'))]
  if len(found) != 1:
    raise ResultError('%s must hold one finished run, but has %d; name the --log_dir of a '
                      'single one' % (folder, len(found)))
  source, = recorded_run.find(found[0])
  target = os.path.join(results, os.path.basename(os.path.abspath(folder)))
  run = os.path.join(target, os.path.basename(source.folder))
  os.makedirs(run, exist_ok=True)
  for path in source.logs:
    shutil.copy(path, target)
  for name in KEPT:
    shutil.copy(os.path.join(source.folder, name), run)
  return target


def read(results=RESULTS):
  """All runs in a folder: triples of a run's `recorded_run.Source`, `verdicts.Entry` and
  `verdicts.Verdict`.

  Raises:
    ResultError: one is not finished, or cannot be read.
  """
  found = []
  for name in sorted(os.listdir(results) if os.path.isdir(results) else ()):
    if os.path.isdir(os.path.join(results, name)):
      source, = recorded_run.find(os.path.join(results, name))
      run = recorded_run.read(source._replace(name=name))
      compared = verdicts.compare([run])
      entry, = compared.entries
      if run.problems or not entry.finished:
        raise ResultError('results/%s: %s' % (
            name, run.problems[0] if run.problems else 'it is not finished'))
      found.append((source, entry, compared.sections[0].verdicts[0]))
  return found


def page(found):
  """The text of results/README.md."""
  rows = [[
      '[%s](#%s)' % (entry.run.name, entry.run.name),
      run_settings.described(entry.settings), '{:,}'.format(entry.schedule.steps),
      str(entry.settings['random_seed'])] + [
          '%.4f' % entry.final[name]['test_acc']
          for name in ('last', 'best', 'median_of_last_20')] + [_published(entry, verdict)]
          for _, entry, verdict in found]
  lines = [INTRODUCTION] + generated.table(HEADINGS, rows)
  for source, entry, verdict in found:
    lines += ['', '## ' + entry.run.name, ''] + _details(source, entry, verdict)
  return '\n'.join(lines) + '\n'


def _published(entry, verdict):
  """The published figures of a run's settings, in a few words."""
  words = []
  if verdict.difference is not None:
    words.append('last %.4f (%+.4f here)' % (verdict.theirs, verdict.difference))
  for each in cells.beside([entry]):
    if each.cell.error is not None:
      words.append('test error %.2f, here lowest %.2f, last %.2f' % (
          each.cell.error, each.lowest, each.last))
  return '; '.join(words) or 'none'


def _details(source, entry, verdict):
  """Command, environment and time of a run, verdict and cells, as lines."""
  environments = entry.run.environments
  first = environments[0]
  seconds, hours = _times(source)
  facts = [
      'Trained with %s.' % run_settings.data(entry.settings),
      'Commit %s%s; Python %s, TensorFlow %s; %s, %d cores%s.' % (
          str(first.get('git_commit'))[:12],
          ', changed' if first.get('git_changes') else '', first.get('python'),
          first.get('tensorflow'), first.get('cpu'), first.get('cpu_count'),
          ''.join(', ' + gpu for gpu in first.get('gpus') or ())),
      '%.1f hours of training, median %.3f s a step; %s.' % (
          hours, seconds, 'never interrupted' if len(environments) == 1 else
          'interrupted and resumed %s' % _times_in_words(len(environments) - 1)),
      'Beside the published log: %s.%s' % (
          verdict.text, ' ' + verdict.arithmetic + '.' if verdict.arithmetic else '')]
  facts += [note[:1].upper() + note[1:] + '.' for note in verdict.notes]
  facts += ['Beside %s: %s' % (published_tables.label(each.cell), each.saying)
            for each in cells.beside([entry])]
  lines = ['    python train.py ' + ' '.join(
      _portable(first.get('command', ())[1:])), '']
  for fact in facts:
    lines += textwrap.wrap('- ' + fact, generated.WIDTH, subsequent_indent='  ',
                           break_on_hyphens=False, break_long_words=False)
  return lines


def _times_in_words(count):
  return 'once' if count == 1 else '%d times' % count


def _portable(command):
  """A command without the folders of the machine it ran on."""
  skipped = ('--data_dir', '--log_dir', '--resume')
  words = iter(command)
  for word in words:
    if word in skipped:
      if word != '--resume':
        next(words, None)
    else:
      yield word


def _times(source):
  """Median seconds of a step, and hours of training without its pauses."""
  marks = []
  for _, text in recorded_run.lines_of(os.path.join(source.folder, 'metrics.jsonl')):
    entry = json.loads(text)
    if entry.get('kind') == 'train':
      marks.append((entry['step'], entry['wall_time']))
  gaps = [(after - before, then - now) for (before, now), (after, then)
          in zip(marks, marks[1:])]
  usual = statistics.median(clock / steps for steps, clock in gaps)
  worked = sum(clock for steps, clock in gaps if clock <= PAUSE * usual * steps)
  return usual, worked / 3600.


def write(results=RESULTS):
  """Writes README.md of a folder of results."""
  text = page(read(results))
  durable.write_atomically(os.path.join(results, 'README.md'),
                           lambda file: file.write(text.encode()))


def main(argv=None):
  parser = flags.Parser(prog='results.py', description='Keep finished trainings in '
                        'results/, and write results/README.md from them.')
  parser.add_argument('--add', type=flags.path, metavar='FOLDER', action='append',
                      default=[], help='a --log_dir with one finished run; may be '
                      'repeated')
  args = parser.parse_args(argv)
  try:
    for folder in args.add:
      streams.note('results.py', 'kept in ' + os.path.relpath(add(folder)))
    write()
  except (OSError, ValueError, recorded_run.ReadError) as error:
    streams.note('results.py', 'error: %s' % error)
    return 1
  return 0


if __name__ == '__main__':
  streams.print_anything()
  sys.exit(main())
