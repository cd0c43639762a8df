"""14.3: gap <= 2 l R + c sqrt(ln(2/delta)/(2m)), two-sided, R the average of one output, bounded on every sample."""

from sympy import Eq, Le

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.gaps.chaining import AVERAGE_GAP
from ssm_bounds.proofs.ours.gaps.dudley import TWO_SIDED, gap, mean_gap, mean_rad, t
from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

unpaid = AVERAGE_GAP.subs(sym.price, 0)
deviation = unpaid.subs(sym.rademacher, 0)
claim = Le(gap, unpaid)

STATEMENT = Statement(
    label="14.3",
    title="The gap of a class with one output by its Rademacher average",
    claim=claim,
    source="theory.md 14.3",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Eq(t, deviation), Le(sym.delta, 1)),
    prose=(
        "R_S: at least E sup (1/m) sum_i sigma_i z(u_i) on every sample, without an absolute value",
        "the loss lies in [0, c] and is l-Lipschitz in the output, whatever the label",
        "G: largest risk minus training loss, or the reverse; EG, ER: means of G, and of the average of the losses",
        "m i.i.d. examples; probability at least 1 - delta for both signs",
    ),
    witness={gap: 0, mean_gap: 0, mean_rad: 0, sym.rademacher: 1, sym.l: 1, sym.m: 1, sym.c: 1, sym.delta: 1}
    | {t: deviation.subs({sym.c: 1, sym.m: 1, sym.delta: 1})},
    derivation=(
        Step(
            "contraction",
            Le(mean_rad, sym.l * sym.rademacher),
            Axiom("contraction: the average of l-Lipschitz functions of one output", "Ledoux and Talagrand 1991, 4.12"),
        ),
        *TWO_SIDED,
        Step("sum", claim, Z3(), ("contraction", "symmetrisation", "deviation")),
    ),
    not_claimed=("Several outputs: contraction is used for one.",),
)
