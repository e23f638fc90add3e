"""The table of a network's parameters and of what regularizes each layer."""
from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import roles
from comhe_tf1.utils.text_table import aligned

HEADINGS = ('layer', 'kernel', 'parameters', 'energy term', 'weight')


def lines(network, regularizer, energies):
  """The table, a line for every layer and one for the sums.

  Args:
    network: `network.Network`.
    regularizer: a configured `base.Regularizer`.
    energies: names of the layers that have a term, as built.

  Returns:
    List of strings. Parameters are those that are trained: the kernel's and, where
    there is batch norm, its scales and shifts.
  """
  formulas = dict(zip(roles.ROLES, methods.METHODS[regularizer.name].formulas))
  rows, trained = [HEADINGS], 0
  for kernel in network.kernels:
    count = sum(variable.shape.num_elements() for variable in network.trainable
                if variable.op.name.startswith(kernel.name + '/'))
    has_term = kernel.name in energies
    rows.append((
        kernel.name, 'x'.join(map(str, kernel.tensor.shape.as_list())), '%d' % count,
        formulas[kernel.role] if has_term else '-',
        f'{regularizer.weights[kernel.role]:g}' if has_term else '-'))
    trained += count
  rows.append((f'{len(network.kernels)} layers', '', '%d' % trained,
               f'{len(energies)} layers', ''))
  return aligned(rows, left={0, 1, 3, 4})
