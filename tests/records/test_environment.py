"""What a run was made with is asked for, and not waited for."""
import os

import pytest
import tensorflow.compat.v1 as tf

from comhe_tf1.records import environment


@pytest.fixture
def command(tmp_path, monkeypatch):
  """Puts programs of the name nvidia-smi in place of that of the machine."""
  def put(script):
    path = tmp_path / 'nvidia-smi'
    path.write_text('#!/bin/sh\n' + script)
    path.chmod(0o755)
    monkeypatch.setenv('PATH', f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(environment, 'LIMIT', 1)
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '0')
  return put


@pytest.mark.parametrize('script, gpus', [
    ('echo GPU, 1', ['GPU, 1']), ('exit 3', []), ('trap "" TERM; exec sleep 60', []),
    ('sleep 60 & echo GPU, 1', ['GPU, 1']), ('printf "\\377"', ['\ufffd'])])
def test_a_command_that_hangs_is_left(command, script, gpus):
  command(script)
  with tf.Graph().as_default(), tf.Session() as session:
    assert environment.describe(session)['gpus'] == gpus


def test_gpus_are_not_asked_for_where_none_is_used(command, monkeypatch, tmp_path):
  command(f'touch {tmp_path}/asked')
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '-1')
  with tf.Graph().as_default(), tf.Session() as session:
    assert environment.describe(session)['gpus'] == []
  assert not (tmp_path / 'asked').exists()


@pytest.mark.parametrize('commit, recorded', [('c0ffee', 'c0ffee'), ('', None)])
def test_the_commit_of_an_image(monkeypatch, commit, recorded):
  """Where there is no checkout: given to the image, or empty, as by a failed command."""
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '-1')
  monkeypatch.setenv('COMHE_COMMIT', commit)
  monkeypatch.setattr(environment, '_git', lambda *_: None)
  with tf.Graph().as_default(), tf.Session() as session:
    assert environment.describe(session)['git_commit'] == recorded
