"""*scale*: sharp perturbation at one scale, two-sided (theory 5.1, 6.2, 7)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import sympy
from sympy import Symbol

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.covers.entropy import Product
from ssm_bounds.bounds.evaluate import elementary
from ssm_bounds.bounds.evaluate.balls import Enclosure, enclose, enclose_all
from ssm_bounds.bounds.evaluate.elementary import exp_of, log_of
from ssm_bounds.bounds.evaluate.formula import Formula
from ssm_bounds.bounds.gaps import chaining
from ssm_bounds.bounds.gaps.losses import Ramp, margin_lipschitz
from ssm_bounds.bounds.ladder.of_class import OfClass, cheapest, entropy_before
from ssm_bounds.bounds.ladder.rung import OF_A_CLASS, Rung, Setting
from ssm_bounds.bounds.ladder.values import Losing, increasing, scalars_of
from ssm_bounds.bounds.values import Scalar

RULE = "2 l eps + c sqrt((H + ln(1/pi) + ln(2/delta))/(2m))"


def scale(setting: Setting, delta: Fraction | None = None) -> Rung:
    """Sharp perturbation at one scale, section 7 paid, two-sided. Source: theory 5.1, 6.2, 7."""
    return _scale("scale", setting, delta or setting.delta, groups=False)


def scale_groups(setting: Setting, delta: Fraction | None = None) -> Rung:
    """The same with decay groups, their split paid, and vocabulary constants for vocabulary inputs.

    Source: theory 5.2, 5.3, 6.2, 7.
    """
    return _scale("scale-groups", setting, delta or setting.delta, groups=True)


def _scale(name: str, setting: Setting, delta: Fraction, *, groups: bool) -> Rung:
    g: Scalar = 1
    lipschitz = setting.loss_lipschitz
    if isinstance(setting.loss, Ramp):  # the readout is divided by g, and the ramp has margin 1
        g, lipschitz = setting.loss.margin, margin_lipschitz(setting.measured.k)
    selected, entropy = cheapest(setting, g, groups)
    value, eps, fixed = single_scale(setting, entropy, selected.price, lipschitz, delta)
    measured = entropy_before(setting, selected)
    before, *_ = single_scale(setting, measured, Enclosure.point(0), setting.loss_lipschitz, delta)
    end = gap_formula(setting, fixed, eps, selected.price, lipschitz, delta, value)
    return Rung(
        name,
        "gap",
        True,
        value,
        setting.loss.range,
        OfClass(setting, delta, selected, fixed, eps, end, RULE, two_sided=True),
        OF_A_CLASS,
        before_selection=before,
        refines="scale" if groups else None,
    )


def gap_formula(
    setting: Losing,
    fixed: Product,
    eps: Enclosure,
    price: Enclosure,
    lipschitz: sympy.Expr,
    delta: Fraction,
    value: Enclosure,
) -> Formula:
    """What :func:`single_scale` evaluated, with its numbers: ``fixed`` is its entropy. Source: theory 6.2."""
    where = {
        sym.H: fixed.log_covering(eps),
        sym.price: price,
        sym.m: Enclosure.point(setting.sample.m),
        sym.delta: Enclosure.point(delta),
        sym.l: enclose(lipschitz, {}),
        sym.eps: eps,
        sym.c: Enclosure.point(setting.loss.range),
    }
    return Formula("gap", Symbol("gap"), chaining.SINGLE_SCALE, where, value, "theory.md 6.2")


def single_scale(
    setting: Losing, entropy: Product, price: Enclosure, lipschitz: sympy.Expr, delta: Fraction
) -> tuple[Enclosure, Enclosure, Product]:
    """Value of 6.2, its radius, and the entropy with its split there."""
    scalars = scalars_of(setting, delta) | {sym.l: lipschitz}
    constants = enclose_all({"c": sym.c, "l": sym.l, "log": sympy.log(2 / sym.delta)}, scalars)
    c, l_, log_delta = (float(constants[key].upper) for key in ("c", "l", "log"))
    extra = float(price.upper) + log_delta
    eps = Enclosure.point(_best_radius(entropy, c=c, l_=l_, m=setting.sample.m, extra=extra))
    fixed = entropy.split(eps)
    intervals = {sym.eps: eps, sym.H: fixed.log_covering(eps), sym.price: price}
    return increasing(chaining.SINGLE_SCALE, scalars, intervals), eps, fixed


def _best_radius(entropy: Product, *, c: float, l_: float, m: int, extra: float) -> float:
    """Radius that nearly minimises ``2 l eps + c sqrt((H(eps) + extra)/(2m))``: a function of class, m and delta."""
    low, high = log_of(1e-9 * c / l_), log_of(4 * c / l_)
    for _ in range(2):
        points, approximate = entropy.on_grid(low, high, 97)
        values = 2 * l_ * elementary.exp(points) + c * np.sqrt((approximate + extra) / (2 * m))
        best = int(np.argmin(np.where(np.isfinite(values), values, np.inf)))
        low, high = float(points[max(best - 1, 0)]), float(points[min(best + 1, len(points) - 1)])
    return exp_of(float(points[best]))
