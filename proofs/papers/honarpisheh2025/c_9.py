"""Claim: the least sum of alpha_i/eps_i^2 under sum beta_i eps_i = eps is gamma^3/eps^2. True for alpha, beta > 0."""

import sympy
from sympy import Eq, Ge, Implies, Le, Rational

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.solvers import Z3, Fold, Instance
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

cost, gamma = sympy.symbols("S gamma", positive=True)  # sum alpha_i/eps_i^2, sum alpha_i^{1/3} beta_i^{2/3}
nu, a, b, e, x, y = sympy.symbols("nu alpha_i beta_i eps_i x y", positive=True)
third = Rational(1, 3)
term = a**third * b ** (2 * third)
best = sym.eps / gamma * (a / b) ** third
claim = Le(gamma**3 / sym.eps**2, cost)

STATEMENT = Statement(
    label="paper:C.9",
    title="Allocation of a covering radius",
    claim=claim,
    source="theory.md 2, C.9 (arXiv:2502.01473v3, Lemma C.9; Edelman et al. 2022, Lemma A.8)",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    prose=(
        "S = sum_i alpha_i/eps_i^2, gamma = sum_i alpha_i^{1/3} beta_i^{2/3}, sum_i beta_i eps_i = eps",
        "alpha_i, beta_i, eps_i > 0",
    ),
    witness={cost: 2, gamma: 1, sym.eps: 1},
    derivation=(
        Step("means", Ge(x**3 + 2 * y**3 - 3 * x * y**2, 0), Z3()),
        # x^3 = nu^3 alpha_i/eps_i^2, y^3 = beta_i eps_i
        Step(
            "each term",
            Ge(nu**3 * a / e**2 + 2 * b * e - 3 * nu * term, 0),
            Instance(((x, nu * (a / e**2) ** third), (y, (b * e) ** third))),
            ("means",),
        ),
        Step(
            "summed",
            Ge(nu**3 * cost + 2 * sym.eps - 3 * nu * gamma, 0),
            Fold(((gamma, term), (cost, a / e**2), (sym.eps, b * e))),
            ("each term",),
        ),
        Step(
            "at the best nu",
            Ge(3 * sym.eps - 3 * (sym.eps / cost) ** third * gamma, 0),
            Instance(((nu, (sym.eps / cost) ** third),)),
            ("summed",),
        ),
        # equality: at eps_i = (eps/gamma)(alpha_i/beta_i)^{1/3} both sums are proportional to the terms of gamma
        Step("cost at the optimum", Implies(Eq(e, best), Eq(a / e**2, (gamma / sym.eps) ** 2 * term)), Z3()),
        Step("radius at the optimum", Implies(Eq(e, best), Eq(b * e, sym.eps / gamma * term)), Z3()),
        Step("lower bound", claim, Z3(), using=("at the best nu",)),
    ),
    not_claimed=("Nothing for alpha_i = 0 or beta_i = 0: such blocks take no share.", "Ceilings are not included."),
    theorems=(Theorem("covers.allocation", Reading.FORMULA),),
)
