"""Who decides a step: sympy, z3, interval branch and bound, rules of calculus; axioms and assumptions are named.

Trouble (a time-out, an expression a solver does not know) resolves to "not decided", never to "holds".
"""

from ssm_bounds.proofs.solvers.cited import Assumed, Axiom
from ssm_bounds.proofs.solvers.fold import Fold
from ssm_bounds.proofs.solvers.identity import Identity
from ssm_bounds.proofs.solvers.induction import GrowthInduction, Induction
from ssm_bounds.proofs.solvers.instance import Instance
from ssm_bounds.proofs.solvers.integrated import Integrated
from ssm_bounds.proofs.solvers.interval import Interval
from ssm_bounds.proofs.solvers.joined import Chain, Sum
from ssm_bounds.proofs.solvers.monotone import Monotone
from ssm_bounds.proofs.solvers.smt import Z3

__all__ = [
    "Z3",
    "Assumed",
    "Axiom",
    "Chain",
    "Fold",
    "GrowthInduction",
    "Identity",
    "Induction",
    "Instance",
    "Integrated",
    "Interval",
    "Monotone",
    "Sum",
]
