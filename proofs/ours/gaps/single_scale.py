"""6.2, one scale: gap <= 2 l eps + c sqrt((H + ln(2/delta))/(2m)) for all members at once."""

import sympy
from sympy import Eq, Le, exp, log, sqrt

from ssm_bounds.proofs.solvers import Z3, Axiom, Identity
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

risk, train, risk_0, train_0 = sympy.symbols("L L_S L_0 L_S0", nonnegative=True)  # a member and its centre
l_, eps, c, m, H, delta, t = sympy.symbols("l epsilon c m H delta t", positive=True)
deviation = c * sqrt((H + log(2 / delta)) / (2 * m))
claim = Le(risk - train, 2 * l_ * eps + deviation)

STATEMENT = Statement(
    label="6.2",
    title="One covering scale",
    claim=claim,
    source="theory.md 6.2",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(risk - risk_0, l_ * eps), Le(train_0 - train, l_ * eps), Eq(t, deviation), Le(delta, 1)),
    prose=(
        "L, L_S: risk and training loss of a member; L_0, L_S0: those of the nearest centre of an eps-cover",
        "the first two hypotheses: the loss is l-Lipschitz, the outputs lie within eps for every valid input",
        "eps fixed before the data; probability at least 1 - delta; the other sign in the same way",
    ),
    witness={risk: 1, train: 1, risk_0: 1, train_0: 1, l_: 1, eps: 1, c: 1, m: 1, H: 1, delta: sympy.Rational(1, 2)}
    | {t: deviation.subs({c: 1, m: 1, H: 1, delta: sympy.Rational(1, 2)})},
    derivation=(
        Step("exponent", Eq(2 * m * t**2 / c**2, H + log(2 / delta)), Z3()),
        # e^H centres, both signs, each with probability e^{-2mt^2/c^2}
        Step(
            "union",
            Eq(2 * sympy.Mul(exp(H), exp(-H - log(2 / delta)), evaluate=False), delta, evaluate=False),
            Identity(),
        ),
        Step(
            "centres",
            Le(risk_0 - train_0, t),
            Axiom("Hoeffding for each of e^H centres, two-sided, and the union bound", "Hoeffding 1963"),
            ("exponent", "union"),
        ),
        Step("sum", claim, Z3(), ("centres",)),
    ),
)
