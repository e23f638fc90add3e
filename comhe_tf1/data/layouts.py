"""The python versions of the CIFAR data sets: names of files, keys and classes."""
import collections

Layout = collections.namedtuple(
    'Layout', 'name title folder train test labels classes')
Layout.__doc__ = """The python version of a CIFAR data set.

  name: what --dataset calls it.
  title: what its authors call it.
  folder: the one that its archive unpacks into.
  train: names of the pickles of the training set, in order.
  test: name of the pickle of the test set.
  labels: key of the labels in a pickle.
  classes: labels lie in [0, classes).
"""

LAYOUTS = collections.OrderedDict((layout.name, layout) for layout in (
    Layout('cifar100', 'CIFAR-100', 'cifar-100-python', ('train',), 'test',
           'fine_labels', 100),
    Layout('cifar10', 'CIFAR-10', 'cifar-10-batches-py',
           tuple('data_batch_%d' % i for i in range(1, 6)), 'test_batch',
           'labels', 10)))
