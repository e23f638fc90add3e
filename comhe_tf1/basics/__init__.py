"""What all wings may use: files that can be read to their end, values as words,
and the CUDA libraries that TensorFlow does not find."""
