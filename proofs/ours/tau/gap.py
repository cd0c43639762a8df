"""16.5: gap <= 2 l R + c sqrt(2 ln(2/delta)/m), two-sided, R a bound of the average on the sample at hand."""

import sympy
from sympy import Eq, Le

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.gaps.chaining import SAMPLE_GAP
from ssm_bounds.proofs.ours.gaps.dudley import SYMMETRISED, gap, mean_gap, mean_rad, t
from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

unpaid = SAMPLE_GAP.subs(sym.price, 0)
deviation = unpaid.subs(sym.rademacher, 0)
of_losses = sympy.Symbol("R_l", nonnegative=True)
moved = sympy.Symbol("M", positive=True)
claim = Le(gap, unpaid)

STATEMENT = Statement(
    label="16.5",
    title="The gap of a class with one output by its average on the sample",
    claim=claim,
    source="theory.md 16.5",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Eq(t, deviation), Le(sym.delta, 1)),
    prose=(
        "R_S: at least E sup (1/m) sum_i sigma_i z(u_i) on the sample at hand, without an absolute value",
        "the loss lies in [0, c] and is l-Lipschitz in the output, whatever the label; R_l: the average of the losses",
        "G: largest risk minus training loss, or the reverse; EG, ER: means over samples of G and of R_l",
        "M: how far G - 2 R_l moves with one example; probability at least 1 - delta for both signs, m i.i.d. examples",
    ),
    witness={gap: 0, mean_gap: 0, mean_rad: 0, of_losses: 0, sym.rademacher: 1, sym.l: 1, sym.m: 1, sym.c: 1}
    | {sym.delta: 1, moved: 2, t: deviation.subs({sym.c: 1, sym.m: 1, sym.delta: 1})},
    derivation=(
        Step(
            "contraction",
            Le(of_losses, sym.l * sym.rademacher),
            Axiom("contraction: the average of l-Lipschitz functions of one output", "Ledoux and Talagrand 1991, 4.12"),
        ),
        SYMMETRISED,
        Step(
            "one example",
            Eq(moved, 2 * sym.c / sym.m),
            Axiom("c/m of the gap, and twice c/(2m) of the average", "16.5-exchange"),
        ),
        Step("half of delta", Eq(2 * t**2 / (sym.m * moved**2), sympy.log(2 / sym.delta)), Z3(), ("one example",)),
        Step(
            "deviation",
            Le(gap - 2 * of_losses, mean_gap - 2 * mean_rad + t),
            Axiom("McDiarmid's inequality at level delta/2 for each sign", "McDiarmid 1989"),
            ("half of delta",),
        ),
        Step("sum", claim, Z3(), ("contraction", "symmetrisation", "deviation")),
    ),
    not_claimed=("Several outputs: contraction is used for one.",),
)
