"""What was read: the abstract, which bounds the error of non-selective architectures with stable layers, whatever the
length. So there is no statement of it here; bounds of linear time-invariant systems that are proved are theory 14."""

from ssm_bounds.proofs.paper import Paper

PAPER = Paper(
    "racz_2024",
    "Length independent generalization bounds for deep SSM architectures via Rademacher contraction and stability "
    "constraints",
    "2405.20278",
    3,
    "its abstract alone; no statement here is from it",
)
