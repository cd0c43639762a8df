"""6.3: kl(a || x) does not increase while a rises towards x, so ``kl_inv`` does not decrease in a."""

import sympy
from sympy import Ge, Integer, Le, log

from ssm_bounds.proofs.solvers import Z3, Monotone
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

low = sympy.Symbol("v", positive=True)
rise, rest = sympy.symbols("h k", nonnegative=True)


def share(odds: sympy.Expr) -> sympy.Expr:
    return odds / (1 + odds)


def kl(a: sympy.Expr, x: sympy.Expr) -> sympy.Expr:
    """``p ln(p/q) + (1-p) ln((1-p)/(1-q))`` for p, q of odds a, x, with ``(1-p)/(1-q) = (1+x)/(1+a)``."""
    return share(a) * log(a / x) + log((1 + x) / (1 + a))


first, second, top = low, low + rise, low + rise + rest
claim = Le(kl(second, top), kl(first, top))

STATEMENT = Statement(
    label="6.3-kl",
    title="The inverse of kl increases in its first argument",
    claim=claim,
    source="theory.md 6.3",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    prose=("probabilities a <= b <= x of odds v, v + h, v + h + k: kl(b||x) <= kl(a||x)",),
    witness={low: 1, rise: 1, rest: 1},
    derivation=(
        Step("slope in b", Ge(sympy.diff(kl(first, second), rise), 0), Z3()),
        Step("kl >= 0", Ge(kl(first, second), 0), Monotone(rise, Integer(0)), ("slope in b",)),
        Step("slope in x", Ge(sympy.diff(kl(first, top) - kl(second, top), rest), 0), Z3()),
        Step("kl decreases towards x", claim, Monotone(rest, Integer(0)), ("kl >= 0", "slope in x")),
    ),
    not_claimed=("a = 0 and x = 1 are limits: both sides are continuous, or infinite together.",),
)
