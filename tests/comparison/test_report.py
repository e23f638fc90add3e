"""The report of compare.py and its plots; in a real browser where there is one."""
import base64
import contextlib
import html.parser
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import synthetic_logs
from test_compare import call

from comhe_tf1.networks import architectures

CHROMEDRIVER, CHROMIUM = shutil.which('chromedriver'), shutil.which('chromium')
ATTACK = '</pre><script>alert(1)</script><img src="http://192.0.2.1/x">&'
pytest.importorskip('matplotlib')


def compare(root, *flags):
  status, _, err = call(root, root, *flags)
  assert status == 0, err


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
  """Runs of both protocols; three seeds, hostile names, a resumption."""
  folder = tmp_path_factory.mktemp('runs')
  layers = ['conv1_0', 'conv1_1', 'score']
  paths = [synthetic_logs.write_run(
      folder / 'seeds', i, synthetic_logs.flags(random_seed=i), last=0.75 + i / 500.,
      layers=layers) for i in range(3)]
  for path in paths:
    with open(os.path.join(path, 'metrics.jsonl'), 'a') as file:
      file.write(json.dumps({'step': 75000, 'half_energies': dict.fromkeys(
          layers, 0.5)}) + '\n')
  paths.append(synthetic_logs.write_run(
      folder / ATTACK.replace('/', '_'), args=synthetic_logs.flags(
          'half_mhe', max_steps=42500, power='2', data_dir=ATTACK), command=[
              'train.py', '--data_dir', ATTACK], layers=['b%d' % i for i in range(34)]))
  path = os.path.join(paths[0], 'env.json')
  with open(path) as file:
    environments = json.load(file)
  with open(path, 'w') as file:
    json.dump(environments + [dict(environments[0], from_step=500)], file)
  return paths


@pytest.fixture(scope='module')
def page(runs, tmp_path_factory):
  root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
  folder = tmp_path_factory.mktemp('report')
  compare(root, '--report', folder / 'new', *runs)
  assert os.listdir(str(folder / 'new')) == ['index.html']
  return folder / 'new' / 'index.html'


class _Reader(html.parser.HTMLParser):
  """All tags with their attributes, and the text."""

  def __init__(self, source):
    super().__init__()
    self.tags, self.text = [], ''
    self.feed(source)

  def handle_starttag(self, tag, attributes):
    self.tags.append((tag, dict(attributes)))

  def handle_data(self, data):
    self.text += data


def test_the_page_is_self_contained_and_escaped(page):
  source = page.read_text(encoding='utf-8')
  reader = _Reader(source)
  assert not {'script', 'iframe', 'object', 'form', 'a'} & {tag for tag, _ in reader.tags}
  for _, attributes in reader.tags:
    assert not any(name.startswith('on') for name in attributes)
    for name in ('src', 'href'):
      assert attributes.get(name, 'data:').startswith('data:')
  images = [attributes for tag, attributes in reader.tags if tag == 'img']
  # Accuracy, magnified, four losses, for each protocol; three kinds of energies a group;
  # sums of two kinds of them, of the only group whose last layer is known.
  assert len(images) == 2 * 6 + 2 * 3 + 2
  for image in images:
    assert image['alt']
    data = base64.b64decode(image['src'].split('base64,')[1])
    assert data.startswith(b'\x89PNG')
  for wanted in (f"python train.py --data_dir '{ATTACK}'", '2.21.0', 'random_seed',
                 'continued after 500 steps', 'the normal variation between seeds'):
    assert wanted in reader.text
  policy = [attributes['content'] for tag, attributes in reader.tags
            if attributes.get('http-equiv') == 'Content-Security-Policy']
  assert len(policy) == 1 and policy[0].startswith("default-src 'none'")


def test_pictures(root, runs, tmp_path):
  """Ours, theirs, rate drops and layers are all drawn and named."""
  compare(root, '--plot', tmp_path / 'a.svg', *runs)
  drawing = ElementTree.parse(str(tmp_path / 'a.svg'))
  # Matplotlib keeps each text as a comment beside its outlines.
  comments = (tmp_path / 'a.svg').read_text(encoding='utf-8')
  for wanted in ('training step', 'test accuracy', 'fit (nats, log axis)',
                 'learning rate x 0.1', 'published random', 'published random (points)',
                 'random, pd 40, pn 20, power 2, seeds 0 1 2 (mean, range)',
                 'half_mhe, power 2, seed 1234', 'conv1_1 0.5100', 'Weight decay (reg)',
                 'Test accuracy after the last decay step (magnified)', '42,500 steps',
                 'Energies of the 2 layers but the last, half space',
                 'energy (no unit), axis does not start at 0',
                 'published RP-CoMHE, width 1 (+-0.01)'):
    assert f'<!-- {wanted} -->' in comments
  assert drawing.getroot().tag.endswith('svg')
  compare(root, '--plot', tmp_path / 'a.png', *runs)
  assert (tmp_path / 'a.png').read_bytes().startswith(b'\x89PNG')
  assert sorted(os.listdir(str(tmp_path))) == ['a.png', 'a.svg']


def test_a_picture_of_a_whole_training(root, tmp_path):
  """One command, a file that a page can have: curves, published points, layers."""
  layers = [layer.name for layer in architectures.cnn()]
  run = synthetic_logs.write_run(tmp_path / 'log', last=0.7550)
  rng = np.random.RandomState(0)
  with open(os.path.join(run, 'metrics.jsonl'), 'w') as file:
    for step in range(0, 75000, 100):
      energies = 0.5 + 1e-3 * rng.randn(len(layers)) - 1e-7 * step
      file.write(json.dumps({'kind': 'train', 'step': step, 'energies': dict(
          zip(layers, energies))}) + '\n')
  for name in ('a.png', 'a.svg'):
    compare(root, tmp_path / 'log', '--plot', tmp_path / name)
  assert (tmp_path / 'a.png').stat().st_size < 300000
  comments = (tmp_path / 'a.svg').read_text(encoding='utf-8')
  for wanted in ['Test accuracy', 'fit (nats, log axis)', 'published random (points)',
                 'Terms of the layers', 'random, pd 40, pn 20, power 2, seed 1234',
                 'change since first value, means of 10']:
    assert f'<!-- {wanted} -->' in comments
  for layer in layers:
    assert f'<!-- {layer} 0.' in comments


def test_colours_of_a_png(tmp_path):
  """As they are drawn, to what the eye cannot tell apart."""
  from matplotlib import image

  from comhe_tf1.comparison import plots
  panel = plots.Panel('', '', lambda axes: [
      axes.plot([0, 1], [i, i], color=colour, linewidth=5)
      for i, colour in enumerate(plots.COLOURS)])
  plots.write([panel], str(tmp_path / 'x.png'))
  pixels = image.imread(str(tmp_path / 'x.png'))[..., :3].reshape(-1, 3)
  assert tuple(pixels[0]) == (1, 1, 1)
  for colour in plots.COLOURS:
    wanted = [int(colour[i:i + 2], 16) / 255. for i in (1, 3, 5)]
    assert (np.abs(pixels - wanted).max(axis=1) < 0.02).sum() > 500


def texts(path):
  """What is written in an SVG; matplotlib keeps each text as a comment."""
  return re.findall('<!-- (.*?) -->', path.read_text(encoding='utf-8'))


def test_a_picture_for_a_paper(root, tmp_path):
  """Chosen panels and labels; widths are marked, and a term of zero is not drawn."""
  flags = dict(max_steps=42500, width=0.25, op_seeds='by_name')
  runs = [synthetic_logs.write_run(tmp_path / str(i), args=synthetic_logs.flags(
      method, random_seed=seed, **dict(flags, **more)))
          for i, (method, seed, more) in enumerate((
              ('none', 1, {}), ('none', 2, {}), ('half_mhe', 1, {}),
              ('half_mhe', 1, dict(width=1.))))]
  for path in runs[:2]:
    path = os.path.join(os.path.dirname(path), 'log_train_00.txt')
    with open(path) as file:
      text = re.sub(r'thom(f?)=[0-9.]+', r'thom\1=0.0000', file.read())
    with open(path, 'w') as file:
      file.write(text)

  def drawn(*more):
    compare(root, *runs, '--plot', tmp_path / 'x.svg', *more)
    return texts(tmp_path / 'x.svg')

  title = 'Energy of all layers but the last (thom)'
  both = drawn('--panels', 'accuracy,thom')
  assert [text for text in both if text in (
      'Test accuracy', title) or text.startswith('Energies')] == ['Test accuracy', title]
  for wanted in ('none, width 0.25, seeds 1 2 (mean, range)',
                 'half_mhe, power 2, width 0.25, seed 1', 'published none, width 1',
                 'half_mhe, power 2, seed 1, width 1'):
    assert wanted in both
  energy = drawn('--panels', 'thom')
  assert 'half_mhe, power 2, width 0.25, seed 1' in energy
  assert not any(text.startswith('none') for text in energy)
  named = drawn('--panels', 'fit', '--labels', 'baseline,baseline,narrow,wide')
  assert {'baseline (mean, range)', 'narrow', 'wide'} & set(named) == set()
  for wanted in ('baseline, width 0.25 (mean, range)', 'narrow, width 0.25',
                 'wide, width 1'):
    assert wanted in named
  status, out, err = call(root, tmp_path, runs[0], '--labels', 'a,b', '--plot', 'y.svg')
  assert status == 2 and not out and '2 names for 1 runs' in err[0]
  assert not (tmp_path / 'y.svg').exists()


def test_every_panel_can_be_asked_for(root, runs, tmp_path):
  """All names of --panels draw something, in the order in which they are given."""
  import compare as command

  everything = texts_of(root, tmp_path, runs[0], '--against', os.path.dirname(runs[1]))
  for name in command.PANELS:
    found = texts_of(root, tmp_path, runs[0], '--against', os.path.dirname(runs[1]),
                     '--panels', name)
    assert 'training step' in found and set(found) < set(everything)


def texts_of(root, folder, *flags):
  compare(root, *flags, '--plot', folder / 'x.svg')
  return texts(folder / 'x.svg')


def test_means_of_the_energies_of_layers():
  from matplotlib.figure import Figure

  from comhe_tf1.comparison import plots
  from comhe_tf1.published import published_runs
  from comhe_tf1.records import recorded_run

  def drawn(count):
    steps = np.arange(count) * 100
    axes = Figure().add_subplot(1, 1, 1)
    plots._changes('', [{'a': recorded_run.Curve(steps, 3. + np.arange(count))}],
                    published_runs.COMHE)(axes)
    return axes.lines[0].get_xydata(), axes.get_ylabel()

  points, label = drawn(75)
  assert np.array_equal(points, [[100 * i, i] for i in range(75)])
  assert label == 'change since first value'
  points, label = drawn(750)
  assert np.allclose(points, [[1000 * i + 450, 10 * i + 4.5] for i in range(75)])
  assert label == 'change since first value, means of 10'


def test_curves_of_several_seeds():
  from comhe_tf1.comparison import plots
  from comhe_tf1.records import recorded_run
  curves = [recorded_run.Curve([0, 100, 200], [1., 2., 3.]),
            recorded_run.Curve([100, 200, 300], [4., 7., 0.])]
  line = plots._line('seeds', curves, 'black', '-')
  assert list(line.steps) == [100, 200] and list(line.values) == [3, 5]
  assert list(line.low) == [2, 3] and list(line.high) == [4, 7]
  single = plots._line('one', curves[:1], 'black', '-')
  assert single.low is None and np.array_equal(single.values, [1, 2, 3])


class Browser:
  """Chromium, driven through ChromeDriver."""

  def __init__(self, port):
    self._at = 'http://127.0.0.1:%d/session' % port
    self._at += '/' + self.post('', capabilities={'alwaysMatch': {
        'goog:loggingPrefs': {'browser': 'ALL', 'performance': 'ALL'},
        'goog:chromeOptions': {'binary': CHROMIUM, 'args': [
            '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
            '--no-first-run', '--disable-background-networking', '--disable-sync',
            '--disable-component-update', '--disable-dev-shm-usage']}}})['sessionId']

  def post(self, command, **content):
    request = urllib.request.Request(
        self._at + command, json.dumps(content).encode(),
        {'Content-Type': 'application/json'})
    with urllib.request.urlopen(request, timeout=60) as answer:
      return json.loads(answer.read().decode())['value']

  def evaluate(self, script):
    return self.post('/execute/sync', script='return ' + script, args=[])

  def resize(self, width):
    self.post('/goog/cdp/execute', cmd='Emulation.setDeviceMetricsOverride', params={
        'width': width, 'height': 900, 'deviceScaleFactor': 1, 'mobile': False})

  def close(self):
    urllib.request.urlopen(urllib.request.Request(self._at, method='DELETE'), timeout=60)


@contextlib.contextmanager
def browser():
  with socket.socket() as free:
    free.bind(('127.0.0.1', 0))
    port = free.getsockname()[1]
  driver = subprocess.Popen([CHROMEDRIVER, '--port=%d' % port],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
  try:
    for _ in range(100):
      try:
        socket.create_connection(('127.0.0.1', port), timeout=1).close()
        break
      except OSError:
        time.sleep(0.1)
    opened = Browser(port)
    try:
      yield opened
    finally:
      opened.close()
  finally:
    driver.terminate()
    driver.wait()


@pytest.mark.slow
@pytest.mark.skipif(not (CHROMEDRIVER and CHROMIUM),
                    reason='there is no chromium and chromedriver here')
def test_the_page_in_a_browser(page):
  with browser() as opened:
    opened.post('/url', url='file://' + str(page))
    for width in (400, 1600):
      opened.resize(width)
      assert opened.evaluate('window.innerWidth') == width
      # Nothing sticks out of the page: wide tables scroll by themselves.
      assert opened.evaluate('document.documentElement.scrollWidth') <= width
      assert opened.evaluate(
          '[...document.querySelectorAll(".scroll")].every(e => '
          'e.getBoundingClientRect().right <= innerWidth)')
      images = opened.evaluate('[...document.images].map(i => [i.complete, '
                               'i.naturalWidth, i.getBoundingClientRect().width])')
      assert len(images) == 20
      for complete, natural, shown in images:
        # Their smallest letters, 6 points of a figure 4.2 inches wide, keep 6 pixels.
        assert complete and natural > 600 and 4.2 * 96 * 0.75 <= shown <= width
      assert float(opened.evaluate(
          'getComputedStyle(document.body).fontSize').replace('px', '')) >= 16
    columns = opened.evaluate('getComputedStyle(document.querySelector(".plots"))'
                              '.gridTemplateColumns.split(" ").length')
    assert columns >= 3   # at 1600 px
    assert opened.evaluate('document.title') == 'Comparison with published runs'
    assert opened.evaluate('document.scripts.length') == 0
    assert opened.post('/se/log', type='browser') == []
    events = [json.loads(entry['message'])['message']
              for entry in opened.post('/se/log', type='performance')]
    asked = [event['params']['request']['url'] for event in events
             if event['method'] == 'Network.requestWillBeSent']
    assert any(url.startswith('file://') for url in asked)   # the log is not blind
    assert {re.match('[a-z]+:', url).group() for url in asked} <= {'file:', 'data:'}
    assert sum(url.startswith('file://') for url in asked) == 1
