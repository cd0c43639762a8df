"""8.5, wealth bound: R <= b - (e^{A - K/n} - 1)/lambda for all codable weights and every lambda of a grid at once."""

import sympy
from sympy import Gt, Implies, Le

from ssm_bounds.proofs.solvers import Z3, Axiom, Chain, Fold
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

failure, failures, one, high = sympy.symbols("P F P_1 P_W", nonnegative=True)
mass, total = sympy.symbols("pi_1 Pi", nonnegative=True)
mean_W, power, delta, lam, base = sympy.symbols("E_W V delta lambda e_A", positive=True)
risk, b = sympy.symbols("R b", real=True)
claim = Le(failure, delta)

STATEMENT = Statement(
    label="8.5",
    title="Wealth bound of a mean loss",
    claim=claim,
    source="theory.md 8.5",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(total, 1),),
    prose=(
        "P: chance that R > b - (e_A - 1)/lambda for some theta and some lambda of the grid; P_1: for this theta and "
        "this lambda; F: sum of P_1, Pi: of pi_1 = pi(theta)/40 over both, pi and a grid of 40 fixed before the data",
        "e_A = e^{A - K/n}, A = (1/n) sum ln(1 + lambda (b - D_i)), K = ln(1/pi_1) + ln(1/delta)",
        "D_i <= b: losses of theta on n i.i.d. rows, a fixed function of theta and the row, of mean R",
        "P_W: chance that W = prod (1 + lambda (b - D_i)) is at least V/(delta pi_1), V = (1 + lambda (b - R))^n; E_W: "
        "the mean of W; lambda = infinity: the same with b - D_i for 1 + lambda (b - D_i)",
    ),
    witness={
        **dict.fromkeys((failure, failures, one, high, risk), 0),
        **dict.fromkeys((mass, total, mean_W, power, delta, lam, base, b), 1),
    },
    derivation=(
        Step("solved", Implies(Gt(risk, b - (base - 1) / lam), Gt(base, 1 + lam * (b - risk))), Z3()),
        Step("power", Le(one, high), Axiom("e_A^n = delta pi_1 W, and x^n increases", "8.5"), ("solved",)),
        Step(
            "mean",
            Le(mean_W, power),
            Axiom("E prod f_i = prod E f_i; for a random part of independent units at most, by Maclaurin", "means"),
        ),
        Step("Markov", Le(high, mean_W / (power / (delta * mass))), Axiom("P(X >= a) <= E X/a", "Markov's inequality")),
        Step("level", Le(mean_W / (power / (delta * mass)), delta * mass), Z3(), ("mean",)),
        Step("one", Le(one, delta * mass), Chain(), ("power", "Markov", "level")),
        Step("sum", Le(failures, delta * total), Fold(((failures, one), (total, mass))), ("one",)),
        Step("union", Le(failure, failures), Axiom("union bound over countably many pairs", "probability")),
        Step("conclusion", claim, Z3(), ("sum", "union")),
    ),
    not_claimed=(
        "Rows that are not independent: tokens of one text need the martingale of their own past.",
        "That the mean loss is an error rate: where the loss is at least 1 on every error, it bounds one.",
    ),
    theorems=(Theorem("wealth.union", Reading.GENERAL), Theorem("wealth.solved", Reading.GENERAL)),
)
