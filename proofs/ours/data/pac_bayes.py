"""8.3, margin PAC-Bayes: risk <= kl_inv(emp_g + tau, (KL + ln(xi(m)/delta))/m)/(1 - tau) for all Q at once."""

import sympy
from sympy import Implies, Le, Lt

from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

risk, of_Q, train_Q, train, tail, at_Q, at_train = sympy.symbols("L L_Q e_Q e_g tau K_Q K", nonnegative=True)
claim = Le(risk, at_train / (1 - tail))

STATEMENT = Statement(
    label="8.3",
    title="Margin PAC-Bayes",
    claim=claim,
    source="theory.md 8.3 (with a Gaussian Q at the weights, and xi(m) of 8.2 for 2 sqrt m)",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Lt(tail, 1),),
    prose=(
        "L: chance of a margin <= 0; e_g: fraction of training margins <= g; L_Q, e_Q: chance and fraction of margins "
        "<= g/2 of weights drawn from Q, in the mean",
        "tau: on every input, at most the chance that weights drawn from Q move the margin by more than g/2",
        "K_Q = kl_inv(e_Q, b), K = kl_inv(e_g + tau, b), b = (KL(Q || P) + ln(xi(m)/delta))/m; P fixed before the "
        "data, its variances paid for; probability at least 1 - delta",
    ),
    witness={risk: 0, of_Q: 0, train_Q: 0, train: 0, tail: 0, at_Q: 0, at_train: 0},
    derivation=(
        Step("margin", Le(risk * (1 - tail), of_Q), Axiom("margin <= 0 gives <= g/2 but for tau; Fubini", "8.3")),
        Step("PAC-Bayes", Le(of_Q, at_Q), Axiom("PAC-Bayes-kl for the loss margin <= g/2", "Maurer 2004")),
        Step("sample", Le(train_Q, train + tail), Axiom("margin > g gives > g/2 but for tau; Fubini", "8.3")),
        Step(
            "increasing",
            Implies(Le(train_Q, train + tail), Le(at_Q, at_train)),
            Axiom("kl_inv increases", "statement 6.3-kl"),
        ),
        Step("conclusion", claim, Z3(), ("margin", "PAC-Bayes", "sample", "increasing")),
    ),
    not_claimed=("The bound of tau by 5.1 and its second-order terms: selective_ssm/spread.py, tests/bounds/ladder.",),
)
