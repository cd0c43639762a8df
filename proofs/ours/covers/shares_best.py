"""3.4: no split of a product of volume blocks costs less than the stationary one."""

import sympy
from sympy import Ge, Implies, Le, log

from ssm_bounds.proofs.solvers import Z3, Fold, Instance, Monotone
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

n, g, eta, other, mu = sympy.symbols("n_i g_i eta_i zeta_i mu", positive=True)
t = sympy.Symbol("t", nonnegative=True)
best, cost = sympy.symbols("C_eta C_zeta", nonnegative=True)  # sums of n_i ln(1 + g_i/eta_i), of n_i ln(1 + g_i/zeta_i)
shares, others = sympy.symbols("s_eta s_zeta", positive=True)
claim = Le(best, cost)


def price(share: sympy.Expr) -> sympy.Expr:
    return n * log(1 + g / share)


def slope(share: sympy.Expr) -> sympy.Expr:
    """Minus the derivative of the price."""
    return n * g / (share * (share + g))


tangent = price(other) - price(eta) + slope(eta) * (other - eta)
after = price(eta + t) - price(eta) + slope(eta) * t
before = price(other) - price(other + t) - slope(other + t) * t

STATEMENT = Statement(
    label="3.4-best",
    title="The stationary split is the best one",
    claim=claim,
    source="theory.md 3.4",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(sympy.Eq(slope(eta), mu), sympy.Eq(shares, 1), sympy.Eq(others, 1)),
    prose=("shares eta_i (stationary: every marginal cost is mu) and zeta_i (any) of sums s_eta = s_zeta = 1",),
    witness={n: 1, g: 1, eta: 1, other: 1, mu: sympy.Rational(1, 2), best: 1, cost: 1, shares: 1, others: 1},
    derivation=(
        # n ln(1 + g/eta) lies above its tangent, on either side
        Step("decreasing", Ge(slope(eta) - slope(eta + t), 0), Z3()),
        Step("larger share", Ge(after, 0), Monotone(t, sympy.Integer(0)), ("decreasing",)),
        Step("smaller share", Ge(before, 0), Monotone(t, sympy.Integer(0))),
        Step("above", Implies(Ge(other, eta), Ge(tangent, 0)), Instance(((t, other - eta),)), ("larger share",)),
        Step("below", Implies(Le(other, eta), Ge(tangent, 0)), Instance(((t, eta - other),)), ("smaller share",)),
        Step("block", Ge(price(other) - price(eta) + mu * (other - eta), 0), Z3(), ("above", "below")),
        Step(
            "blocks",
            Ge(cost - best + mu * (others - shares), 0),
            Fold(((best, price(eta)), (cost, price(other)), (shares, eta), (others, other))),
            ("block",),
        ),
        Step("equal sums", claim, Z3(), ("blocks",)),
    ),
    theorems=(Theorem("covers.best", Reading.FORMULA),),
)
