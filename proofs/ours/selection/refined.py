"""7, s_A > 0: K-fold geometric splits of the cells of s_A and M add at most 1 to s_A M T, at a cost of 2 ln K."""

import sympy
from sympy import Eq, Ge, Integer, Le, log

from ssm_bounds.proofs.solvers import Z3, Identity, Instance, Monotone
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

k0 = sympy.Symbol("k", integer=True, nonnegative=True)
K = k0 + 1  # a positive integer
t, y = sympy.symbols("t y", nonnegative=True)
value, corner, coarse, pi = sympy.symbols("x X_+ X pi", positive=True)
n = 4 * K
ratio = Integer(2) ** (1 / n)  # two factors, of 2^{1/(8K)} each
claim = Le(corner - value, 1)

STATEMENT = Statement(
    label="7-split",
    title="Splitting the cells of a positive s_A",
    claim=claim,
    source="theory.md 7",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED,
    hypotheses=(Le(value, coarse), Le(coarse / 4, K), Le(corner, ratio * value)),
    prose=(
        "x = s_A M T of the model, X its upper bound in the coarse cell, K = k + 1 = max(1, ceil(X/4))",
        "X_+: the corner of the fine cell; each of s_A and M is rounded up by at most 2^{1/(8K)} (7-grid)",
    ),
    witness={value: 3, coarse: 4, corner: 3, k0: 0, pi: 1},
    derivation=(
        Step("positive powers", Ge((1 + t) ** (n - 1) - 1, 0), Monotone(t, Integer(0))),
        Step("Bernoulli", Ge((1 + t) ** n - 1 - n * t, 0), Monotone(t, Integer(0)), ("positive powers",)),
        Step("above 1", Ge(2**y - 1, 0), Monotone(y, Integer(0))),
        Step("ratio above 1", Ge(ratio - 1, 0), Instance(((y, 1 / n),)), ("above 1",)),
        Step("at 2", Ge(1 - n * (ratio - 1), 0), Instance(((t, ratio - 1),)), ("Bernoulli", "ratio above 1")),
        Step("cost", Eq(-log(pi / K**2) + log(pi), 2 * log(K)), Identity()),
        Step("conclusion", claim, Z3(), ("at 2",)),
    ),
    not_claimed=("For s_A <= 0 nothing is split: there the coarse cells cost at most a factor 2^{1/8} each.",),
    theorems=(Theorem("selection.split", Reading.CLAIM),),
)
