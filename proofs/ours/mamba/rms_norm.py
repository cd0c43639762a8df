"""M6.1: how far RMSNorm moves, by the smaller of the two sizes.

The difference of the squares is ``(s - s_b) b ((s + s_b) b - 2 s a t)``, and ``s_b b >= s a``.
"""

from collections.abc import Mapping

import sympy
from sympy import Eq, Le

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict
from ssm_bounds.proofs.systems.mamba import least

a, b, s, s_b = sympy.symbols("a b s s_b", positive=True)  # a <= b: both norms; what the norm multiplies them by
D, eps = sympy.symbols("D epsilon", positive=True)
cosine = sympy.Symbol("t", real=True)
moved = (s * a) ** 2 + (s_b * b) ** 2 - 2 * s * a * s_b * b * cosine
claim = Le(moved, s**2 * (a**2 + b**2 - 2 * a * b * cosine))


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    first, second = free["h"], free["h"] + free["dh"]
    norms = numbers.norm(first), numbers.norm(second)
    small, large, regular = least(numbers, *norms), numbers.maximum(*norms), numbers.exp(free["eps"])
    factors = [numbers.exp(-numbers.log(x * x / sizes["D"] + regular) / 2) for x in (small, large)]
    angle = (first * second).sum() / (small * large)
    return {a: small, b: large, s: factors[0], s_b: factors[1], cosine: angle, D: sizes["D"], eps: regular}


STATEMENT = Statement(
    label="M6.1",
    title="RMSNorm is Lipschitz, by the smaller rms",
    claim=claim,
    source="theory.md M6.1",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(
        Le(a, b),
        Le(cosine, 1),
        Eq(s**2 * (a**2 / D + eps), 1),
        Eq(s_b**2 * (b**2 / D + eps), 1),
    ),
    prose=(
        "a, b the l2 norms of h and h^, t the cosine of their angle; s = (a^2/D + eps)^{-1/2}, s_b so in b",
        "both sides are squares of |N(h) - N(h^)|_2 and of |h - h^|_2/sqrt(min(rms h, rms h^)^2 + eps)",
    ),
    witness={a: 1, b: 1, s: 1, s_b: 1, cosine: 0, D: 2, eps: sympy.Rational(1, 2)},
    derivation=(Step("real arithmetic", claim, Z3()),),
    not_claimed=("A constant free of eps where a hidden state may vanish: there the slope is eps^(-1/2).",),
    adversary=Adversary(({"D": 2},), lambda sizes: {"h": (2,), "dh": (2,), "eps": ()}, bind),
    theorems=(Theorem("mamba.rms_norm", Reading.CLAIM),),
)
