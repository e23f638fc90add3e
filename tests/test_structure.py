"""Imports between the packages go the way that docs/extending.md says, and no other."""
import ast
import glob
import os
import re
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
with open(os.path.join(ROOT, 'docs', 'extending.md')) as file:
  PAGE = file.read()
# A row of the page's table: the package, and the packages that it may import.
ALLOWED = {package: set(re.findall('`([a-z_]+)`', uses)) for package, uses in re.findall(
    r'^\| `([a-z_]+)`[^|]*\|([^|]*)\|', PAGE, re.M)}
DRAWN = set(re.findall(r'^ +([a-z_]+) --> ([a-z_]+)$', PAGE, re.M))
TOP = ['train.py', 'compare.py', 'cifar_input.py']
MODULES = ['energies', 'flags', 'worker']


def modules():
  """Pairs of a module's package and its path; a command is one of its own."""
  top = os.path.join(ROOT, 'comhe_tf1')
  for path in sorted(glob.glob(os.path.join(top, '**', '*.py'), recursive=True)):
    if path != os.path.join(top, '__init__.py'):
      yield os.path.relpath(path, top).split(os.sep)[0].replace('.py', ''), path


def imported(path):
  """What the file imports from this project, also within functions: dotted names."""
  with open(path) as file:
    tree = ast.parse(file.read())
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      for alias in node.names:
        yield alias.name
    elif isinstance(node, ast.ImportFrom):
      assert not node.level, f'a relative import in {path}'
      for alias in node.names:
        yield f'{node.module}.{alias.name}'


def arrows():
  """Triples of a package, what it imports of the project, and the importing file."""
  for package, path in modules():
    for name in imported(path):
      first = name.split('.')[0]
      if first == 'comhe_tf1' and '.' in name and not name.startswith('comhe_tf1.__'):
        yield package, name.split('.')[1], path
      elif first in ('train', 'compare', 'cifar_input'):
        yield package, first, path


def test_every_package_has_its_row_and_says_what_it_is_for():
  packages = {package for package, _ in modules()}
  assert packages == set(ALLOWED)
  for package, path in modules():
    with open(path) as file:
      assert ast.get_docstring(ast.parse(file.read())), path


def test_arrows_go_as_the_page_says():
  wrong = ['%s imports %s, which docs/extending.md does not allow to %s' % (
      os.path.relpath(path, ROOT), target, package)
           for package, target, path in arrows()
           if target != package and target not in ALLOWED[package]]
  assert not wrong, '\n'.join(wrong)


def test_the_page_allows_no_more_than_there_is():
  there = {(package, target) for package, target, _ in arrows() if package != target}
  assert {(package, target) for package in ALLOWED for target in ALLOWED[package]} == there


def test_the_drawing_is_the_table():
  assert DRAWN == {(package, target) for package in ALLOWED for target in ALLOWED[package]}


def test_there_is_no_circle():
  left = {package: set(uses) for package, uses in ALLOWED.items()}
  while left:
    bottom = {package for package, uses in left.items() if not uses & set(left)}
    assert bottom, f'a circle among {sorted(left)}'
    for package in bottom:
      del left[package]


def test_regularizers_know_nothing_else():
  assert ALLOWED['regularizers'] == set()


def test_the_top_level_and_the_commands():
  assert sorted(name for name in os.listdir(ROOT) if name.endswith('.py')) == sorted(TOP)
  assert sorted(name for name in os.listdir(os.path.join(ROOT, 'comhe_tf1'))
                if name.endswith('.py')) == sorted(
                    ['__init__.py'] + [name + '.py' for name in MODULES])
  with open(os.path.join(ROOT, 'train.py')) as file:
    assert len(file.readlines()) < 200


@pytest.mark.parametrize('name', ['comhe_tf1', 'comhe_tf1.regularizers.methods',
                                  'comhe_tf1.networks.architectures',
                                  'comhe_tf1.networks.op_seeds', 'cifar_input',
                                  'comhe_tf1.comparison.verdicts', 'train', 'compare'])
def test_imports_without_tensorflow(name):
  """And without a Keras."""
  subprocess.check_call([
      sys.executable, '-c', f'import sys, {name}; '
      'sys.exit(bool({"tensorflow", "keras", "tf_keras"} & set(sys.modules)))'], cwd=ROOT)


def test_without_tensorflow_a_line_says_what_to_do():
  process = subprocess.run(
      [sys.executable, '-c', 'import sys\nclass Without:\n'
       '  def find_spec(self, name, path=None, target=None):\n'
       '    if name == "tensorflow":\n      raise ModuleNotFoundError(name, name=name)\n'
       'sys.meta_path.insert(0, Without())\n'
       'import comhe_tf1\ncomhe_tf1.half_space_energy'], cwd=ROOT,
      stderr=subprocess.PIPE, universal_newlines=True)
  assert process.returncode == 1
  assert 'comhe_tf1 needs TensorFlow, and there is none' in process.stderr.splitlines()[-1]
