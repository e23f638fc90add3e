"""The table of a network's parameters and of what regularizes each layer."""
from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import roles
from comhe_tf1.utils.text_table import aligned

HEADINGS = ('layer', 'kernel', 'parameters', 'energy term', 'weight', 'weight decay')


def lines(network, regularizer, energies, decayed):
  """The table, a line for every layer and one for the sums.

  Args:
    network: `network.Network`.
    regularizer: a configured `base.Regularizer`.
    energies: names of the layers that have a term, as built.
    decayed: list of the variables that the weight decay is of, as built.

  Returns:
    List of strings. Parameters are those that are trained: the kernel's and, where
    there is batch norm, its scales and shifts.
  """
  formulas = dict(zip(roles.ROLES, methods.METHODS[regularizer.name].formulas))
  rows, trained, all_decayed = [HEADINGS], 0, 0
  for kernel in network.kernels:
    own = [variable for variable in network.trainable
           if variable.op.name.startswith(kernel.name + '/')]
    count, decayed_count = _size(own), _size(
        [variable for variable in own if any(variable is each for each in decayed)])
    has_term = kernel.name in energies
    rows.append((
        kernel.name, 'x'.join(map(str, kernel.tensor.shape.as_list())), '%d' % count,
        formulas[kernel.role] if has_term else '-',
        f'{regularizer.weights[kernel.role]:g}' if has_term else '-',
        _share(decayed_count, count)))
    trained += count
    all_decayed += decayed_count
  rows.append((f'{len(network.kernels)} layers', '', '%d' % trained,
               f'{len(energies)} layers', '', _share(all_decayed, trained)))
  return aligned(rows, left={0, 1, 3, 4, 5})


def _share(part, whole):
  return 'all' if part == whole else '%d of them' % part


def _size(variables):
  return sum(variable.shape.num_elements() for variable in variables)
