"""8.5 (a): for losses in [0, 1] a bet earns at least what Catoni's form counts at x = ln(1 + lambda)."""

import sympy
from sympy import Ge, Integer, Le, log

from ssm_bounds.proofs.solvers import Z3, Monotone
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

gain, lam = sympy.symbols("v lambda", nonnegative=True)
claim = Ge(log(1 + lam * gain), gain * log(1 + lam))

STATEMENT = Statement(
    label="8.5-catoni",
    title="A bet earns what Catoni's form counts",
    claim=claim,
    source="theory.md 8.5",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Le(gain, 1),),
    prose=("v = 1 - D of a loss D in [0, 1]; attained at v = 0 and v = 1",),
    witness={gain: 1, lam: 1},
    derivation=(
        Step("slope", Ge(sympy.diff(claim.gts - claim.lts, lam), 0), Z3()),
        Step("conclusion", claim, Monotone(lam, Integer(0)), ("slope",)),
    ),
    not_claimed=("That the grid is free: kl, the infimum of Catoni's form over x, needs none (ln 40 nats less).",),
    theorems=(Theorem("wealth.catoni", Reading.CLAIM),),
)
