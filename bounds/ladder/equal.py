"""Classes of several architectures at equal constants, one row each, and their gaps before theory 7 (theory 10.4).

Every class is fixed before the data: nothing is paid for its constants. A row is about all members of one class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy
from sympy import Symbol

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures import rnn
from ssm_bounds.bounds.architectures.attention import LINEAR, SOFTMAX
from ssm_bounds.bounds.architectures.block import Architecture, Block
from ssm_bounds.bounds.architectures.entropy import entropy
from ssm_bounds.bounds.architectures.lti.real import DEFINITIONS, DIAGONAL
from ssm_bounds.bounds.architectures.lti.table import AVERAGES
from ssm_bounds.bounds.architectures.lti.table import DEFINITIONS as OF_TAPS
from ssm_bounds.bounds.architectures.selective_ssm.constants import ClassConstants
from ssm_bounds.bounds.architectures.selective_ssm.table import SELECTIVE_SSM
from ssm_bounds.bounds.covers.entropy import Product
from ssm_bounds.bounds.evaluate.balls import Enclosure, enclose, rational
from ssm_bounds.bounds.evaluate.decimals import said, typed
from ssm_bounds.bounds.gaps.chaining import AVERAGE_GAP
from ssm_bounds.bounds.gaps.losses import Loss
from ssm_bounds.bounds.ladder.scale import single_scale
from ssm_bounds.bounds.ladder.values import entropy_of, increasing, scalars_of
from ssm_bounds.bounds.values import Sample, Scalar, check_fields, require, require_finite

OF_COVER = "one scale (6.2), cover of"
OF_AVERAGE = "average (14.3) of all systems with |h_l| <= norm^3 rho^l"


@dataclass(frozen=True, slots=True)
class Equal:
    """The constants that all classes share. ``norm``: of every matrix and readout, and of q; ``p``: of the gate's bias,
    which lies in [-p, p]; decays of A in [-B_A, s_A]; every token has l2 norm at most ``B_u``. ``s_A``, ``beta``: one
    row each.

    Norms of matrices are spectral, of vectors l2; A is diagonal and none of these matrices. The gate is softplus.
    Activations have slope 1, are 0 at 0, and at most 1 where they are bounded; one output. A float means its shortest
    decimal, 0.9 is 9/10. Raises: DomainError.
    """

    d: int = 16
    N: int = 4
    s_A: tuple[Scalar, ...] = (Fraction(-1, 10), 0)
    beta: tuple[Scalar, ...] = (Fraction(9, 10), 1, Fraction(11, 10))
    B_A: Scalar = 10
    norm: Scalar = 1
    p: Scalar = 1
    B_u: Scalar = 1

    def __post_init__(self) -> None:
        for name in ("s_A", "beta"):
            object.__setattr__(self, name, _several(getattr(self, name)))
        check_fields("constants", self, counts=("d", "N"), radii=("B_A", "norm", "p", "B_u"))
        for s in self.s_A:
            require_finite("constants", "s_A", s)
            require(
                -Fraction(self.B_A) <= s, f"s_A = {float(s):g} is below -B_A = {-float(self.B_A):g}: no decay is left"
            )
        for beta in self.beta:
            rnn.of_beta(beta)
        for name in ("s_A", "beta"):
            values = tuple(map(typed, getattr(self, name)))
            require(len(set(values)) == len(values), f"{name}: each value once")
            object.__setattr__(self, name, values)
        for name in ("B_A", "norm", "p", "B_u"):
            object.__setattr__(self, name, typed(getattr(self, name)))


def _several(values: Scalar | Iterable[Scalar]) -> tuple[Scalar, ...]:
    """One value is a row too."""
    alone = isinstance(values, str) or not isinstance(values, Iterable)
    return (values,) if alone else tuple(values)  # type: ignore[arg-type,return-value]


@dataclass(frozen=True, slots=True)
class Terms:
    """What every row is evaluated for, with one output. Raises: DomainError."""

    sample: Sample
    loss: Loss
    delta: Fraction = Fraction(1, 20)

    def __post_init__(self) -> None:
        require(0 < self.delta < 1, f"delta is a failure probability in (0, 1), got {float(self.delta):g}")

    @property
    def loss_lipschitz(self) -> sympy.Expr:
        return self.loss.lipschitz(1)


@dataclass(frozen=True, slots=True)
class Scaled:
    """A gap at one scale: its radius, and the entropy with its split there."""

    value: Enclosure
    radius: Enclosure
    entropy: Product


@dataclass(frozen=True, slots=True, eq=False)
class Covered:
    """A class by a cover of its parameters. ``which``: the constant that tells it from others of its architecture."""

    architecture: str
    which: str
    rule: str
    source: str
    parameters: int
    entropy: Callable[[int], Product]

    def at(self, terms: Terms) -> Scaled:
        free = Enclosure.point(0)
        return Scaled(*single_scale(terms, self.entropy(terms.sample.T), free, terms.loss_lipschitz, terms.delta))

    def gap(self, terms: Terms) -> Enclosure:
        """Two-sided, of every member at once. Source: theory 6.2, 10.4."""
        return self.at(terms).value


@dataclass(frozen=True, slots=True, eq=False)
class Averaged:
    """A class by its Rademacher average on every sample, whatever the number of parameters."""

    architecture: str
    which: str
    rule: str
    source: str
    values: Mapping[Symbol, Any]
    parameters: None = None

    def average(self, sample: Sample) -> Enclosure:
        return enclose(AVERAGES["geometric"], {**self.values, sym.T: sample.T, sym.m: sample.m})

    def gap(self, terms: Terms) -> Enclosure:
        """Two-sided, of every member at once. Source: theory 14.3."""
        intervals = {sym.rademacher: self.average(terms.sample), sym.price: Enclosure.point(0)}
        return increasing(AVERAGE_GAP, scalars_of(terms, terms.delta), intervals)


Class = Covered | Averaged


def classes(equal: Equal) -> tuple[Class, ...]:
    """One row each, in the order of a table. Source: theory 10.4."""
    return tuple(_classes(equal))


def _classes(equal: Equal) -> Iterator[Class]:
    sizes = {sym.d: equal.d, sym.N: equal.N, sym.k: 1, sym.B_u: equal.B_u}
    norm = Fraction(equal.norm)
    for s in equal.s_A:
        yield _selective(equal, s)
    for s in equal.s_A:
        values = {**DEFINITIONS, **sizes, sym.B_A: equal.B_A, sym.s_A: s, sym.B_w: norm**3}
        yield _covered("diagonal LTI", f"s_A = {said(s)}", DIAGONAL, "14.6", values)
    for s in equal.s_A:
        taps = {**OF_TAPS, sym.s_lambda: s, sym.K_rho: norm**3, sym.B_u: equal.B_u}
        yield Averaged("LTI, any size", f"ln rho = {said(s)}", OF_AVERAGE, "theory.md 14.3", taps)
    of_norm = dict.fromkeys((sym.B_B, sym.B_C, sym.B_w, sym.B_c, sym.B_v, sym.B_qk, sym.B_V, sym.B_W), norm)
    shared = {**sizes, **of_norm, sym.L_sigma: 1, sym.b_h: 1}
    yield _covered("linear attention", "", LINEAR, "10.3", shared)
    yield _covered("softmax attention", "", SOFTMAX, "10.2", shared)
    for beta in equal.beta:
        values = {**rnn.FREE, **shared, **rnn.of_beta(beta)}
        yield _covered("RNN, identity or ReLU", f"beta = {said(beta)}", rnn.RNN, "10.1", values)
    for beta in equal.beta:
        values = {**rnn.BOUNDED, **shared, **rnn.of_beta(beta)}
        yield _covered("RNN, tanh", f"beta = {said(beta)}", rnn.RNN, "10.1", values, bounded=True)


def _covered(
    name: str, which: str, architecture: Architecture, source: str, values: Mapping[Symbol, Any], bounded: bool = False
) -> Covered:
    """``bounded``: the sums of a recurrent network need the place where its bounds of a state change."""
    blocks = architecture.blocks

    def of(T: int) -> Product:
        at = {**values, sym.T: T}
        return entropy(blocks, "sharp", at | {sym.J: rnn.switch(at, T)} if bounded else at)

    return Covered(name, which, _rule(blocks, source), f"theory.md {source}", _count(blocks, values), of)


def _selective(equal: Equal, s: Scalar) -> Covered:
    """The gate's bias and direction as two blocks, as in every class of theory 5.1 without a cap."""
    norm, p = Fraction(equal.norm), Fraction(equal.p)
    constants = ClassConstants(
        equal.d, equal.N, 1, None, "softplus", s, equal.B_A, None, equal.B_u, norm, None, norm, None, norm, None, -p, p,
        norm, None,
    )  # fmt: skip
    blocks = SELECTIVE_SSM.of(gate=True)

    def of(T: int) -> Product:
        return entropy_of(constants, T)

    return Covered("selective SSM", f"s_A = {said(s)}", _rule(blocks, "5.1"), "theory.md 5.1", constants.parameters, of)


def _rule(blocks: Iterable[Block], source: str) -> str:
    return f"{OF_COVER} {', '.join(block.shown for block in blocks)} by {source}"


def _count(blocks: Iterable[Block], values: Mapping[Symbol, Any]) -> int:
    return sum(int(rational(block.entries, values)) for block in blocks)
