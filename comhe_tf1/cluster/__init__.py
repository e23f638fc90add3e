"""Several devices and several machines: their names, addresses and connections.

How a batch is spread over them is `networks.towers`.
"""
