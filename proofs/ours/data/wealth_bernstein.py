"""8.6: ln(1 + u) >= u - psi(x) (u/x)^2 for u >= -x: a bet earns what the empirical Bernstein form counts."""

import sympy
from sympy import Ge, Integer, log

from ssm_bounds.proofs.solvers import Z3, Monotone
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

odds, ratio = sympy.symbols("v w", nonnegative=True)
x = odds / (1 + odds)
psi = log(1 + odds) - x
claim = Ge(log(1 + odds * ratio) - log(1 + odds), (ratio - 1) * x - (ratio - 1) ** 2 * psi)

STATEMENT = Statement(
    label="8.6-bernstein",
    title="A bet earns what the empirical Bernstein form counts",
    claim=claim,
    source="theory.md 8.6 (Fan, Grama, Liu 2015)",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    prose=(
        "x = v/(1 + v) in [0, 1), u = (w - 1) x >= -x: the left side is ln(1 + u); psi(x) = -ln(1-x) - x = ln(1+v) - x",
        "attained at w = 0 and w = 1: u = -x and u = 0",
    ),
    witness={odds: 1, ratio: 0},
    derivation=(
        Step("slope", Ge(sympy.diff(claim.gts - claim.lts, odds), 0), Z3()),
        Step("conclusion", claim, Monotone(odds, Integer(0)), ("slope",)),
    ),
    not_claimed=("That the bound is never worse than an empirical Bernstein bound at another level or lambda.",),
    theorems=(Theorem("wealth.bernstein", Reading.CLAIM),),
)
