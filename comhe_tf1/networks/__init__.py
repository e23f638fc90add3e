"""Networks: their plans, how they are built, and their initial weights.

Knows of the regularizers only what a `roles.Kernel` is and how a setting is refused.
"""
