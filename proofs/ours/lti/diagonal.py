"""14.6: how far the output of a diagonal layer with real exponents moves with A, B, C and the readout."""

from collections.abc import Mapping

import sympy
from sympy import Le

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.lti.real import DIAGONAL
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict
from ssm_bounds.proofs.systems.selective_ssm import larger, rows

moved = sympy.Symbol("d_z", nonnegative=True)
beta = DIAGONAL.beta("sharp")
radius = {block: sympy.Symbol(f"eps_{block}", nonnegative=True) for block in beta}
block_move = {block: sympy.Symbol(f"d_{block}", nonnegative=True) for block in beta}
claim = Le(moved, sympy.Add(*(beta[block] * radius[block] for block in beta)))

CHANNELS = "|sum_j w_j u_j v_j| <= |w| |u| max|v_j|; Cauchy-Schwarz over the states"
WHY = {
    "A": Axiom("lag by lag, |e^{a l} - e^{a' l}| <= l e^{s l} |a - a'| for a, a' <= s", f"mean value; {CHANNELS}"),
    "B": Axiom("lag by lag, e^{s l} max_j |C_j| |B_j - B'_j|", CHANNELS),
    "C": Axiom("lag by lag, e^{s l} max_j |C_j - C'_j| |B_j|", CHANNELS),
    "w": Axiom("lag by lag, e^{s l} max_j |C_j| |B_j|", CHANNELS),
}


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """B and C are divided by the largest norm of a channel of both members; inputs by their lag."""
    scale, inputs = numbers.exp(free["scale"]), free["u"]

    def channels(array: Array) -> Array:
        return larger(numbers, rows(numbers, array))

    first = {block: free[block] for block in beta}
    second = {
        block: value + scale * free[f"move of {block}"] if sizes[block] else value for block, value in first.items()
    }
    for block in ("B", "C"):
        largest = numbers.maximum(channels(first[block]), channels(second[block]))
        first[block], second[block] = first[block] / largest, second[block] / largest

    def output(model: Mapping[str, Array]) -> Array:
        kernels = [(model["C"] * numbers.exp(lag * model["A"]) * model["B"]).sum(1) for lag in range(sizes["T"])]
        found = (model["w"] * kernels[0] * inputs[0]).sum()
        for lag in range(1, sizes["T"]):
            found = found + (model["w"] * kernels[lag] * inputs[lag]).sum()
        return found

    return {
        moved: abs(output(first) - output(second)),
        radius["A"]: numbers.largest(abs(first["A"] - second["A"])),
        radius["B"]: channels(first["B"] - second["B"]),
        radius["C"]: channels(first["C"] - second["C"]),
        radius["w"]: numbers.norm(first["w"] - second["w"]),
        sym.rho: numbers.exp(numbers.maximum(numbers.largest(first["A"]), numbers.largest(second["A"]))),
        sym.B_w: numbers.maximum(numbers.norm(first["w"]), numbers.norm(second["w"])),
        sym.B_u: larger(numbers, rows(numbers, inputs)),
        sym.T: sizes["T"],
    }


def arrays(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("A", "B", "C"), (sizes["d"], sizes["N"]))
    shapes["w"] = (sizes["d"],)
    moves = {f"move of {block}": shape for block, shape in shapes.items() if sizes[block]}
    return shapes | moves | {"u": (sizes["T"], sizes["d"]), "scale": ()}


def moving(blocks: str, T: int, d: int, N: int) -> Sizes:
    return {"T": T, "d": d, "N": N} | {block: int(block in blocks) for block in beta}


STATEMENT = Statement(
    label="14.6",
    title="Perturbation of a diagonal layer with real exponents",
    claim=claim,
    source="theory.md 14.6",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "d_z = |z - z'| of two members of the class on one input, |u_t|_2 <= B_u; one output",
        "eps_A = max |a_jn - a'_jn|, eps_B = max_j |B_j - B'_j|_2, eps_C likewise, eps_w = |w - w'|_2",
        "a_jn <= s, max_j |B_j|_2 <= 1, max_j |C_j|_2 <= 1, |w|_2 <= B_w for both; rho = e^s",
    ),
    witness={moved: 0, sym.S_1: 1, sym.S_2: 0, sym.B_w: 1, sym.B_u: 1}
    | dict.fromkeys((*radius.values(), *block_move.values()), 0),
    derivation=(
        *(Step(block, Le(block_move[block], beta[block] * radius[block]), WHY[block]) for block in beta),
        Step(
            "one block at a time",
            Le(moved, sympy.Add(*block_move.values())),
            Axiom("triangle inequality through the models that change block by block", "the class is a product"),
        ),
        Step("conclusion", claim, Z3(), (*beta, "one block at a time")),
    ),
    adversary=Adversary(
        (
            moving("A", 3, 1, 1),
            moving("B", 2, 2, 2),
            moving("C", 1, 1, 2),
            moving("w", 3, 2, 1),
            moving("ABCw", 2, 1, 1),
        ),
        arrays,
        bind,
    ),
)
