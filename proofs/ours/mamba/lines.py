"""M1.4 (iii): on an interval around 0 SiLU lies below the chord of max(x, 0)."""

from collections.abc import Mapping

import sympy
from sympy import Ge, Le

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.ours.mamba.after_silu import silu
from ssm_bounds.proofs.solvers import Z3
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

x = sympy.Symbol("x", real=True)
low, high = sympy.symbols("g h", positive=True)  # the interval is [-g, h]
chord = high / (low + high) * (x + low)
claim = Le(silu(x), chord)


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    down, up, place = numbers.exp(free["g"]), numbers.exp(2 * free["h"]), numbers.exp(free["x"])
    return {low: down, high: up, x: (place * up - down) / (1 + place)}


STATEMENT = Statement(
    label="M1.4",
    title="A line above SiLU on an interval",
    claim=claim,
    source="theory.md M1.4, (iii)",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Ge(x, -low), Le(x, high)),
    prose=("on [-g, h] with g, h > 0; its slope h/(g + h) lies in [0, 1]",),
    witness={x: 1, low: 1, high: 2},
    derivation=(Step("below the larger of x and 0", claim, Z3()),),
    not_claimed=("The best line: one that touches SiLU would be lower.",),
    adversary=Adversary(({},), lambda sizes: dict.fromkeys(("x", "g", "h"), ()), bind),
    theorems=(Theorem("mamba.line", Reading.CLAIM),),
)
