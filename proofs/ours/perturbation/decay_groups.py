"""5.2, decay groups: each group of entries of A, rows of W_B and W_C, columns of W moves z by its own decay bound."""

from collections.abc import Mapping

import sympy
from sympy import Eq, Implies, Le, exp

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.perturbation import SHARP
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.lemma import Lemma
from ssm_bounds.proofs.ours.perturbation import sharp as t5_1
from ssm_bounds.proofs.solvers import Z3, Axiom, Sum
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict
from ssm_bounds.proofs.systems.selective_ssm import (
    class_constants,
    distances,
    larger,
    output_move,
    pair,
    pair_arrays,
    pair_sizes,
)

moved = t5_1.moved
gate = t5_1.radius["g"]
tau, h = t5_1.tau, t5_1.h
a = sympy.Symbol("a", real=True)  # an entry of A in a group
GROUPS = (1, 2)
BLOCKS = ("A", "B", "C", "w")


def _each(name: str, **assumptions: bool) -> dict[tuple[str, int], sympy.Symbol]:
    return {(block, g): sympy.Symbol(f"{name}_{block}{g}", **assumptions) for block in BLOCKS for g in GROUPS}


radius, block_move = _each("eps", nonnegative=True), _each("d", nonnegative=True)
bound = _each("s", real=True)  # the decay bound of each group
R_1, R_2 = _each("R1", nonnegative=True), _each("R2", nonnegative=True)
PHI = _each("phi", nonnegative=True)
S_1, S_2 = _each("Sigma1", nonnegative=True), _each("Sigma2", nonnegative=True)
gate_move = sympy.Symbol("d_g", nonnegative=True)


def coefficient(block: str, g: int) -> sympy.Expr:
    """The coefficient of 5.1 at the group's own decay bound."""
    return SHARP[block].xreplace({sym.R_1: R_1[block, g], sym.R_2: R_2[block, g]})


claim = Le(moved, sympy.Add(*(coefficient(*key) * radius[key] for key in radius), SHARP["g"] * gate))


def bind(numbers: Numbers, arrays: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """Entries of A in a chequered split, rows and columns alternating; the smallest bounds that the groups allow."""
    both = first, second = pair(numbers, arrays, sizes)
    found = class_constants(numbers, first, second) | {moved: output_move(numbers, first, second)}
    found[gate] = distances(numbers, first, second)["g"]
    d, N = first.A.shape
    for block, g in radius:
        if block == "A":
            touched = [(j, n) for j in range(d) for n in range(N) if (j + n) % 2 == g - 1]
            size = larger(numbers, [abs(first.A[place] - second.A[place]) for place in touched])
        elif block == "w":
            columns = [j for j in range(d) if j % 2 == g - 1]
            touched = [(j, n) for j in columns for n in range(N)]
            size = numbers.spectral((first.W - second.W)[:, columns])
        else:
            states = [n for n in range(N) if n % 2 == g - 1]
            touched = [(j, n) for j in range(d) for n in states]
            change = first.B - second.B if block == "B" else first.C - second.C
            size = numbers.spectral(change[states])
        key = block, g
        at = {sym.s_A: bound[key], sym.lambda_: -bound[key], sym.phi: PHI[key]}
        found |= {
            radius[key]: size,
            bound[key]: larger(numbers, [system.A[place] for place in touched for system in both]),
            PHI[key]: DEFINITIONS[sym.phi].xreplace(at),
            R_1[key]: DEFINITIONS[sym.R_1].xreplace(at),
            R_2[key]: DEFINITIONS[sym.R_2].xreplace(at),
        }
    return found


STATEMENT = Statement(
    label="5.2",
    title="Perturbation with decay groups",
    claim=claim,
    source="theory.md 5.2",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(
        Eq(sym.kappa, DEFINITIONS[sym.kappa]),
        *(Le(S_1[key], R_1[key]) for key in radius),
        *(Le(S_2[key], R_2[key]) for key in radius),
        *t5_1.OF_R_G,
    ),
    prose=(
        "two groups of each block, of the entries of A, rows of W_B and W_C, columns of W; s_Xg bounds every decay "
        "that group g of block X touches, in both models; R1_Xg, R2_Xg: R_1, R_2 at s_Xg; s_A: the largest of them",
        "eps_Ag: largest move of an entry of the group; eps_Bg, eps_Cg, eps_wg: spectral norm of the moved part",
        "Sigma1_Xg, Sigma2_Xg: the two sums at s_Xg, at most R1_Xg and R2_Xg by 4.5; d_Xg: move of the output by group "
        "g of block X alone",
    ),
    witness=dict.fromkeys((*radius.values(), *R_1.values(), *R_2.values(), *S_1.values(), *S_2.values()), 1)
    | dict.fromkeys((sym.B_w, sym.B_B, sym.B_C, sym.B_u, sym.R_1, sym.R_2, sym.kappa, gate, moved), 1)
    | {sym.s_A: -1, t5_1.c: 1, sym.M: 2, sym.R_g: 2},
    derivation=(
        *(
            Step(
                f"A, one entry of group {g}",
                Implies(
                    Le(a, bound["A", g]), Le(exp(a * tau) - exp((a - h) * tau), h * tau * exp(bound["A", g] * tau))
                ),
                Z3(),
            )
            for g in GROUPS
        ),
        *(
            Step(
                f"A{g}",
                Le(
                    block_move["A", g],
                    sym.B_w * sym.B_C * sym.B_u**3 * sym.B_B * S_2["A", g] * radius["A", g],
                ),
                Axiom(
                    "triangle inequality over (U); sum_{j,n in g} |(W^T x)_j u_j (W_C u)_n (W_B u)_n| is at most the "
                    "sum over all j, n, and Cauchy-Schwarz in j and in n",
                    "norm rules, Cauchy-Schwarz",
                ),
                (f"A, one entry of group {g}",),
            )
            for g in GROUPS
        ),
        *(
            Step(
                f"{block}{g}",
                Le(
                    block_move[block, g],
                    SHARP[block].xreplace({sym.R_1: S_1[block, g]}) * radius[block, g],
                ),
                Axiom(
                    "triangle inequality over (U) on the rows or columns of the group, where e^{a tau} <= e^{s_g tau}; "
                    "Cauchy-Schwarz in j and in n",
                    "norm rules, Cauchy-Schwarz",
                ),
            )
            for block in "BCw"
            for g in GROUPS
        ),
        *(
            Step(f"coefficient of {block}{g}", Le(block_move[block, g], coefficient(block, g) * radius[block, g]), Z3(),
                 (f"{block}{g}",))
            for block, g in radius
        ),
        Step(
            "gate",
            Le(gate_move, SHARP["g"] * gate),
            Lemma(
                t5_1.STATEMENT,
                (
                    (t5_1.moved, gate_move),
                    *((size, sympy.Integer(0)) for block, size in t5_1.radius.items() if block != "g"),
                    (t5_1.a, sym.s_A),
                    (t5_1.S_1, sym.R_1),
                    (t5_1.S_2, sym.R_2),
                ),
            ),
        ),
        Step(
            "one group at a time",
            Le(moved, sympy.Add(*block_move.values(), gate_move)),
            Axiom("triangle inequality through the models that change group by group", "both sets in the class"),
        ),
        Step(
            "conclusion",
            claim,
            Sum(),
            ("one group at a time", "gate", *(f"coefficient of {block}{g}" for block, g in radius)),
        ),
    ),
    not_claimed=(
        "A product of covers group by group: those centres leave the class (covers.lemmas.GroupVolume).",
    ),
    adversary=Adversary(
        pair_sizes(("ABCqpW", 2, 2, 2, True)), pair_arrays, bind
    ),
    theorems=(Theorem("perturbation.two_groups", Reading.FORMULA), Theorem("perturbation.any_groups", Reading.GENERAL)),
)  # fmt: skip
