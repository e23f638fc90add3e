"""A method for all layers of a Keras model, by one call: `regularize.regularize`.

For Keras 3, tf_keras, and tf.keras of TensorFlow 1.14. Knows Keras; the numerics are
those of `regularizers`.
"""
