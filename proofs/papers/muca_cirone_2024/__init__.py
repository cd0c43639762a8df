"""What was read: the public code at commit 18a0a8d and its stored results. The theorems on closures and random
matrices were not, and are no statements here (theory 15.9)."""

from ssm_bounds.proofs.paper import Paper

PAPER = Paper(
    "muca_cirone_2024",
    "Theoretical Foundations of Deep Selective State-Space Models",
    "2402.19047",
    4,
    "its public code and stored results at commit 18a0a8d; no theorem of it is a statement here",
)
