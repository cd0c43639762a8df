"""10, linear attention (A = 0, Delta = 1): R_1 = T and the capacity is kappa T times a constant: exponent 1."""

import sympy
from sympy import Derivative, Eq, Limit, Rational, Sum, exp

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.covers.entropy import allocation
from ssm_bounds.bounds.explain.measurands import LINEAR
from ssm_bounds.proofs.solvers import Identity, Induction
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

T = sympy.Symbol("T", positive=True, integer=True)
t = sympy.Symbol("t", nonnegative=True, integer=True)
x, s = sympy.symbols("x s", positive=True)  # x: the length as a real number; s: the spectral abscissa
alphas = sympy.symbols("alpha_B alpha_C alpha_w", positive=True)

radii = (sym.B_B, sym.B_C, sym.B_w)
above_0 = {r: sympy.Symbol(r.name, positive=True) for r in (*radii, sym.B_u)}
betas = [beta.xreplace(above_0 | {sym.R_1: x}) for beta in LINEAR.values()]
capacity = allocation(alphas, betas) ** Rational(3, 2)
kappa = sympy.Mul(*(above_0[r] for r in radii)) * above_0[sym.B_u] ** 3
constant = allocation(alphas, [1 / above_0[r] for r in radii]) ** Rational(3, 2)
claim = Eq(capacity, kappa * x * constant, evaluate=False)

STATEMENT = Statement(
    label="10",
    title="Linear attention: the capacity is kappa T times a constant",
    claim=claim,
    source="theory.md 10",
    kind=Kind.IDENTITY,
    recorded=Verdict.PROVED,
    prose=(
        "A = 0 and Delta = 1, not parameters; W_B, W_C, W covered by 3.1, alpha_i = M_i^2 ln(2 n_i + 1), ceilings "
        "dropped; capacity gamma^{3/2} of C.9 with the coefficients of 5.1; x stands for R_1 = T",
    ),
    witness=dict.fromkeys((*above_0.values(), *alphas), 1) | {x: 2},
    derivation=(
        Step("R_1 is T", Eq(Sum(1, (t, 0, T - 1)), T, evaluate=False), Induction(T, 1)),
        Step("limit of 4.5", Eq(Limit((1 - exp(s * x)) / (1 - exp(s)), s, 0), x, evaluate=False), Identity()),
        Step("exponent", Eq(Limit(x * Derivative(capacity, x) / capacity, x, sympy.oo), 1, evaluate=False), Identity()),
        Step("capacity", claim, Identity(), ("R_1 is T",)),
    ),
    not_claimed=(
        "The bound at a fixed radius grows as sqrt(ln T): bounds/explain/growth.py.",
        "Nothing of the printed theorem's constants.",
    ),
)
