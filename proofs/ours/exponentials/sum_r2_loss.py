"""4.5, what R_2 loses: at T = 2 and 1/10 <= lambda M <= 10 it is less than 3 times the largest second sum."""

from sympy import Ge, Integer, Le, Lt, Max, Min, Rational, Symbol, exp

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.solvers import Interval
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict
from ssm_bounds.proofs.systems.gates import M, T, branch, rate

x = Symbol("x", positive=True)  # lambda M, with M = 1
R_2 = branch(sym.R_2, -1).subs({T: 2, M: 1, rate: x})
# c_1 c_0 e^{-lambda c_0} over gates up to M = 1: c_1 = 1, c_0 = min(1, 1/lambda)
largest = exp(-Min(x, 1)) / Max(x, Integer(1))
claim = Lt(R_2, 3 * largest)

STATEMENT = Statement(
    label="4.5-loss",
    title="What R_2 loses at T = 2",
    claim=claim,
    source="theory.md 4.5 (2.9 at T = 2, lambda M = 2)",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED,
    hypotheses=(Ge(x, Rational(1, 10)), Le(x, 10)),
    prose=("x = lambda M with M = 1; the largest second sum of two gates is e^{-min(x, 1)}/max(x, 1)",),
    witness={x: 1},
    derivation=(Step("branch and bound", claim, Interval(((x, Rational(1, 10), 10),))),),
    theorems=(Theorem("two_gates.loss", Reading.CLAIM),),
)
