"""The method: from kernels to the terms of the loss, as functions of tensors.

Knows no network, no training and no file. A new method: a class beside those of `base`,
and its row in `methods`.
"""
