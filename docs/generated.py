"""What the generated documents share.

Each has a script, a record and a page: NAME.py runs things and keeps what came out in
NAME.json, from which NAME.md is written. Tests hold the page against the record.
"""
import argparse
import json
import os
import shutil
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HERE = os.path.join(ROOT, 'docs')
WIDTH = 88   # of lines of text
sys.path[:0] = [ROOT] + [os.path.join(ROOT, name) for name in (
    os.path.join('tests', 'helpers'), 'benchmarks')]

from comhe_tf1.utils import arguments
from comhe_tf1.utils import durable
from comhe_tf1.utils import terminal


def checkout(text):
  """Type of a flag: the authors' repository."""
  if not os.path.isfile(os.path.join(text, 'random_projection', 'train.py')):
    raise argparse.ArgumentTypeError(
        'expected a checkout of the authors\' repository, but there is no '
        f'random_projection/train.py in {text!r}')
  return text


def executable(text):
  """Type of a flag: an interpreter."""
  if not shutil.which(text):
    raise argparse.ArgumentTypeError(f'cannot run {text!r}')
  return text


def names(known):
  """Type of a flag: some of the known names, in their order."""
  def parse(text):
    for name in text.split(','):
      if name not in known:
        raise argparse.ArgumentTypeError(
            f'expected some of {", ".join(known)}, got {name!r}')
    return [name for name in known if name in text.split(',')]
  return parse


def path(name, extension):
  """Of a document's file."""
  return os.path.join(HERE, name + extension)


def read(name):
  """The record of a document; empty where there is none yet."""
  if not os.path.exists(path(name, '.json')):
    return {}
  with open(path(name, '.json')) as file:
    return json.load(file)


def write(name, record, page):
  """Writes record and page of a document."""
  text = json.dumps(record, indent=1, sort_keys=True) + '\n'
  for extension, content in (('.json', text), ('.md', page)):
    durable.write_atomically(path(name, extension),
                             lambda file: file.write(content.encode()))


def parser(name, description):
  """A parser with the flag that all documents' scripts have."""
  made = arguments.Parser(prog='%s.py' % name, description=description)
  made.add_argument('--render', action='store_true',
                    help='write %s.md from %s.json, without running anything'
                         % (name, name))
  return made


def main(name, args, update, page):
  """Runs what is to be run and writes a document.

  Args:
    name: of the document.
    args: with `render`.
    update: function of the record, which it brings up to date.
    page: function from the record to the text of the page.

  Returns:
    Exit status.
  """
  try:
    record = read(name)
    if not args.render:
      update(record)
    write(name, record, page(record))
  except (OSError, ValueError) as error:
    terminal.note('%s.py' % name, 'error: %s' % error)
    return 1
  except KeyboardInterrupt:
    terminal.note('%s.py' % name, 'interrupted')
    return 130
  return 0


def table(header, rows):
  """A Markdown table, as lines."""
  return ['| %s |' % ' | '.join(row)
          for row in [header, ['---'] * len(header)] + rows]
