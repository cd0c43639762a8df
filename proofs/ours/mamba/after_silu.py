"""M1.2: SiLU falls and then rises, so that on an interval its largest value is at an end.

Its derivative has the sign of ``1 + x + e^x``, which rises.
"""

from collections.abc import Mapping

import sympy
from sympy import Le, Max, exp

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

x = sympy.Symbol("x", real=True)
g, h = sympy.symbols("g h", nonnegative=True)  # to the lower and the upper end


def silu(x: sympy.Expr) -> sympy.Expr:
    return x / (1 + exp(-x))


claim = Le(silu(x), Max(silu(x - g), silu(x + h)))


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    return {x: free["x"], g: numbers.exp(free["g"] - 3), h: numbers.exp(free["h"] - 3)}


STATEMENT = Statement(
    label="M1.2",
    title="SiLU on an interval is at most its larger end",
    claim=claim,
    source="theory.md M1.2",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    prose=("an interval [x - g, x + h] around x",),
    witness={x: 1, g: 1, h: 1},
    derivation=(Step("larger end", claim, Z3()),),
    adversary=Adversary(({},), lambda sizes: dict.fromkeys(("x", "g", "h"), ()), bind),
    theorems=(Theorem("mamba.larger_end", Reading.CLAIM),),
)
