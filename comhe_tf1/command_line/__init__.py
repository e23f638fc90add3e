"""What the commands share: flags, the terminal, signals, how TensorFlow is started."""
