"""8.6, tokens: R_n <= hbar + (1 - e^{A - K/n})/lambda for all n, whatever the law of the sequence."""

import sympy
from sympy import Eq, Gt, Implies, Le

from ssm_bounds.proofs.lemma import Lemma
from ssm_bounds.proofs.ours.data.wealth_concave import STATEMENT as CONCAVE
from ssm_bounds.proofs.ours.data.wealth_concave import claim as concave
from ssm_bounds.proofs.ours.data.wealth_concave import count, factors, logs, mean
from ssm_bounds.proofs.solvers import Z3, Axiom, Chain, Fold
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

failure, failures, one, high = sympy.symbols("P F P_1 P_W", nonnegative=True)
mass, total = sympy.symbols("pi_1 Pi", nonnegative=True)
delta, lam, base = sympy.symbols("delta lambda e_A", positive=True)
risk, guess = sympy.symbols("R hbar", real=True)
claim = Le(failure, delta)

STATEMENT = Statement(
    label="8.6",
    title="Wealth bound of the tokens of any text",
    claim=claim,
    source="theory.md 8.6",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(total, 1), Eq(factors, count * mean)),
    prose=(
        "P: chance that R_n > hbar + (1 - e_A)/lambda for some n, theta and bet of the grid; P_1: for this theta and "
        "bet; F: sum of P_1, Pi: of pi_1 = pi(theta)/64 over both, pi and a grid of 64 fixed before the data",
        "e_A = e^{A - K/n}, A = (1/n) sum ln(1 + lambda (h_k - D_k)), K = ln(1/pi_1) + ln(1/delta)",
        "D_k <= b: a function of theta, of what came before X_k, and of X_k; r_k its mean given what came before; h_k: "
        "a function of theta and of what came before, lambda (b - h_k) < 1; R_n, hbar: means of r_k, h_k over k <= n",
        "P_W: chance that, for some n, the product of (1 + lambda (h_k - D_k))/(1 + lambda (h_k - r_k)) over k <= n is "
        "above 1/(delta pi_1)",
        "S, U, m: as in 8.6-concave, of the factors u = 1 + lambda (h_k - r_k)",
        "h_k = b admits every lambda > 0, and infinity: (b - D_k)/(b - r_k)",
    ),
    witness={
        **CONCAVE.witness,
        **dict.fromkeys((failure, failures, one, high, risk, guess), 0),
        **dict.fromkeys((mass, total, delta, lam, base), 1),
    },
    derivation=(
        Step("solved", Implies(Gt(risk, guess + (1 - base) / lam), Gt(base, 1 + lam * (guess - risk))), Z3()),
        Step("tangents", concave, Lemma(CONCAVE)),
        Step("concave", Le(logs, 0), Z3(), ("tangents",)),
        Step(
            "power",
            Le(one, high),
            Axiom("e_A^n = delta pi_1 prod (1 + lambda (h_k - D_k)) > m^n >= prod u", "8.6"),
            ("solved", "concave"),
        ),
        Step(
            "Ville",
            Le(high, delta * mass),
            Axiom("a martingale W_n >= 0 of mean 1 ever exceeds 1/a with chance at most a", "Ville's inequality, 1939"),
        ),
        Step("one", Le(one, delta * mass), Chain(), ("power", "Ville")),
        Step("sum", Le(failures, delta * total), Fold(((failures, one), (total, mass))), ("one",)),
        Step("union", Le(failure, failures), Axiom("union bound over countably many pairs", "probability")),
        Step("conclusion", claim, Z3(), ("sum", "union")),
    ),
    not_claimed=(
        "Anything about contexts that do not stand in this text: R_n is a mean over its own.",
        "Expected losses h_k that depend on what comes later, by the rounding of a batch say.",
    ),
)
