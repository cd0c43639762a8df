"""6.2, one scale: gap <= 2 l eps + c sqrt((H + ln(2/delta))/(2m)) for all members at once."""

import sympy
from sympy import Le, log, sqrt

from proofs.solvers import Z3, Axiom
from proofs.statement import Kind, Statement, Step, Verdict

risk, train, risk_0, train_0 = sympy.symbols("L L_S L_0 L_S0", nonnegative=True)  # a member and its centre
l_, eps, c, m, H, delta = sympy.symbols("l epsilon c m H delta", positive=True)
deviation = c * sqrt((H + log(2 / delta)) / (2 * m))
claim = Le(risk - train, 2 * l_ * eps + deviation)

STATEMENT = Statement(
    label="6.2",
    title="One covering scale",
    claim=claim,
    source="theory.md 6.2",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "L, L_S: risk and training loss of a member; L_0, L_S0: those of the nearest centre of an eps-cover",
        "eps fixed before the data; probability at least 1 - delta; the other sign in the same way",
    ),
    witness={risk: 1, train: 1, risk_0: 1, train_0: 1, l_: 1, eps: 1, c: 1, m: 1, H: 1, delta: sympy.Rational(1, 2)},
    derivation=(
        Step(
            "centres",
            Le(risk_0 - train_0, deviation),
            Axiom("Hoeffding for each of e^H centres, two-sided, and the union bound", "Hoeffding 1963"),
        ),
        Step(
            "risk", Le(risk - risk_0, l_ * eps), Axiom("the loss is l-Lipschitz, outputs within eps", "3.2, sup norm")
        ),
        Step("training loss", Le(train_0 - train, l_ * eps), Axiom("the same on the sample", "3.2, sup norm")),
        Step("sum", claim, Z3(), ("centres", "risk", "training loss")),
    ),
)
