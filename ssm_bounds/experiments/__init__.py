"""Experiments, a folder a paper, and what a person sees of a training: from a frozen configuration to a record."""
