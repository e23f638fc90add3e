"""What a network tells a regularizer of its kernels: the vocabulary of both."""
import typing

# The role of a kernel decides its energy term.
FIRST = 'first'    # reads the image: too few inputs to project
HIDDEN = 'hidden'
OUTPUT = 'output'  # its neurons are the classes
ROLES = (FIRST, HIDDEN, OUTPUT)


class Kernel(typing.NamedTuple):
  """A kernel of a network.

  name: of its layer, str; tensor: [..., c_in, c_out]; role: FIRST, HIDDEN or OUTPUT.

  >>> comhe_tf1.Kernel('conv1', np.ones([3, 3, 16, 32]), comhe_tf1.HIDDEN).role
  'hidden'
  """
  name: str
  tensor: object
  role: str


