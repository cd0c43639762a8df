"""What the table of growth measures, and along what: Table 1 of the paper and its like (``explain.growth``).

- *capacity*: ``gamma^{3/2}`` of C.9, the C_F of the paper's Table 1; the gap is ``24 l C/sqrt m`` up to a logarithm
  while ``3 l C <= c sqrt m``. For `repaired` and `sharp` it is taken over Maurey's covers (3.1) alone, ceilings and
  the interval of p dropped as in the paper.
- *root entropy*: ``sqrt H(eps)`` over the volume covers (3.2) alone. With those the Dudley integral of 6.1 (alpha = 0)
  lies between ``(c/2) sqrt H(c/2l)`` and, by Cauchy-Schwarz and ``int_0^1 ln(1+g/x) dx <= 1 + ln(1+g)``, a constant
  plus the same with a larger constant, so both grow alike. The rungs `repaired` and `sharp` use the smaller cover at
  each radius: they grow no faster than either line, and saturate at 2c.
- *bound*: 6.2 and the excess of 6.3 at fixed eps, with the smaller of both covers in each block. A useful eps is below
  ``c/(2l)``, where H is at least its value there, so minimising over eps does not change the growth.

- *sup*, *beta_A*: of the core of one Mamba layer, given u (M7): its largest output, and how far that moves with A, for
  a readout of norm 1. *output*: of the whole mixer (M3.1), but for its bias. Rates of Mamba always decay.

The radius is split evenly over the blocks; no split makes H smaller than giving each block all of it, which only
changes constants. Source: theory 2 (Table 1), 3.1, 3.2, 5.1, 5.5, 6, 10, M3.1, M7.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import sympy
from sympy import Expr, Integer, Rational, Symbol, sqrt

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.block import Block, Theorem
from ssm_bounds.bounds.architectures.mamba.paper import CORE, OUTPUT
from ssm_bounds.bounds.architectures.selective_ssm.perturbation import PUBLISHED, PUBLISHED_ALPHA, PUBLISHED_STATE
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS, RHO
from ssm_bounds.bounds.architectures.selective_ssm.table import LARGEST_L1, SELECTIVE_SSM
from ssm_bounds.bounds.covers.entropy import allocation
from ssm_bounds.bounds.covers.lemmas import Maurey
from ssm_bounds.bounds.gaps.chaining import MARGIN_EXCESS, SINGLE_SCALE


class Regime(StrEnum):
    """The sign of the spectral abscissa."""

    DECAY = "s_A < 0"
    NEUTRAL = "s_A = 0"
    GROWING = "s_A > 0"


@dataclass(frozen=True, slots=True)
class Measurand:
    """A bound of the ladder and the expression of it that is measured, with what its derived symbols stand for."""

    name: str
    measure: str
    expression: Expr
    definitions: Mapping[Symbol, Expr]
    regimes: tuple[Regime, ...] = tuple(Regime)


@dataclass(frozen=True, slots=True)
class Direction:
    """A variable that grows, and what is held fixed meanwhile.

    ``frozen``: derived symbols that are held fixed although their definition moves; ``replaced``: constants that
    move with the variable; ``endless``: T goes to infinity first (finite for s_A < 0 alone).
    """

    name: str
    variable: Symbol
    held: str
    frozen: tuple[Symbol, ...] = ()
    replaced: tuple[tuple[Symbol, Expr], ...] = ()
    endless: bool = False


_WITH_B_U = ((sym.U, sym.B_u),)  # what its channels reach grows with |u|

DIRECTIONS = (
    Direction("T", sym.T, "every norm and size"),
    Direction("d", sym.d, "every norm (l1 radii too), N, T"),
    Direction(
        "d, l1 free",
        sym.d,
        "spectral norms, B_A, N, T; l1 radii and U as large as these allow",
        replaced=(*LARGEST_L1, (sym.U, sqrt(sym.d) * sym.B_u)),
    ),
    Direction("B_u, rho and M fixed", sym.B_u, "rho, M, T, every norm of a parameter", (sym.rho, sym.M), _WITH_B_U),
    Direction("B_u, rho fixed", sym.B_u, "rho, T, every norm of a parameter; M moves", (sym.rho,), _WITH_B_U),
    Direction("B_u", sym.B_u, "T, every norm of a parameter; rho and M move", replaced=_WITH_B_U),
    Direction(
        "B_u, T -> oo first", sym.B_u, "every norm of a parameter; rho and M move", replaced=_WITH_B_U, endless=True
    ),
)


def _maurey(entries: Expr, l1_radius: Expr, beta: Expr) -> Expr:
    """Maurey's bound (3.1) of a block seen through its coefficient, where it is not a single point."""
    covering: Expr = Maurey.formula.args[-1].expr
    return covering.xreplace(
        {sym.B_u: Integer(1), sym.M_W: l1_radius, sym.n: entries, sym.eps: sym.eps / beta},
    )


_BLOCKS = {block.key: block for block in SELECTIVE_SSM.of(gate=True)}


def capacity(betas: Mapping[str, Expr]) -> Expr:
    """``gamma^{3/2}`` of C.9 over Maurey's covers, ceilings dropped; the interval of p has none."""
    alphas, of_alpha = [], []
    for name, beta in betas.items():
        block = _BLOCKS[name]
        if block.l1 is not None:
            alpha = _maurey(block.entries, block.l1, Integer(1)) * sym.eps**2
            alphas.append(alpha.replace(sympy.ceiling, lambda atoms: atoms))
            of_alpha.append(beta)
    return allocation(alphas, of_alpha) ** Rational(3, 2)


def entropy(betas: Mapping[str, Expr], *, maurey: bool) -> Expr:
    """``H(eps)``, an equal share of eps for each block: by volume (3.2), or by the smaller of both covers (3.5)."""
    share = Integer(len(betas))
    total: Expr = Integer(0)
    for name, beta in betas.items():
        block = _BLOCKS[name]
        radii = {sym.n: block.entries, sym.r: block.radius, sym.eps: sym.eps / (share * beta)}
        covering = block.lemma(sparse=True).formula.xreplace(radii)
        if maurey and block.l1 is not None:
            covering = sympy.Min(covering, _maurey(block.entries, block.l1, share * beta))
        total += covering
    return total


def _by_block(theorem: Theorem, blocks: Iterable[Block]) -> dict[str, Expr]:
    """How far the output moves per unit of each block's own metric."""
    return {block.key: block.seen * block.beta[theorem] for block in blocks}


_REPAIRED, _SHARP = (_by_block(theorem, _BLOCKS.values()) for theorem in ("repaired", "sharp"))
# theory 10: A = 0 and Delta = 1 are not parameters
LINEAR = _by_block("sharp", (block for block in SELECTIVE_SSM.of(gate=False) if block.name != "A"))
_WITH_RHO = DEFINITIONS | {sym.rho: RHO["repaired"]}
_GATE_OFF = DEFINITIONS | {sym.M: Integer(1), sym.Delta_min: Integer(1)}
PUBLISHED_CAPACITY = allocation(list(PUBLISHED_ALPHA.values()), list(PUBLISHED.values())) ** Rational(3, 2)
"""C_F of theory 2, C.9."""
PUBLISHED_DEFINITIONS = DEFINITIONS | {sym.rho: RHO["published"], sym.B_x: PUBLISHED_STATE}
_smaller_covers = entropy(_SHARP, maurey=True)

MEASURANDS = (
    Measurand("published", "capacity C_F", PUBLISHED_CAPACITY, PUBLISHED_DEFINITIONS),
    Measurand("repaired", "capacity", capacity(_REPAIRED), _WITH_RHO),
    Measurand("repaired", "root entropy", sqrt(entropy(_REPAIRED, maurey=False)), _WITH_RHO),
    Measurand("sharp", "capacity", capacity(_SHARP), DEFINITIONS),
    Measurand("sharp", "root entropy", sqrt(entropy(_SHARP, maurey=False)), DEFINITIONS),
    Measurand("scale", "bound", SINGLE_SCALE.subs(sym.H, _smaller_covers), DEFINITIONS),
    Measurand("margin", "bound", MARGIN_EXCESS.subs(sym.H, _smaller_covers), DEFINITIONS),
    Measurand("linear attention", "capacity", capacity(LINEAR), _GATE_OFF, (Regime.NEUTRAL,)),
    Measurand(
        "linear attention",
        "bound",
        MARGIN_EXCESS.subs(sym.H, entropy(LINEAR, maurey=True)),
        _GATE_OFF,
        (Regime.NEUTRAL,),
    ),
    *(
        Measurand(f"mamba core, {route}", measure, expression, definitions, (Regime.DECAY,))
        for route, definitions in (("published", PUBLISHED_DEFINITIONS), ("sharp", DEFINITIONS))
        for measure, expression in CORE[route].items()
    ),
    Measurand("mamba layer", "output", OUTPUT, DEFINITIONS, (Regime.DECAY,)),
)
