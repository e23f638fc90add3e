"""Tools that know nothing of trainings: files, the terminal, signals, flags' types, the
start of TensorFlow."""
