"""Claim: the capacity of linear attention grows as kappa T. True: A = 0 and Delta = 1 give S_1 = T, exactly."""

import sympy
from sympy import Eq, Limit, Rational, log

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.perturbation import PUBLISHED, PUBLISHED_ALPHA, PUBLISHED_STATE
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS
from ssm_bounds.bounds.covers.entropy import allocation
from ssm_bounds.proofs.solvers import Identity
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

B_w, B_B, B_C, B_u, r_B, r_C, r_w = sympy.symbols("B_w B_B B_C B_u r_B r_C r_w", positive=True)
radii = {sym.B_w: B_w, sym.B_B: B_B, sym.B_C: B_C, sym.B_u: B_u}
ratios = {sym.M_B: r_B * B_B, sym.M_C: r_C * B_C, sym.M_w: r_w * B_w}
linear = {sym.M: sympy.Integer(1), sym.S_1: sym.T}


def printed(table: dict[str, sympy.Expr]) -> list[sympy.Expr]:
    """The blocks that linear attention covers, in its constants."""
    state = {sym.B_x: PUBLISHED_STATE}
    return [table[name].subs(state).subs(ratios | radii).subs(linear) for name in ("B", "C", "w")]


capacity = allocation(printed(PUBLISHED_ALPHA), printed(PUBLISHED)) ** Rational(3, 2)
kappa = DEFINITIONS[sym.kappa].subs(radii)
inputs, readout = log(2 * sym.N * sym.d + 1), log(2 * sym.k * sym.d + 1)
constant = (
    (r_B**2 * inputs) ** Rational(1, 3) + (r_C**2 * inputs) ** Rational(1, 3) + (r_w**2 * readout) ** Rational(1, 3)
)
claim = Eq(capacity, kappa * sym.T * constant ** Rational(3, 2))

STATEMENT = Statement(
    label="paper:3.4",
    title="Capacity of linear attention",
    claim=claim,
    source="theory.md 2, 3.4, and 10 (arXiv:2502.01473v3, Theorem 3.4)",
    kind=Kind.IDENTITY,
    recorded=Verdict.PROVED,
    prose=("A = 0 and Delta = 1 are fixed; W_B, W_C, W are covered; r_B = M_B/B_B, r_C = M_C/B_C, r_w = M_w/B_w",),
    witness=dict.fromkeys((B_w, B_B, B_C, B_u, r_B, r_C, r_w, sym.N, sym.d, sym.k), 1) | {sym.T: 7},
    derivation=(
        Step(
            "sum",
            Eq(Limit((1 - sym.rho**sym.T) / (1 - sym.rho), sym.rho, 1), sym.T),
            Identity(),
        ),
        Step("capacity", claim, Identity(), ("sum",)),
    ),
    not_claimed=("The blocks A and q, whose S_2 grows as T^2.", "Ceilings are not included."),
)
