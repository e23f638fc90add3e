"""Several devices and several machines: their names, and sessions on workers.

How a batch is spread over them is `networks.towers`.
"""
