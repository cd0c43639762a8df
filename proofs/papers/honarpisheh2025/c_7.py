"""Claim: |Delta b - Delta^ b^| <= M |b - b^| + |Delta - Delta^| |b^| for the update b = u (x) W_B u. True."""

from collections.abc import Mapping

import sympy
from sympy import Le

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

update, matrix, gate, gate_size, other, b_move, b_size = sympy.symbols(
    "d_cb eps_B d_Delta Delta n_B d_b n_b", nonnegative=True
)
token = sympy.Symbol("n_u", nonnegative=True)
claim = Le(update, sym.M * sym.B_u**2 * matrix + sym.B_B * sym.B_u**2 * gate)


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    B, dB, u = free["B"], free["dB"], free["u"]
    first, second = numbers.softplus(free["gate"]), numbers.softplus(free["gate"] + free["step"])
    move = first * u[:, None] * (B @ u)[None, :] - second * u[:, None] * ((B + dB) @ u)[None, :]
    return {
        update: numbers.norm(move),
        matrix: numbers.spectral(dB),
        gate: abs(first - second),
        sym.M: numbers.maximum(first, second),
        sym.B_B: numbers.maximum(numbers.spectral(B), numbers.spectral(B + dB)),
        sym.B_u: numbers.norm(u),
    }


STATEMENT = Statement(
    label="paper:C.7",
    title="How far an update of the state moves",
    claim=claim,
    source="theory.md 2, C.4 to C.8 (arXiv:2502.01473v3, Lemmas C.4 to C.8; which label has which step is our reading)",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(gate_size, sym.M), Le(other, sym.B_B), Le(token, sym.B_u)),
    prose=(
        "b = u (x) W_B u: d_cb = |Delta b - Delta^ b^|, d_b = |b - b^|, n_b = |b^|, n_B = |W^_B|_2, n_u = |u|, "
        "eps_B = |W_B - W^_B|_2, d_Delta = |Delta - Delta^|",
    ),
    witness=dict.fromkeys((update, matrix, gate, gate_size, other, b_move, b_size, token), 1)
    | {sym.M: 1, sym.B_B: 1, sym.B_u: 1},
    derivation=(
        Step(
            "triangle",
            Le(update, gate_size * b_move + gate * b_size),
            Axiom("Delta b - Delta^ b^ = Delta (b - b^) + (Delta - Delta^) b^; triangle inequality", "norm rules"),
        ),
        Step("move of b", Le(b_move, matrix * token**2), Axiom("|u (x) v| = |u||v|, |W v| <= |W|_2 |v|", "norm rules")),
        Step("size of b", Le(b_size, other * token**2), Axiom("|u (x) v| = |u||v|, |W v| <= |W|_2 |v|", "norm rules")),
        Step("radius of b", Le(b_move, matrix * sym.B_u**2), Z3(), ("move of b",)),
        Step("bound of b", Le(b_size, sym.B_B * sym.B_u**2), Z3(), ("size of b",)),
        Step("conclusion", claim, Z3(), ("triangle", "radius of b", "bound of b")),
    ),
    adversary=Adversary(
        ({"d": 1, "N": 1}, {"d": 2, "N": 3}),
        lambda sizes: {
            "B": (sizes["N"], sizes["d"]), "dB": (sizes["N"], sizes["d"]), "u": (sizes["d"],), "gate": (), "step": ()
        },
        bind,
    ),
)  # fmt: skip
