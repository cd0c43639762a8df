"""4.5 for s_A < 0: sum_i c_i e^{-lambda tau_i} <= R_1 = M (1 - r^T)/(1 - r), r = e^{-lambda M}."""

import sympy
from sympy import Eq, Le, Lt, exp

from proofs.solvers import Z3, Axiom, Chain, Identity
from proofs.statement import Kind, Statement, Step, Verdict

M, rate, total, last = sympy.symbols("M lambda S tau_T", positive=True)  # S: the sum over i, tau_T: all gated time
T = sympy.Symbol("T", positive=True, integer=True)
x = sympy.Symbol("x", nonnegative=True)
phi = rate * M / (1 - exp(-rate * M))
area = (1 - exp(-rate * last)) / rate
whole = (1 - exp(-rate * T * M)) / rate
R_1 = M * (1 - exp(-rate * M * T)) / (1 - exp(-rate * M))
claim = Le(total, R_1)

STATEMENT = Statement(
    label="4.5",
    title="The first sum over gate sequences, s_A < 0",
    claim=claim,
    source="theory.md 4.5, R_1",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(last, T * M),),
    prose=("S = sum_{i<T} c_i e^{-lambda tau_i} over gates 0 < c_i <= M, tau_T = c_0 + ... + c_{T-1}",),
    witness={total: 1, M: 1, rate: 1, last: 1, T: 2},
    derivation=(
        Step("area", Eq(sympy.Integral(exp(-rate * x), (x, 0, last)), area), Identity()),
        Step(
            "Riemann lemma",
            Le(total, phi * area),
            Axiom("4.4 with g = e^{-lambda x}, summed", "theory.md 4.4"),
            ("area",),
        ),
        Step("denominator", Lt(exp(-rate * M), 1), Axiom("e^{-x} < 1 for x > 0", "calculus")),
        Step("longer", Le(exp(-rate * T * M), exp(-rate * last)), Axiom("exp is increasing", "calculus")),
        Step("whole time", Le(phi * area, phi * whole), Z3(), ("denominator", "longer")),
        Step("conclusion", claim, Chain(), ("Riemann lemma", "whole time")),
    ),
    not_claimed=("R_2, and s_A >= 0: tested numerically against every gate sequence in tests/test_enclose.py.",),
)
