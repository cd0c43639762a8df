"""Claim: a gate moves by at most |p - p^| + B_u |q - q^|. True."""

from collections.abc import Mapping

import sympy
from sympy import Le

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

gate, logit, bias, weights, token = sympy.symbols("d_Delta d_ell eps_p eps_q n_u", nonnegative=True)
claim = Le(gate, bias + sym.B_u * weights)


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    q, dq, p, dp, u = (free[name] for name in ("q", "dq", "p", "dp", "u"))
    before, after = (numbers.softplus(bias + (weights * u).sum()) for bias, weights in ((p, q), (p + dp, q + dq)))
    return {gate: abs(before - after), bias: abs(dp), weights: numbers.norm(dq), sym.B_u: numbers.norm(u)}


STATEMENT = Statement(
    label="paper:C.5",
    title="How far a gate moves",
    claim=claim,
    source="theory.md 2, C.4 to C.8 (arXiv:2502.01473v3, Lemmas C.4 to C.8; which label has which step is our reading)",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(token, sym.B_u),),
    prose=("d_Delta, d_ell: moves of a gate and of its logit p + q.u; eps_p = |p - p^|, eps_q = |q - q^|_2",),
    witness={gate: 1, logit: 1, bias: 1, weights: 1, token: 1, sym.B_u: 1},
    derivation=(
        Step("softplus", Le(gate, logit), Axiom("softplus is 1-Lipschitz", "statement paper:C.4")),
        Step("logit", Le(logit, bias + weights * token), Axiom("triangle inequality and Cauchy-Schwarz", "norm rules")),
        Step("conclusion", claim, Z3(), ("softplus", "logit")),
    ),
    adversary=Adversary(
        ({"d": 1}, {"d": 3}),
        lambda sizes: {"q": (sizes["d"],), "dq": (sizes["d"],), "p": (), "dp": (), "u": (sizes["d"],)},
        bind,
    ),
)
