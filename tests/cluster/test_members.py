"""What tells members of a cluster from others."""
import json
import os
import shutil

import pytest

import comhe_tf1
from comhe_tf1.cluster import members


def test_every_module_counts(tmp_path, monkeypatch):
  copy = tmp_path / 'comhe_tf1'
  shutil.copytree(os.path.dirname(comhe_tf1.__file__), str(copy),
                  ignore=shutil.ignore_patterns('__pycache__'))
  ours = members.code()
  monkeypatch.setattr(comhe_tf1, '__file__', str(copy / '__init__.py'))
  assert members.code() == ours
  for wing in ('networks', 'regularizers', '.'):
    with open(str(copy / wing / '__init__.py'), 'a') as file:
      file.write('# changed\n')
    assert members.code() != ours
    ours = members.code()


@pytest.mark.parametrize('content', [
    {'worker': ['x' * 5000]}, {'-' + 'x' * 5000: ['a:1']}, {'worker': {'x' * 5000: 1}},
    {'worker': [['\n' * 5000]]}])
def test_a_long_value_does_not_fill_the_line(tmp_path, content):
  path = tmp_path / 'cluster.json'
  path.write_text(json.dumps(content))
  with pytest.raises(members.ClusterError) as error:
    members.load(str(path))
  line = str(error.value)
  assert line.isprintable() and len(line) < len(str(path)) + 300
