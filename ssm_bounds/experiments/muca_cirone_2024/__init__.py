"""Experiments on Muca Cirone et al. (arXiv 2402.19047): what order one linear layer learns, and two."""
