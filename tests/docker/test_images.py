"""The images as a user has them: built, looked into, run without rights or network."""
import json
import os
import re
import shutil
import subprocess
import sys

from conftest import COMMIT
from conftest import output
from conftest import PODMAN
from conftest import ROOT
import pytest

UID, GID = 12345, 23456
HARSH = ['--no-healthcheck', '--ulimit', 'nofile=4096:4096', '--ulimit', 'nproc=4096:4096',
         '--network', 'none', '--read-only', '--read-only-tmpfs=false', '--user',
         '%d:%d' % (UID, GID)]
TINY = ['--dataset', 'sample', '--batch_size', '8', '--pd', '5', '--pn', '1']
# MB that an image adds to its base: TensorFlow and CUDA are the base's or the image's.
SIZES = {'repro': (20, 300), 'modern': (4000, 8000)}
DRIVER = """
int cuInit(unsigned flags) {return 0;}
int cuDeviceGetCount(int *count) {*count = 1; return 0;}
int cuDeviceGet(int *device, int number) {*device = number; return 0;}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  *value = attribute == 75 ? %d : 0;
  return 0;
}
"""


def command(image, flags, mounts=(), settings=()):
  volumes = [word for mount in mounts for word in ('-v', '%s:%s' % mount)]
  return PODMAN + ['run', '--rm'] + HARSH + volumes + list(settings) + [
      image.name] + list(flags)


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
  status, out, err = run(image, ['--first_line'])
  assert status == 0, err
  assert out.count('match\n') == 9 and '9 of 9 figures match' in out
  assert err.count('\n') <= 1  # that there is no GPU, once at most


def test_trains_and_owns_its_logs(image, logs):
  status, out, err = run(image, TINY + ['--max_steps', '2'], [(logs, '/log')])
  assert status == 0, err
  assert err.count('\n') == 1 and 'no GPU' in err  # said once
  assert '====iter_0: ' in out and '++++iter_1: ' in out
  files = [path for path in logs.rglob('*')]
  assert len(files) > 5
  assert {(path.stat().st_uid, path.stat().st_gid) for path in files} == {(UID, GID)}
  env, = logs.rglob('env.json')
  assert json.loads(env.read_text())[0]['git_commit'] == COMMIT


def test_reads_data_from_the_mount_or_a_folder_in_it(image, logs, tmp_path):
  data = tmp_path / 'data' / 'cifar-100-python'
  subprocess.check_call([sys.executable, '-m', 'comhe_tf1.sample', str(data)], cwd=ROOT)
  for folder in (data, data.parent):
    status, out, err = run(image, TINY[2:] + ['--max_steps', '1'],
                           [(folder, '/data:ro'), (logs, '/log')])
    assert status == 0, err
    assert 'data: /data; 2000 training and 500 test images' in out


def test_mistakes(image, logs, tmp_path):
  for flags, mounts, expected, told in (
      (['--regularizer', 'angel'], [], 2, 'angel'),
      ([], [(logs, '/log')], 1, '/data/train'),
      (TINY + ['--max_steps', '1'], [(tmp_path, '/log')], 1, 'Permission denied')):
    status, out, err = run(image, flags, mounts)
    assert (status, out) == (expected, '')
    assert told in err and 'Traceback' not in err
    assert len([line for line in err.splitlines() if 'error: ' in line]) == 1


def start(image, flags, logs, until):
  """Starts a training; returns the process, and the line that begins as asked for."""
  process = subprocess.Popen(
      command(image, TINY + flags, [(logs, '/log')], ['--name', container(image)]),
      stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
  for line in process.stdout:
    if line.startswith(until):
      return process, line
  raise AssertionError(process.communicate()[1])


def container(image):
  return 'comhe_tf1_' + image.target


def stop(image, process):
  """As docker stop; returns what was written to standard error."""
  subprocess.check_call(PODMAN + ['stop', '--time', '60', container(image)],
                        stdout=subprocess.DEVNULL)
  _, err = process.communicate()
  assert process.returncode == 143
  return err


def test_sigterm_saves_and_another_container_resumes(image, logs):
  process, _ = start(image, [], logs, '====iter_0')
  subprocess.check_call(PODMAN + ['exec', container(image), 'python', '-m',
                                  'comhe_tf1.health'])
  done = re.search('stopped after ([0-9]+) steps.*--resume', stop(image, process)).group(1)
  assert list(logs.rglob('step_%08d.npz' % int(done)))
  process, line = start(image, ['--resume'], logs, 'continuing after')
  assert line.startswith('continuing after %s steps' % done)
  stop(image, process)


def test_sigterm_before_the_first_step_ends_at_once(image, logs, tmp_path):
  # A library whose import waits: opened for writing as soon as it is imported.
  waiting = tmp_path / 'waiting'
  (waiting / 'tensorflow').mkdir(parents=True)
  os.mkfifo(str(waiting / 'pipe'))
  (waiting / 'tensorflow' / '__init__.py').write_text('open("/waiting/pipe").read()\n')
  process = subprocess.Popen(
      command(image, TINY + ['--any_environment'],
              [(waiting, '/waiting:ro'), (logs, '/log')],
              ['--env', 'PYTHONPATH=/waiting', '--name', container(image)]),
      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
  with open(str(waiting / 'pipe'), 'wb'):
    stop(image, process)
  assert not list(logs.iterdir())


@pytest.mark.skipif(not shutil.which('gcc'), reason='needs a C compiler')
def test_refuses_a_gpu_without_code(image, tmp_path):
  major = {'repro': 9, 'modern': 5}[image.target]
  tmp_path.chmod(0o755)
  source, library = tmp_path / 'driver.c', tmp_path / 'libcuda.so.1'
  source.write_text(DRIVER % major)
  subprocess.check_call(['gcc', '-shared', '-fPIC', '-o', str(library), str(source)])
  status, out, err = run(image, ['--first_line'], [(tmp_path, '/driver:ro')],
                         ['--env', 'LD_LIBRARY_PATH=/driver'])
  assert (status, out) == (1, '')
  other = {'repro': 'modern', 'modern': 'repro'}[image.target]
  assert 'compute capability %d.0' % major in err and 'target ' + other in err


def test_holds_what_it_should_and_nothing_else(image):
  tracked = output('git', '-C', ROOT, 'ls-files').split()
  wanted = {path for path in tracked if path == 'LICENSE' or re.match(
      r'[^/]+\.py$|comhe_tf1/([a-z_]+/)?[^/]+\.py$|requirements/[^/]+\.txt$', path)}
  listing = output(*command(
      image, ['-c', 'import os\nfor folder, _, names in os.walk("."):\n'
              '  for name in names: print(os.path.join(folder, name)[2:])'],
      settings=['--entrypoint', 'python']))
  found = {path for path in listing.split() if '__pycache__' not in path}
  assert found == wanted
  # Beyond the base there are only the project, its packages and the mounts.
  added = output(*PODMAN + ['diff', image.name, image.base]).splitlines()
  added = [line.split(' ', 1)[1] for line in added if not line.startswith('C')]
  assert added
  assert not [path for path in added if not re.match('/(opt|data|log)(/|$)', path)]


def test_has_no_rights_secrets_or_tools_of_its_own(image):
  facts = json.loads(output(*PODMAN + ['inspect', image.name]))[0]
  config = facts['Config']
  assert config['User'] == '1000:1000'
  assert config['Entrypoint'] == ['python', '/opt/comhe_tf1/train.py']
  assert config['Labels']['org.opencontainers.image.revision'] == COMMIT
  sys.path.insert(0, ROOT)
  import comhe_tf1
  assert config['Labels']['org.opencontainers.image.version'] == comhe_tf1.__version__
  assert facts['Healthcheck']['Test'] == ['CMD', 'python', '-m', 'comhe_tf1.health']
  names = {entry.split('=')[0] for entry in config['Env']}
  assert not [name for name in names if re.search('TOKEN|SECRET|PASSWORD|KEY', name)]
  status, _, _ = run(image, ['-c', 'ls /opt/venv/bin/pip* /opt/venv/bin/*gcc*'],
                     settings=['--entrypoint', 'sh'])
  assert status != 0


def test_size(image):
  def megabytes(name):
    return int(output(*PODMAN + ['inspect', '--format', '{{.Size}}', name])) / 1e6

  added = megabytes(image.name) - megabytes(image.base)
  print('%s adds %.0f MB to its base' % (image.target, added))
  least, most = SIZES[image.target]
  assert least < added < most


def test_hadolint():
  lint = os.path.join(os.path.dirname(sys.executable), 'hadolint')
  subprocess.check_call([lint, os.path.join(ROOT, 'Dockerfile')])
