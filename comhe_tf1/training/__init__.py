"""A training: its graph, the session loop, what is saved and restored.

Takes plain values; flags stay in the command line.
"""
