"""Plain, validated values that every bound is a function of: what was measured, which class, which sample.

Every number here is exact: an int, a Fraction, or a float read as the dyadic rational that it is.
Whoever measures rounds outward first (``models.norms``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, Literal

Scalar = int | float | Fraction
Gate = Literal["softplus", "none"]


class DomainError(ValueError):
    """A value outside the domain of the statement that was asked to use it."""


def require(condition: bool, message: str) -> None:
    """Raise :class:`DomainError` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise DomainError(message)


def _finite(owner: str, name: str, value: Scalar) -> None:
    require(
        isinstance(value, (int, float, Fraction)) and not isinstance(value, bool) and math.isfinite(value),
        f"{owner}.{name}: expected a finite int, float or Fraction, got {value!r}",
    )


def _check(owner: str, instance: Any, *, counts: tuple[str, ...], radii: tuple[str, ...]) -> None:
    """Counts are integers >= 1, radii are finite and >= 0; ``None`` means 'not constrained' and passes."""
    for name in counts:
        value = getattr(instance, name)
        require(
            value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1),
            f"{owner}.{name}: expected an integer >= 1, got {value!r}",
        )
    for name in radii:
        value = getattr(instance, name)
        if value is not None:
            _finite(owner, name, value)
            require(value >= 0, f"{owner}.{name}: a radius is >= 0, got {value!r}")


_SHAPE = ("d", "N", "k", "V")
_RADII = ("B_A", "M_A", "B_u", "B_B", "M_B", "B_C", "M_C", "B_q", "M_q", "B_w", "M_w")


@dataclass(frozen=True, slots=True)
class MeasuredConstants:
    """Constants of one trained model (theory.md 1). ``B_*`` spectral or l2 norms, ``M_*`` entrywise l1 norms.

    Shapes: d channels, N states per channel, k outputs, V embedding rows (None: real-valued inputs).
    Every radius is an upper bound of the true norm; ``s_A`` = max a_jn and ``p`` are exact and keep their sign.
    ``B_A`` = max |a_jn|, ``M_A`` = sum |a_jn|. ``logit_max``: upper bound of ``max_v p + q.e_v`` over the
    embedding rows (None without an embedding). With ``gate="none"`` (Delta = 1) p, B_q and M_q are 0.
    Raises: DomainError.
    """

    d: int
    N: int
    k: int
    V: int | None
    gate: Gate
    s_A: Scalar
    B_A: Scalar
    M_A: Scalar
    B_u: Scalar
    B_B: Scalar
    M_B: Scalar
    B_C: Scalar
    M_C: Scalar
    B_q: Scalar
    M_q: Scalar
    p: Scalar
    B_w: Scalar
    M_w: Scalar
    logit_max: Scalar | None = None

    def __post_init__(self) -> None:
        _check("MeasuredConstants", self, counts=_SHAPE, radii=_RADII)
        for name in ("s_A", "p") + (("logit_max",) if self.logit_max is not None else ()):
            _finite("MeasuredConstants", name, getattr(self, name))
        require(self.gate in ("softplus", "none"), f"gate: expected 'softplus' or 'none', got {self.gate!r}")
        require(
            Fraction(self.B_A) >= abs(Fraction(self.s_A)),
            f"B_A = max |a_jn| = {self.B_A!r} is below |s_A| for s_A = {self.s_A!r}",
        )
        if self.gate == "none":
            require(
                self.p == 0 and self.B_q == 0 and self.M_q == 0,
                "gate 'none' has no gate parameters: p, B_q and M_q must be 0",
            )


@dataclass(frozen=True, slots=True)
class ClassConstants:
    """Radii of a class of selective SSMs (theory.md 1): what a bound certifies holds for every member.

    ``M_*``: entrywise l1 radii, None where the class does not constrain them. ``V``: rows of the embedding when it
    is a block of the class (5.4), else None. ``M``: cap on every gate Delta_t (a joint constraint on p and q, or on
    their values over a fixed vocabulary); None: the gates are bounded by softplus(p_hi + B_q B_u).
    Raises: DomainError.
    """

    d: int
    N: int
    k: int
    V: int | None
    gate: Gate
    s_A: Scalar
    B_A: Scalar
    M_A: Scalar | None
    B_u: Scalar
    B_B: Scalar
    M_B: Scalar | None
    B_C: Scalar
    M_C: Scalar | None
    B_q: Scalar
    M_q: Scalar | None
    p_lo: Scalar
    p_hi: Scalar
    B_w: Scalar
    M_w: Scalar | None
    M: Scalar | None = None

    def __post_init__(self) -> None:
        _check("ClassConstants", self, counts=_SHAPE, radii=(*_RADII, "M"))
        for name in ("s_A", "p_lo", "p_hi"):
            _finite("ClassConstants", name, getattr(self, name))
        require(self.p_lo <= self.p_hi, f"ClassConstants: p_lo = {self.p_lo!r} exceeds p_hi = {self.p_hi!r}")
        require(
            Fraction(self.B_A) + Fraction(self.s_A) >= 0,
            f"ClassConstants: the box [-B_A, s_A] is empty for B_A = {self.B_A!r}, s_A = {self.s_A!r}",
        )

    @property
    def parameters(self) -> int:
        """P: how many real parameters the class has."""
        gate = self.d + 1 if self.gate == "softplus" else 0
        return 3 * self.d * self.N + self.k * self.d + gate + (self.V or 0) * self.d


@dataclass(frozen=True, slots=True)
class Sample:
    """m i.i.d. sequences of length at most T. Raises: DomainError."""

    m: int
    T: int

    def __post_init__(self) -> None:
        _check("Sample", self, counts=("m", "T"), radii=())


def field_names(cls: type) -> tuple[str, ...]:
    """Names of a dataclass's fields, in order."""
    return tuple(field.name for field in fields(cls))
