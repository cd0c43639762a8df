"""*margin*: sharp perturbation at half the margin, one-sided (theory 5.1, 6.3, 7)."""

from __future__ import annotations

from fractions import Fraction

from sympy import Symbol

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.covers.entropy import Product
from ssm_bounds.bounds.evaluate.balls import Enclosure, enclose
from ssm_bounds.bounds.evaluate.formula import Formula
from ssm_bounds.bounds.gaps import chaining
from ssm_bounds.bounds.gaps.inversion import kl_inv
from ssm_bounds.bounds.gaps.losses import rational
from ssm_bounds.bounds.ladder.of_class import OfClass, cheapest, entropy_before, margin_radius, of_class
from ssm_bounds.bounds.ladder.rung import OF_A_CLASS, Rung, Setting
from ssm_bounds.bounds.ladder.values import increasing, scalars_of
from ssm_bounds.bounds.values import DomainError

_RULE = "sqrt((H + ln(1/pi) + ln(1/delta))/(2m))"


def margin(setting: Setting, delta: Fraction | None = None) -> Rung:
    """Sharp perturbation at half the margin, section 7 paid, one-sided. Source: theory 5.1, 6.3, 7."""
    return _margin("margin", setting, delta or setting.delta, groups=False)


def margin_groups(setting: Setting, delta: Fraction | None = None) -> Rung:
    """The same with decay groups, their split paid, and vocabulary constants for vocabulary inputs.

    Source: theory 5.2, 5.3, 6.3, 7.
    """
    return _margin("margin-groups", setting, delta or setting.delta, groups=True)


def _margin(name: str, setting: Setting, delta: Fraction, *, groups: bool) -> Rung:
    eps = enclose(margin_radius(setting.measured.k), {})
    selected, entropy = cheapest(setting, setting.margin, groups)
    fixed = entropy.split(eps)
    value, exponent = _excess(setting, fixed, selected.price, eps, delta)
    raw = enclose(margin_radius(setting.measured.k) * rational(setting.margin), {})
    before, _ = _excess(setting, entropy_before(setting, selected), Enclosure.point(0), raw, delta)
    where = {
        sym.H: fixed.log_covering(eps),
        sym.price: selected.price,
        sym.m: Enclosure.point(setting.sample.m),
        sym.delta: Enclosure.point(delta),
    }
    end = Formula("excess", Symbol("excess"), chaining.MARGIN_EXCESS, where, value, "theory.md 6.3")
    return Rung(
        name,
        "excess",
        False,
        value,
        1,
        OfClass(setting, delta, selected, fixed, eps, end, _RULE, two_sided=False, exponent=exponent),
        OF_A_CLASS,
        before_selection=before,
        refines="margin" if groups else None,
    )


def _excess(
    setting: Setting, entropy: Product, price: Enclosure, eps: Enclosure, delta: Fraction
) -> tuple[Enclosure, Enclosure]:
    """The excess of 6.3 (by Pinsker) and the exponent of its kl form."""
    intervals = {sym.H: entropy.log_covering(eps), sym.price: price}
    excess, exponent = (
        increasing(formula, scalars_of(setting, delta), intervals)
        for formula in (chaining.MARGIN_EXCESS, chaining.MARGIN_EXPONENT)
    )
    return excess, exponent


def margin_risk(rung: Rung, margin_errors: int, m: int) -> Enclosure:
    """Risk of 6.3 in kl form, ``kl_inv(emp_g, (H + ln(1/pi) + ln(1/delta))/m)``, after ``margin_errors`` of m rows.

    Raises: DomainError for another rung.
    """
    exponent = of_class(rung).exponent
    if exponent is None:
        raise DomainError(f"rung {rung.name!r} has no kl form")
    return kl_inv(Fraction(margin_errors, m), exponent)
