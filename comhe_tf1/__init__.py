"""CoMHE in TensorFlow's graph mode.

The energies work on any kernel tensor, in any graph or eagerly; the regularisers
on the kernels of any network.
"""
from comhe_tf1.energy import as_neurons
from comhe_tf1.energy import cosines
from comhe_tf1.energy import full_space_energy
from comhe_tf1.energy import half_space_energy
from comhe_tf1.kernels import FIRST
from comhe_tf1.kernels import HIDDEN
from comhe_tf1.kernels import Kernel
from comhe_tf1.kernels import OUTPUT
from comhe_tf1.loss import classification_loss
from comhe_tf1.loss import weight_decay
from comhe_tf1.network import cnn9
from comhe_tf1.network import Network
from comhe_tf1.op_seeds import original_op_seeds
from comhe_tf1.projection import angle_distortion
from comhe_tf1.projection import gaussian_projection
from comhe_tf1.projection import gradient_step
from comhe_tf1.projection import projected_energy
from comhe_tf1.projection import projected_half_space_energy
from comhe_tf1.projection import random_projection_energy
from comhe_tf1.regularizer import AdversarialProjection
from comhe_tf1.regularizer import AngleProjection
from comhe_tf1.regularizer import RandomProjection
from comhe_tf1.regularizer import Terms

__version__ = '0.1.0'
