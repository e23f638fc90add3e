"""The images as a user has them: built, looked into, run without rights or network."""
import json
import os
import re
import subprocess
import sys
import time

from conftest import build
from conftest import COMMIT
from conftest import FILES
from conftest import ROOT
from engines import output
import made_up_driver
import pytest
import sample_pickles

UID, GID = 12345, 23456
HARSH = ['--ulimit', 'nofile=4096:4096', '--ulimit', 'nproc=4096:4096', '--network', 'none',
         '--init', '--read-only', '--user', '%d:%d' % (UID, GID)]
TINY = ['--dataset', 'sample', '--width', '0.25', '--batch_size', '8', '--pd', '5',
        '--pn', '1']
# MB that an image adds to its base: TensorFlow and CUDA are the base's or the image's.
SIZES = {'repro': (20, 300), 'modern': (4000, 8000)}
# The libraries that TensorFlow 1.14 opens, in the base of `repro`; its stand-in has none.
CUDA_10 = ['libcudart.so.10.0', 'libcublas.so.10.0', 'libcufft.so.10.0', 'libcurand.so.10.0',
           'libcusolver.so.10.0', 'libcusparse.so.10.0', 'libcudnn.so.7']


def command(image, flags, mounts=(), settings=()):
  volumes = [word for mount in mounts for word in ('-v', '%s:%s' % mount)]
  return [image.engine.client, 'run', '--rm'] + HARSH + image.engine.harsh + volumes + (
      list(settings) + [image.name] + list(flags))


def run(*args, **settings):
  process = subprocess.run(command(*args, **settings), stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, universal_newlines=True)
  return process.returncode, process.stdout, process.stderr


@pytest.fixture
def logs(tmp_path):
  folder = tmp_path / 'log'
  folder.mkdir()
  os.chown(str(folder), UID, GID)
  return folder


def test_first_line(image):
  status, out, err = run(image, ['--check_first_line'])
  assert status == 0, err
  assert out.count('match\n') == 9 and '9 of 9 figures match' in out
  assert err.count('\n') <= 1  # that there is no GPU, once at most


def test_trains_and_owns_its_logs(image, logs):
  status, out, err = run(image, TINY + ['--max_steps', '2'], [(logs, '/log')])
  assert status == 0, err
  assert err.count('\n') == 1 and 'no GPU' in err  # said once
  assert '====iter_0: ' in out and '++++iter_1: ' in out
  files = [*logs.rglob('*')]
  assert len(files) > 5
  assert {(path.stat().st_uid, path.stat().st_gid) for path in files} == {(UID, GID)}
  env, = logs.rglob('env.json')
  assert json.loads(env.read_text())[0]['git_commit'] == COMMIT


def test_reads_data_from_the_mount_or_a_folder_in_it(image, logs, tmp_path):
  data = tmp_path / 'data' / 'cifar-100-python'
  sample_pickles.write(data)
  for folder in (data, data.parent):
    status, out, err = run(image, TINY[2:] + ['--max_steps', '1'],
                           [(folder, '/data:ro'), (logs, '/log')])
    assert status == 0, err
    assert ('data: /data, not the official CIFAR-100; 2000 training and 500 test '
            'images') in out


def test_mistakes(image, logs, tmp_path):
  short = TINY + ['--max_steps', '1']
  closed = tmp_path / 'closed'
  closed.mkdir(mode=0o700)   # root's
  for flags, mounts, expected, told in (
      (['--regularizer', 'angel'], [], 2, 'angel'),
      ([], [(logs, '/log')], 1, '/data/train: No such file or directory; mount a folder of '
       'yours there: -v $PWD/data:/data'),
      ([], [(closed, '/data:ro'), (logs, '/log')], 1, 'Permission denied; mount a folder '
       'of yours there: -v $PWD/data:/data --user'),
      (short, [(logs, '/log:ro')], 1, 'Read-only file system; mount a folder of yours there: '
       '-v $PWD/log:/log'),
      # As a folder that the engine made.
      (short, [(tmp_path, '/log')], 1, 'Permission denied; mount a folder of yours there: '
       '-v $PWD/log:/log --user'),
      (short, [], 1, 'Read-only file system; mount a folder of yours there')):
    status, out, err = run(image, flags, mounts)
    assert (status, out) == (expected, '')
    assert told in err and 'Traceback' not in err
    assert len([line for line in err.splitlines() if 'error: ' in line]) == 1


def test_logs_that_go_with_the_container(repro):
  status, _, err = run(repro, TINY + ['--max_steps', '1'], settings=['--read-only=false'])
  assert status == 0
  assert 'warning: the logs are inside this container and go with it; mount' in err


def start(image, flags, logs, until, settings=()):
  """Starts a training; returns the process, and the line that begins as asked for."""
  process = subprocess.Popen(
      command(image, TINY + flags, [(logs, '/log')],
              ['--name', container(image)] + list(settings)),
      stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
  for line in process.stdout:
    if line.startswith(until):
      return process, line
  raise AssertionError(process.communicate()[1])


def container(image):
  return 'comhe_tf1_' + image.target


def stop(image, process):
  """As docker stop; returns what was written to standard error."""
  subprocess.check_call(
      [image.engine.client, 'stop', '--time', '60', container(image)],
      stdout=subprocess.DEVNULL)
  _, err = process.communicate()
  assert process.returncode == 143
  return err


def test_sigterm_saves_and_another_container_resumes(image, logs):
  process, _ = start(image, [], logs, '====iter_0')
  done = re.search('stopped after ([0-9]+) steps.*--resume', stop(image, process)).group(1)
  assert list(logs.rglob(f'model.ckpt-{int(done)}.index'))
  process, line = start(image, ['--resume'], logs, 'continuing after')
  assert line.startswith(f'continuing after {done} steps')
  stop(image, process)


@pytest.mark.parametrize('settings', [[], ['--init=false']], ids=['init', 'no init'])
def test_sigterm_before_the_first_step_ends_at_once(image, logs, tmp_path, settings):
  # A library whose import waits: opened for writing as soon as it is imported.
  waiting = tmp_path / 'waiting'
  (waiting / 'tensorflow').mkdir(parents=True)
  os.mkfifo(str(waiting / 'pipe'))
  (waiting / 'tensorflow' / '__init__.py').write_text('open("/waiting/pipe").read()\n')
  process = subprocess.Popen(
      command(image, TINY + ['--skip_version_check'],
              [(waiting, '/waiting:ro'), (logs, '/log')],
              ['--env', 'PYTHONPATH=/waiting', '--name', container(image)] + settings),
      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
  with open(str(waiting / 'pipe'), 'wb'):
    stop(image, process)
  assert not list(logs.iterdir())


def test_a_stop_at_once_is_not_lost(image):
  """Whenever it comes: before Python runs, while it imports, while TensorFlow starts."""
  client, name = image.engine.client, container(image)
  statuses = []
  for tenths in range(12):
    words = command(image, TINY, settings=['--name', name, '--detach'])
    words.remove('--rm')
    output(*words)
    time.sleep(tenths / 10)
    output(client, 'stop', '--time', '20', name)
    statuses.append(output(client, 'inspect', '--format', '{{.State.ExitCode}}',
                           name).strip())
    output(client, 'rm', name)
  assert statuses == 12 * ['143']


@pytest.fixture
def driver(tmp_path):
  """A mount and settings that make the made-up driver a container's."""
  folder = tmp_path / 'driver'
  folder.mkdir()
  paths = made_up_driver.build(folder)
  tmp_path.chmod(0o755)
  return folder, ['--env', 'LD_PRELOAD=' + paths.replace(str(folder), '/driver'),
                  '--env', 'LD_LIBRARY_PATH=/driver']


def test_refuses_a_gpu_without_code(image, driver):
  major = {'repro': 9, 'modern': 5}[image.target]
  folder, settings = driver
  status, out, err = run(image, ['--check_first_line'], [(folder, '/driver:ro')],
                         settings + ['--env', 'MADE_UP_CAPABILITY=%d0' % major])
  assert (status, out) == (1, '')
  other = {'repro': 'modern', 'modern': 'repro'}[image.target]
  assert 'compute capability %d.0' % major in err and 'image ' + other in err


def test_takes_a_gpu(image, driver):
  """As far as the first call that a made-up driver cannot answer."""
  folder, settings = driver
  if image.target == 'repro':   # in place of those of the true base
    for name in CUDA_10:
      subprocess.check_call(['gcc', '-shared', '-x', 'c', '/dev/null', '-o',
                             str(folder / name)])
  status, out, err = run(image, TINY, [(folder, '/driver:ro')],
                         settings + ['--env', 'MADE_UP_CAPABILITY=75'])
  assert (status, out) == (1, ''), err
  assert err.startswith('train.py: error: cudaGetDevice() failed. ') and err.count('\n') == 1


def test_any_program_finds_the_gpu_libraries(image):
  """By the loader's own list: nothing of this project is imported."""
  if image.target == 'repro':
    pytest.skip('they are in the base, which is a stand-in')
  status, out, err = run(
      image, ['/gpu/libraries.py'], [(os.path.join(ROOT, 'tests', 'gpu'), '/gpu:ro')],
      ['--entrypoint', 'python', '--workdir', '/'])
  assert status == 0, out + err


def test_holds_what_it_should_and_nothing_else(image):
  tracked = output('git', '-C', ROOT, 'ls-files').split()
  wanted = {path for path in tracked if path == 'LICENSE' or re.match(
      r'[^/]+\.py$|comhe_tf1/([a-z_]+/)?[^/]+\.(py|json)$|requirements/[^/]+\.txt$',
      path)}
  listing = output(*command(
      image, ['-c', 'import os\nfor folder, _, names in os.walk("."):\n'
              '  for name in names: print(os.path.join(folder, name)[2:])'],
      settings=['--entrypoint', 'python']))
  found = {path for path in listing.split() if '__pycache__' not in path}
  assert found == wanted
  # Beyond the base there are only the project, its packages and the mounts.
  paths = [set(output(
      image.engine.client, 'run', '--rm', '--network', 'none', '--user', '0',
      '--entrypoint', 'find', name, '/', '-xdev').splitlines())
           for name in (image.name, image.base)]
  added = paths[0] - paths[1]
  assert added
  assert not [path for path in added if not re.match(
      '/(opt|data|log)(/|$)|/etc/ld.so.conf.d/comhe_tf1.conf$|/etc/ld.so.cache$|'
      '/var/cache/ldconfig(/|$)', path)]


def test_has_no_rights_secrets_or_tools_of_its_own(image):
  facts = json.loads(output(image.engine.client, 'inspect', image.name))[0]
  config = facts['Config']
  assert config['User'] == '1000:1000'
  assert config['Entrypoint'] == ['python', '/opt/comhe_tf1/train.py']
  assert config['Labels']['org.opencontainers.image.revision'] == COMMIT
  sys.path.insert(0, ROOT)
  import comhe_tf1
  assert config['Labels']['org.opencontainers.image.version'] == comhe_tf1.__version__
  names = {entry.split('=')[0] for entry in config['Env']}
  assert not [name for name in names if re.search('TOKEN|SECRET|PASSWORD|KEY', name)]
  status, _, _ = run(image, ['-c', 'ls /opt/venv/bin/pip* /opt/venv/bin/*gcc*'],
                     settings=['--entrypoint', 'sh'])
  assert status != 0


def test_size(image):
  def megabytes(name):
    return int(output(image.engine.client, 'inspect', '--format', '{{.Size}}',
                      name)) / 1e6

  added = megabytes(image.name) - megabytes(image.base)
  print(f'{image.target} adds {added:.0f} MB to its base')
  least, most = SIZES[image.target]
  assert least < added < most


def test_every_builder_and_no_commit(engine, bases, logs):
  """One after the other; with an empty COMMIT, as outside a checkout."""
  for environment in engine.builders:
    built = build(engine, bases, 'repro', 'localhost/comhe_tf1:builder', '', **environment)
    facts = json.loads(output(engine.client, 'inspect', built.name))[0]
    assert facts['Config']['Labels']['org.opencontainers.image.revision'] == 'unknown'
    assert 'COMHE_COMMIT=unknown' in facts['Config']['Env']
  status, out, err = run(built, ['--check_first_line'])
  assert status == 0 and '9 of 9 figures match' in out, err


def test_the_files_end_alike():
  """What an image is beyond its TensorFlow is written twice, see Dockerfile."""
  texts = [open(os.path.join(ROOT, name)).read() for name in FILES.values()]
  ends = {re.split('# As in Dockerfile.* from here on', text)[1] for text in texts}
  assert len(ends) == 1 and 'ENTRYPOINT' in ends.pop()
  # Builders without BuildKit build all stages up to the one asked for.
  assert [len(re.findall('^FROM ', text, re.M)) for text in texts] == [1, 1]


@pytest.mark.parametrize('name', sorted(FILES.values()))
def test_hadolint(name):
  lint = os.path.join(os.path.dirname(sys.executable), 'hadolint')
  subprocess.check_call([lint, os.path.join(ROOT, name)])
