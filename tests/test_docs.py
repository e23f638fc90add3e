"""The pages: links, lines, and the files and commands that they name."""
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow


def pages(root):
  names = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', os.path.join('runs', 'README.md'),
           os.path.join('results', 'README.md')]
  return names + [os.path.join(folder, name)
                  for folder in ('docs', os.path.join('docs', 'evidence'))
                  for name in os.listdir(os.path.join(root, folder)) if name.endswith('.md')]


def test_links_lead_somewhere(root):
  found = 0
  for page in pages(root):
    with open(os.path.join(root, page), encoding='utf8') as file:
      text = file.read()
    for target in re.findall(r'\]\(([^)#\s]+)(?:#[^)]*)?\)', text):
      if not re.match('[a-z]+:', target):
        assert os.path.exists(os.path.join(root, os.path.dirname(page), target)), (
            f'{page} links to {target}')
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
  assert len(text.splitlines()) < 150
  for page in os.listdir(os.path.join(root, 'docs')):
    if page.endswith('.md'):
      assert f'(docs/{page})' in text


def test_paths_that_pages_name_are_there(root):
  for page in pages(root):
    if page == 'CHANGELOG.md':   # names what was
      continue
    with open(os.path.join(root, page), encoding='utf8') as file:
      text = file.read()
    for path in re.findall(r'`((?:comhe_tf1|tests|docs|benchmarks|examples|requirements|'
                           r'runs)/[A-Za-z0-9_./-]+)`', text):
      assert os.path.exists(os.path.join(root, path)), f'{page} names {path}'


@pytest.mark.parametrize('script', [
    'docs/results.py', 'benchmarks/keras_models.py', 'benchmarks/large_layers.py',
    'benchmarks/run.py', 'benchmarks/term_cost.py'])
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
      assert os.path.exists(os.path.join(root, path)), f'{module} names {path}'
  assert found > 20


def test_the_plot_of_ones_own(root, tmp_path, monkeypatch):
  matplotlib = pytest.importorskip('matplotlib')
  with open(os.path.join(root, 'docs', 'comparing.md'), encoding='utf8') as file:
    script, = re.findall(r'```python\n(.*?)```', file.read(), re.S)
  monkeypatch.chdir(root)
  matplotlib.use('Agg')
  path = str(tmp_path / 'mine.pdf')
  exec(script.replace('mine.pdf', path), {})
  with open(path, 'rb') as picture:
    assert picture.read(4) == b'%PDF'


@pytest.mark.skipif(tensorflow.__version__.startswith('1.'), reason='Keras 3')
def test_the_first_example_of_the_library(root, capsys):
  """It runs, and prints the table that the page has."""
  with open(os.path.join(root, 'docs', 'library.md'), encoding='utf8') as file:
    script, table = re.findall(r'```python\n(.*?)```.*?\n\n((?:    [^\n]*\n)+)',
                               file.read(), re.S)[0]
  rng = np.random.RandomState(0)
  names = {'images': rng.rand(64, 32, 32, 3), 'labels': rng.randint(10, size=64)}
  exec(script, names)
  assert str(names['regularization']) == re.sub('(?m)^    ', '', table).rstrip()
  assert capsys.readouterr().out.startswith(str(names['regularization']))
