"""The data sets of --dataset: one row each, and all that is known of it."""
import collections
from typing import Mapping
from typing import NamedTuple
from typing import Optional
from typing import Tuple


class DataSet(NamedTuple):
  """A data set; what follows `classes` is of the sets that are read from pickles.

  Attributes:
    name: what --dataset calls it.
    title: what its authors call it.
    classes: labels lie in [0, classes).
    digest: md5 of all training and then all test images and labels, as
      `cifar_input.digest` takes it, however the pickles were written.
    train: names of the pickles of the training set, in order.
    test: name of the pickle of the test set.
    labels: key of the labels in a pickle.
    url: where its archive, a .tar.gz, is published.
    md5, size: of the archive; the size in bytes.
    folder: the one that the archive unpacks into.
    members: md5 of the pickles in that folder, by name.
  """
  name: str
  title: str
  classes: int
  digest: Optional[str] = None
  train: Tuple[str, ...] = ()
  test: str = ''
  labels: str = ''
  url: str = ''
  md5: str = ''
  size: int = 0
  folder: str = ''
  members: Mapping[str, str] = {}


# The pickles that the digests were taken of have the md5 sums that are published.
DATASETS = collections.OrderedDict((row.name, row) for row in (
    DataSet(
        name='cifar100',
        title='CIFAR-100',
        classes=100,
        digest='ad07cc46946aebc09f38aecfcd3b31c6',
        train=('train',),
        test='test',
        labels='fine_labels',
        url='https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz',
        md5='eb9058c3a382ffc7106e4002c42a8d85',
        size=169001437,
        folder='cifar-100-python',
        members=collections.OrderedDict([
            ('train', '16019d7e3df5f24257cddd939b257f8d'),
            ('test', 'f0ef6b0ae62326f3e7ffdfab6717acfc'),
            ('meta', '7973b15100ade9c7d40fb424638fde48')])),
    DataSet(
        name='cifar10',
        title='CIFAR-10',
        classes=10,
        digest='7997768f35e6e382292fd27177cedce6',
        train=('data_batch_1', 'data_batch_2', 'data_batch_3', 'data_batch_4',
               'data_batch_5'),
        test='test_batch',
        labels='labels',
        url='https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz',
        md5='c58f30108f718f92721af3b95e74349a',
        size=170498071,
        folder='cifar-10-batches-py',
        members=collections.OrderedDict([
            ('data_batch_1', 'c99cafc152244af753f735de768cd75f'),
            ('data_batch_2', 'd4bba439e000b95fd0a9bffe97cbabec'),
            ('data_batch_3', '54ebc095f3ab1f0389bbae665268c751'),
            ('data_batch_4', '634d18415352ddfa80567beed471001a'),
            ('data_batch_5', '482c414d41f54cd18b22e5b47cb7c3cb'),
            ('test_batch', '40351d587109b95175f43aff81a1287e'),
            ('batches.meta', '5ff9c542aee3614f3951f8cda6e48888')])),
    DataSet(name='sample', title='the synthetic sample', classes=100)))

# Those that are read from pickles.
PICKLED = collections.OrderedDict(
    (name, row) for name, row in DATASETS.items() if row.train)


def is_official(name, data_md5):
  """Whether the data with this digest are the official ones of this name."""
  return name in PICKLED and data_md5 == PICKLED[name].digest


def describe(name, data_md5):
  """What the data are.

  Args:
    name: as --dataset.
    data_md5: their digest, hexadecimal digits.

  Returns:
    'the official CIFAR-100', 'not the official CIFAR-100' or 'the synthetic sample'.
  """
  if name not in PICKLED:
    return DATASETS[name].title
  official = f'the official {DATASETS[name].title}'
  return official if is_official(name, data_md5) else f'not {official}'
