"""5.5: the published route with a valid rho and both sums kept."""

import sympy
from sympy import Le

from bounds.perturbation import REPAIRED
from proofs.solvers import Assumed
from proofs.statement import Kind, Statement, Step, Verdict

moved = sympy.Symbol("d_z", nonnegative=True)
blocks = {name: sympy.Symbol(f"eps_{name}", nonnegative=True) for name in REPAIRED}
claim = Le(moved, sympy.Add(*(REPAIRED[name] * size for name, size in blocks.items())))

STATEMENT = Statement(
    label="5.5",
    title="Perturbation by the repaired published route",
    claim=claim,
    source="theory.md 5.5",
    kind=Kind.UPPER,
    recorded=Verdict.CHECKED,
    prose=(
        "two models of the class, eps_A = |A - A^|_2, eps_B, eps_C, eps_w spectral, eps_g the largest move of a logit",
        "S_1, S_2 at rho = e^{s Delta_min} for s < 0, e^{s M} for s >= 0, s >= the logarithmic norm of A",
    ),
    witness=dict.fromkeys(claim.free_symbols, 1) | {moved: 0},
    derivation=(
        Step("induction over t", claim, Assumed("theory.md 5.5; random pairs of models in tests/test_perturbation.py")),
    ),
    not_claimed=("Not tight: each coefficient is at least that of 5.1.",),
)
