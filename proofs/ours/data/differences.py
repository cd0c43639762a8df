"""8.10: a mixture with a base is never more than log2(1/alpha) bits behind it."""

import sympy
from sympy import Integer, Le, log

from ssm_bounds.proofs.solvers import Monotone
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

alpha, rest = sympy.symbols("alpha beta", positive=True)
ratio = sympy.Symbol("x", nonnegative=True)
claim = Le(-log(rest * ratio + alpha), -log(alpha))

STATEMENT = Statement(
    label="8.10",
    title="A mixture is hardly behind its base",
    claim=claim,
    source="theory.md 8.10",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    prose=("beta = 1 - alpha; x = p_theta/p_b at the symbol that came, p_b > 0; attained where p_theta is 0",),
    witness={alpha: sympy.Rational(1, 2), rest: sympy.Rational(1, 2), ratio: 1},
    derivation=(Step("conclusion", claim, Monotone(ratio, Integer(0))),),
    not_claimed=("Anything about theta without the base: what is certified is the mixture.",),
    theorems=(Theorem("wealth.mixture", Reading.CLAIM),),
)
