"""3.2, volume: a set inside a ball of radius r of a norm on R^n has an eps-cover of at most (1 + 2r/eps)^n points."""

import sympy
from sympy import Eq, Le

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.solvers import Z3, Axiom, Identity
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

points, unit = sympy.symbols("N_eps v", positive=True)  # a maximal packing; the volume of the unit ball
r = sympy.Symbol("r", nonnegative=True)
small, large = (sym.eps / 2) ** sym.n, (r + sym.eps / 2) ** sym.n
claim = Le(points, (1 + 2 * r / sym.eps) ** sym.n)

STATEMENT = Statement(
    label="3.2",
    title="Cover by volume",
    claim=claim,
    source="theory.md 3.2",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "K lies in a ball of radius r; N_eps: size of a largest set of points of K at mutual distances > eps",
        "such a set is an eps-cover of K by points of K: a point farther than eps from all could be added",
    ),
    witness={points: 1, unit: 1, r: 1, sym.eps: 1, sym.n: 2},
    derivation=(
        Step(
            "volumes",
            Le(points * unit * small, unit * large),
            Axiom("disjoint balls of radius eps/2 inside one of radius r + eps/2", "Lebesgue measure"),
        ),
        Step("ratio", Eq(large, (1 + 2 * r / sym.eps) ** sym.n * small, evaluate=False), Identity()),
        Step("conclusion", claim, Z3(), ("volumes", "ratio")),
    ),
    not_claimed=("The diameter of K may be less than 2r; nothing is gained from it.",),
)
