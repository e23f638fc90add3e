"""The unprojected energies of a model's layers by epoch: a callback of its Keras."""
import tensorflow.compat.v1 as tf

from comhe_tf1.keras import attaching


def callback(model, energies, log_dir=None):
  """A callback that records energies at the end of every epoch.

  When `fit` ends, its history has them as lists under 'energy/<layer>'.

  Args:
    model: of Keras, which decides whose callback it is.
    energies: function without arguments that returns a dict from a layer to a number.
    log_dir: folder where TensorBoard finds them too, or None.

  Returns:
    A `keras.callbacks.Callback` with an attribute `history`, dict from 'energy/<layer>'
    to a list of numbers.
  """
  class Energies(attaching.keras_of(model).callbacks.Callback):
    """Records energies, see `callback`."""

    def __init__(self):
      super().__init__()
      self.history = {}
      self._writer = None

    def on_train_begin(self, logs=None):
      self.history.clear()
      if log_dir is not None:
        with tf.Graph().as_default():   # the writer that needs no TensorBoard
          self._writer = tf.summary.FileWriter(str(log_dir))

    def on_epoch_end(self, epoch, logs=None):
      for name, value in energies().items():
        self.history.setdefault('energy/' + name, []).append(value)
      if self._writer is not None:
        self._writer.add_summary(tf.Summary(value=[
            tf.Summary.Value(tag=name, simple_value=values[-1])
            for name, values in self.history.items()]), epoch)

    def on_train_end(self, logs=None):
      # Not in the logs of an epoch: the progress bar would show every layer.
      self.model.history.history.update(self.history)
      if self._writer is not None:
        self._writer.close()

  return Energies()
