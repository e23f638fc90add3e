import json

import pytest

from comhe_tf1.cluster import members


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
