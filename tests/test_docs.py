"""The generated pages are what their records give, and these what the code does."""
import copy
import os
import re
import subprocess
import sys

import golden_run
import pytest
import synthetic_logs
import tensorflow.compat.v1 as tf

import comhe_tf1
from comhe_tf1.networks import architectures
from comhe_tf1.records import published
from comhe_tf1.regularizers import kernels as roles
from comhe_tf1.regularizers import methods
from comhe_tf1.training import first_line

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), 'docs'))

import findings
import generated
import parity
import published as published_page
import results
import scaling
import watch_original


@pytest.mark.parametrize('document', [parity, findings, scaling, published_page],
                         ids=lambda each: each.NAME)
def test_page_is_its_record_rendered(document, root):
  page = document.page(generated.read(document.NAME))
  with open(generated.path(document.NAME, '.md'), encoding='utf8') as file:
    assert file.read() == page
  with open(os.path.join(root, 'README.md'), encoding='utf8') as file:
    assert '(docs/%s.md)' % document.NAME in file.read()
  assert max(len(line) for line in page.split('\n')
             if not line.startswith(('|', '$ '))) <= 92
  assert root not in page and '/tmp/' not in page


def pages(root):
  names = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', os.path.join('runs', 'README.md')]
  return names + [os.path.join('docs', name) for name in os.listdir(
      os.path.join(root, 'docs')) if name.endswith('.md')]


def test_links_lead_somewhere(root):
  found = 0
  for page in pages(root):
    with open(os.path.join(root, page), encoding='utf8') as file:
      text = file.read()
    for target in re.findall(r'\]\(([^)#\s]+)(?:#[^)]*)?\)', text):
      if not re.match('[a-z]+:', target):
        assert os.path.exists(os.path.join(root, os.path.dirname(page), target)), (
            '%s links to %s' % (page, target))
        found += 1
  assert found > 30


def test_lines_of_pages(root):
  for page in pages(root):
    with open(os.path.join(root, page), encoding='utf8') as file:
      text = file.read()
    assert text.endswith('\n') and '\n\n\n' not in text, page
    for line in text.splitlines():
      # Tables and commands are as long as they are.
      assert len(line) <= 92 or line.startswith(('|', '$ ', '    ')), (page, line)


def test_the_readme_is_a_front_door(root):
  with open(os.path.join(root, 'README.md'), encoding='utf8') as file:
    text = file.read()
  assert len(text.splitlines()) < 200
  for page in os.listdir(os.path.join(root, 'docs')):
    if page.endswith('.md'):
      assert '(docs/%s)' % page in text


def test_paths_that_pages_name_are_there(root):
  for page in pages(root):
    if page == 'CHANGELOG.md':   # names what was
      continue
    with open(os.path.join(root, page), encoding='utf8') as file:
      text = file.read()
    for path in re.findall(r'`((?:comhe_tf1|tests|docs|benchmarks|examples|requirements|'
                           r'runs)/[A-Za-z0-9_./-]+)`', text):
      assert os.path.exists(os.path.join(root, path)), '%s names %s' % (page, path)


def test_parity_is_of_both_tensorflows_and_within_bounds():
  record = generated.read('parity')
  assert sorted(record) == ['1.14.0', '2.21.0']
  for version, measured in record.items():
    assert measured['environment']['tensorflow'] == version
    assert measured['first_line'][-1] == '9 of 9 figures match to the last digit'
    assert sorted(measured['trajectories']) == sorted(
        map(parity.title_of, golden_run.PATHS))
    for found in measured['trajectories'].values():
      assert set(found) == set(golden_run.bounds())
      for name, bound in golden_run.bounds().items():
        assert bound is None or found[name] is None or found[name] <= bound, name


def test_deviations():
  """Each quantity is moved by a known amount, and only its own deviation shows."""
  golden = golden_run.read(next(path for path in golden_run.PATHS if 'angle' in path))
  names = list(golden_run.bounds())
  moved = {name: 0. for name in names}
  assert golden_run.deviations(golden, golden) == moved

  def check(change, **expected):
    ours = copy.deepcopy(golden)
    change(ours)
    found = golden_run.deviations(golden, ours)
    assert found == pytest.approx(dict(moved, **expected))

  def later(column, amount):
    def change(ours):
      ours['rows'][7][column] += amount
    return change

  for column, name in enumerate(golden_run.TERMS):
    largest = max(row[column] for row in golden['rows'])
    check(later(column, -0.5 * largest), **{name: 0.5})
    check(lambda ours: ours['rows'][0].__setitem__(
        column, 1.5 * golden['rows'][0][column]),
          **{'step 0: terms of the loss': 0.5,
             name: 0.5 * golden['rows'][0][column] / largest})
  check(later(4, 0.25), acc=0.25)
  check(later(5, 1), **{'batches that differ': 1.})
  check(lambda ours: ours['op_seeds'].update({'conv1_1/project': 1}),
        **{'op seeds that differ': 1.})
  check(lambda ours: ours['initial_norms'].update(
      {'fc6/filter': 1.25 * golden['initial_norms']['fc6/filter']}),
        **{'initial norms': 0.25})
  for name, what in (('fc6/filter', 'kernels'), ('fc6/project', 'trained projections'),
                     ('conv1_0/bn/gamma/bias', 'batch-norm scales')):
    check(lambda ours: ours['final_norms'].update(
        {name: 0.75 * golden['final_norms'][name]}), **{'final norms: ' + what: 0.25})
  check(lambda ours: ours['eval'].__setitem__(0, 2. * golden['eval'][0]),
        **{'evaluation: fit': 1.})
  check(lambda ours: ours['eval'].__setitem__(1, golden['eval'][1] + 0.5),
        **{'evaluation: acc': 0.5})


def test_small_norms_are_held_to_the_least():
  shifts, = [bound for bound in golden_run.FINAL_NORMS if 'shifts' in bound.what]
  golden = golden_run.read(golden_run.PATHS[0])
  ours = copy.deepcopy(golden)
  golden['final_norms']['conv1_0/bn/beta/bias'] = 0.
  ours['final_norms']['conv1_0/bn/beta/bias'] = 0.5 * shifts.least
  assert golden_run.deviations(golden, ours)['final norms: batch-norm shifts'] == 0.5


def test_every_command_is_shown_and_every_line_kept_is_too():
  record = generated.read('findings')
  assert set(record) == set(findings.COMMANDS)
  for name, lines in record.items():
    patterns = findings.patterns_of(name)
    assert patterns and findings.shown_of(name, lines, patterns) == lines


def test_a_finding_that_is_not_borne_out():
  record = generated.read('findings')
  record['pnd'] = ['====iter_0: fit=6.8']
  with pytest.raises(findings.NotBorneOut, match='--pnd 16.*TypeError'):
    findings.page(record)


def line_of(name, pattern):
  line, = [line for line in generated.read('findings')[name]
           if re.search(pattern, line)]
  return line


@pytest.mark.parametrize('name, seed, numbering', [
    ('random 1.12 1234', 1234, 'tf1.12'), ('random 1.12', 345, 'tf1.12'),
    ('random 1.14 1234', 1234, 'tf1.14'), ('random', 345, 'tf1.14'),
    ('angle 1.12', 345, 'tf1.12'), ('angle', 345, 'tf1.14'),
    ('adversarial 1.12', 3456, 'tf1.12'), ('adversarial', 3456, 'tf1.14')])
def test_first_lines_of_the_original_are_ours(monkeypatch, name, seed, numbering):
  """At the published sizes, and of seeds that no log was published of."""
  variant = name.split()[0]
  monkeypatch.setattr(published, 'NUMBERING', numbering)
  run = published.RUNS[variant]._replace(random_seed=seed)
  found = dict(re.findall(r'(\w+)=([\d.]+)', line_of(name, '^====iter_0')))
  # Both are rounded: of 5.01445, one to 5.0144 and the other to 5.0145.
  assert [float(found[term]) for term in first_line.WITHOUT_DATA] == pytest.approx(
      [float(figure) for figure in first_line.compute(variant, run)], abs=1.01e-4)


@pytest.mark.parametrize('name, numbering', [
    ('random 1.8 1234', 'tf1.12'), ('random 1.12 1234', 'tf1.12'),
    ('random 1.14 1234', 'tf1.14')])
def test_op_seeds_of_the_original_are_ours(name, numbering):
  found = re.findall(r'(\w+/\w+) (\d+)', line_of(name, 'op seeds'))
  projections = methods.create('random').projections
  assert {name: int(seed) for name, seed in found} == comhe_tf1.original_op_seeds(
      'random', numbering, comhe_tf1.cnn(), projections)


def test_draws_of_the_original_are_those_of_the_plan():
  found = {}
  for line in generated.read('findings')['random']:
    for name, numbers in re.findall(r'(\w+) draws 20 matrices of (.*):', line):
      found[name] = list(map(int, re.findall(r'\d+', numbers)))
  assert found == {
      layer.name: [40, layer.size ** 2 * layer.c_in, layer.c_in, layer.c_in + 19]
      for layer in comhe_tf1.cnn() if layer.role == roles.HIDDEN}


def test_published_lines_are_the_facts():
  lines = '\n'.join(generated.read('findings')['published'])
  for variant, run in published.RUNS.items():
    assert re.search(r'%s_projection/.*\n====iter_0: fit=%.4f, reg=%.4f, thom=%.4f, '
                     r'thomf=%.4f, acc=%.4f' % ((variant,) + tuple(
                         getattr(run, name) for name in published.QUANTITIES)), lines)


def test_reg_of_the_published_run_falls_as_by_weight_decay_alone():
  first, last = [float(re.search(r'reg=([\d.]+)', line_of(
      'early', r'====iter_%d:' % step)).group(1)) for step in (500, 1000)]
  kernel, velocity = 1., 0.
  # A while before, until the velocity is in step with the kernel.
  for step in range(1000):
    if step == 500:
      start = kernel
    velocity = 0.9 * velocity - 0.1 * 5e-4 * kernel
    kernel += velocity
  fallen = (kernel / start) ** 2
  assert '%.4f' % fallen == '0.6051' and last / first == pytest.approx(fallen, abs=5e-4)


def test_every_published_figure_has_a_recipe_and_the_page_has_all_results(tmp_path):
  assert generated.read('published') == {
      'runs': published_page.finished_runs(results.RESULTS)}
  assert published_page.finished_runs(str(tmp_path / 'none')) == []
  rows = published_page.rows({})
  assert len({(row.section, row.label) for row in rows}) == len(rows) == 108
  assert all(row.recipes for row in rows) and not any(row.measured for row in rows)
  # As many as two schedules, where the authors' is not known.
  assert {len(row.recipes) for row in rows} == {1, 2}


def test_results_stand_beside_what_was_published(tmp_path):
  flags = dict(max_steps=42500, random_seed=345, op_seeds='by_name', width=0.25)
  runs = (('half', 'half_mhe', {}, 0.64), ('full', 'mhe', dict(
      energy_weight=0.1, output_energy_weight=1.), 0.63))
  for name, method, settings, last in runs:
    synthetic_logs.write_run(tmp_path / name, args=synthetic_logs.flags(
        method, **dict(flags, **settings)), last=last)
  synthetic_logs.write_run(tmp_path / 'log', last=0.7560,
                           layers=('conv1_0', 'fc6', 'score'))
  record = {'runs': published_page.finished_runs(str(tmp_path))}
  rows = {row.label: row for row in published_page.rows(record) if row.measured}
  assert {label: (row.measured, row.counts) for label, row in rows.items()} == {
      'random, github.com/rmlin/CoMHE': (
          ['log: last 0.7560, best 0.7564, seed 1234'], True),
      'Half-space MHE, 16/32/64': (
          ['half: lowest 35.96, last 36.00, 42,500 steps, seed 345'], True),
      'MHE, 16/32/64': (['full: lowest 36.96, last 37.00, 42,500 steps, seed '
                         '345; --power 2, not 0'], False),
      'RP-CoMHE, CNN-9': (
          ['log: lowest 24.36, last 24.40, 75,000 steps, seed 1234'], True),
      # Of conv1_0 and fc6, at the last of the recorded steps.
      'RP-CoMHE': (['log: 400: 1.0092 (full space), 1.0092 (half space)'], True)}
  assert '108 with a recipe, 4 measured here' in published_page.page(record)
  os.remove(str(tmp_path / 'half' / 'run_00' / 'args.json'))
  with pytest.raises(ValueError, match='half: there is no args.json'):
    published_page.finished_runs(str(tmp_path))
  synthetic_logs.write_run(tmp_path / 'first', until=4000, finished=False)
  with pytest.raises(ValueError, match='first: it is not finished'):
    published_page.finished_runs(str(tmp_path))


SCRIPT = '''
import argparse
import os
import numpy as np
import tensorflow as tf
parser = argparse.ArgumentParser()
for flag in ('--gpu_no', '--crash'):
  parser.add_argument(flag)
crash = parser.parse_args().crash
os.makedirs('log/new')
images, rate = tf.placeholder(tf.float32, [None, 2, 2, 3]), tf.placeholder('float')
with tf.variable_scope('conv1_0'):
  kernel = tf.get_variable('filter', [2], initializer=tf.random_normal_initializer())
  drawn = tf.random_normal([2, 3], seed=5)
  with tf.variable_scope('bn'):
    mean, variance = tf.nn.moments(images, [0, 1, 2], name='moments')
    average = tf.train.ExponentialMovingAverage(0.75)
    update = average.apply([mean, variance])
with tf.variable_scope('fc6'):
  drawn += tf.random_normal([2, 3], seed=5)
total = tf.reduce_sum(drawn)
with tf.Session() as session:
  session.run(tf.global_variables_initializer())
  for i in range(4):
    if i % 3 == 0:
      np.random.shuffle(np.arange(5))
    feed = {images: np.random.rand(4, 2, 2, 3), rate: 0.1 * 0.1 ** (i // 2)}
    fit = session.run([update] + 5 * [total], feed)[1]
    print('fit %d: %.2f' % (i, fit))
    if crash:
      range(0.5)
    if i == 1:
      print('tested', session.run(total, {images: feed[images]}))
'''


@pytest.fixture
def watched(tmp_path, root):
  """Watches a made-up script of the original's habits: status, output, errors."""
  folder = tmp_path / 'random_projection'
  (folder / 'log' / 'old').mkdir(parents=True)
  (folder / 'train.py').write_text(SCRIPT)

  def watch(*flags):
    process = subprocess.Popen(
        [sys.executable, os.path.join(root, 'docs', 'watch_original.py'), str(tmp_path),
         'random'] + list(flags), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return (process.wait(),) + tuple(
        text.decode().splitlines() for text in process.communicate())
  return watch


needs_tensorflow_1 = pytest.mark.skipif(
    not tf.__version__.startswith('1.'), reason='the original needs TensorFlow 1')


@needs_tensorflow_1
def test_watching(watched):
  status, out, _ = watched('--steps', '3')
  assert status == 0
  told = [re.sub('^watch: ', '', line) for line in out if line.startswith('watch: ')]
  assert [line for line in told if not re.search(' s from|operations', line)] == [
      'TensorFlow ' + tf.__version__, 'shuffled before step 0', 'step 0 with rate 0.1',
      told[3], 'moving variance of conv1_0 before step 0: all 0',
      'conv1_0 draws 1 matrices of 2 x 3, op seeds 5 to 5: numbers of their own',
      'fc6 draws 1 matrices of 2 x 3, op seeds 5 to 5: the same as those of conv1_0',
      told[9], told[10], 'testing after 2 training steps', 'step 2 with rate 0.01',
      told[13], 'shuffled before step 3', 'log folder: log/new']
  assert re.match(r'op seeds of the initial values: conv1_0/filter \d+$', told[3])
  assert told[9] == 'moving variance of conv1_0 after step 0: 0.2500 of its batch\'s'
  assert [line.split(':')[0] for line in out if line.startswith('fit')] == [
      'fit 0', 'fit 1', 'fit 2']


@needs_tensorflow_1
def test_watching_idly(watched):
  status, out, _ = watched('--idle')
  assert status == 0
  assert [line for line in out if 'watch: TensorFlow' not in line] == [
      'watch: shuffled before step 0', 'watch: step 0 with rate 0.1', 'fit 0: 0.00',
      'fit 1: 0.00', 'watch: testing after 2 training steps', 'tested 0.0',
      'watch: step 2 with rate 0.01', 'fit 2: 0.00', 'watch: shuffled before step 3',
      'fit 3: 0.00', 'watch: log folder: log/new']


@needs_tensorflow_1
def test_watching_a_crash(watched):
  status, out, _ = watched('--crash', '1')
  assert status == 1
  line, = [line for line in SCRIPT.splitlines() if 'range(0.5)' in line]
  assert out[-1] == (
      'watch: the script failed after 1 training steps in train.py, line %d: '
      'TypeError: \'float\' object cannot be interpreted as an integer'
      % (SCRIPT.splitlines().index(line) + 1))


@pytest.mark.skipif(tf.__version__.startswith('1.'), reason='TensorFlow 1 does')
def test_the_original_does_not_run_under_tensorflow_2(watched):
  status, out, errors = watched()
  assert status == 1 and not out
  assert 'TensorFlow %s does not run the original' % tf.__version__ in errors[-1]


@pytest.mark.parametrize('script, flags, what', [
    (parity, ['--rendre'], '--rendre'), (findings, [], '--original is needed'),
    (findings, ['--original', '.'], 'random_projection/train.py'),
    (findings, ['--only', 'nothing'], "got 'nothing'"),
    (findings, ['--tf112', '/no/such'], '/no/such'),
    (watch_original, ['.', 'random'], 'random_projection/train.py'),
    (watch_original, [], 'checkout')])
def test_usage_errors(script, flags, what, capsys):
  with pytest.raises(SystemExit) as exit_:
    script.main(flags)
  out, err = capsys.readouterr()
  assert exit_.value.code == 2 and not out
  assert len(err.splitlines()) == 1 and what in err


def test_scaling_counts():
  """By hand: one convolution of batch norm, then one without."""
  layers = [architectures.Layer('a', 3, 3, 4, roles.FIRST, 1, None, True, True, None,
                                None),
            architectures.Layer('b', 16, 4, 5, roles.HIDDEN, 1, 'max', False, False,
                                None, None)]
  kernels = 3 * 3 * 3 * 4 + 16 * 16 * 4 * 5
  whole, own = [scaling.traffic(layers, 8, 2, each) for each in (False, True)]
  images = 4 * (32 * 32 * 3 + 8)
  assert [each[1:] for each in whole] == [
      (4 * kernels, 4 * kernels), (4 * 16, 4 * 16), (images, 0)]
  assert [each[1:] for each in own] == [
      (4 * kernels, 4 * kernels), (4 * 8, 4 * 16), (images, 0)]
  assert scaling.messages(layers, False) == 6 and scaling.messages(layers, True) == 2
  assert scaling.flops(layers, 8) == 8 * 2 * (
      2 * 32 * 32 * 3 * 3 * 3 * 4 + 3 * 16 * 16 * 4 * 5)
  assert scaling.regularizer_flops(layers, 7, 2) == 2 * (
      2 * 2 * 7 * 1024 * 5 + 3 * 2 * 7 * 5 * 5)


def test_scaling_projection():
  layers = architectures.cnn()
  free = scaling.Link('', float('inf'), 0.)
  times = [scaling.projected(layers, towers, free, 1.) for towers in (1, 2, 4)]
  assert times[0] - times[1] == pytest.approx(scaling.flops(layers, 128) / 2)
  assert times[1] - times[2] == pytest.approx(scaling.flops(layers, 128) / 4)
  slow = scaling.projected(layers, 4, scaling.Link('', 1e-6, 1.), 1e30)
  assert slow == pytest.approx(38 + 3e6 * scaling.total(
      scaling.traffic(layers, 128, 4, False)))


@pytest.mark.parametrize('script', [
    'docs/findings.py', 'docs/parity.py', 'docs/published.py', 'docs/results.py',
    'docs/scaling.py', 'docs/watch_original.py', 'benchmarks/large_layers.py',
    'benchmarks/keras_models.py', 'benchmarks/run.py', 'benchmarks/several_devices.py', 'benchmarks/term_cost.py'])
def test_scripts_start_by_themselves(script, root, tmp_path):
  """Without the folders that other tests have added to the path."""
  assert subprocess.check_output(
      [sys.executable, os.path.join(root, script), '--help'], cwd=str(tmp_path),
      universal_newlines=True).startswith('usage: ' + os.path.basename(script))


def modules(root):
  """Paths of all Python files of the project."""
  for folder in ('.', 'comhe_tf1', 'benchmarks', 'docs', 'examples', 'tests'):
    for path, folders, names in os.walk(os.path.join(root, folder)):
      if folder == '.':
        del folders[:]
      for name in names:
        if name.endswith('.py'):
          yield os.path.join(path, name)


def test_paths_and_commands_that_modules_name_are_there(root):
  found = 0
  for module in modules(root):
    with open(module, encoding='utf8') as file:
      text = file.read()
    named = re.findall(r'(?<![\w/])(?:comhe_tf1|tests|docs|benchmarks|examples|'
                       r'requirements|runs)/[\w./-]*\.(?:py|md|txt|sh)\b', text)
    for command in re.findall(r'python -m (comhe_tf1[\w.]*\w)', text):
      named.append(command.replace('.', '/') + '.py')
    found += len(named)
    for path in named:
      assert os.path.exists(os.path.join(root, path)), '%s names %s' % (module, path)
  assert found > 20
