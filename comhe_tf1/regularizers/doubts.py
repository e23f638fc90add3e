"""What is doubtful about a kernel's regularizer that was chosen by hand, in words."""
from comhe_tf1.regularizers import axes
from comhe_tf1.regularizers import roles

# What the name of a kernel says of its layer, and which axis such a layer has.
_NAMES = (('depthwise', axes.BOTH), ('transpose', -2), ('embedding', 0))
_BY_REGULARIZE = ('lstm', 'gru', 'rnn', 'attention', 'einsum')


def about(name, shape, axis, role, pd):
  """Sentences about a kernel, none where nothing is doubtful.

  Args:
    name: of the kernel, which often has its layer's within.
    shape: of the neurons as [..., N].
    axis, role: as given to `layer.kernel_regularizer`.
    pd: dimension projected to, or None.
  """
  inputs = 1
  for length in shape[:-1]:
    inputs *= length
  doubts = []
  if shape[-1] < 2:
    doubts.append('it has one neuron, which has no pair: the term is constant')
  if pd is not None and role == roles.HIDDEN and inputs <= pd:
    doubts.append('its %d inputs are projected to pd = %d, which compresses nothing'
                  % (inputs, pd))
  lower = name.lower()
  for word, usual in _NAMES:
    if word in lower and axis == -1:
      doubts.append(f'the neurons of such a layer are on axis {usual}, not -1')
  if any(word in lower for word in _BY_REGULARIZE):
    doubts.append('one axis does not tell the neurons of such a layer; '
                  'comhe_tf1.regularize does')
  return doubts
