"""C.9, the allocation lemma: the least sum of alpha_i/eps_i^2 under sum beta_i eps_i = eps is gamma^3/eps^2."""

import sympy
from sympy import Eq, Le, Rational

from bounds import notation as sym
from proofs.solvers import Z3, Axiom, Identity
from proofs.statement import Kind, Statement, Step, Verdict

cost = sympy.Symbol("S", positive=True)  # sum alpha_i/eps_i^2
gamma = sympy.Symbol("gamma", positive=True)  # sum alpha_i^{1/3} beta_i^{2/3}
a, b, e = sympy.symbols("alpha_i beta_i eps_i", positive=True)
third = Rational(1, 3)
claim = Le(gamma**3 / sym.eps**2, cost)
best = sym.eps / gamma * (a / b) ** third

STATEMENT = Statement(
    label="C.9",
    title="Allocation of a covering radius",
    claim=claim,
    source="theory.md 2, C.9 (Edelman et al. 2022, Lemma A.8)",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "S = sum_i alpha_i/eps_i^2, gamma = sum_i alpha_i^{1/3} beta_i^{2/3}, sum_i beta_i eps_i = eps",
        "alpha_i, beta_i, eps_i > 0",
    ),
    witness={cost: 2, gamma: 1, sym.eps: 1},
    derivation=(
        Step("terms", Eq(a**third * b ** (2 * third), (a / e**2) ** third * (b * e) ** (2 * third)), Identity()),
        Step(
            "Hoelder",
            Le(gamma**3, cost * sym.eps**2),
            Axiom("Hoelder with exponents 3 and 3/2 on the terms", "Hardy, Littlewood, Polya, Inequalities, 2.8"),
            using=("terms",),
        ),
        # equality: at eps_i = (eps/gamma)(alpha_i/beta_i)^{1/3} both sums are proportional to the terms of gamma
        Step("cost at the optimum", Eq(a / best**2, gamma**2 / sym.eps**2 * a**third * b ** (2 * third)), Identity()),
        Step("radius at the optimum", Eq(b * best, sym.eps / gamma * a**third * b ** (2 * third)), Identity()),
        Step("lower bound", claim, Z3(), using=("Hoelder",)),
    ),
    not_claimed=("Nothing for alpha_i = 0 or beta_i = 0: such blocks take no share.", "Ceilings are not included."),
)
