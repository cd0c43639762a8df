"""The paper's statements, one file each, with the machine's verdict on each as read (theory 2)."""

from ssm_bounds.proofs.paper import Paper

PAPER = Paper(
    "honarpisheh2025",
    "Generalization Error Analysis for Selective State-Space Models Through the Lens of Attention",
    "2502.01473",
    3,
    "its text and its code",
)
