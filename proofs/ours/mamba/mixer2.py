"""M4.4: how far y of one channel of a Mamba-2 mixer moves, before its gate and norm."""

from collections.abc import Mapping

import sympy

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.ours.mamba.mixer import (
    OF_SUMS,
    R_1,
    R_A,
    WITNESS,
    B,
    C,
    D,
    R_g,
    U,
    claim,
    derivation,
    move,
    moved,
)
from ssm_bounds.proofs.statement import Kind, Statement, Verdict
from ssm_bounds.proofs.systems.mamba import MAMBA2, Range, arrays2, ball, output2, pair, sums
from ssm_bounds.proofs.systems.selective_ssm import larger


def bind(numbers: Numbers, arrays: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    first, second = pair(arrays, numbers, MAMBA2)
    both, v = (first, second), ball(numbers, arrays["v"])
    ranges = [Range.of(numbers, first, second, j) for j in range(3)]
    size = [one.size(numbers) for one in ranges]
    moves = [one.slope(numbers) * one.move for one in ranges]

    def most(values: list[Array]) -> Array:
        return larger(numbers, values)

    heads = ("r_dt", "p", "A_log", "D")
    (row, p, A_log, skip), gap = (
        [[one[name][0] for one in both] for name in heads],
        {name: abs(first[name][0] - second[name][0]) for name in heads},
    )
    logit = most(p) - 4 + most([abs(one) for one in row])
    slow, fast = (numbers.exp(sign * most([sign * one for one in A_log])) for sign in (-1, 1))
    sum_1, gate, _, single = sums(numbers, slow, fast, numbers.softplus(logit), sizes["T"])
    y, y_ = (output2(numbers, one, v) for one in both)
    return {
        moved: abs(y - y_), U: size[0], B: size[1], C: size[2], R_1: sum_1, R_g: gate, R_A: single,
        D: most([abs(one) for one in skip]), move["u"]: moves[0], move["B"]: moves[1], move["C"]: moves[2],
        move["l"]: gap["p"] + gap["r_dt"], move["A"]: gap["A_log"], move["D"]: gap["D"],
    }  # fmt: skip


STATEMENT = Statement(
    label="M4.4",
    title="Perturbation of a Mamba-2 mixer, one channel before its gate and norm",
    claim=claim,
    source="theory.md M4.4",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=OF_SUMS,
    prose=(
        "two mixers with one input; d_y: how far y_{t,j} of a channel j of head h moves; y_X: the part of it through X",
        "U, B, C: suprema of |u_j| and of the l2 norms of B_t and C_t of h's group; D that of |D_h|",
        "d_u, and as l2 norms over the group d_B, d_C: L (|db| + chi |dK|_1 + kappa (rho |dr| + |dc|)) by channel; "
        "d_l = |dp_h| + rho |dr_{dt,h}|, d_A = |dA_log,h|, d_D = |dD_h|",
        "Sigma_1, Sigma_g, Sigma_A as in M4.2 with the one rate of the head, at most R_1, R_g and R_A = R_s (M4.1); a "
        "step between limits has |c'| <= c |l'| almost everywhere",
    ),
    witness=WITNESS,
    derivation=derivation(),
    not_claimed=("Anything through the norm without its eps: where w is small its slope is eps^(-1/2) (M6.1).",),
    adversary=Adversary(({"T": 2, "moves": 0},), arrays2, bind),
)
