"""The locks say what requirements.txt says, with hashes."""
import os
import re

from packaging.requirements import Requirement
import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PYTHONS = {'tf1.14': ['3.6'], 'tf2.21': ['3.10', '3.11', '3.12', '3.13']}
CUDA = {'nvidia-cuda-runtime-cu12': '12.9', 'nvidia-cublas-cu12': '12.9',
        'nvidia-cudnn-cu12': '9.24'}


def lines(name):
  """Requirements of a file, with the hashes of each."""
  with open(os.path.join(ROOT, name)) as file:
    text = re.sub('(?m)^ *#.*$', '', file.read()).replace('\\\n', ' ')
  for line in text.splitlines():
    if line.strip():
      words = re.split(r'\s+--hash=', line.strip())
      yield Requirement(words[0]), words[1:]


def pins(name, python):
  environment = {'python_version': python, 'python_full_version': python + '.1',
                 'sys_platform': 'linux', 'platform_system': 'Linux',
                 'platform_machine': 'x86_64'}
  return {requirement.name: str(requirement.specifier)
          for requirement, _ in lines(name)
          if not requirement.marker or requirement.marker.evaluate(environment)}


@pytest.mark.parametrize('name', ['tf1.14-pip', 'tf1.14-cpu', 'tf1.14-gpu', 'tf2.21-cpu',
                                  'tf2.21-gpu'])
def test_everything_is_pinned_and_hashed(name):
  found = list(lines(f'requirements/{name}.txt'))
  assert found
  for requirement, hashes in found:
    assert re.match('==[^*,]+$', str(requirement.specifier)), requirement
    assert hashes and all(re.match('sha256:[0-9a-f]{64}$', code) for code in hashes)


@pytest.mark.parametrize('series', sorted(PYTHONS))
def test_the_locks_agree_with_the_requirements_and_with_each_other(series):
  for python in PYTHONS[series]:
    cpu = pins(f'requirements/{series}-cpu.txt', python)
    gpu = pins(f'requirements/{series}-gpu.txt', python)
    readable = pins('requirements.txt', python)
    assert {name: cpu[name] for name in readable} == readable
    tensorflow = {cpu.pop('tensorflow'),
                  gpu.pop('tensorflow', None) or gpu.pop('tensorflow-gpu')}
    assert len(tensorflow) == 1
    nvidia = {name: gpu.pop(name) for name in list(gpu) if name.startswith('nvidia-')}
    assert gpu == cpu
    if series == 'tf2.21':
      for name, version in CUDA.items():
        assert nvidia[name].startswith(f'=={version}.'), name
    else:
      assert not nvidia
