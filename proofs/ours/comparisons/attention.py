"""10.2: how far the output of a layer of softmax attention moves with its readout and its three matrices."""

from collections.abc import Mapping

import sympy
from sympy import Ge, Integer, Le

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.attention import SOFTMAX
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.lemma import Lemma
from ssm_bounds.proofs.ours.comparisons import softmax
from ssm_bounds.proofs.solvers import Z3, Axiom, Instance, Monotone
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict
from ssm_bounds.proofs.systems.selective_ssm import larger, rows

beta = SOFTMAX.beta("sharp")
moved = sympy.Symbol("d_z", nonnegative=True)
radius = {block: sympy.Symbol(f"eps_{block}", nonnegative=True) for block in beta}
block_move = {block: sympy.Symbol(f"d_{block}", nonnegative=True) for block in beta}
claim = Le(moved, sympy.Add(*(beta[block] * radius[block] for block in beta)))

weights, a = softmax.weights, softmax.a
scores = sym.B_u**2 * radius["qk"]
behind = sym.B_w * sym.B_c * sym.L_sigma * sym.B_v * sym.B_u
room = a - 2 * softmax.half
MEAN = Axiom("a mean of tokens, with weights of sum 1, has l2 norm at most B_u; submultiplicativity", "norm rules")


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """The identity behind the mean; the query is the first token."""
    scale, X = numbers.exp(free["scale"]), free["X"]
    first = {block: free[block] for block in beta}
    second = {
        block: value + scale * free[f"move of {block}"] if sizes[block] else value for block, value in first.items()
    }

    def output(model: Mapping[str, Array]) -> Array:
        exponentials = numbers.exp(X @ (model["qk"] @ X[0]))
        mean = X.T @ (exponentials / exponentials.sum())
        return (model["w"] * (model["c"].T @ (model["v"].T @ mean))).sum()

    def size(block: str, array: Array) -> Array:
        return numbers.norm(array) if block == "w" else numbers.spectral(array)

    bounds = {"w": sym.B_w, "c": sym.B_c, "v": sym.B_v, "qk": sym.B_qk}
    return {
        moved: abs(output(first) - output(second)),
        **{radius[block]: size(block, first[block] - second[block]) for block in beta},
        **{bounds[block]: numbers.maximum(size(block, first[block]), size(block, second[block])) for block in beta},
        sym.B_u: larger(numbers, rows(numbers, X)),
        sym.L_sigma: 1,
    }


def arrays(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    d = sizes["d"]
    shapes: dict[str, tuple[int, ...]] = {"w": (d,)} | dict.fromkeys(("c", "v", "qk"), (d, d))
    moves = {f"move of {block}": shape for block, shape in shapes.items() if sizes[block]}
    return shapes | moves | {"X": (sizes["T"], d), "scale": ()}


def moving(blocks: tuple[str, ...], T: int, d: int) -> Sizes:
    return {"T": T, "d": d} | {block: int(block in blocks) for block in beta}


STATEMENT = Statement(
    label="10.2",
    title="Perturbation of a layer of softmax attention",
    claim=claim,
    source="theory.md 10.2",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "d_z = |z - z'|_2 of two members of the class on one input: z = w . W_c^T sigma(W_v^T X^T p), "
        "p = softmax(X W_qk x), the rows of X and x of l2 norm at most B_u",
        "eps_w, eps_c, eps_v, eps_qk: spectral norms of the differences; B_w, B_c, B_v at least those of both",
        "sigma acts entry by entry, is L_sigma-Lipschitz and 0 at 0; d_p: how far the weights p move, in l1",
    ),
    witness={moved: 0, weights: 0, a: 1, softmax.p: 0, softmax.q: 0, softmax.odds: 1}
    | dict.fromkeys((sym.B_w, sym.B_c, sym.B_v, sym.B_u, sym.L_sigma), 1)
    | dict.fromkeys((*radius.values(), *block_move.values()), 0),
    derivation=(
        *(Step(block, Le(block_move[block], beta[block] * radius[block]), MEAN) for block in ("w", "c", "v")),
        Step(
            "weights",
            Le(weights, (2 * softmax.half).xreplace({a: scores})),
            Lemma(softmax.STATEMENT, ((a, scores),)),
        ),
        Step("slope", Ge(sympy.diff(room, a), 0), Z3()),
        Step("twice the tangent", Ge(room, 0), Monotone(a, Integer(0)), ("slope",)),
        Step("at the scores", Ge(room.xreplace({a: scores}), 0), Instance(((a, scores),)), ("twice the tangent",)),
        Step(
            "mean",
            Le(block_move["qk"], behind * weights),
            Axiom("|X^T (p - p')|_2 <= B_u |p - p'|_1; no score moves by more than B_u^2 eps_qk", "norm rules"),
        ),
        Step("qk", Le(block_move["qk"], beta["qk"] * radius["qk"]), Z3(), ("weights", "at the scores", "mean")),
        Step(
            "one block at a time",
            Le(moved, sympy.Add(*block_move.values())),
            Axiom("triangle inequality through the layers that change block by block", "the class is a product"),
        ),
        Step("conclusion", claim, Z3(), (*beta, "one block at a time")),
    ),
    not_claimed=("Several heads, positional encodings, a norm, a second layer; a query that is a parameter.",),
    adversary=Adversary(
        (
            moving(("w",), 2, 1),
            moving(("c",), 2, 1),
            moving(("v",), 2, 2),
            moving(("qk",), 2, 1),
            moving(("qk",), 3, 2),
            moving(("w", "c", "v", "qk"), 2, 1),
        ),
        arrays,
        bind,
    ),
)
