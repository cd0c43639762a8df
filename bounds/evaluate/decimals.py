"""Numbers of any size as text or as a double, rounded outward."""

from __future__ import annotations

import decimal
import math
from fractions import Fraction
from typing import Literal

from flint import arb

from ssm_bounds.bounds.evaluate.balls import START_BITS, PrecisionError, bits, float_above, float_below
from ssm_bounds.bounds.values import Scalar

_EXACT = decimal.Context(prec=40, traps=[decimal.Inexact])
_LONGEST_EXPONENT = 20
"""Digits of an exponent beyond which its size is said instead."""


def decimal_string(value: arb, digits: int = 4, side: Literal["lower", "upper"] = "upper") -> str:
    """A short decimal rounded outward to ``digits`` significant digits, of any size; one whose exponent alone would be
    long is a power of ten, its exponent rounded outward. Raises: PrecisionError (no finite number).

    >>> decimal_string(arb(1) / 3, 3), decimal_string(arb(1) / 3, 3, "lower"), decimal_string(arb(10) ** 400, 2)
    ('0.334', '0.333', '1.1e+400')
    >>> decimal_string(arb(2) ** 10**19, 3), decimal_string(arb(2) ** 10**30, 3)
    ('1.38e+3010299956639811952', '10^(3.02e+29)')
    """
    if not value.is_finite():
        raise PrecisionError(f"a number that is not finite has no decimal: {value}")
    mode = decimal.ROUND_CEILING if side == "upper" else decimal.ROUND_FLOOR
    rounded = float_above(value) if side == "upper" else float_below(value)
    if math.isfinite(rounded) and abs(rounded) < 1e300:
        exact, exponent = decimal.Decimal(rounded), 0
    else:
        end = value.upper() if side == "upper" else value.lower()
        with bits(_enough(end)):  # or the exponent would be that of another number
            power = abs(end).log() / arb(10).log()
            whole = power.mid().floor().unique_fmpz()
            if whole is None:
                raise PrecisionError(f"no decimal exponent of {end}")
            exponent = int(whole)
            if len(str(abs(exponent))) > _LONGEST_EXPONENT:
                outward = end > 0 if side == "upper" else end < 0
                size = decimal_string(power, digits, "upper" if outward else "lower")
                return f"{'-' * (end < 0)}10^({size})"
            mantissa = end / arb(10) ** exponent  # outward before the decimal is rounded outward
            exact = decimal.Decimal(float_above(mantissa) if side == "upper" else float_below(mantissa))
    short = decimal.Context(prec=digits, rounding=mode).plus(exact)
    if not exponent and (short == 0 or 1e-4 <= abs(short) < 1e6):
        return f"{short:f}"
    scaled = short.adjusted()
    return f"{short.scaleb(-scaled).normalize():f}e{scaled + exponent:+d}"


def _enough(end: arb) -> int:
    """Bits in which the decimal exponent of an exact number, and what is left of it, are known to double precision."""
    mantissa, exponent = end.man_exp()
    return START_BITS + 2 * (int(mantissa).bit_length() + int(exponent).bit_length())


def share_string(count: int, n: int, digits: int = 4) -> str:
    """A fraction of n as a short decimal, rounded up: exact where it has no more than ``digits`` digits.

    >>> share_string(29, 1000), share_string(1, 3), share_string(0, 7)
    ('0.029', '0.3334', '0')
    """
    up = decimal.Context(prec=digits, rounding=decimal.ROUND_CEILING)
    return f"{up.divide(decimal.Decimal(count), decimal.Decimal(n)):f}"


def number(value: arb, side: Literal["lower", "upper"] = "upper") -> float | str:
    """A double rounded outward, or a decimal string beyond the double range."""
    rounded = float_above(value) if side == "upper" else float_below(value)
    return rounded if abs(rounded) < 1.7e308 else decimal_string(value, 17, side)


def shortest(value: float) -> str:
    """A double in up to 16 digits, rounded down: what was typed, where the double is that rounded up.

    >>> shortest(1.0), shortest(0.30000000000000004), shortest(1e-300)
    ('1', '0.3', '1e-300')
    """
    short = f"{value:g}"
    if float(short) == value:
        return short
    floor = decimal.Context(prec=16, rounding=decimal.ROUND_FLOOR)
    return f"{floor.create_decimal_from_float(value).normalize():f}"


def typed(value: Scalar) -> int | Fraction:
    """The number that was typed: a float means its shortest decimal.

    >>> typed(0.05), typed(3)
    (Fraction(1, 20), 3)
    """
    return Fraction(float.__repr__(value)) if isinstance(value, float) else value


def said(value: Scalar) -> str:
    """A constant exactly: as a decimal where it has one of at most 40 digits, else as a fraction.

    >>> said(Fraction(-1, 10)), said(0), said(Fraction(1, 3)), said(0.3), said(Fraction(1, 10**300))
    ('-0.1', '0', '1/3', '0.3', '1e-300')
    """
    fraction = Fraction(typed(value))
    try:
        short = _EXACT.divide(decimal.Decimal(fraction.numerator), decimal.Decimal(fraction.denominator))
    except decimal.Inexact:
        return str(fraction)
    short = short.normalize(_EXACT)
    return f"{short:f}" if -5 <= short.adjusted() < 16 else f"{short:e}"
