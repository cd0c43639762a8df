"""5.3, vocabulary constants: the same theorem in the norms that a fixed embedding sees (one output)."""

from collections.abc import Mapping

import sympy
from sympy import Le

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.perturbation import VOCABULARY
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.ours.perturbation import sharp as t5_1
from ssm_bounds.proofs.ours.perturbation.sharp import (
    LARGEST_SLOPES,
    OF_R_G,
    PATH,
    S_1,
    S_2,
    S_s,
    a,
    block_by_block,
    block_move,
    c,
    moved,
    radius,
)
from ssm_bounds.proofs.solvers import Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict
from ssm_bounds.proofs.systems.selective_ssm import (
    class_constants,
    distances,
    larger,
    output_move,
    pair,
    pair_arrays,
    pair_sizes,
    rows,
)

kappa = sym.v_w * sym.v_B * sym.v_C
claim = Le(moved, sympy.Add(*(VOCABULARY[block] * radius[block] for block in VOCABULARY)))
KEPT = {
    step.name: step
    for step in t5_1.STATEMENT.derivation
    if (not isinstance(step.by, Axiom) or step is LARGEST_SLOPES)
    and not step.name.startswith("coefficient")
    and step.claim != t5_1.claim
}


def bind(numbers: Numbers, arrays: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """The vocabulary is the rows of U."""
    both = first, second = pair(numbers, arrays, sizes)
    distance = distances(numbers, first, second)

    def image(matrix: Array) -> Array:
        return larger(numbers, rows(numbers, first.U @ matrix.T))

    def readout(matrix: Array) -> Array:
        return larger(numbers, list(abs(matrix[0] * first.U).sum(1)))

    return class_constants(numbers, first, second) | {
        moved: output_move(numbers, first, second),
        radius["A"]: distance["A"],
        radius["g"]: distance["g"],
        radius["B"]: image(first.B - second.B),
        radius["C"]: image(first.C - second.C),
        radius["w"]: readout(first.W - second.W),
        sym.v_B: larger(numbers, [image(s.B) for s in both]),
        sym.v_C: larger(numbers, [image(s.C) for s in both]),
        sym.v_w: larger(numbers, [readout(s.W) for s in both]),
    }


NORMS = Axiom(
    "triangle inequality over (U); |sum_j w_j u_j x_j| <= |w o u|_1 max|x_j|, Cauchy-Schwarz in n, constants of 5.3",
    "norm rules, Hoelder, Cauchy-Schwarz",
)

STATEMENT = Statement(
    label="5.3",
    title="Perturbation in vocabulary constants (k = 1)",
    claim=claim,
    source="theory.md 5.3; W in its own norm max_v |w o e_v|_1 as well",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(a, sym.s_A), Le(S_1, sym.R_1), Le(S_2, sym.R_2), *OF_R_G),
    prose=(
        "two models of the class with one input whose tokens are rows of a fixed embedding; eps_A = |A - A^|_max, "
        "eps_g: largest move of a logit; eps_B = max_v |(W_B - W^_B) e_v|, eps_C likewise, "
        "eps_w = max_v |(w - w^) o e_v|_1",
        "Sigma_1, Sigma_2, a, c, tau, d_X: as in 5.1",
    ),
    witness=dict.fromkeys((*radius.values(), *block_move.values(), sym.v_w, sym.v_B, sym.v_C), 1)
    | {moved: 1, S_1: 1, S_2: 1, sym.R_1: 1, sym.R_2: 1, sym.s_A: -1, a: -2, c: 1, sym.M: 2, sym.R_g: 2},
    derivation=(
        *KEPT.values(),
        Step("A", Le(block_move["A"], kappa * S_2 * radius["A"]), NORMS, ("A, one entry",)),
        Step("W_B", Le(block_move["B"], sym.v_w * sym.v_C * S_1 * radius["B"]), NORMS),
        Step("W_C", Le(block_move["C"], sym.v_w * sym.v_B * S_1 * radius["C"]), NORMS),
        Step("W", Le(block_move["w"], sym.v_B * sym.v_C * S_1 * radius["w"]), NORMS),
        Step(
            "gate",
            Le(block_move["g"], kappa * S_s * radius["g"]),
            PATH,
            ("gates move multiplicatively",),
        ),
        *block_by_block(VOCABULARY),
    ),
    not_claimed=(
        "Coefficients of W_B and W_C by v_w v_B v_C over a spectral norm: dividing the small kappa by B_B is unsound.",
    ),
    adversary=Adversary(
        pair_sizes(("A", 2, 1, 1, True), ("W", 2, 2, 1, False), ("ABCqpW", 4, 2, 2, True)), pair_arrays, bind
    ),
)
