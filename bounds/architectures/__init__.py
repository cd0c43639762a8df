"""Architectures: the blocks of each model as one table of expressions, which everything else reads."""
