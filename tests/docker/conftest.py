"""Builds both images on stand-ins of their bases, once for all tests.

What is built is kept in build/docker/ of the project; `make clean` removes it.
"""
import collections
import os
import shutil
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILT = os.path.join(ROOT, 'build', 'docker')
STORAGE = ['--root', os.path.join(BUILT, 'graph'), '--runroot',
           os.path.join(BUILT, 'run'), '--storage-driver', 'overlay']
BUILDAH = ['buildah'] + STORAGE
PODMAN = ['podman'] + STORAGE + ['--cgroup-manager', 'cgroupfs', '--runtime', 'runc',
                                 '--events-backend', 'file']
COMMIT = 'c0ffee'
BASES = {'repro': 'BASE_IMAGE', 'modern': 'MODERN_BASE_IMAGE'}

Image = collections.namedtuple('Image', 'target name base')


def output(*command, **settings):
  return subprocess.run(command, check=True, stdout=subprocess.PIPE,
                        universal_newlines=True, **settings).stdout


@pytest.fixture(scope='session')
def bases():
  missing = [name for name in ('buildah', 'podman', 'runc', 'mmdebstrap')
             if not shutil.which(name)]
  assert not missing, 'install %s first' % ', '.join(missing)
  names = {target: 'localhost/comhe_tf1_standin:%s' % target for target in BASES}
  there = output(*BUILDAH + ['images', '--format', '{{.Name}}:{{.Tag}}'])
  if not set(names.values()) <= set(there.split()):
    subprocess.check_call([os.path.join(ROOT, 'tests', 'docker', 'standin.sh'),
                           sys.executable, os.environ['PYTHON36']] + BUILDAH)
  return names


@pytest.fixture(scope='session', params=sorted(BASES, reverse=True))
def image(request, bases):
  target = request.param
  name = 'localhost/comhe_tf1:%s' % target
  subprocess.check_call(BUILDAH + [
      'build', '--format', 'docker', '--layers', '--isolation', 'chroot', '--pull-never',
      '--target', target, '--build-arg', '%s=%s' % (BASES[target], bases[target]),
      '--build-arg', 'COMMIT=' + COMMIT, '-t', name, ROOT])
  return Image(target, name, bases[target])
