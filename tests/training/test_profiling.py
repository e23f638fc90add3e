import json
import os

import tensorflow.compat.v1 as tf

from comhe_tf1.training import profiling


def test_only_the_steps_asked_for_are_traced(session, tmp_path):
  value = tf.matmul(tf.placeholder(tf.float32, [2, 2], 'x'), tf.eye(2))
  feed = {session.graph.get_tensor_by_name('x:0'): [[1., 2.], [3., 4.]]}
  folder = str(tmp_path / 'timelines')
  profiler = profiling.Profiler(session, folder, 100, 2)
  for step in range(100, 100 + profiling.WARM_UP + 4):
    profiler.begin(step)
    for _ in range(1 + step % 2):
      assert profiler.run(value, feed).tolist() == [[1., 2.], [3., 4.]]
  first = 100 + profiling.WARM_UP
  assert sorted(os.listdir(folder)) == [
      'step_%08d_0.json' % first, 'step_%08d_1.json' % first,
      'step_%08d_0.json' % (first + 1)]
  with open(os.path.join(folder, 'step_%08d_0.json' % first)) as file:
    names = {event.get('name') for event in json.load(file)['traceEvents']}
  assert any('MatMul' in (name or '') for name in names)
