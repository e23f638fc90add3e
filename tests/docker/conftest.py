"""Builds both images on stand-ins of their bases, once for all tests.

What is built is kept in build/docker/ of the project; `make clean` removes it. ENGINE
names the engine, see `engines.start`.
"""
import os
import subprocess
import sys
import typing

import engines
from engines import output
import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path += [ROOT, os.path.join(ROOT, 'tests', 'helpers')]
BUILT = os.path.join(ROOT, 'build', 'docker')
COMMIT = 'c0ffee'
FILES = {'repro': 'Dockerfile', 'modern': 'Dockerfile.modern'}


class Image(typing.NamedTuple):
  """What the tests build: its stage of which file, under which name, with what."""
  target: str
  name: str
  base: str
  engine: object


def pytest_sessionstart(session):
  config = session.config
  if not config.option.collectonly:
    os.makedirs(BUILT, exist_ok=True)
    try:
      config.engine, config.engine_line = engines.start(os.environ.get('ENGINE'), BUILT)
    except engines.UnavailableError as error:
      pytest.exit(f'{error}; see docs/evidence/docker.md', 1)


def pytest_report_header(config):
  return getattr(config, 'engine_line', None)


def pytest_sessionfinish(session):
  if hasattr(session.config, 'engine'):
    session.config.engine.close()


@pytest.fixture(scope='session')
def engine(request):
  return request.config.engine


@pytest.fixture(scope='session')
def bases(engine):
  """Names of the stand-ins by image."""
  names = {target: f'localhost/comhe_tf1_standin:{target}' for target in FILES}
  there = output(engine.client, 'images', '--format', '{{.Repository}}:{{.Tag}}')
  if not set(names.values()) <= set(there.split()):
    subprocess.check_call([os.path.join(ROOT, 'tests', 'docker', 'standin.sh'),
                           sys.executable, os.environ['PYTHON36']] + engine.build)
  return names


def build(engine, bases, target, name, commit=COMMIT, **environment):
  subprocess.check_call(engine.build + [
      '--file', os.path.join(ROOT, FILES[target]), '--build-arg',
      'BASE_IMAGE=' + bases[target], '--build-arg', 'COMMIT=' + commit, '-t', name, ROOT],
                        env=dict(os.environ, **environment))
  return Image(target, name, bases[target], engine)


@pytest.fixture(scope='session')
def repro(engine, bases):
  return build(engine, bases, 'repro', 'localhost/comhe_tf1:repro')


@pytest.fixture(scope='session', params=sorted(FILES, reverse=True))
def image(request, engine, bases):
  if request.param == 'repro':
    return request.getfixturevalue('repro')
  return build(engine, bases, request.param, f'localhost/comhe_tf1:{request.param}')
