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
    compared: `comparison.Comparison`.
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


def page(compared, pictures):
  """The page as text; arguments as `write`."""
  parts = tables.blocks(compared)
  body = ['<h1>Comparison of %d run%s</h1>' % (
      len(compared.entries), '' if len(compared.entries) == 1 else 's')]
  body += [_block(part) for part in parts]
  if pictures:
    body += ['<h2>Plots</h2>', '<div class="plots">']
    body += [_picture(*picture) for picture in pictures]
    body.append('</div>')
  body.append('<h2>Commands and environments</h2>')
  body += [_run(entry) for entry in compared.entries]
  return ('<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
          '<meta http-equiv="Content-Security-Policy" content="%s">\n'
          '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
          '<link rel="icon" href="data:,">\n'
          '<title>Comparison with published runs</title>\n<style>%s</style>\n</head>\n'
          '<body>\n%s\n</body>\n</html>\n' % (_POLICY, _STYLE, '\n'.join(body)))


def _text(value):
  return html.escape(str(value))


def _table(rows, label, kind=''):
  """Scrolls by itself where it is too wide, by keyboard too."""
  head, body = rows[0], rows[1:]
  lines = ['<div class="scroll" tabindex="0" role="region" aria-label="%s"><table%s>'
           % (_text(label), kind)]
  if head:
    lines.append('<thead><tr>%s</tr></thead>' % ''.join(
        '<th scope="col">%s</th>' % _text(cell) for cell in head))
  lines.append('<tbody>')
  lines += ['<tr><th scope="row">%s</th>%s</tr>' % (_text(row[0]), ''.join(
      '<td>%s</td>' % _text(cell) for cell in row[1:])) for row in body]
  return '\n'.join(lines + ['</tbody></table></div>'])


def _block(part):
  lines = ['<h2>%s</h2>' % _text(part.title)]
  if part.rows:
    lines.append(_table(part.rows, part.title))
  if part.notes:
    lines += ['<ul>'] + ['<li>%s</li>' % _text(note) for note in part.notes] + ['</ul>']
  return '\n'.join(lines)


def _picture(caption, image):
  return ('<figure><img alt="%s" src="data:image/png;base64,%s"><figcaption>%s'
          '</figcaption></figure>' % (_text(caption), base64.b64encode(image).decode(),
                                      _text(caption)))


def _run(entry):
  lines = ['<h3>#%d %s</h3>' % (entry.number, _text(entry.run.name))]
  if not entry.run.environments:
    lines.append('<p>A log alone, which records neither its command nor its '
                 'environment.</p>')
  for environment in entry.run.environments:
    start = environment.get('from_step')
    lines.append('<p>%s</p>' % ('Started with' if not start else
                                'Continued after %s steps with' % _text(start)))
    lines.append('<pre>%s</pre>' % _text(_command(environment.get('command'))))
    lines.append(_table([[]] + [
        [name, _value(value)] for name, value in sorted(environment.items())
        if name not in ('command', 'from_step')],
        'Environment of #%d' % entry.number, ' class="facts"'))
  if entry.run.args:
    lines.append('<p>All flags, resolved</p>')
    lines.append(_table([[]] + [
        [name, _value(value)] for name, value in sorted(entry.run.args.items())],
        'Flags of #%d' % entry.number, ' class="facts"'))
  return '\n'.join(lines)


def _command(words):
  if not isinstance(words, list):
    return 'not recorded'
  return 'python ' + ' '.join(shlex.quote(str(word)) for word in words)


def _value(value):
  return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
