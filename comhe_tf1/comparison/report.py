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
body { margin: 0 auto; padding: 1rem; max-width: 100rem; background: #fff;
  color: #1a1a1a; font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
p, li { max-width: 60rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid #ccc; text-align: right;
  white-space: nowrap; vertical-align: top; }
th, th:first-child, td:first-child, .facts td { white-space: normal; }
th:first-child, td:first-child, .facts td { text-align: left; min-width: 7rem; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem),
  1fr)); gap: 1rem; }
figure { margin: 0; max-width: 36rem; } img { width: 100%; height: auto; }
'''
# No scripts, nothing from elsewhere: only this page's own style and images.
_POLICY = ("default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
           "base-uri 'none'; form-action 'none'")


_PAGE = '''<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>Comparison with published runs</title>
<style>{style}</style>
</head>
<body>
<h1>Comparison of {runs}</h1>
{blocks}
<h2>Plots</h2>
<div class="plots">
{pictures}
</div>
<h2>Commands and environments</h2>
{records}
</body>
</html>
'''


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
  count = len(compared.entries)
  page = _PAGE.format(
      policy=_POLICY, style=_STYLE, runs=f'{count} run{"" if count == 1 else "s"}',
      blocks='\n'.join(_block(block, 2) for block in tables.blocks(compared)),
      pictures='\n'.join(_picture(*picture) for picture in pictures) or 'None.',
      records='\n'.join(_block(block, 3) for entry in compared.entries
                        for block in _records(entry)))
  durable.write_atomically(path, page.encode('utf-8', 'backslashreplace'))
  return path


def _records(entry):
  """The commands, environments and flags of a run, as list of `tables.Block`."""
  name = f'{entry.label} {entry.path}'
  blocks = []
  for environment in entry.environments:
    facts = dict(environment)
    start, command = facts.pop('from_step', None), facts.get('command')
    if isinstance(command, list):
      facts['command'] = 'python ' + ' '.join(shlex.quote(str(word)) for word in command)
    blocks.append(_facts(
        f'{name}, {f"continued after {start} steps" if start else "started"}', facts))
  if entry.run.args:
    blocks.append(_facts(f'{name}, all flags', entry.run.args))
  return blocks or [tables.Block(
      name, ['Only a log, which records neither command nor environment.'])]


def _facts(title, facts):
  return tables.Block(title, [], [[]] + [
      [name, value if isinstance(value, str) else json.dumps(value, sort_keys=True)]
      for name, value in sorted(facts.items())])


def _block(block, level):
  """A block as HTML; a table without headings has facts, not figures."""
  title = html.escape(block.title)
  lines = [f'<h{level}>{title}</h{level}>']
  if block.rows:
    # It scrolls by itself if it is too wide, with the keyboard too.
    lines += [f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">',
              '<table>' if block.rows[0] else '<table class="facts">']
    if block.rows[0]:
      lines += ['<thead>', _row(block.rows[0], '<th scope="col">', '</th>'), '</thead>']
    lines += ['<tbody>'] + [_row(row, '<td>', '</td>') for row in block.rows[1:]]
    lines.append('</tbody></table></div>')
  if block.notes:
    lines += ['<ul>'] + [f'<li>{html.escape(note)}</li>' for note in block.notes] + [
        '</ul>']
  return '\n'.join(lines)


def _row(cells, begin, end):
  return f'<tr>{"".join(begin + html.escape(cell) + end for cell in cells)}</tr>'


def _picture(caption, image):
  caption = html.escape(caption)
  return (f'<figure><img alt="{caption}" src="data:image/png;base64,'
          f'{base64.b64encode(image).decode()}"><figcaption>{caption}</figcaption>'
          f'</figure>')
