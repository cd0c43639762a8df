"""M7.1: the published route bounds the state with a step for each channel too, by the largest and the least of them."""

from collections.abc import Mapping

import sympy
from sympy import Le, exp

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom, Fold
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict
from ssm_bounds.proofs.systems.selective_ssm import larger

c, m, M, rate = sympy.symbols("c m M lambda", positive=True)
tau, i, w, rho_i, weights, S_1, state, B_B, B_u = sympy.symbols("tau i omega r Sigma S_1 s B_B B_u", nonnegative=True)
claim = Le(state, M * B_B * B_u**2 * S_1)


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """N = 1, W_B a row: tokens (T,d) of norm 1, steps (T,d) down to a least one."""
    T, d, slow = sizes["T"], sizes["d"], numbers.exp(free["rate"])
    least = numbers.exp(free["least"])
    steps = least + numbers.exp(free["steps"] - 5)
    u = [row / numbers.norm(row) for row in free["u"]]
    entries = []
    for j in range(d):
        kept = steps[:, j] * numbers.exp(-slow * numbers.prefix_sums(steps[:, j]))
        entries.append(sum(kept[t] * u[t][j] * (free["B"] * u[t]).sum() for t in range(T)))
    ratio = numbers.exp(-slow * least)
    powers, total = 1, 0 * ratio
    for _ in range(T):
        total, powers = total + powers, powers * ratio
    norm = numbers.norm(free["B"])
    square = sum(entry * entry for entry in entries)
    largest = larger(numbers, [numbers.largest(steps[:, j]) for j in range(d)])
    root = numbers.exp(numbers.log(square + 1e-60) / 2) - 1e-30
    return {state: root, M: largest, B_B: norm, B_u: 1, S_1: total}


STATEMENT = Statement(
    label="M7.1",
    title="The published bound of the state, with a step for each channel",
    claim=claim,
    source="theory.md M7.1",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(c, M), Le(m * i, tau)),
    prose=(
        "s = |s_t|_F; M and m the largest and the least step, -lambda the spectral abscissa",
        "B_B = |W_B|_2, |u_i|_2 <= B_u",
        "Sigma = sum_i omega_i, omega_i the largest c_ij e^{a tau_ij} of token i, attained by c and tau >= m i",
        "S_1 = sum_{i<T} r^i with r^i = e^{-lambda m i}, written r",
    ),
    witness=dict.fromkeys((c, m, M, rate, w, rho_i, weights, S_1, state, B_B, B_u), 1) | {tau: 1, i: 0},
    derivation=(
        Step("weight", Le(c * exp(-rate * tau), M * exp(-rate * m * i)), Z3()),
        Step("in rho", Le(w, M * rho_i), Axiom("omega_i and r^i are these", "definition"), ("weight",)),
        Step("all tokens", Le(weights, M * S_1), Fold(((weights, w), (S_1, rho_i))), ("in rho",)),
        Step(
            "norms",
            Le(state, B_B * B_u**2 * weights),
            Axiom("triangle inequality over tokens; |u (x) W_B u| = |u||W_B u|; the largest weight", "norm rules"),
        ),
        Step("conclusion", claim, Z3(), ("norms", "all tokens")),
    ),
    not_claimed=("The sharp sums of M3, which do not see the least step.",),
    adversary=Adversary(
        ({"T": 2, "d": 2},),
        lambda sizes: (
            dict.fromkeys(("steps", "u"), (sizes["T"], sizes["d"])) | {"B": (sizes["d"],), "rate": (), "least": ()}
        ),
        bind,
    ),
)
