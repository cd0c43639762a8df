"""6.3: risk <= kl_inv(emp_g, (H + ln(1/delta))/m) for all members at once."""

import sympy
from sympy import Eq, Implies, Le, exp

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.gaps.chaining import MARGIN_EXPONENT
from ssm_bounds.proofs.solvers import Z3, Axiom, Chain, Identity
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

risk, risk_0, train, train_0, upper, upper_0 = sympy.symbols("L L_0 e e_0 K K_0", nonnegative=True)
level = MARGIN_EXPONENT.subs(sym.price, 0)
claim = Le(risk, upper)

STATEMENT = Statement(
    label="6.3-risk",
    title="Margin form of the risk",
    claim=claim,
    source="theory.md 6.3",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "L: chance of a margin <= 0, e: fraction of training margins <= g; L_0, e_0: both of the centre, at <= g/2",
        "K = kl_inv(e, b), K_0 = kl_inv(e_0, b), b = (H + ln(1/delta))/m; cover at eps = g/2 (k = 1), g/(2 sqrt 2)",
        "m i.i.d. examples; g and eps fixed before the data; probability at least 1 - delta, one-sided",
    ),
    witness={risk: 0, risk_0: 0, train: 0, train_0: 0, upper: 0, upper_0: 0, sym.m: 1, sym.H: 1, sym.delta: 1},
    derivation=(
        Step("risk of the centre", Le(risk, risk_0), Axiom("monotone probability: margin <= 0 implies <= g/2", "6.3")),
        # e^H centres, each with probability e^{-m b}
        Step(
            "union",
            Eq(sympy.Mul(exp(sym.H), exp(-sym.m * level), evaluate=False), sym.delta, evaluate=False),
            Identity(),
        ),
        Step(
            "centres",
            Le(risk_0, upper_0),
            Axiom("Chernoff for each of e^H centres, and the union bound", "Chernoff 1952; Hoeffding 1963, (2.1)"),
            ("union",),
        ),
        Step("fractions", Le(train_0, train), Axiom("counting: centre's margin <= g/2 implies <= g", "6.3")),
        Step("increasing", Implies(Le(train_0, train), Le(upper_0, upper)), Axiom("kl_inv increases", "6.3-kl")),
        Step("at the member", Le(upper_0, upper), Z3(), ("fractions", "increasing")),
        Step("conclusion", claim, Chain(), ("risk of the centre", "centres", "at the member")),
    ),
    not_claimed=("Choosing between 6.2 and 6.3 by the data costs delta/2 each.",),
)
