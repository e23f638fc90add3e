"""compose.yaml and compose.cpu.yaml, on the CPU."""
import json
import os
import subprocess

from conftest import ROOT
import pytest
import sample_pickles

FLAGS = ['--width', '0.25', '--max_steps', '1', '--batch_size', '8', '--pd', '5',
         '--pn', '1']
CPU = ['-f', os.path.join(ROOT, 'compose.cpu.yaml')]
UID, GID = 12345, 23456


@pytest.fixture
def project(tmp_path, repro, monkeypatch):
  """A function that calls Compose; folders data and log; returns status and output."""
  data, log = tmp_path / 'data', tmp_path / 'log'
  sample_pickles.write(data / 'cifar-100-python')
  log.mkdir()
  os.chown(str(log), UID, GID)
  for name, value in (('IMAGE', repro.name), ('UID', UID), ('GID', GID),
                      ('DATA_DIR', data), ('LOG_DIR', log)):
    monkeypatch.setenv('COMHE_' + name, str(value))

  def call(*words):
    process = subprocess.run(
        ['docker-compose'] + list(words), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    return process.returncode, process.stdout
  call.log = log
  return call


def test_arguments_are_added_to_the_published_run(project):
  """Also those of another run than the service's: random keeps its seed."""
  for service, seed in (('random', 1234), ('angle', 345)):
    status, out = project(*CPU + ['run', '--rm', service] + FLAGS)
    assert status == 0, out
    assert '++++iter_0: ' in out
    folder = project.log / 'cnn9_width0.25' / (service + '_projection')
    written, = folder.rglob('args.json')
    args = json.loads(written.read_text())
    assert (args['regularizer'], args['random_seed']) == (service, seed)
    assert (args['max_steps'], args['batch_size']) == (1, 8)
    assert (written.stat().st_uid, written.stat().st_gid) == (UID, GID)


def test_the_gpu_is_all_that_differs(project):
  """By Compose's own reading of the two files."""
  (_, with_gpu), (_, without) = (
      project('-f', os.path.join(ROOT, name), 'config')
      for name in ('compose.yaml', 'compose.cpu.yaml'))
  assert with_gpu.count('driver: nvidia') == 3 and 'nvidia' not in without
  assert with_gpu.count('device_ids') == 3 and 'count' not in with_gpu
  for text in (with_gpu, without):
    assert text.count('/opt/comhe_tf1/train.py') == text.count('init: true') == 3
    assert 'build:' not in text   # the image and its tag are docker build's
