"""M6.4-inputs: how far the normed image of a real input moves with the map that makes it, whatever the input."""

from collections.abc import Mapping

import sympy
from sympy import Le, Min

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict
from ssm_bounds.proofs.systems.mamba import least

moved, gone = sympy.symbols("d_v d_h", nonnegative=True)
a, b, rho = sympy.symbols("a b rho", positive=True)  # norms of h and h^, the radius sqrt D
delta = sympy.Symbol("delta", nonnegative=True)
claim = Le(moved * (1 - delta), rho * delta)


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """Two columns in three dimensions, one input; the second moves by about e^-small of its size, or both do."""
    M, scale = free["M"], numbers.exp(-sizes["small"] + 0 * free["x"])
    columns = [M[:, k] for k in range(2)]
    sizes_ = [numbers.norm(column) for column in columns]
    along = (columns[0] * columns[1]).sum() / (sizes_[0] * sizes_[1])
    sine = numbers.exp(numbers.log(1 - along * along) / 2)
    gaps = [scale * free["dM"][:, k] / numbers.norm(free["dM"][:, k]) * sizes_[k] for k in range(2)]
    regular = numbers.exp(free["eps"] - 12)
    moves = (free["x"] * gaps[0], gaps[1]) if sizes["both"] else (0 * gaps[0], gaps[1])
    h = free["x"] * columns[0] + columns[1]
    other = h + moves[0] + moves[1]
    root = numbers.exp(numbers.log(0 * free["x"] + 3) / 2)

    def normed(x: Array) -> Array:
        return x / numbers.exp(numbers.log(numbers.norm(x) * numbers.norm(x) / 3 + regular) / 2)

    counted = range(2) if sizes["both"] else (1,)
    total = sum(numbers.norm(gaps[k]) / (sizes_[k] * sine) for k in counted)
    inside = least(numbers, total, 0 * total + 0.9)
    return {moved: numbers.norm(normed(h) - normed(other)), delta: inside, rho: root}


STATEMENT = Statement(
    label="M6.4-inputs",
    title="A trained map of real inputs before an RMS norm",
    claim=claim,
    source="theory.md M6.4",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(delta, 1),),
    prose=(
        "h = L xi and h^ = L^ xi of the same xi = (x, 1), any real x; d_v = |N(h) - N(h^)|_2, a = |h|_2, b = |h^|_2, "
        "d_h = |h - h^|_2, rho = sqrt D",
        "delta = sum_k |dl_k|_2 nu_k, 1/nu_k the distance of column k of L from the span of the others",
    ),
    witness={moved: 1, gone: 1, a: 2, b: 1, rho: 2, delta: sympy.Rational(1, 2)},
    derivation=(
        Step("the image", Le(gone, delta * a), Axiom("|xi_k| <= nu_k |L xi|, triangle inequality", "norm rules")),
        Step("the other image", Le(a - gone, b), Axiom("triangle inequality", "norm rules")),
        Step("the norm", Le(moved * Min(a, b), rho * gone), Axiom("M6.1 with eps >= 0", "M6.1")),
        Step("whatever the input", claim, Z3(), ("the image", "the other image", "the norm")),
    ),
    not_claimed=("Columns that are not independent: some input is then mapped to 0.",),
    adversary=Adversary(
        ({"both": 0, "small": 9}, {"both": 1, "small": 2}),
        lambda sizes: {"M": (3, 2), "dM": (3, 2), "x": (), "eps": ()},
        bind,
    ),
)
