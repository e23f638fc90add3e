"""Data sets: their layouts, their archives, and a synthetic sample.

Reading and augmenting them is `cifar_input`, beside `train.py`.
"""
