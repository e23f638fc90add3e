"""The findings of docs/evidence/findings.md are what this project computes."""
import collections
import os
import re

import pytest

import comhe_tf1
from comhe_tf1.published import published_runs
from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import roles
from comhe_tf1.training import first_line

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def outputs():
  """Lines of output on the page, by command: dict of lists of str."""
  with open(os.path.join(ROOT, 'docs', 'evidence', 'findings.md'), encoding='utf8') as file:
    blocks = re.findall(r'```\n\$ (.*)\n((?:(?!```).*\n)*)```', file.read())
  found = collections.defaultdict(list)
  for command, text in blocks:
    # Long lines go on with four spaces.
    found[command] += text.replace('\n    ', ' ').splitlines()
  return found


def watched(version, flags):
  """The output of the original under a TensorFlow."""
  lines = outputs()[f'$TF{version} $WATCH $ORIGINAL {flags}']
  assert lines
  return lines


def line_of(lines, pattern):
  found, = {line for line in lines if re.search(pattern, line)}
  return found


@pytest.mark.parametrize('version, flags, seed', [
    (112, 'random --steps 1 --random_seed 1234', 1234), (112, 'random --steps 1', 345),
    (114, 'random --steps 1 --random_seed 1234', 1234), (114, 'random --steps 3', 345),
    (112, 'angle --steps 1', 345), (114, 'angle --steps 1', 345),
    (112, 'adversarial --steps 1', 3456), (114, 'adversarial --steps 1', 3456)])
def test_first_lines_of_the_original_are_ours(monkeypatch, version, flags, seed):
  """At the published sizes, and of seeds that no log was published of."""
  variant = flags.split()[0]
  monkeypatch.setattr(published_runs, 'OP_SEED_SCHEME', f'tf1.{version - 100}')
  run = published_runs.RUNS[variant]._replace(random_seed=seed)
  found = dict(re.findall(r'(\w+)=([\d.]+)', line_of(
      watched(version, flags), '^====iter_0')))
  # Both are rounded: of 5.01445, one to 5.0144 and the other to 5.0145.
  assert [float(found[term]) for term in first_line.WITHOUT_DATA] == pytest.approx(
      [float(figure) for figure in first_line.compute(variant, run)], abs=1.01e-4)


@pytest.mark.parametrize('version, scheme', [
    (18, 'tf1.12'), (112, 'tf1.12'), (114, 'tf1.14')])
def test_op_seeds_of_the_original_are_ours(version, scheme):
  found = re.findall(r'(\w+/\w+) (\d+)', line_of(
      watched(version, 'random --steps 1 --random_seed 1234'), 'op seeds'))
  projections = methods.create('random').projections
  assert {name: int(seed) for name, seed in found} == comhe_tf1.original_op_seeds(
      'random', scheme, comhe_tf1.cnn(), projections)


def test_draws_of_the_original_are_those_of_the_plan():
  found = {}
  for line in watched(114, 'random --steps 3'):
    for name, numbers in re.findall(r'(\w+) draws 20 matrices of (.*):', line):
      found[name] = list(map(int, re.findall(r'\d+', numbers)))
  assert found == {
      layer.name: [40, layer.size ** 2 * layer.c_in, layer.c_in, layer.c_in + 19]
      for layer in comhe_tf1.cnn() if layer.role == roles.HIDDEN}


def test_published_lines_are_the_facts():
  lines = '\n'.join(outputs()['cd $ORIGINAL && head -n 1 */log/*/log_train_00.txt'])
  for variant, run in published_runs.RUNS.items():
    assert re.search(r'%s_projection/.*\n====iter_0: fit=%.4f, reg=%.4f, thom=%.4f, '
                     r'thomf=%.4f, acc=%.4f' % (variant, *run.first_line.values()), lines)


def test_reg_of_the_published_run_falls_as_by_weight_decay_alone():
  lines = sum((found for command, found in outputs().items()
               if 'log_train_00.txt log_test_00.txt' in command), [])
  first, last = (float(re.search(r'reg=([\d.]+)', line_of(
      lines, r'====iter_%d:' % step)).group(1)) for step in (500, 1000))
  kernel, velocity = 1., 0.
  # A while before, until the velocity is in step with the kernel.
  for step in range(1000):
    if step == 500:
      start = kernel
    velocity = 0.9 * velocity - 0.1 * 5e-4 * kernel
    kernel += velocity
  fallen = (kernel / start) ** 2
  assert f'{fallen:.4f}' == '0.6051' and last / first == pytest.approx(fallen, abs=5e-4)
