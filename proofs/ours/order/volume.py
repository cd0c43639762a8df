"""15.5 (c): S^{123} of independent increments, on average."""

import sympy
from sympy import Eq, Le, Rational

from ssm_bounds.proofs.solvers import Z3, Axiom, Fold
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

x, other = sympy.symbols("x y", real=True)
triples, missed, error, unit = sympy.symbols("n_3 S E s", nonnegative=True)
claim = Le(unit * triples / 2, error)

STATEMENT = Statement(
    label="15.5-volume",
    title="The third iterated integral of independent increments",
    claim=claim,
    source="theory.md 15.5",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Eq(other, x),),
    prose=(
        "E = E(S^{123} - f)^2 over n i.i.d. increments v_t, coordinates independent, centred, of variance sigma^2",
        "s = sigma^6; n_3 = binom(n, 3) if the output depends on the last state alone, else binom(n - 1, 3)",
        "x and y: the coefficients of f on v_a^1 v_b^2 v_c^3 and on v_a^1 v_c^2 v_b^3, for each of the n_3 triples "
        "a < b < c, where S^{123} has 1 and 0; they are equal, as by 15.4 exchanging b and c changes f by what does "
        "not depend on v_a, and E v_a = 0",
        "S: the sum of (1 - x)^2 + y^2 over the triples",
    ),
    witness={x: Rational(1, 2), other: Rational(1, 2), triples: 1, missed: Rational(1, 2), error: 1, unit: 1},
    derivation=(
        Step("one triple", Le(Rational(1, 2), (1 - x) ** 2 + other**2), Z3()),
        Step(
            "all triples",
            Le(triples / 2, missed),
            Fold(((triples, sympy.Integer(1)), (missed, (1 - x) ** 2 + other**2))),
            ("one triple",),
        ),
        Step(
            "orthogonal products",
            Le(unit * missed, error),
            Axiom("the products are orthogonal, each of mean square sigma^6", "Bessel's inequality"),
        ),
        Step("conclusion", claim, Z3(), ("all triples", "orthogonal products")),
    ),
    not_claimed=(
        "binom(n, 3) for readouts that depend on the last token, as that of chapter 1: of three increments these reach "
        "S^{123} as closely as they like.",
    ),
)
