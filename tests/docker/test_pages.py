"""The lines of docs/docker.md, run as they are printed.

But for what a stand-in needs to be built, and trainings of one step.
"""
import os
import re
import shutil
import subprocess

from conftest import ROOT
from engines import output
import pytest
import sample_pickles

PAGE = os.path.join('docs', 'docker.md')
STEP = ' --max_steps 1 --batch_size 8 --width 0.125 --pd 5 --pn 1'
# As Docker, Compose and newer engines say it.
NO_GPU = [f'could not select device driver "{driver}" with capabilities: [[gpu]]'
          for driver in ('', 'nvidia')]
NO_GPU.append('failed to discover GPU vendor from CDI: no known GPU vendor found')
SHIM = """#!/bin/sh
case "$1" in
  build)
    shift
    case "$*" in *Dockerfile.modern*) base=%s;; *) base=%s;; esac
    exec %s --build-arg "BASE_IMAGE=$base" "$@";;
  compose) shift; exec docker-compose "$@";;
  *) exec %s "$@";;
esac
"""


def text():
  with open(os.path.join(ROOT, PAGE)) as file:
    return file.read()


def lines():
  """The commands of Docker on the page, and what makes ready for them; each once."""
  whole = text().replace('\\\n', '')
  return list(dict.fromkeys(re.sub(' +', ' ', line.strip()) for line in re.findall(
      r'^    +((?:docker|mkdir|printf) .*)$', whole, re.M)))


@pytest.fixture
def bash(engine, bases, tmp_path, monkeypatch):
  """Runs a line in a copy of the project; returns its status and its output."""
  project, programs = tmp_path / 'project', tmp_path / 'programs'
  for name in output('git', '-C', ROOT, 'ls-files').splitlines():
    copy = project / name
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(os.path.join(ROOT, name), str(copy))
  programs.mkdir()
  (programs / 'docker').write_text(SHIM % (
      bases['modern'], bases['repro'], ' '.join(engine.build), engine.client))
  (programs / 'docker').chmod(0o755)
  monkeypatch.setenv('PATH', f"{programs}:{os.environ['PATH']}")
  monkeypatch.setenv('GIT_DIR', output('git', '-C', ROOT, 'rev-parse',
                                       '--absolute-git-dir').strip())

  def run(line):
    print('$ ' + line, flush=True)
    process = subprocess.run(['bash', '-c', line], cwd=str(project),
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, universal_newlines=True)
    print(process.stdout, flush=True)
    return process.returncode, process.stdout
  run.project = project
  return run


def test_lines_of_the_page(bash):
  for line in lines():
    if '--download' in line:
      # Nothing is to be had there: that the command runs, and can write.
      status, out = bash(line + ' --url file:///nowhere')
      assert status == 1 and 'No such file' in out and 'Traceback' not in out
      sample_pickles.write(bash.project / 'data' / 'cifar-100-python')
      continue
    if 'compare.py' in line:   # of the published run, not of one as short as here
      run, = (bash.project / 'log').rglob('angle_projection/*/run_00')
      line = re.sub('/log/angle_projection/.*', '/log/' + str(
          run.parent.relative_to(bash.project / 'log')), line)
    training = ' run ' in line and not any(
        word in line for word in ('--check_first_line', 'compare.py'))
    status, out = bash(line + STEP * training)
    if any(message in out for message in NO_GPU):   # then as the page says
      assert status
      without = line.replace(' --gpus all', '').replace(
          'docker compose run', 'docker compose -f compose.cpu.yaml run')
      assert without != line
      status, out = bash(without + STEP)
    assert 'Traceback' not in out
    if '--resume' in line:
      assert status == 0 and 'this run is finished' in out
    else:
      assert status == 0, out
    assert ('++++iter_0: ' in out) == (training and '--resume' not in line)
  assert {'docker build', 'docker run', 'docker compose', 'mkdir -p'} <= {
      ' '.join(line.split()[:2]) for line in lines()}
  owners = {path.stat().st_uid for path in (bash.project / 'log').rglob('*')}
  assert owners == {os.getuid()}


@pytest.mark.parametrize('message', NO_GPU)
def test_the_page_names_the_message_of_a_missing_toolkit(message):
  assert message in ' '.join(text().split())


def test_the_message_is_that_of_the_engine(engine, repro):
  if engine.client == 'podman' or shutil.which('nvidia-container-runtime-hook'):
    pytest.skip('needs the Docker Engine, and no NVIDIA Container Toolkit')
  process = subprocess.run(
      [engine.client, 'run', '--rm', '--gpus', 'all', repro.name, '--check_first_line'],
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
  assert process.returncode == 125
  assert any(message in process.stdout for message in NO_GPU)
