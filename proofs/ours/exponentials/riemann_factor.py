"""4.4, the factor: c/(1 - e^{-lambda c}) increases, so 1 - e^{-lambda c} loses at most phi against lambda c."""

import sympy
from sympy import Ge, Le, exp

from ssm_bounds.proofs.adversary import Adversary
from ssm_bounds.proofs.lemma import Lemma
from ssm_bounds.proofs.solvers import Monotone
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

x, c, rate = sympy.symbols("x c lambda", positive=True)
h, rest = sympy.symbols("h b", nonnegative=True)  # x + h = lambda M, c + b = M
scaled = Ge((x + h) * (1 - exp(-x)) - x * (1 - exp(-x - h)), 0)
claim = Le(c * (1 - exp(-rate * (c + rest))), (c + rest) * (1 - exp(-rate * c)))

SCALED = Statement(
    label="4.4-scaled",
    title="x/(1 - e^{-x}) increases",
    claim=scaled,
    source="theory.md 4.4, proof",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    witness={x: 1, h: 1},
    derivation=(
        Step("at equality", Ge(1 - exp(-x) - x * exp(-x), 0), Monotone(x, sympy.Integer(0))),
        Step("slope", Ge(1 - exp(-x) - x * exp(-x - h), 0), Monotone(h, sympy.Integer(0)), ("at equality",)),
        Step("increasing", scaled, Monotone(h, sympy.Integer(0)), ("slope",)),
    ),
)

STATEMENT = Statement(
    label="4.4-factor",
    title="The factor of the Riemann lemma: c/(1 - e^{-lambda c}) increases",
    claim=claim,
    source="theory.md 4.4, proof",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    prose=("0 < c <= M; M = c + b",),
    witness={c: 1, rest: 1, rate: 1},
    derivation=(Step("x = lambda c, h = lambda b", claim, Lemma(SCALED, ((x, rate * c), (h, rate * rest)))),),
    adversary=Adversary(
        sizes=({},),
        arrays=lambda sizes: {"c": (), "b": (), "rate": ()},
        bind=lambda numbers, free, sizes: {
            c: numbers.exp(free["c"]),
            rest: numbers.exp(free["b"]),
            rate: numbers.exp(free["rate"]),
        },
    ),
    theorems=(Theorem("sums.factor", Reading.CLAIM),),
)
