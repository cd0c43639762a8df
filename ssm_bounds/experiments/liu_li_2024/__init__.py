"""Experiments of Liu and Li (arXiv 2405.02670), from what was read of them: the scaling rule, and the regulariser."""
