"""A method as the regularizer of one layer, for whatever takes one of a kernel."""
import types
import warnings

import tensorflow
import tensorflow.compat.v1 as tf

from comhe_tf1.regularizers import axes
from comhe_tf1.regularizers import doubts
from comhe_tf1.regularizers import draws
from comhe_tf1.regularizers import methods
from comhe_tf1.regularizers import roles
from comhe_tf1.regularizers import tensors

_HALF = (tf.float16, tf.bfloat16)
_WEIGHTS = {roles.FIRST: 'energy_weight', roles.HIDDEN: 'energy_weight',
            roles.OUTPUT: 'output_energy_weight'}


def _serializable(cls):
  """Gives the class its name in the files of this TensorFlow's Keras."""
  utils = tensorflow.keras.utils
  if not hasattr(utils, 'register_keras_serializable'):   # before TensorFlow 1.15
    return cls
  return utils.register_keras_serializable('comhe_tf1')(cls)


# Keras is whatever this TensorFlow brings; its layers ask for its own base class.
@_serializable
class KernelRegularizer(tensorflow.keras.regularizers.Regularizer):
  """A method as a function from one layer's kernel to its term of the loss.

  For `kernel_regularizer=` of Keras and `tf.layers`, `regularizer=` of
  `tf.compat.v1.get_variable`, `weights_regularizer=` of `tf.contrib.layers`, or to be
  called: in a graph, eagerly, within `tf.function`, compiled by XLA or not.

  The term is weight * T(W). T is the method's term for the role (`methods`), for `random`
  and a hidden layer mean_i E_h(P_i W) with P_i drawn anew at every evaluation; W is the
  kernel as [d, N], its N neurons of d inputs each. Float16 and bfloat16 kernels are raised
  to float32, and so is the term.

    layer                                            kernel            axis
    dense                                            [in, out]         -1
    convolution in 1, 2 or 3 dimensions              [..., in, out]    -1
    transposed convolution                           [..., out, in]    -2
    depthwise convolution                            [..., in, times]  (-2, -1)
    weights in PyTorch's order                       [out, in, ...]    0

  Args:
    method: 'mhe', 'half_mhe', 'random', 'random_max', 'group', 'orthogonal' or 'srip'.
    role: FIRST for the layer that reads the image, OUTPUT for that of the classes, which
      are not projected; HIDDEN for any other.
    axis: that counts the neurons, see the table.
    weight: of the term; None takes the original's for method, power and role: for power 2
      it is 1, for OUTPUT 10. For orthogonal and srip it is this project's, 1 and 0.001.
    seed: whole number; None takes draws by TensorFlow's own global seed. One object
      draws anew for every kernel that it is called with; two objects of one seed draw
      the same for kernels of one shape.
    **settings: of the method, by name (`methods`), but for weights. For orthogonal and
      srip the default is gram='smaller'; gram='neurons' is what the papers define.

  Attributes, which cannot be set, since what is compiled would not follow:
    method, role, axis, weight, seed: as given, the weight resolved.
    settings: mapping of the method's other settings, resolved.

  Raises:
    methods.SettingError: a value is out of range, the method trains a projection; when
      called, also where settings or the axis do not fit the kernel.
    TypeError: the method has no such setting; when called, the kernel is not of floats, or
      is not TensorFlow's, as with another backend of Keras 3.
    ValueError: when called, the kernel has no known shape.

  Source: as the methods'; roles and weights as the original.

  >>> term = comhe_tf1.kernel_regularizer('half_mhe', weight=10.)
  >>> evaluate(term(np.eye(2)))
  4.1667
  """

  def __init__(self, method, role=roles.HIDDEN, axis=-1, weight=None, seed=None,
               **settings):
    _check_method(method)
    settings = methods.with_library_defaults(method, settings)
    if role not in roles.ROLES:
      raise methods.SettingError('role must be one of %s, got %r'
                                 % (', '.join(roles.ROLES), role))
    for name in sorted(set(_WEIGHTS.values()) & set(settings)):
      raise TypeError(f'kernel_regularizer has no setting {name!r}, use weight')
    if weight is not None:
      methods.check('weight', weight, setting='energy_weight')
      settings.update(dict.fromkeys(_WEIGHTS.values(), weight))
    settings = methods.resolve(method, settings)
    weights = {name: settings.pop(name) for name in set(_WEIGHTS.values())}
    if seed is not None and not (hasattr(seed, '__index__') and 0 <= seed < 2 ** 31):
      raise methods.SettingError('seed must be a whole number from 0 to %d, or None, got '
                                 '%r' % (2 ** 31 - 1, seed))
    self.settings = types.MappingProxyType(settings)
    self.method, self.role, self.weight = method, role, float(weights[_WEIGHTS[role]])
    self.seed = None if seed is None else seed.__index__()
    if hasattr(axis, '__index__'):   # of NumPy; files want Python's
      axis = axis.__index__()
    self.axis = tuple(axis) if isinstance(axis, list) else axis
    if isinstance(axis, (list, tuple)) and len(axis) > 1 and method == 'group':
      raise methods.SettingError(f'axis {self.axis} leaves no input channels to group')
    # Imported here: an import in a function that is traced troubles AutoGraph.
    self._implementation = methods.implementation(method)
    self._draws = draws.Draws(self.seed)
    self._warned = set()

  def __setattr__(self, name, value):
    if name in self.__dict__:
      raise AttributeError('%s of a regularizer cannot be set: what is compiled would not '
                           'follow; make another one' % name)
    super().__setattr__(name, value)

  def __reduce__(self):
    return type(self).from_config, (self.get_config(),)

  def __call__(self, kernel):
    """Returns the term of a kernel, a scalar tensor of float32 or float64."""
    tensor = tensors.as_tensor(kernel)
    if tensor.dtype.base_dtype in _HALF:
      tensor = tf.cast(tensor, tf.float32)
    # Anew at every call: several replicas may call at once.
    regularizer = self._implementation(**dict(
        self.settings, energy_weight=self.weight, output_energy_weight=self.weight))
    regularizer.normal = self._draws.normal()
    name = getattr(kernel, 'path', None) or getattr(kernel, 'name', None) or 'the kernel'
    neurons = axes.neurons_last(tensor, self.axis)
    self._warn(name, neurons.shape.as_list())
    terms = regularizer([roles.Kernel(name, neurons, self.role)])
    return terms.thomf if self.role == roles.OUTPUT else terms.thom

  def _warn(self, name, shape):
    """Says once for each kernel what is doubtful about it."""
    if name not in self._warned:
      self._warned.add(name)
      for doubt in doubts.about(name, shape=shape, axis=self.axis, role=self.role,
                                pd=self.settings.get('pd')):
        warnings.warn(f'kernel_regularizer of {name}: {doubt}', stacklevel=3)

  def get_config(self):
    """What makes an equal one by `from_config`; its draws start from the first again."""
    return dict(self.settings, method=self.method, role=self.role, axis=self.axis,
                weight=self.weight, seed=self.seed)

  def __repr__(self):
    return 'kernel_regularizer(%s)' % ', '.join(
        '%s=%r' % item for item in sorted(self.get_config().items()))


kernel_regularizer = KernelRegularizer   # as a function: what Keras calls its argument


def _check_method(method):
  usable = [name for name, row in methods.METHODS.items()
            if name != 'none' and not row.trains_projection]
  if method in usable:
    return
  if method in methods.METHODS and method != 'none':
    raise methods.SettingError(
        'method %s trains a projection, which the regularizer of one kernel cannot keep; '
        'use comhe_tf1.create(%r) in a graph and run its terms.update with every step, or '
        'kernel_regularizer(\'random\')' % (method, method))
  raise methods.SettingError(f"method must be one of {', '.join(usable)}, got {method!r}")
