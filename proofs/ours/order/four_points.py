"""15.4: what another order of a block changes in the output does not depend on what stands before the block."""

import sympy
from sympy import Eq

from ssm_bounds.proofs.solvers import Identity
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

# products are those of matrices, in the order written
z, w = sympy.symbols("z w", commutative=False)  # the states after q and after q'
E, a, b = sympy.symbols("E a b", commutative=False)  # the block maps z to E z + a, in its other order to E z + b
L, h = sympy.symbols("L h", commutative=False)  # the suffix
c, d = sympy.symbols("c d", commutative=False)  # the readout, that of the last token
E_1, E_2, g_1, g_2 = sympy.symbols("E_1 E_2 g_1 g_2", commutative=False)


def output(state: sympy.Expr) -> sympy.Expr:
    """Of the state after the block."""
    return c * (L * state + h) + d


claim = Eq(output(E * z + a) - output(E * z + b) - output(E * w + a) + output(E * w + b), 0, evaluate=False)

STATEMENT = Statement(
    label="15.4",
    title="The four-point identity",
    claim=claim,
    source="theory.md 15.4",
    kind=Kind.IDENTITY,
    recorded=Verdict.PROVED,
    prose=(
        "letters stand for matrices and vectors, and do not commute; f = c Z + d, c and d of the last token, the same "
        "in all four",
        "z, w: the states after q and q'; the block p maps Z to E Z + a, p' to E Z + b: the matrices of its tokens "
        "commute, so that both have one E; the suffix maps Z to L Z + h",
    ),
    witness=dict.fromkeys((z, w, E, a, b, L, h, c, d), 2),
    derivation=(
        Step(
            "two tokens change places",
            Eq(
                (E_2 * (E_1 * z + g_1) + g_2) - (E_1 * (E_2 * z + g_2) + g_1),
                (E_2 * E_1 - E_1 * E_2) * z + (E_2 * g_1 + g_2 - E_1 * g_2 - g_1),
            ),
            Identity(),
        ),
        Step("conclusion", claim, Identity(), ("two tokens change places",)),
    ),
    not_claimed=(
        "Anything where the last tokens differ and the readout depends on them.",
        "A mean over the tokens, a convolution before the scan, a norm or an activation after it, a second layer, "
        "positions, matrices that do not commute, a clock normalised by the length.",
        "That the program computes it exactly: models/selective_ssm/four_points.py.",
    ),
    theorems=(Theorem("order.four_points", Reading.CLAIM), Theorem("order.four_points_vectors", Reading.GENERAL)),
)
