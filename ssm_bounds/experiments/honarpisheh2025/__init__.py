"""Experiments of Honarpisheh et al. (arXiv 2502.01473): trainings, and gaps held against their certificates."""
