"""What a run leaves behind, written and read again: logs, metrics, checkpoints, facts.

Also the figures of the published runs.
"""
