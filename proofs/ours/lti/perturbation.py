"""14.4: how far the output of a linear S4D model moves with its exponents, coefficients, skip and readout."""

from collections.abc import Mapping

import sympy
from sympy import Le

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.lti.table import S4D
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

moved = sympy.Symbol("d_z", nonnegative=True)
beta = S4D.beta("sharp")
radius = {block: sympy.Symbol(f"eps_{block}", nonnegative=True) for block in beta}
block_move = {block: sympy.Symbol(f"d_{block}", nonnegative=True) for block in beta}
claim = Le(moved, sympy.Add(*(beta[block] * radius[block] for block in beta)))

WHY = {
    "lambda": Axiom(
        "lag by lag, |e^{l x} - e^{l y}| <= l e^{s l} |x - y| on Re x, Re y <= s",
        "mean value inequality on a half-plane; |W diag(v) u| <= |W| max|v| |u|",
    ),
    "c": Axiom("lag by lag, 2 e^{s l} sum_n |dc_jn|", "triangle inequality; |W diag(v) u| <= |W| max|v| |u|"),
    "D": Axiom("at lag 0 alone", "|W diag(v) u| <= |W| max|v| |u|"),
    "w": Axiom("lag by lag, |k_jl| <= 2 C_1 e^{s l}, and D at lag 0", "|W diag(v) u| <= |W| max|v| |u|"),
}


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """Channels of one real mode, so of real exponents and coefficients; inputs by their lag."""

    def size(x: Array) -> Array:
        return numbers.maximum(numbers.largest(x), numbers.largest(-x))

    first = {block: free[block] for block in beta}
    second = {block: free[block] + free[f"move of {block}"] for block in beta}
    moves = {block: first[block] - second[block] for block in beta}
    inputs, T = free["u"], sizes["T"]

    def output(model: Mapping[str, Array]) -> Array:
        kernels = [2 * model["c"] * numbers.exp(lag * model["lambda"]) for lag in range(T)]
        kernels[0] = kernels[0] + model["D"]
        found = (model["w"] * kernels[0] * inputs[0]).sum()
        for lag in range(1, T):
            found = found + (model["w"] * kernels[lag] * inputs[lag]).sum()
        return found

    largest = numbers.norm(inputs[0])
    for lag in range(1, T):
        largest = numbers.maximum(largest, numbers.norm(inputs[lag]))
    difference = output(first) - output(second)
    return {
        moved: numbers.maximum(difference, -difference),
        radius["lambda"]: size(moves["lambda"]),
        radius["c"]: size(moves["c"]),
        radius["D"]: size(moves["D"]),
        radius["w"]: numbers.norm(moves["w"]),
        sym.rho: numbers.exp(numbers.maximum(numbers.largest(first["lambda"]), numbers.largest(second["lambda"]))),
        sym.C_1: numbers.maximum(size(first["c"]), size(second["c"])),
        sym.D_skip: numbers.maximum(size(first["D"]), size(second["D"])),
        sym.B_w: numbers.maximum(numbers.norm(first["w"]), numbers.norm(second["w"])),
        sym.B_u: largest,
        sym.T: T,
    }


def arrays(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    d = (sizes["d"],)
    return {name: d for block in beta for name in (block, f"move of {block}")} | {"u": (sizes["T"], sizes["d"])}


STATEMENT = Statement(
    label="14.4",
    title="Perturbation of a linear S4D model",
    claim=claim,
    source="theory.md 14.4",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "d_z = |z - z'|_2 of two members of the class on one input, |u_t|_2 <= B_u; any number of outputs",
        "eps_lambda = max |lambda_jn - lambda'_jn|, eps_c = max_j sum_n |c_jn - c'_jn|, eps_D = max |D_j - D'_j|, "
        "eps_w = |W - W'|_2",
        "Re lambda_jn <= s, max_j sum_n |c_jn| <= C_1, |D_j| <= D, |W|_2 <= B_w for both; rho = e^s",
    ),
    witness={moved: 0, sym.S_1: 1, sym.S_2: 0, sym.C_1: 1, sym.D_skip: 1, sym.B_w: 1, sym.B_u: 1}
    | dict.fromkeys((*radius.values(), *block_move.values()), 0),
    derivation=(
        *(Step(f"move of {block}", Le(block_move[block], beta[block] * radius[block]), WHY[block]) for block in beta),
        Step(
            "one block at a time",
            Le(moved, sympy.Add(*block_move.values())),
            Axiom("triangle inequality through the models that change block by block", "the class is a product"),
        ),
        Step("conclusion", claim, Z3(), (*(f"move of {block}" for block in beta), "one block at a time")),
    ),
    not_claimed=("Anything behind an activation; the adversary has real exponents alone, which attain it.",),
    adversary=Adversary(tuple({"d": d, "T": T} for d, T in ((1, 1), (1, 3), (2, 2))), arrays, bind),
)
