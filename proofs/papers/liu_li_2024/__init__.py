"""What was read of the paper: its abstract, a summary and reviews (theory 16.7). Nothing else of it is stated here."""

from ssm_bounds.proofs.paper import Paper

PAPER = Paper(
    "liu_li_2024", "From Generalization Analysis to Optimization Designs for State Space Models", "2405.02670", 1
)
