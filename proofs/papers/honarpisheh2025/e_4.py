"""Claim: |x_T| <= M B_B B_u^2 S_1. True with a valid rho."""

from collections.abc import Mapping

import sympy
from sympy import Eq, Le, Sum

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom, Induction
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

state, total = sympy.symbols("n_x S", nonnegative=True)
rho, M, B_B, B_u = sympy.symbols("rho M B_B B_u", positive=True)
T = sympy.Symbol("T", positive=True, integer=True)
t = sympy.Symbol("t", nonnegative=True, integer=True)
closed = (1 - rho**T) / (1 - rho)
claim = Le(state, M * B_B * B_u**2 * closed)


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    gates, tokens, W_B = numbers.softplus(free["logits"]), free["U"], free["B"]
    A = -free["A"] * free["A"]
    decay = numbers.exp(A[None] * numbers.prefix_sums(gates)[:, None, None])
    updates = (gates[:, None] * tokens)[:, :, None] * (tokens @ W_B.T)[:, None, :]
    largest = numbers.norm(tokens[0])
    for token in tokens:
        largest = numbers.maximum(largest, numbers.norm(token))
    return {
        state: numbers.norm((decay * updates).sum(0)),
        rho: numbers.exp(-numbers.largest(-gates) * numbers.largest(A)),
        M: numbers.largest(gates),
        B_B: numbers.spectral(W_B),
        B_u: largest,
        T: sizes["T"],
    }


STATEMENT = Statement(
    label="paper:E.4",
    title="Bound of the state",
    claim=claim,
    source="theory.md 2, E.4 (arXiv:2502.01473v3, Lemma E.4), with rho of 5.5",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=("n_x = |x_T|_2; every product of t transitions has norm at most rho^t; rho != 1; S = sum_{t<T} rho^t",),
    witness={state: 0, total: 1, rho: sympy.Rational(1, 2), M: 1, B_B: 1, B_u: 1, T: 1},
    derivation=(
        Step("closed form", Eq(Sum(rho**t, (t, 0, T - 1)), closed), Induction(T, 1)),
        Step("name of the sum", Eq(total, closed), Axiom("S is that sum", "definition"), ("closed form",)),
        Step(
            "triangle",
            Le(state, M * B_B * B_u**2 * total),
            Axiom("triangle inequality over T terms of norm rho^t M |u (x) W_B u|, and C.1", "unrolled form (U)"),
        ),
        Step("conclusion", claim, Z3(), ("triangle", "name of the sum")),
    ),
    not_claimed=("R_1 of 4.5 is sharper and needs no Delta_min.",),
    adversary=Adversary(
        ({"T": 1, "d": 1, "N": 1}, {"T": 4, "d": 2, "N": 2}),
        lambda sizes: {
            "A": (sizes["d"], sizes["N"]), "B": (sizes["N"], sizes["d"]), "U": (sizes["T"], sizes["d"]),
            "logits": (sizes["T"],),
        },
        bind,
    ),
)  # fmt: skip
