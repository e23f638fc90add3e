import pytest
import tensorflow
import tensorflow.compat.v1 as tf

TF1 = tf.__version__.startswith('1.')


@pytest.fixture(params=['keras'] if TF1 else ['keras', 'tf_keras'])
def keras(request):
  """Keras 3 and tf_keras, or that of TensorFlow 1.14."""
  if TF1:
    with tf.Graph().as_default(), tf.Session() as session:
      tf.set_random_seed(1)
      tensorflow.keras.backend.set_session(session)
      yield tensorflow.keras
      tensorflow.keras.backend.set_session(None)
  else:
    keras = pytest.importorskip(request.param)
    keras.utils.set_random_seed(1)
    yield keras
