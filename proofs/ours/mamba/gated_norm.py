"""M3.3: the rms of a group of channels after the norm of Mamba-2."""

from collections.abc import Mapping

import sympy
from sympy import Le

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

size, most = sympy.symbols("x w", nonnegative=True)
eps = sympy.Symbol("epsilon", positive=True)
claim = Le(size**2 / (size**2 + eps), most**2 / (most**2 + eps))


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """A group of two channels inside their suprema."""
    inside, suprema = free["x"], abs(free["x"]) + numbers.exp(free["more"] - 3)
    root = numbers.exp(numbers.log(0 * free["eps"] + 2) / 2)
    return {size: numbers.norm(inside) / root, most: numbers.norm(suprema) / root, eps: numbers.exp(free["eps"])}


STATEMENT = Statement(
    label="M3.3",
    title="The rms of a group after the gated norm",
    claim=claim,
    source="theory.md M3.3",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Le(size, most),),
    prose=("x the rms of w_j = y_j SiLU(z_j) over a group, w that of their suprema Y_j Z_j; f_g^2 is the right side",),
    witness={size: 1, most: 2, eps: 1},
    derivation=(Step("x^2/(x^2 + eps) rises", claim, Z3()),),
    adversary=Adversary(({},), lambda sizes: {"x": (2,), "more": (2,), "eps": ()}, bind),
    theorems=(Theorem("mamba.gated_norm", Reading.CLAIM),),
)
