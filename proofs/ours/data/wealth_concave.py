"""8.6, the concavity step: logarithms of factors over m add up to at most U/m - n, which is 0 at their mean m."""

import sympy
from sympy import Integer, Le, log

from ssm_bounds.proofs.solvers import Fold
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

factor, mean, count = sympy.symbols("u m n", positive=True)
factors = sympy.Symbol("U", nonnegative=True)
logs = sympy.Symbol("S", real=True)
claim = Le(logs, factors / mean - count)

STATEMENT = Statement(
    label="8.6-concave",
    title="Logarithms of factors over their mean add up to at most 0",
    claim=claim,
    source="theory.md 8.6",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    prose=(
        "S: sum of ln(u/m) over n factors u > 0, U: their sum, m > 0; attained where all are m",
        "in 8.6 u = 1 + lambda (h_k - r_k), and m = 1 + lambda (hbar - R_n) their mean: U = n m and sum ln u <= n ln m",
    ),
    witness={factor: 1, mean: 1, count: 1, factors: 1, logs: 0},
    derivation=(Step("conclusion", claim, Fold(((logs, log(factor / mean)), (factors, factor), (count, Integer(1))))),),
    theorems=(Theorem("wealth.concave", Reading.FORMULA),),
)
