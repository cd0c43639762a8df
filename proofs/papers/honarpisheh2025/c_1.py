"""Claim: |I (x) W_B u|_2 <= B_B B_u. True; C.2 is the same for W_C."""

from collections.abc import Mapping

import sympy
from sympy import Eq, Le

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

kron, product, matrix, vector = sympy.symbols("n_kron n_Wu n_W n_u", nonnegative=True)


def norm_of_map(label: str, title: str, radius: sympy.Symbol, map_: str, image: str) -> Statement:
    """``|map| <= radius B_u`` for a Kronecker product of the identity with a vector W u."""
    claim = Le(kron, radius * sym.B_u)

    def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
        W, u = free["W"], free["u"]
        return {kron: numbers.norm(W @ u), radius: numbers.spectral(W), sym.B_u: numbers.norm(u)}

    return Statement(
        label=label,
        title=title,
        claim=claim,
        source="theory.md 2, C.1 and C.2 (arXiv:2502.01473v3, Lemmas C.1, C.2)",
        kind=Kind.TIGHT,
        recorded=Verdict.PROVED_FROM_AXIOMS,
        hypotheses=(Le(matrix, radius), Le(vector, sym.B_u)),
        prose=(f"n_kron = |{map_}|_2, n_Wu = |{image} u|_2, n_W = |{image}|_2, n_u = |u|_2",),
        witness={kron: 1, product: 1, matrix: 1, vector: 1, radius: 1, sym.B_u: 1},
        derivation=(
            Step("Kronecker", Eq(kron, product), Axiom("|I (x) v|_2 = |v|_2 = |v^T|_2", "Kronecker product of norms")),
            Step("submultiplicative", Le(product, matrix * vector), Axiom("|W u| <= |W|_2 |u|", "operator norm")),
            Step("radii", claim, Z3(), ("Kronecker", "submultiplicative")),
        ),
        adversary=Adversary(
            ({"d": 1, "N": 1}, {"d": 2, "N": 3}),
            lambda sizes: {"W": (sizes["N"], sizes["d"]), "u": (sizes["d"],)},
            bind,
        ),
    )


STATEMENT = norm_of_map("paper:C.1", "Norm of the input map of all channels", sym.B_B, "I_d (x) W_B u", "W_B")
