"""Claim: |I (x) (W_C u)^T|_2 <= B_C B_u. True, as C.1."""

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.papers.honarpisheh2025.c_1 import norm_of_map

STATEMENT = norm_of_map("paper:C.2", "Norm of the output map of all channels", sym.B_C, "I_d (x) (W_C u)^T", "W_C")
