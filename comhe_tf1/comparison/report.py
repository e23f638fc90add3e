"""A comparison as one HTML page, which asks for no other file."""
import base64
import html
import json
import os
import shlex

from comhe_tf1.comparison import tables
from comhe_tf1.utils import durable

NAME = 'index.html'
_STYLE = '''
:root { color-scheme: light; }
body { margin: 0 auto; padding: 1rem; max-width: 100rem; background: #fff;
  color: #1a1a1a; font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
p, li { max-width: 60rem; }
ul { padding-left: 1.2rem; }
.scroll { overflow-x: auto; }
.scroll:focus { outline: 2px solid #0072b2; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid #ccc; text-align: right;
  white-space: nowrap; vertical-align: top; }
thead th { white-space: normal; overflow-wrap: normal; }
th:first-child, td:first-child { text-align: left; white-space: normal;
  min-width: 7rem; }
.facts td { text-align: left; white-space: normal; }
pre { white-space: pre-wrap; padding: .6rem; background: #f3f3f3; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem),
  1fr)); gap: 1rem; }
figure { margin: 0; max-width: 36rem; } img { width: 100%; height: auto; }
figcaption { font-size: .875rem; color: #444; }
'''
# No scripts, nothing from elsewhere: only this page's own style and images.
_POLICY = ("default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
           "base-uri 'none'; form-action 'none'")


def write(folder, compared, pictures):
  """Writes the page.

  Args:
    folder: made where missing.
    compared: `verdicts.Comparison`.
    pictures: list of pairs of caption and PNG bytes.

  Returns:
    The page's path.

  Raises:
    OSError: it cannot be written.
  """
  os.makedirs(folder, exist_ok=True)
  path = os.path.join(folder, NAME)
  durable.write_atomically(path, lambda file: file.write(
      page(compared, pictures).encode('utf-8', 'backslashreplace')))
  return path


_PAGE = '''<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="%s">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>Comparison with published runs</title>
<style>%s</style>
</head>
<body>
<h1>Comparison of %d run%s</h1>
%s
</body>
</html>
'''


def page(compared, pictures):
  """The page as text; arguments as `write`."""
  body = list(map(_block, tables.blocks(compared)))
  if pictures:
    body += ['<h2>Plots</h2>', '<div class="plots">'] + [
        _picture(*picture) for picture in pictures] + ['</div>']
  body.append('<h2>Commands and environments</h2>')
  body += map(_run, compared.entries)
  count = len(compared.entries)
  return _PAGE % (_POLICY, _STYLE, count, '' if count == 1 else 's', '\n'.join(body))


def _text(value):
  return html.escape(str(value))


def _table(rows, label, kind=''):
  """A table that scrolls by itself if it is too wide, with the keyboard too.

  rows: the first one has the headings, and may be empty.
  """
  head = ''.join(f'<th scope="col">{_text(cell)}</th>' for cell in rows[0])
  lines = [f'<div class="scroll" tabindex="0" role="region" aria-label="{_text(label)}">'
           f'<table{kind}>', f'<thead><tr>{head}</tr></thead>' if head else '', '<tbody>']
  for row in rows[1:]:
    figures = ''.join(f'<td>{_text(cell)}</td>' for cell in row[1:])
    lines.append(f'<tr><th scope="row">{_text(row[0])}</th>{figures}</tr>')
  return '\n'.join(lines + ['</tbody></table></div>'])


def _facts(facts, label):
  return _table([[]] + [
      [name, value if isinstance(value, str) else json.dumps(value, sort_keys=True)]
      for name, value in sorted(facts.items())], label, ' class="facts"')


def _block(part):
  lines = [f'<h2>{_text(part.title)}</h2>']
  if part.rows:
    lines.append(_table(part.rows, part.title))
  if part.notes:
    lines += ['<ul>'] + [f'<li>{_text(note)}</li>' for note in part.notes] + ['</ul>']
  return '\n'.join(lines)


def _picture(caption, image):
  return (f'<figure><img alt="{_text(caption)}" src="data:image/png;base64,'
          f'{base64.b64encode(image).decode()}"><figcaption>{_text(caption)}</figcaption>'
          f'</figure>')


def _run(entry):
  lines = [f'<h3>#{entry.number} {_text(entry.path)}</h3>']
  if not entry.environments:
    lines.append('<p>Only a log, which records neither command nor environment.</p>')
  for environment in entry.environments:
    start, words = environment.get('from_step'), environment.get('command')
    command = 'not recorded' if not isinstance(words, list) else (
        'python ' + ' '.join(shlex.quote(str(word)) for word in words))
    lines += [f'<p>{f"Continued after {_text(start)} steps" if start else "Started"} '
              f'with</p>', f'<pre>{_text(command)}</pre>',
              _facts({name: value for name, value in environment.items()
                      if name not in ('command', 'from_step')},
                     f'Environment of #{entry.number}')]
  if entry.run.args:
    lines += ['<p>All flags, resolved</p>',
              _facts(entry.run.args, f'Flags of #{entry.number}')]
  return '\n'.join(lines)
