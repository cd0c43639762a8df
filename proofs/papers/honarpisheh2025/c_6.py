"""Claim: |Delta A - Delta^ A^| <= M |A - A^| + B_A |Delta - Delta^|. True."""

from collections.abc import Mapping

import sympy
from sympy import Le

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

exponent, matrix, gate, matrix_norm, gate_size = sympy.symbols("d_cA eps_A d_Delta n_A Delta", nonnegative=True)
claim = Le(exponent, sym.M * matrix + sym.B_A * gate)


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    A, dA = free["A"], free["dA"]
    first, second = numbers.softplus(free["gate"]), numbers.softplus(free["gate"] + free["step"])
    return {
        exponent: numbers.spectral(first * A - second * (A + dA)),
        matrix: numbers.spectral(dA),
        gate: abs(first - second),
        sym.M: numbers.maximum(first, second),
        sym.B_A: numbers.maximum(numbers.spectral(A), numbers.spectral(A + dA)),
    }


STATEMENT = Statement(
    label="paper:C.6",
    title="How far an exponent moves",
    claim=claim,
    source="theory.md 2, C.4 to C.8 (arXiv:2502.01473v3, Lemmas C.4 to C.8; which label has which step is our reading)",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(gate_size, sym.M), Le(matrix_norm, sym.B_A)),
    prose=("d_cA = |Delta A - Delta^ A^|_2, eps_A = |A - A^|_2, d_Delta = |Delta - Delta^|, n_A = |A^|_2",),
    witness={exponent: 1, matrix: 1, gate: 1, matrix_norm: 1, gate_size: 1, sym.M: 1, sym.B_A: 1},
    derivation=(
        Step(
            "triangle",
            Le(exponent, gate_size * matrix + gate * matrix_norm),
            Axiom("Delta A - Delta^ A^ = Delta (A - A^) + (Delta - Delta^) A^; triangle inequality", "norm rules"),
        ),
        Step("conclusion", claim, Z3(), ("triangle",)),
    ),
    adversary=Adversary(
        ({"n": 1}, {"n": 3}),
        lambda sizes: {"A": (sizes["n"],) * 2, "dA": (sizes["n"],) * 2, "gate": (), "step": ()},
        bind,
    ),
)
