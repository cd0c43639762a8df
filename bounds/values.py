"""Plain, validated values that every bound is a function of."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, Literal

Scalar = int | float | Fraction
Gate = Literal["softplus", "none"]
Draws = Literal["iid", "stratified", "without-replacement"]
"""How the rows of a sample were drawn: independently from one law, a fixed number of each class, or as a random subset
of a finite collection."""


class DomainError(ValueError):
    """A value outside the domain of the statement that was asked to use it."""


def require(condition: bool, message: str) -> None:
    """Raise :class:`DomainError` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise DomainError(message)


def require_finite(owner: str, name: str, value: Scalar) -> None:
    if not isinstance(value, (int, float, Fraction)) or isinstance(value, bool) or not math.isfinite(value):
        raise DomainError(f"{owner}.{name}: expected a finite int, float or Fraction, got {value!r}")


def check_fields(owner: str, instance: Any, *, counts: tuple[str, ...], radii: tuple[str, ...]) -> None:
    """Counts are integers >= 1, radii are finite and >= 0; ``None`` means 'not constrained' and passes."""
    # classes are made by the hundred: no message before there is something to say
    for name in counts:
        value = getattr(instance, name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise DomainError(f"{owner}.{name}: expected an integer >= 1, got {value!r}")
    for name in radii:
        value = getattr(instance, name)
        if value is not None:
            require_finite(owner, name, value)
            if value < 0:
                raise DomainError(f"{owner}.{name}: a radius is >= 0, got {value!r}")


@dataclass(frozen=True, slots=True)
class Sample:
    """m i.i.d. sequences of length at most T. Raises: DomainError."""

    m: int
    T: int

    def __post_init__(self) -> None:
        check_fields("Sample", self, counts=("m", "T"), radii=())


def field_names(cls: type) -> tuple[str, ...]:
    """Names of a dataclass's fields, in order."""
    return tuple(field.name for field in fields(cls))
