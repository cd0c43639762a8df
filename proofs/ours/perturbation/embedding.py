"""5.4, the trained embedding as a block: every token moves by at most eps_e, inputs stay in the ball."""

from collections.abc import Mapping

import sympy
from sympy import Eq, Integer, Le

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.perturbation import EMBEDDING, SHARP
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.lemma import Lemma
from ssm_bounds.proofs.ours.perturbation import sharp as t5_1
from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict
from ssm_bounds.proofs.systems.selective_ssm import (
    class_constants,
    distances,
    output_move,
    pair,
    pair_arrays,
    pair_sizes,
)

moved, in_sums, in_output, in_gates = sympy.symbols("d_z d_sums d_output d_gates", nonnegative=True)
radius, product, u, u_hat = sympy.symbols("eps_e d_uWu n_u n_uhat", nonnegative=True)
S_1 = t5_1.S_1
claim = Le(moved, EMBEDDING * radius)


def bind(numbers: Numbers, arrays: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    first, second = pair(numbers, arrays, sizes)
    distance = distances(numbers, first, second)
    return class_constants(numbers, first, second) | {moved: output_move(numbers, first, second), radius: distance["e"]}


STATEMENT = Statement(
    label="5.4",
    title="Trained embedding as a block",
    claim=claim,
    source="theory.md 5.4",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(
        Le(S_1, sym.R_1),
        Le(u, sym.B_u),
        Le(u_hat, sym.B_u),
        Eq(sym.kappa, DEFINITIONS[sym.kappa]),
        *t5_1.OF_R_G,
    ),
    prose=(
        "one model with two embeddings of rows at most B_u; eps_e: largest move of a row; every gate between is at "
        "most M",
        "Sigma_1 = sum_i c_i e^{s_A tau_i}, at most R_1 by 4.5; n_u, n_uhat: norms of a token before and after",
        "d_uWu = |u (x) W_B u - u^ (x) W_B u^|; d_sums, d_output, d_gates: moves of the output by the tokens in the "
        "sums, by the last one in W_C u, and by the gates",
    ),
    witness=dict.fromkeys((radius, product, u, u_hat, in_sums, in_output, in_gates), 1)
    | dict.fromkeys((sym.B_w, sym.B_B, sym.B_C, sym.B_u, sym.B_q, sym.kappa, sym.R_1, sym.R_2, S_1), 1)
    | {moved: 1, sym.s_A: -1, t5_1.c: 1, sym.M: 2, sym.R_g: 2},
    derivation=(
        Step(
            "one token",
            Le(product, radius * sym.B_B * u + u_hat * sym.B_B * radius),
            Axiom("u (x) Wu - u^ (x) Wu^ = (u - u^) (x) Wu + u^ (x) W(u - u^); triangle inequality", "norm rules"),
        ),
        Step("twice B_u", Le(product, 2 * sym.B_B * sym.B_u * radius), Z3(), ("one token",)),
        Step(
            "tokens in the sums",
            Le(in_sums, sym.B_w * sym.B_C * sym.B_u * S_1 * 2 * sym.B_B * sym.B_u * radius),
            Axiom("triangle inequality over (U); submultiplicativity", "norm rules"),
            ("twice B_u",),
        ),
        Step(
            "last token in the output map",
            Le(in_output, sym.B_w * sym.B_C * radius * S_1 * sym.B_B * sym.B_u**2),
            Axiom("triangle inequality over (U); submultiplicativity", "norm rules"),
        ),
        Step(
            "gates",  # a logit q.u moves by at most B_q eps_e
            Le(in_gates, SHARP["g"] * sym.B_q * radius),
            Lemma(
                t5_1.STATEMENT,
                (
                    (t5_1.moved, in_gates),
                    *((size, Integer(0)) for block, size in t5_1.radius.items() if block != "g"),
                    (t5_1.radius["g"], sym.B_q * radius),
                    (t5_1.a, sym.s_A),
                    (t5_1.S_1, sym.R_1),
                    (t5_1.S_2, sym.R_2),
                ),
            ),
        ),
        Step(
            "three moves",
            Le(moved, in_sums + in_output + in_gates),
            Axiom("triangle inequality through the inputs that change part by part", "norm rules"),
        ),
        Step(
            "sums",
            Le(in_sums, 2 * sym.B_w * sym.B_C * sym.B_B * sym.B_u**2 * sym.R_1 * radius),
            Z3(),
            ("tokens in the sums",),
        ),
        Step(
            "output",
            Le(in_output, sym.B_w * sym.B_C * sym.B_B * sym.B_u**2 * sym.R_1 * radius),
            Z3(),
            ("last token in the output map",),
        ),
        Step("conclusion", claim, Z3(), ("three moves", "sums", "output", "gates")),
    ),
    not_claimed=("Nothing for inputs under a vocabulary constraint: with a trained embedding it is bilinear (3.3).",),
    adversary=Adversary(
        pair_sizes(("U", 1, 1, 1, True), ("U", 3, 2, 2, False), ("U", 4, 2, 1, True)), pair_arrays, bind
    ),
)
