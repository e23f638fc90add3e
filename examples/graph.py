"""CoMHE in a graph of TensorFlow 1, by tf.get_variable(regularizer=...).

After `pip install .`, or from the project's folder:
    PYTHONPATH=. python examples/graph.py
Runs under TensorFlow 1.14 and 2.x. A small network learns random labels.
"""
import numpy as np
import tensorflow.compat.v1 as tf

import comhe_tf1


def dense(name, inputs, width, regularizer):
  kernel = tf.get_variable(
      name, [inputs.shape.as_list()[-1], width], regularizer=regularizer,
      initializer=tf.glorot_uniform_initializer(seed=1))
  return tf.matmul(inputs, kernel)


def main():
  rng = np.random.RandomState(0)
  points, labels = rng.randn(128, 32).astype('float32'), rng.randint(8, size=128)
  with tf.Graph().as_default(), tf.Session() as session:
    tf.set_random_seed(1)
    hidden = comhe_tf1.kernel_regularizer('random', pd=20, pn=10, weight=0.1)
    output = comhe_tf1.kernel_regularizer('random', role=comhe_tf1.OUTPUT, weight=0.1)
    outputs = tf.nn.relu(dense('a', tf.constant(points), 64, hidden))
    outputs = tf.nn.relu(dense('b', outputs, 64, hidden))
    logits = dense('logits', outputs, 8, output)
    fit = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=labels, logits=logits))
    # The sum of what all regularizers of the graph give.
    term = tf.losses.get_regularization_loss()
    step = tf.train.MomentumOptimizer(0.1, 0.9).minimize(fit + term)
    session.run(tf.global_variables_initializer())
    for i in range(61):
      now = session.run([fit, term])
      if i % 20 == 0:
        print('step %d: fit %.4f, energies %.4f' % (i, now[0], now[1]))
      session.run(step)


if __name__ == '__main__':
  main()
