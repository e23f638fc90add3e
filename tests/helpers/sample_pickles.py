"""The synthetic sample as pickles, in the layout of either CIFAR."""
import os
import pickle

from comhe_tf1.data import datasets
from comhe_tf1.data import sample


def write(folder, dataset='cifar100'):
  """Writes the pickles; of CIFAR-10 the classes are the upper band's colours."""
  os.makedirs(str(folder), exist_ok=True)
  data_set = datasets.DATASETS[dataset]
  content = sample.generate()
  for part, names in (('train', data_set.train), ('test', (data_set.test,))):
    rows = content[part]
    labels = [label * data_set.classes // sample.CLASSES for label in rows['fine_labels']]
    size = len(labels) // len(names)
    for number, name in enumerate(names):
      chosen = slice(number * size, (number + 1) * size)
      with open(os.path.join(str(folder), name), 'wb') as file:
        pickle.dump({'data': rows['data'][chosen], data_set.labels: labels[chosen]}, file, 2)
