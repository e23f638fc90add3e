#!/usr/bin/env python
"""Keeps trainings in results/, and writes the tables of docs/results.md.

    python docs/results.py --add log/w025_none    # a folder with one finished run
    python docs/results.py --add log/cnn9_width0.25/none/default/run_01 --name none_346
    python docs/results.py --add log/w025_random --weights
    python docs/results.py                        # writes the pages again

The text of docs/results.md is written by hand: each table there is found by its first row
and replaced. results/README.md, the details of every run, is written as a whole.

A finished run is kept in results/NAME (by default the folder's own name): both logs,
args.json, env.json, final.json and metrics.jsonl as training wrote them, but without the
folders of the machine (--data_dir, --log_dir). If the checkpoint after the last step is
there, dead_channels.json says how many channels of each layer are dead; --weights also
keeps the network's variables, without the optimizer's (1.6 MB at a quarter of the width).
Of an unfinished run copy the two logs to results/NAME by hand. If results/NAME has a
picture curves.png (`compare.py --plot`), the page shows it.
"""
import collections
import json
import os
import re
import shlex
import shutil
import statistics
import sys
import textwrap
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

from comhe_tf1 import flags
from comhe_tf1.comparison import agreement
from comhe_tf1.comparison import cells
from comhe_tf1.comparison import energy_sums
from comhe_tf1.comparison import seed_statistics
from comhe_tf1.comparison import verdicts
from comhe_tf1.data import datasets
from comhe_tf1.networks import architectures
from comhe_tf1.published import published_runs
from comhe_tf1.records import recorded_run
from comhe_tf1.records import run_settings
from comhe_tf1.regularizers import methods
from comhe_tf1.utils import arguments
from comhe_tf1.utils import durable
from comhe_tf1.utils import terminal

RESULTS = os.path.join(ROOT, 'results')
PAGE = os.path.join(ROOT, 'docs', 'results.md')
FOLDERS = ('data_dir', 'log_dir')   # flags
PAUSE = 10        # times the usual time between two lines: more was no training
EVERY = 1000      # steps between the rows of a table of test accuracies
PICTURE = 'curves.png'
DEAD = 'dead_channels.json'
WIDTH = 88        # of lines of text
# Files of recipes; the first one that has a figure is named.
RECIPES = ('published', 'mhe_repository', 'published_powers', 'published_width',
           'published_depth', 'published_layers', 'published_weights',
           'published_resnet32', 'cifar100_methods')

INTRODUCTION = '''# The runs

[docs/results.md](../docs/results.md) says what these runs show. Here are their commands,
machines and times, written by `python docs/results.py`. Each folder has the logs and
records of a run, as training wrote them (without the names of the machine's folders).

Tables show test errors in percent. *Final*: after the last step; this is the result.
*Best*: chosen on the test set. [*Dead*](../docs/results.md#dead-channels): channels whose
output is the same for every image. `python compare.py results/NAME` shows more of a run.
'''
SETTINGS = ['setting', 'steps', 'seeds', 'published', 'best here', 'final here',
            'sd of final', 'final, difference to none']
UNFINISHED = ('Test accuracies after every {:,} steps (as logged, not errors), and the '
              'difference, ours minus published, in each section between learning-rate '
              'decay steps. Single evaluations vary much before the second decay step.')


class ResultError(ValueError):
  """A folder holds no run that can be kept; the message is for the user."""


class Result(typing.NamedTuple):
  """A run.

  name: of its folder. source: `recorded_run.Source`. compared: `verdicts.Comparison` of
  this run alone. energies: by kind and layer, see `recorded_run.layer_energies`. dead: as
  `dead_channels`, empty if it is not known.
  """
  name: str
  source: recorded_run.Source
  compared: verdicts.Comparison
  energies: dict
  dead: dict

  @property
  def entry(self):
    return self.compared.entries[0]

  @property
  def comparable(self):
    """Whether its errors can stand beside others': finished, of known settings."""
    return bool(self.entry.finished and self.entry.settings)

  @property
  def verdict(self):
    return self.compared.sections[0].verdicts[0]


def add(folder, name=None, results=RESULTS, weights=False):
  """Copies the one finished run in or below a folder; returns where it is now.

  Args:
    folder: path.
    name: of its folder in `results`, or None for that of `folder`.
    results: path.
    weights: whether to keep the network's variables.

  Raises:
    ResultError: there is none, or more than one; it is damaged, or its last checkpoint
      is; the name is taken.
  """
  found = [path for path, _, names in os.walk(folder) if 'final.json' in names]
  if len(found) != 1:
    raise ResultError(f'{folder} must hold one finished run, but has {len(found)}; name '
                      f'the folder of a single one')
  name = name or os.path.basename(os.path.abspath(folder))
  if not re.match(r'(?!run_\d\d$)[A-Za-z0-9][\w.-]*$', name):
    raise ResultError(f'{name!r} is no name of a result; choose one with --name')
  target = os.path.join(results, name)
  if os.path.exists(target):
    raise ResultError(f'{os.path.relpath(target)} exists; choose another --name, or '
                      f'remove it')
  one = read_one(found[0], name)
  source, compared = one.source, one.compared
  run = os.path.join(target, os.path.basename(source.folder))
  last = _last_checkpoint(source.folder, compared.entries[0].schedule.steps)
  if weights and not last:
    raise ResultError(f'{folder} has no checkpoint after its last step')
  os.makedirs(run)
  if weights:
    _keep_weights(*last, run=run)
  for path in source.logs:
    shutil.copy(path, target)
  for file in ('final.json', 'metrics.jsonl'):
    shutil.copy(os.path.join(source.folder, file), run)
  kept = compared.entries[0].run
  contents = {
      'args.json': {flag: value for flag, value in kept.args.items()
                    if flag not in FOLDERS},
      'env.json': [dict(each, command=_command(each)) for each in kept.environments]}
  if last:
    values, facts = last
    contents[DEAD] = dead_channels(architectures.plan(**facts['network']), values)
  for file, content in contents.items():
    with open(os.path.join(run, file), 'w') as copy:
      copy.write(json.dumps(content, indent=2) + '\n')
  return target


def _last_checkpoint(source, steps):
  """Values and facts of a run's checkpoint after so many steps, or None without one.

  Raises:
    ResultError: it is damaged.
  """
  prefix = os.path.join(source, 'checkpoints', f'model.ckpt-{steps}')
  if not os.path.exists(prefix + '.index'):
    return None
  from comhe_tf1.records import checkpoints
  try:
    return checkpoints.load(prefix)
  except checkpoints.CheckpointError as error:
    raise ResultError(str(error))


def dead_channels(layers, values):
  """How many channels of each layer have the same output for every image.

  relu(beta + gamma x) of all normalized inputs x, -4 to 4 standard deviations, differs by
  less than 0.01. The gradient of the classification loss for such a channel's weights is
  about 0. In trained networks the others' outputs differ by more than 1.

  Args:
    layers: plan of the network, list of `architectures.Layer`.
    values: dict from a variable's name to its array.

  Returns:
    Dict from the name of a layer whose ReLU follows its batch norm to a pair: number of
    dead channels and of all.
  """
  found = {}
  for layer in layers:
    if layer.batch_norm and layer.relu and not layer.addend:
      gamma, beta = (values[f'{layer.name}/bn/{name}/bias'] for name in ('gamma', 'beta'))
      outputs = [(beta + abs(gamma) * x).clip(min=0) for x in (-4, 4)]
      found[layer.name] = int((outputs[1] - outputs[0] < 0.01).sum()), len(gamma)
  return found


def _keep_weights(values, facts, run):
  """Writes a checkpoint of the network alone into a run's folder."""
  import tensorflow.compat.v1 as tf

  from comhe_tf1.records import checkpoints
  from comhe_tf1.training import evaluation

  with tf.Graph().as_default():
    evaluation.build(architectures.plan(**facts['network']))
    names = [variable.op.name for variable in tf.global_variables()]
  with checkpoints.Writer(os.path.join(run, 'checkpoints'), max_to_keep=1) as writer:
    writer.save(facts['steps'], {name: values[name] for name in names},
                {name: facts[name] for name in ('network', 'test_md5')})


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


def read(results=RESULTS):
  """The runs in a folder, each in a folder of its own: list of `Result`.

  Raises:
    ResultError: one cannot be read; a folder holds no run, or several.
  """
  names = sorted(os.listdir(results)) if os.path.isdir(results) else ()
  return [read_one(os.path.join(results, name), name) for name in names
          if os.path.isdir(os.path.join(results, name))]


def read_one(folder, name):
  """The one run in a folder of logs, or of a run's folder, as `Result`.

  Without a run_NN it has only its logs; with one it must be finished and complete.

  Args:
    folder: path.
    name: what it is called.

  Raises:
    ResultError: as `read`.
  """
  try:
    sources = recorded_run.find(folder)
    if len(sources) != 1:
      raise ResultError(f'{name} holds {len(sources)} runs, not one')
    run = recorded_run.read(sources[0]._replace(name=name))
  except recorded_run.ReadError as error:
    raise ResultError(str(error))
  compared = verdicts.compare([run])
  energies, problems = recorded_run.layer_energies(sources[0])
  if sources[0].folder:
    problems += [what for what, missing in (
        ('there is no metrics.jsonl', not os.path.exists(
            os.path.join(sources[0].folder, 'metrics.jsonl'))),
        ('there is no args.json to say how it was trained', not run.args),
        ('there is no env.json to say what it was trained on', not run.environments),
        ('it is not finished', not (run.finished and compared.entries[0].finished)))
                 if missing]
  for problem in run.problems + problems:
    raise ResultError(f'{name}: {problem}')
  dead = {}
  path = sources[0].folder and os.path.join(sources[0].folder, DEAD)
  if path and os.path.exists(path):
    with open(path) as file:
      dead = json.load(file)
  return Result(name, sources[0], compared, energies, dead)


def page(found, results=RESULTS):
  """The text of results/README.md, from a list of `Result` in a folder."""
  rows = [['run', 'method and network', 'steps', 'seed', 'final', 'best',
           'median of the last 20', 'dead in the last convolution', 'published']]
  rows += map(_row, found)
  lines = [INTRODUCTION] + _table(rows)
  for each in found:
    lines += ['', '## ' + each.name, ''] + _details(each)
    if os.path.exists(os.path.join(results, each.name, PICTURE)):
      lines += ['', f'![Test accuracy, losses and energies]({each.name}/{PICTURE})']
  return '\n'.join(lines) + '\n'


def _table(rows):
  """A Markdown table, as lines; the first row has the headings."""
  return ['| ' + ' | '.join(row) + ' |' for row in [rows[0], ['---'] * len(rows[0])]
          + rows[1:]]


def _anchor(heading):
  """Where GitHub's links find a heading."""
  return re.sub(r'[^\w-]', '', heading.lower())


def _row(result):
  entry = result.entry
  words = (run_settings.described(entry.settings) if entry.settings else
           'settings not recorded' + (f'; as {entry.reference.label}' if entry.reference
                                      else ''))
  figures = ([f'{cells.error_of(entry.final[name]):.2f}'
              for name in ('last', 'best', 'median_of_last_20')] if entry.finished
             else [f'unfinished, at step {entry.newest:,}', '-', '-'])
  seed = '-' if entry.seed is None else str(entry.seed)
  dead = '{} of {}'.format(*list(result.dead.values())[-1]) if result.dead else '-'
  return [f'[{result.name}](#{_anchor(result.name)})', words,
          f'{entry.schedule.steps:,}', seed] + figures + [dead, _published(result)]


def _published(result):
  """The published figures of a run's settings, in a few words."""
  words = []
  if result.verdict.difference is not None:
    words.append(f'final {100 - 100 * result.verdict.theirs:.2f} '
                 f'({-100 * result.verdict.difference:+.2f} here)')
  words += [_beside(each) for each in result.compared.cells]
  return '; '.join(words) or 'none'


def _beside(beside):
  """A cell's test error with those of the run, and the differences."""
  def here(error):
    known = beside.cell.error is not None
    return f'{error:.2f}' + (f' ({error - beside.cell.error:+.2f})' if known else '')

  return (f'{beside.cell.shown_error}, here best {here(beside.best)}, final '
          f'{here(beside.final)}')


def _settings(found):
  """The table of runs that differ only in their seeds, the baseline first.

  Runs that are unfinished, or of unknown settings, have rows of their own at the end.
  """
  groups, baselines = collections.OrderedDict(), {}
  for each in found:
    entry = each.entry
    if each.comparable:
      groups.setdefault(verdicts.without_seed(entry.settings), []).append(each)
      if entry.settings['regularizer'] == 'none':
        baselines.setdefault(_common(entry.settings), {})[entry.seed] = _last(each)
  names = list(methods.METHODS)
  return [SETTINGS] + [
      _setting(members, baselines.get(_common(members[0].entry.settings)))
      for members in sorted(groups.values(), key=lambda members: names.index(
          members[0].entry.settings['regularizer']))] + [
              _alone(each) for each in found if not each.comparable]


def _setting(members, baseline):
  """A row of `_settings`; baseline: final errors by seed, or None."""
  entry, by_seed = members[0].entry, {each.entry.seed: _last(each) for each in members}
  errors = list(by_seed.values())
  return [
      run_settings.described(entry.settings), f'{entry.schedule.steps:,}',
      ', '.join(f'[{each.entry.seed}](../results/README.md#{_anchor(each.name)})'
                for each in members),
      ', '.join(each.cell.shown_error for each in members[0].compared.cells) or '-',
      f'{statistics.mean(map(_best, members)):.2f}', f'{statistics.mean(errors):.2f}',
      f'{seed_statistics.spread(errors).sd:.2f}' if errors[1:] else '-',
      _difference(by_seed, baseline) if entry.settings['regularizer'] != 'none' else '-']


def _alone(result):
  """A row of `_settings` for a single run of only its logs."""
  entry = result.entry
  figures = ([f'{_best(result):.2f}', f'{_last(result):.2f}'] if entry.finished
             else ['unfinished', '-'])
  return [f'[{result.name}](../results/README.md#{_anchor(result.name)})',
          f'{entry.schedule.steps:,}', '-', '-'] + figures + ['-', '-']


def _best(result):
  return cells.error_of(result.entry.final['best'])


def _last(result):
  return cells.error_of(result.entry.final['last'])


def _common(settings):
  """What a run shares with the baseline that it is compared with."""
  names = ('dataset', 'data_md5', 'model', 'width', 'depth', 'batch_size', 'base_lr',
           'bn_decay', 'bn_stats', 'op_seeds', 'max_steps', 'lr_drops')
  return json.dumps([settings.get(name) for name in names])


def _difference(ours, baseline):
  if not baseline:
    return 'no run of none'
  found = seed_statistics.mean_difference(ours, baseline)
  interval = '' if found.half_width is None else f' +- {found.half_width:.2f}'
  return (f'{found.mean:+.2f}{interval} '
          + (f'(paired, n = {found.n[0]})' if found.paired else
             f'(n = {found.n[0]} and {found.n[1]})'))


def _details(result):
  """Command, settings, machine and time of a run, verdict and cells, as lines."""
  entry, lines, facts = result.entry, [], []
  if entry.settings:
    command = [word for word in _command(entry.environments[0])[1:] if word != '--resume']
    lines = ['    python train.py ' + ' '.join(map(shlex.quote, command)), '']
    facts += [_trained(entry), _figures(entry.final)] + _machines(entry.environments)
    facts.append(f'{_time(result.source)}; {_interruptions(entry.environments)}.')
    if result.dead:
      facts.append('Dead channels: %s.' % ', '.join(
          f'{layer} {dead} of {count}' for layer, (dead, count) in result.dead.items()))
    if os.path.exists(os.path.join(result.source.folder, 'checkpoints')):
      facts.append(f'The weights are here: `python train.py --eval_only results/'
                   f'{result.name}` prints the final test accuracy.')
  else:
    facts.append('Only the logs are here, which record no settings.')
    if not entry.finished:
      facts.append(f'Unfinished: at step {entry.newest:,} of '
                   f'{entry.schedule.steps:,}.')
    facts += [f'First line: {line.conclusion}.' for line in result.compared.first_lines]
  facts.append(_beside_log(result.verdict))
  facts += [note[:1].upper() + note[1:] + '.' for note in result.verdict.notes]
  facts += [f'Beside {each.cell.label} ({published_runs.SOURCE}, '
            f'data/{each.cell.label.split()[0]}_slides.pdf page '
            f'{published_runs.PAGES[each.cell.places[0]]}): test error {_beside(each)}. '
            f'{each.note}' for each in result.compared.cells]
  if entry.settings and not result.compared.cells:
    facts.append('No cell of the authors\' tables has these settings.')
  for fact in facts:
    lines += _wrapped('- ' + fact, '  ')
  return lines + _beside_tests(result)


def _wrapped(text, indent=''):
  return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False,
                       break_long_words=False)


def _beside_tests(result):
  """Test accuracies beside those of the published log, as lines; none without one."""
  entry, reference = result.entry, result.entry.reference
  if not reference or entry.settings and result.verdict.difference is None:
    return []
  if reference.schedule.protocol != entry.schedule.protocol:
    return []
  ours, theirs = dict(entry.tests), dict(reference.tests)
  steps = [step for step in sorted(theirs) if step % EVERY == 0 and step in ours]
  if not steps:
    return []
  differences = {step: ours[step] - theirs[step] for step in steps}
  sections = [['section', 'steps compared', 'maximum difference (at step)',
               'mean difference']]
  for begin, end, inside in agreement.by_section(steps, entry.schedule.protocol.lr_drops):
    part = steps[inside]
    largest = max(part, key=lambda step: abs(differences[step]))
    mean = sum(map(differences.get, part)) / len(part)
    sections.append([agreement.describe_section(begin, end), str(len(part)),
                     f'{differences[largest]:+.4f} ({largest:,})', f'{mean:+.4f}'])
  return [''] + _wrapped(UNFINISHED.format(EVERY)) + [''] + _table(sections) + [''] + (
      _table([['after step', reference.label, 'here', 'difference']] + [
          [f'{step:,}', f'{theirs[step]:.4f}', f'{ours[step]:.4f}',
           f'{differences[step]:+.4f}'] for step in steps]))


def _trained(entry):
  """Data, network and schedule."""
  settings = entry.settings
  network = ', '.join(
      f'--{name} {run_settings.shown(settings[name])}'
      for name in ('model', 'width', 'depth', 'batch_size', 'base_lr', 'op_seeds')
      if name in settings)
  return (f'Trained with {run_settings.data(settings)}: {network}; '
          f'{verdicts.describe_protocol(entry.schedule.protocol, entry.schedule.steps)}; '
          f'seed {entry.seed}.')


def _figures(final):
  """Test accuracies, as the logs have them."""
  return (f'Test accuracy: final {final["last"]["test_acc"]:.4f}; best '
          f'{final["best"]["test_acc"]:.4f}, after step {final["best"]["step"]:,}; median '
          f'of the last {final["median_of_last_20"]["evaluations"]} '
          f'{final["median_of_last_20"]["test_acc"]:.4f}.')


def _machines(environments):
  """What a run was made with and on, a sentence for each part where that changed."""
  found = collections.OrderedDict()
  for each in environments:
    commit = (each.get('git_commit') or 'not recorded')[:12]
    found.setdefault(
        f'commit {commit}{", with changes" if each.get("git_changes") else ""}; Python '
        f'{each.get("python")}, TensorFlow {each.get("tensorflow")}; {each.get("cpu")}, '
        f'{each.get("cpu_count")} cores'
        f'{"".join(", " + gpu for gpu in each.get("gpus") or ())}.', each.get('from_step'))
  if len(found) == 1:
    return [text[:1].upper() + text[1:] for text in found]
  return [f'From step {step:,}: {text}' for text, step in found.items()]


def _interruptions(environments):
  steps = ', '.join(f'{each["from_step"]:,}' for each in environments[1:])
  count = len(environments) - 1
  return ('never interrupted' if not count else
          f'interrupted once, and continued from step {steps}' if count == 1 else
          f'interrupted {count} times, and continued from steps {steps}')


def _beside_log(verdict):
  """The verdict of `compare.py`, with its arithmetic and the figure's source."""
  if verdict.reference is None:
    return f'Beside the published logs: {verdict.text}.'
  words = f'Beside {verdict.reference.label} ({verdict.reference.source}): '
  if verdict.difference is None:
    return f'{words}{verdict.text}.'
  return (f'{words}final test accuracy {verdict.theirs:.4f}, here {verdict.ours:.4f}, '
          f'difference {verdict.difference:+.4f}; {verdict.text}. '
          f'{verdict.arithmetic[:1].upper()}{verdict.arithmetic[1:]}.')


def _time(source):
  """Hours of training without its pauses, and the usual time of a step, in words."""
  marks = []
  for _, text in recorded_run.lines_of(os.path.join(source.folder, 'metrics.jsonl')):
    record = json.loads(text)
    if record.get('kind') == 'train':
      marks.append((record['step'], record['wall_time']))
  gaps = [(after - before, then - now) for (before, now), (after, then)
          in zip(marks, marks[1:])]
  if not gaps:
    return 'Too short to be timed'
  usual = statistics.median(clock / steps for steps, clock in gaps)
  worked = sum(clock for steps, clock in gaps if clock <= PAUSE * usual * steps)
  return f'{worked / 3600.:.1f} hours of training, median {usual:.3f} s a step'


ERROR, ENERGY = 'test error, %', 'energy'   # also headings


class Figure(typing.NamedTuple):
  """A published figure.

  quantity: ERROR or ENERGY. published: the figure, in words. recipes: list of pairs of
  file and line. measured: list of str, one for every run that has its settings. counts:
  whether a run has all of them, none only doubtful.
  """
  quantity: str
  label: str
  published: str
  recipes: list
  measured: list
  counts: bool


def recipes():
  """All recipes of RECIPES: list of pairs of file and line, and flags."""
  found = []
  for name in RECIPES:
    with open(os.path.join(ROOT, 'runs', name + '.sh')) as file:
      for number, line in enumerate(file, 1):
        words = shlex.split(line, comments=True)
        if words:
          args, _ = flags.parse(words[2:])
          settings = {flag: value for flag, value in vars(args).items()
                      if value is not None}
          settings['data_md5'] = datasets.DATASETS[args.dataset].digest
          found.append(((f'{name}.sh', number), settings))
  return found


def _first_of_each(known, wanted):
  """The first recipe for every schedule, of those that a function wants."""
  by_protocol = collections.OrderedDict()
  for place, settings in known:
    if wanted(settings):
      by_protocol.setdefault(cells.protocol_of(settings), place)
  return list(by_protocol.values())


def figures(found):
  """All published figures, list of `Figure`, with the runs of `found` that have them."""
  known = recipes()
  runs = [each for each in found if each.comparable]
  return list(_logs(known, runs)) + list(_cells(known, runs)) + list(_curves(known, runs))


def _logs(known, runs):
  for name, facts in published_runs.ALL.items():
    wanted = run_settings.get_published_settings(facts)

    def same(settings, but=frozenset()):
      return all(settings.get(flag) == value for flag, value in wanted.items()
                 if flag not in but)

    measured = [_here(each) for each in runs
                if same(each.entry.settings, run_settings.DRAWS)]
    yield Figure(ERROR, f'{facts.source.split("/")[-1]} log, {name}',
                 f'{100 - 100 * facts.best[0]:.2f}, final {100 - 100 * facts.last:.2f}',
                 _first_of_each(known, same), measured, bool(measured))


def _cells(known, runs):
  for cell in published_runs.CELLS:
    def of_cell(settings):
      return [match for match in cells.matches(settings) if match.cell is cell]

    matching = [(each, match) for each in runs for match in of_cell(each.entry.settings)]
    origin = (f' (log {cell.log})' if cell.log else
              f' +- {cell.read_off:g}' if cell.read_off else '')
    yield Figure(
        ERROR, cell.label, cell.shown_error + origin,
        _first_of_each(known, lambda settings: any(
            not match.otherwise for match in of_cell(settings))),
        ['; '.join([_here(each)] + match.otherwise) for each, match in matching],
        any(not match.otherwise for _, match in matching))


def _here(result):
  """A run beside a published test error."""
  return f'{result.name}: {_best(result):.2f}, final {_last(result):.2f}'


def _curves(known, runs):
  for method, curve in published_runs.ENERGIES.items():
    wanted = published_runs.settings_of_the_code(method)

    def same(settings):
      return cells.protocol_of(settings) is published_runs.COMHE and all(
          settings.get(flag) == value for flag, value in wanted.items())

    measured = [f'{each.name}: {sums}' for each in runs if same(each.entry.settings)
                for sums in filter(None, [_energies(each.energies)])]
    yield Figure(
        ENERGY, f'CoMHE plot of energies, {curve.name}', ', '.join(
            f'{step:,}: {value:g}' for step, value in curve.energies.items()) + (
                ' (band {:g} to {:g})'.format(*curve.band) if curve.band else ''),
        _first_of_each(known, lambda settings: settings['energy_every'] and same(
            settings)), measured, bool(measured))


def _energies(by_kind):
  """Sums over all layers but the last at step 20,000 and at the end, in words."""
  sums = collections.OrderedDict()
  for kind in ('full_energies', 'half_energies'):
    found = energy_sums.but_last(by_kind.get(kind, {}))
    if found:
      curve, _ = found
      for step in [step for step in curve.steps if step == 20000] + curve.steps[-1:]:
        value = curve.values[curve.steps.index(step)]
        sums.setdefault(step, []).append(f'{value:.4f} ({kind.split("_")[0]} space)')
  return '; '.join(f'{step:,}: {", ".join(values)}' for step, values in sums.items())


def _places(recipes_of_figure):
  """'published.sh 1; published_depth.sh 7, 8'"""
  lines = collections.OrderedDict()
  for file, line in recipes_of_figure:
    lines.setdefault(file, []).append(str(line))
  return '; '.join(f'{file} {", ".join(numbers)}' for file, numbers in lines.items())


def results_page(found):
  """The text of docs/results.md, its tables from a list of `Result`."""
  published = figures(found)
  count = (f'{len(published)} published figures: '
           f'{sum(bool(each.recipes) for each in published)} with a recipe, '
           f'{sum(each.counts for each in published)} measured here.')
  with open(PAGE, encoding='utf-8') as file:
    text = re.sub(r'(?m)^\*\*\d[^*]*\*\*$', f'**{count}**', file.read())
  text = _with_table(text, _settings(found))
  for quantity in (ERROR, ENERGY):
    text = _with_table(text, [[quantity, 'published', 'recipe', 'here']] + [
        [each.label, each.published, _places(each.recipes) or 'none',
         '<br>'.join(each.measured) or '-'] for each in published
        if each.quantity == quantity])
  return text


def _with_table(text, rows):
  """A page whose table with this first row is replaced."""
  heading, *_ = table = _table(rows)
  before, after = re.split('(?m)^' + re.escape(heading) + '$(?:\n\\|.*)*', text)
  return before + '\n'.join(table) + after


def write(results=RESULTS):
  """Writes README.md of a folder of results, and the tables of docs/results.md."""
  found = read(results)
  for path, text in ((os.path.join(results, 'README.md'), page(found, results)),
                     (PAGE, results_page(found))):
    durable.write_atomically(path, text.encode())


def main(argv=None):
  parser = arguments.Parser(
      prog='results.py', description='Keep finished trainings in results/, and write '
      'results/README.md and the tables of docs/results.md.')
  parser.add_argument('--add', type=arguments.path, metavar='FOLDER', action='append',
                      default=[], help='a run\'s folder run_NN, or one with a single '
                      'finished run below it; may be repeated')
  parser.add_argument('--name', help='name of the run in results/ (default: as the folder)')
  parser.add_argument('--weights', action='store_true',
                      help='also keep the network\'s variables after the last step')
  args = parser.parse_args(argv)
  if args.name is not None and len(args.add) != 1:
    parser.error('--name needs exactly one --add')
  try:
    for folder in args.add:
      kept = add(folder, args.name, weights=args.weights)
      terminal.note('results.py', 'kept in ' + os.path.relpath(kept))
    write()
  except (OSError, ValueError, recorded_run.ReadError) as error:
    terminal.note('results.py', f'error: {error}')
    return 1
  return 0


if __name__ == '__main__':
  terminal.print_anything()
  sys.exit(main())
