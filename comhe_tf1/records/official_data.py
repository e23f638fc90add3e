"""Which data a run was trained with: the official sets are known by their digest.

The digests are md5 sums of all training and then all test images and labels, as
`cifar_input.digest` takes them. They do not depend on how a pickle was written. The
sets are those of www.cs.toronto.edu/~kriz/cifar.html, and the digests were taken of
pickles with the md5 sums that are published for the files of their archives.
"""
DIGESTS = {'cifar100': 'ad07cc46946aebc09f38aecfcd3b31c6',
           'cifar10': '7997768f35e6e382292fd27177cedce6'}
TITLES = {'cifar100': 'CIFAR-100', 'cifar10': 'CIFAR-10'}


def known(dataset, data_md5):
  """Whether the data are the official ones of this name."""
  return data_md5 == DIGESTS.get(dataset)


def in_words(dataset, data_md5):
  """What the data are.

  Args:
    dataset: as --dataset.
    data_md5: their digest, hexadecimal digits.

  Returns:
    'the official CIFAR-100', 'not the official CIFAR-100' or 'the synthetic sample'.
  """
  if dataset == 'sample':
    return 'the synthetic sample'
  return '%sthe official %s' % ('' if known(dataset, data_md5) else 'not ',
                                TITLES[dataset])
