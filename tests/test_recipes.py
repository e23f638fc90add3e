"""Every shipped command line, and how one is run by its number."""
import glob
import os
import shlex
import subprocess
import sys

import processes
import pytest

from comhe_tf1 import flags
from comhe_tf1.comparison import cells
from comhe_tf1.published import published_runs
from comhe_tf1.regularizers import methods

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'runs')
TABLES = ['claim.sh'] + [f'published_{name}.sh' for name in (
    'depth', 'layers', 'powers', 'resnet32', 'weights', 'width')]
FILES = sorted(os.path.basename(path) for path in glob.glob(os.path.join(FOLDER, '*.sh')))


def recipes(name):
  """Flags of every line that is not a comment."""
  return [args for _, args in commented(name)]


def commented(name):
  """Pairs of the comment above a line, or the nearest one, and the line's flags."""
  comment = None
  with open(os.path.join(FOLDER, name)) as file:
    for line in file:
      words = shlex.split(line, comments=True)
      if not words:
        comment = line[2:].strip()
        continue
      assert words[:2] == ['python', 'train.py'] and '#' not in line
      yield comment, flags.parse(words[2:])[0]


@pytest.mark.parametrize('name', FILES)
def test_lines_are_good_and_differ(name):
  lines = list(recipes(name))
  assert lines
  flags = [repr(sorted(vars(args).items())) for args in lines]
  assert len(set(flags)) == len(flags)
  with open(os.path.join(FOLDER, 'README.md')) as file:
    assert f'| `{name}` |' in file.read()


@pytest.mark.parametrize('name', [name for name in FILES if name not in (
    'published.sh', 'mhe_repository.sh')])
def test_methods_are_compared_from_one_start(name):
  seeds = [345, 346] if name == 'claim.sh' else [345]
  lines = list(recipes(name))
  assert {args.op_seeds for args in lines} == {'by_name'}
  assert sorted({args.random_seed for args in lines}) == seeds


@pytest.mark.parametrize('dataset', ['cifar100', 'cifar10'])
def test_every_method_on_both_networks(dataset):
  assert [(args.dataset, args.model, args.regularizer)
          for args in recipes(dataset + '_methods.sh')] == [
              (dataset, model, method) for model in ('cnn9', 'resnet32')
              for method in ('none', 'orthogonal', 'srip', 'mhe', 'half_mhe', 'group',
                             'random', 'random_max', 'angle_alternating', 'angle',
                             'adversarial')]
  assert len(methods.METHODS) == 11


def test_what_is_varied():
  assert [args.pd for args in recipes('projection_dimension.sh')] == [10, 20, 30, 40, 80]
  assert [args.pn for args in recipes('number_of_projections.sh')] == [
      1, 5, 10, 20, 30, 80]
  assert sorted({64 * args.width for args in recipes('width.sh')}) == [
      16 * t for t in (1, 2, 4, 8, 16)]
  assert {args.depth for args in recipes('depth.sh')} == {6, 9, 15}
  for method in ('half_mhe', 'random'):
    assert [args.power for args in recipes('powers.sh')
            if args.regularizer == method] == list(methods.POWERS)


def test_published_runs():
  random, angle, adversarial = recipes('published.sh')
  assert (random.random_seed, random.pd, random.pn) == (1234, 40, 20)
  assert (angle.random_seed, angle.pd, angle.iters) == (345, 30, 1)
  assert (adversarial.random_seed, adversarial.pd, adversarial.iters) == (3456, 30, 10)
  for args in (random, angle, adversarial):
    assert (args.op_seeds, args.max_steps) == ('tf1.12', 75000)


def test_protocol_of_the_mhe_repository():
  lines = list(recipes('mhe_repository.sh'))
  assert [(args.regularizer, args.power) for args in lines] == [('none', None)] + [
      (method, power) for method in ('half_mhe', 'mhe') for power in methods.POWERS]
  for args in lines:
    assert (args.max_steps, args.lr_drops) == (42500, [20000, 30000, 37500])
    if args.regularizer == 'mhe':   # logged with a tenth of the code's weights
      weights = methods.POWERS[args.power]
      assert args.energy_weight == pytest.approx(weights[0] / 10.)
      assert args.output_energy_weight == pytest.approx(weights[1] / 10.)


@pytest.mark.parametrize('name', TABLES)
def test_lines_below_a_published_number_are_of_its_cell(name):
  lines = list(commented(name))
  for comment, args in lines:
    error, label = comment.split(';')[0].split('  ')
    matches = cells.matches(vars(args))
    if name != 'claim.sh':
      assert (error, label) in [
          (match.cell.shown_error, f'{match.cell.row}, {match.cell.column}')
          for match in matches if not match.otherwise], comment
    elif error == 'not published':
      assert not matches
    else:
      match, = matches
      assert error == match.cell.shown_error
      assert match.otherwise == (['--power 2, not 0'] if args.power == '2'
                                 and args.regularizer == 'mhe' else [])


def test_every_cell_has_a_line_for_each_schedule_that_it_may_have():
  found = {cell.label: set() for cell in published_runs.CELLS}
  for name in TABLES:
    for args in recipes(name):
      for match in cells.matches(vars(args)):
        if not match.otherwise:
          found[match.cell.label].add(cells.protocol_of(vars(args)))
  assert found == {cell.label: set(cell.protocols) for cell in published_runs.CELLS}


def test_a_comment_is_a_job_that_does_nothing():
  """So that jobs are known by their lines' numbers."""
  for path in glob.glob(os.path.join(FOLDER, '*.sh')):
    with open(path) as file:
      comments = [line.rstrip() for line in file if line.startswith('#')]
    for line in comments[:2]:
      for command in (line, line + ' --resume', 'exec ' + line):
        assert subprocess.check_output(['sh', '-c', command]) == b''


SLURM = 'exec sh -c "exec $(sed -n ${SLURM_ARRAY_TASK_ID}p %s) --resume"'


@pytest.fixture
def sweep(tmp_path):
  """Runs shell commands on a file of two tiny lines; `python` is this interpreter."""
  path = tmp_path / 'sweep.sh'
  path.write_text(''.join(
      'python train.py --dataset sample --gpu_no -1 --width 0.125 --batch_size 8 '
      '--base_lr 0.001 --regularizer %s --max_steps 3 --save_every 1 --log_every 1 '
      '--eval_every 100 --log_dir %s\n' % (method, tmp_path / 'log')
      for method in ('none', 'mhe')))
  program = tmp_path / 'bin' / 'python'
  program.parent.mkdir()
  program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
  program.chmod(0o755)

  def run(command, **environment):
    status, out, err = processes.call(
        'sh', '-c', command % shlex.quote(str(path)),
        PATH=f"{program.parent}:{os.environ['PATH']}", **environment)
    return status, '\n'.join(out), err

  return run


def test_a_line_trains_and_resumes_by_its_number(sweep, tmp_path):
  resume = 'sh -c "$(sed -n 2p %s) --resume"'
  status, out, err = sweep(resume)
  assert status == 0, err
  assert 'no run to continue in' in out and '====iter_2:' in out
  run, = tmp_path.glob('log/**/run_00')
  assert 'mhe' in str(run)
  # As if it had been interrupted after its second step.
  (run / 'final.json').unlink()
  (run / 'checkpoints' / 'model.ckpt-3.index').unlink()
  for command, variables in (
      (resume, {}), (SLURM, dict(SLURM_ARRAY_TASK_ID='2'))):
    status, out, err = sweep(command, **variables)
    assert status == 0, err
    assert 'continuing after ' in out and (run / 'final.json').exists()
    (run / 'final.json').unlink()


def test_the_page_has_the_commands_that_are_tested():
  with open(os.path.join(os.path.dirname(FOLDER), 'docs', 'training.md')) as file:
    text = file.read()
  assert SLURM % 'runs/width.sh' in text
  assert 'sh -c "$(sed -n 3p runs/width.sh) --resume"' in text
