"""A saved model with a regularizer loads in a process of any order of imports."""
import subprocess
import sys

import pytest
import tensorflow
import tensorflow.compat.v1 as tf

import comhe_tf1

TF1 = tf.__version__.startswith('1.')
LOAD = '''
model = load_model(path)
regularizer = model.layers[-1].kernel_regularizer
print(type(regularizer).__module__, type(regularizer).__name__, regularizer.weight)
'''
OF_TENSORFLOW = '\nload_model = tensorflow.keras.models.load_model'
ORDERS = {
    'comhe_tf1, keras': 'import comhe_tf1\nfrom keras.models import load_model',
    'keras, comhe_tf1': 'from keras.models import load_model\nimport comhe_tf1',
    'comhe_tf1, tf_keras': 'import comhe_tf1\nfrom tf_keras.models import load_model',
    'regularizer, tf_keras': 'from comhe_tf1 import kernel_regularizer\n'
                             'from tf_keras.models import load_model',
    'tf_keras, comhe_tf1': 'from tf_keras.models import load_model\nimport comhe_tf1',
    'comhe_tf1, tensorflow': 'import comhe_tf1\nimport tensorflow' + OF_TENSORFLOW,
    'tensorflow, comhe_tf1': 'import tensorflow\nimport comhe_tf1' + OF_TENSORFLOW}


@pytest.fixture
def file_of(tmp_path):
  """Function that saves a model of a Keras and returns the path."""
  def file_of_(keras, kind):
    path = str(tmp_path / ('model' + kind))
    with tf.Graph().as_default() if TF1 else tensorflow.device(None):
      inputs = keras.layers.Input((4,))
      outputs = keras.layers.Dense(3, kernel_regularizer=comhe_tf1.kernel_regularizer(
          'half_mhe', weight=0.25))(inputs)
      keras.models.Model(inputs, outputs).save(path)
    return path
  return file_of_


@pytest.mark.slow
@pytest.mark.parametrize('order', ORDERS)
def test_order_of_imports(file_of, root, order):
  if TF1 and 'keras' in order:
    pytest.skip('1.14 has its Keras within')
  keras = tensorflow.keras
  kinds = ['.h5'] if TF1 else ['.keras']
  if 'tf_keras' in order:
    keras, kinds = pytest.importorskip('tf_keras'), ['.keras', '.h5']
  for kind in kinds:
    out = subprocess.check_output(
        [sys.executable, '-c', f'path = {file_of(keras, kind)!r}\n' + ORDERS[order] + LOAD],
        cwd=root, universal_newlines=True, stderr=subprocess.DEVNULL)
    assert out == 'comhe_tf1.regularizers.layer KernelRegularizer 0.25\n', kind
