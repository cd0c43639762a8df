"""4.5 for s_A < 0, every length: R_1 <= M + 1/lambda and R_2 <= R_1/lambda. The smallest gate is gone."""

from sympy import And, Ge, Integer, Le, Symbol, exp

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.solvers import Z3, Instance, Monotone
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict
from ssm_bounds.proofs.systems.gates import M, T, branch, rate

R_1, R_2 = branch(sym.R_1, -1), branch(sym.R_2, -1)
x = Symbol("x", nonnegative=True)
claim = And(Le(R_1, M + 1 / rate), Le(R_2, R_1 / rate))

STATEMENT = Statement(
    label="4.5-uniform",
    title="Length independence of both sums for s_A < 0",
    claim=claim,
    source="theory.md 4.5",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED,
    prose=("lambda = -s_A > 0; any T",),
    witness={M: 1, rate: 1, T: 2},
    derivation=(
        Step("e^x >= 1 + x", Ge(1 - (1 + x) * exp(-x), 0), Monotone(x, Integer(0))),
        Step("one gate", Ge(1 - (1 + rate * M) * exp(-rate * M), 0), Instance(((x, rate * M),)), ("e^x >= 1 + x",)),
        Step("first", Le(R_1, M + 1 / rate), Z3(), ("one gate",)),
        Step("both", claim, Z3(), ("first",)),
    ),
    theorems=(Theorem("sums.every_length", Reading.CLAIM),),
)
