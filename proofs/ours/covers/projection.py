"""3.3: projection on a closed convex set brings an outside centre inside, no farther from any member."""

import sympy
from sympy import Eq, Le

from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

outside, inside, moved = sympy.symbols("n_out n_in n_P", nonnegative=True)
product = sympy.Symbol("s", real=True)
claim = Le(inside, outside)

STATEMENT = Statement(
    label="3.3",
    title="Centres in the class by projection",
    claim=claim,
    source="theory.md 3.3",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "C a centre, P its projection on the class, closed and convex in Frobenius norm, W a member",
        "n_out = |W - C|_F, n_in = |W - P|_F, n_P = |C - P|_F, s = <C - P, W - P>",
    ),
    witness={outside: 1, inside: 1, moved: 0, product: 0},
    derivation=(
        Step("projection", Le(product, 0), Axiom("variational inequality of the projection", "Hilbert space")),
        Step(
            "squares",
            Eq(outside**2, moved**2 + inside**2 - 2 * product),
            Axiom("|a - b|^2 = |a|^2 + |b|^2 - 2 <a, b>", "Hilbert space"),
        ),
        Step("conclusion", claim, Z3(), ("projection", "squares")),
    ),
    not_claimed=(
        "Not the spectral norm: projection is taken in, and the cover must be in, Frobenius norm.",
        "Decay groups (5.2) of one matrix are not a product of convex blocks.",
    ),
)
