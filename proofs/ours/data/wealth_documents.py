"""8.7, documents: the loss a symbol of the population is at most the least r whose bets earned K."""

import sympy
from sympy import Le

from ssm_bounds.proofs.lemma import Lemma
from ssm_bounds.proofs.ours.data.wealth_rising import STATEMENT as RISING
from ssm_bounds.proofs.ours.data.wealth_rising import claim as rising
from ssm_bounds.proofs.ours.data.wealth_units import STATEMENT as UNITS
from ssm_bounds.proofs.ours.data.wealth_units import power, product
from ssm_bounds.proofs.solvers import Z3, Axiom, Chain, Fold
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

failure, failures, one, high = sympy.symbols("P F P_1 P_W", nonnegative=True)
mass, total = sympy.symbols("pi_1 Pi", nonnegative=True)
delta = sympy.Symbol("delta", positive=True)
claim = Le(failure, delta)

STATEMENT = Statement(
    label="8.7",
    title="Wealth bound of the loss per symbol over documents",
    claim=claim,
    source="theory.md 8.7",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(total, 1), Le(power, 1), *RISING.hypotheses),
    prose=(
        "P: chance that rho = sum E s/sum E t is above the bound for some theta and some nu of the grid; P_1: for this "
        "theta and nu; F: sum of P_1, Pi: of pi_1 = pi(theta)/32 over both, pi and a grid of 32 fixed before the data",
        "the bound: the least r < b with sum ln(1 - nu (s_i - r t_i)/(T (b - r))) >= K, K = ln(1/pi_1) + ln(1/delta); "
        "b if there is none",
        "documents as in 8.5-units, of scores s_i <= b t_i and lengths t_i <= T; the losses are a fixed function of "
        "theta and the document",
        "W: the product of 1 - nu (s_i - rho t_i)/(T (b - rho)), E_W its mean, V = 1: over the units the mean of the "
        "factors' means is 1; P_W: chance that W is at least 1/(delta pi_1); s, t, r, q: as in 8.7-rising",
    ),
    witness={
        **RISING.witness,
        **UNITS.witness,
        **dict.fromkeys((failure, failures, one, high), 0),
        **dict.fromkeys((mass, total, delta), 1),
    },
    derivation=(
        Step("rising", rising, Lemma(RISING)),
        Step("power", Le(one, high), Axiom("the bound is below rho only if K is earned at rho", "8.7"), ("rising",)),
        Step("mean", Le(product, power), Lemma(UNITS)),
        Step("Markov", Le(high, product / (1 / (delta * mass))), Axiom("P(X >= a) <= E X/a", "Markov's inequality")),
        Step("level", Le(product / (1 / (delta * mass)), delta * mass), Z3(), ("mean",)),
        Step("one", Le(one, delta * mass), Chain(), ("power", "Markov", "level")),
        Step("sum", Le(failures, delta * total), Fold(((failures, one), (total, mass))), ("one",)),
        Step("union", Le(failure, failures), Axiom("union bound over countably many pairs", "probability")),
        Step("conclusion", claim, Z3(), ("sum", "union")),
    ),
    not_claimed=("A mean over documents of their own losses per symbol: that is 8.5 for their means.",),
)
