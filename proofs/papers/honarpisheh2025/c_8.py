"""Claim: |(B_c - B^_c) v| <= |v| |(W_B - W^_B) u|, B_c = I (x) W_B u. True, with equality."""

from collections.abc import Mapping

import sympy
from sympy import Le

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

applied, operator, vector, moved = sympy.symbols("d_Bv n_dB n_v d_Wu", nonnegative=True)
claim = Le(applied, vector * moved)


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    change = free["dB"] @ free["u"]
    kronecker = (free["v"][:, None] * change[None, :]).reshape(-1)  # (I (x) dW u) v
    return {applied: numbers.norm(kronecker), vector: numbers.norm(free["v"]), moved: numbers.norm(change)}


STATEMENT = Statement(
    label="paper:C.8",
    title="How far the input map of all channels moves",
    claim=claim,
    source="theory.md 2, C.4 to C.8 (arXiv:2502.01473v3, Lemma C.8)",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=("d_Bv = |(B_c - B^_c) v|_2 with B_c = I_d (x) W_B u, n_dB = |B_c - B^_c|_2, d_Wu = |(W_B - W^_B) u|_2",),
    witness={applied: 1, operator: 1, vector: 1, moved: 1},
    derivation=(
        Step("operator norm", Le(applied, operator * vector), Axiom("|D v| <= |D|_2 |v|", "operator norm")),
        Step("Kronecker", Le(operator, moved), Axiom("|I (x) w|_2 = |w|_2", "Kronecker product of norms")),
        Step("conclusion", claim, Z3(), ("operator norm", "Kronecker")),
    ),
    adversary=Adversary(
        ({"d": 1, "N": 1}, {"d": 2, "N": 3}),
        lambda sizes: {"dB": (sizes["N"], sizes["d"]), "u": (sizes["d"],), "v": (sizes["d"],)},
        bind,
    ),
)
