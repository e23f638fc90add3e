"""The engine that the tests run on: the Docker Engine, or podman in its place.

Either keeps what it builds in a folder of the project, and neither sees nor touches the
images and containers that the machine has. Both are set up by the environment, so that
the clients are called as a user calls them.
"""
import os
import shutil
import subprocess
import tempfile
import time

PATIENCE = 60   # seconds for the Docker Engine to start


class UnavailableError(Exception):
  """An engine is not to be had here; the message says why."""


def output(*command, **settings):
  return subprocess.run(command, check=True, stdout=subprocess.PIPE,
                        universal_newlines=True, **settings).stdout


def _find(programs):
  missing = [name for name in programs if not shutil.which(name)]
  if missing:
    raise UnavailableError(f"{', '.join(missing)} missing")


class _Engine:
  """What both have: a service on a socket, which Compose too is told of."""

  def __init__(self):
    self._short = tempfile.mkdtemp()   # paths of sockets have little room
    os.environ.update(DOCKER_HOST=f'unix://{self._short}/socket',
                      DOCKER_CONFIG=self._short)
    # In place of the user's own; podman wants one where this variable is set.
    with open(os.path.join(self._short, 'config.json'), 'w') as file:
      file.write('{}')

  def _serve(self, words, ready):
    """Starts the service, which ends with this process; waits until `ready()`."""
    path = os.path.join(self._short, 'log')
    with open(path, 'w') as log:
      self._service = subprocess.Popen(['setpriv', '--pdeathsig', 'TERM'] + words,
                                       stdout=log, stderr=log)
    since = time.time()
    while not ready():
      if self._service.poll() is not None or time.time() > since + PATIENCE:
        with open(path) as file:
          last = file.read().splitlines()[-1:]
        self.close()
        raise UnavailableError(f"{words[0]} does not start: {''.join(last)}")
      time.sleep(0.2)

  def close(self):
    if self._service.poll() is None:
      self._service.terminate()
    self._service.wait()
    # The namespace of containers on the host's network, which Docker leaves mounted.
    with open('/proc/mounts') as file:
      left = [line.split()[1] for line in file if self._short in line]
    for path in left:
      subprocess.check_call(['umount', path])
    shutil.rmtree(self._short)


class Docker(_Engine):
  """The Docker Engine, with a data root of its own, from its start to `close`.

  Attributes:
    name: with its version.
    client: path of the program docker.
    build: words that begin a build which reaches the network.
    builders: environments, one for each builder that the client has.
    harsh: options of a container, see `test_images`.
  """

  harsh = []

  def __init__(self, folder):
    _find(('docker', 'dockerd', 'docker-compose', 'mmdebstrap', 'setpriv'))
    super().__init__()
    self.builders = [{'DOCKER_BUILDKIT': '0'}, {'DOCKER_BUILDKIT': '1'}]
    self.client = self._client()
    self.build = [self.client, 'build', '--network', 'host']
    # Without a bridge, which another engine of this machine may have.
    self._serve(
        ['dockerd', '--bridge', 'none', '--iptables=false', '--storage-driver', 'overlay2',
         '--data-root', folder, '--exec-root', os.path.join(self._short, 'exec'),
         '--pidfile', os.path.join(self._short, 'pid'), '--host',
         os.environ['DOCKER_HOST']],
        lambda: not subprocess.call([self.client, 'version'], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL))
    self.name = 'Docker Engine ' + output(self.client, 'version', '--format',
                                          '{{.Server.Version}}').strip()

  def _client(self):
    """The first one on the path that has both builders, else the first."""
    for folder in os.get_exec_path():
      path = os.path.join(folder, 'docker')
      if os.access(path, os.X_OK) and not subprocess.call(
          [path, 'build', '--help'], env=dict(os.environ, DOCKER_BUILDKIT='1'),
          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        return path
    del self.builders[1]
    return shutil.which('docker')


_STORAGE = """[storage]
driver = "overlay"
graphroot = "%s/graph"
runroot = "%s/run"
"""
# For machines whose groups systemd does not keep, and whose root may not raise limits.
_CONTAINERS = """[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
netns = "host"
init_path = "%s"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


class Podman(_Engine):
  """podman, with the attributes of `Docker`; its service is for Compose."""

  client = 'podman'
  build = ['podman', 'build', '--format', 'docker', '--isolation', 'chroot',
           '--pull=never']
  builders = [{}]
  harsh = ['--read-only-tmpfs=false']

  def __init__(self, folder):
    _find(('podman', 'docker-compose', 'catatonit', 'runc', 'mmdebstrap', 'setpriv'))
    super().__init__()
    os.makedirs(folder, exist_ok=True)
    for variable, name, content in (
        ('CONTAINERS_STORAGE_CONF', 'storage.conf', _STORAGE % (folder, folder)),
        ('CONTAINERS_CONF', 'containers.conf', _CONTAINERS % shutil.which('catatonit'))):
      os.environ[variable] = os.path.join(folder, name)
      with open(os.environ[variable], 'w') as file:
        file.write(content)
    self._serve(['podman', 'system', 'service', '--time', '0', os.environ['DOCKER_HOST']],
                lambda: os.path.exists(os.path.join(self._short, 'socket')))
    self.name = output('podman', '--version').strip()


ENGINES = {'docker': Docker, 'podman': Podman}


def start(name, folder):
  """Starts an engine.

  Args:
    name: one of `ENGINES`; empty for the Docker Engine if it can be had, else podman.
    folder: for what it builds; a folder in it for each engine.

  Returns:
    The engine, and a line about it.

  Raises:
    UnavailableError: it is not to be had.
  """
  reasons = []
  for each in [name] if name else ['docker', 'podman']:
    try:
      engine = ENGINES[each](os.path.join(folder, each))
      return engine, ', as '.join(['engine: ' + engine.name] + reasons)
    except UnavailableError as error:
      reasons.append(f'{each} is not to be had ({error})')
  raise UnavailableError('; '.join(reasons))
