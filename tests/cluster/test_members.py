"""What tells members of a cluster from others."""
import os
import shutil

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
