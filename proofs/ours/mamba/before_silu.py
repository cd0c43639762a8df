"""M1.1: a channel before SiLU, each tap of which meets a token or a gap."""

from collections.abc import Mapping

import sympy
from sympy import Abs, Le, Max

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Fold
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict
from ssm_bounds.proofs.systems.mamba import ball

K, x, c, total = sympy.symbols("K x c Sigma_x", real=True)
reach, kept, bound = sympy.symbols("r e Sigma_r", nonnegative=True)
most = K * c + Abs(K) * reach  # of one tap that meets a token
claim = Le(total, bound)


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    radius, taps, shift = numbers.exp(free["r"]), free["K"], free["c"]
    present = (1 + ball(numbers, free["e"])) / 2
    met = present * taps * (shift + radius * ball(numbers, free["x"]))
    ends = taps * shift + abs(taps) * radius
    return {total: met.sum(), bound: ((ends + abs(ends)) / 2).sum()}


STATEMENT = Statement(
    label="M1.1",
    title="Range of a channel before SiLU",
    claim=claim,
    source="theory.md M1.1",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Le(Abs(x - c), reach), Le(kept, 1)),
    prose=(
        "Sigma_x = sum_i e_i K_i x_i over the taps, Sigma_r = sum_i max(0, K_i c + |K_i| r), r = rho |r_j|_2",
        "e = 1 where a tap meets a token, 0 where it meets padding; x = c where it meets a masked one",
        "K, x, e: of any one tap; the lower end is the upper one for -K",
    ),
    witness={total: 0, bound: 1, K: 1, x: 1, c: 1, reach: 1, kept: 1},
    derivation=(
        Step("one token", Le(K * x, most), Z3()),
        Step("one tap", Le(kept * K * x, Max(0, most)), Z3(), ("one token",)),
        Step("all taps", claim, Fold(((total, kept * K * x), (bound, Max(0, most)))), ("one tap",)),
    ),
    not_claimed=("For c other than 0: that the end is attained, as padding fills taps from one side only.",),
    adversary=Adversary(
        ({"k": 3},), lambda sizes: dict.fromkeys(("K", "x", "e"), (sizes["k"],)) | {"c": (), "r": ()}, bind
    ),
    theorems=(Theorem("mamba.before_silu", Reading.FORMULA),),
)
