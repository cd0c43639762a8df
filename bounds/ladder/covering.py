"""The ladder of theory.md 6.5: the rungs of a class paid for, margin PAC-Bayes, and the hold-out.

A new bound is one function here that composes existing parts into a ``ladder.rung.Rung``.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Literal

import numpy as np
import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.blocks import without_l1
from ssm_bounds.bounds.architectures.selective_ssm.family import vocabulary_constants
from ssm_bounds.bounds.architectures.selective_ssm.groups import measured_groups, one_group, split
from ssm_bounds.bounds.covers.entropy import Product
from ssm_bounds.bounds.evaluate import elementary
from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits, enclose, enclose_all
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.evaluate.elementary import exp_of, log_of
from ssm_bounds.bounds.gaps import chaining
from ssm_bounds.bounds.gaps.inversion import binomial_upper, kl_inv
from ssm_bounds.bounds.gaps.losses import Ramp, margin_lipschitz, rational
from ssm_bounds.bounds.ladder.margin_rows import Array, with_margins
from ssm_bounds.bounds.ladder.pac_bayes import Family, Posterior
from ssm_bounds.bounds.ladder.reference import entropy_of, increasing, measured_entropy, scalars_of
from ssm_bounds.bounds.ladder.rung import OF_A_CLASS, Hypothesis, Rung, Setting, approximately
from ssm_bounds.bounds.selection.family import SelectedClass
from ssm_bounds.bounds.values import Scalar


@functools.lru_cache(maxsize=16)
def _measured_groups(setting: Setting, selected: SelectedClass) -> Product:
    """Entropy of the class before section 7 with the split of a selected class, and in its norms."""
    measured = setting.measured
    plain = without_l1(setting.measured_class())
    if selected.constants.norms == "vocabulary":
        v_w, v_B, v_C = vocabulary_constants(measured)
        plain = replace(plain, B_w=v_w, B_B=v_B, B_C=v_C, norms="vocabulary")
    return entropy_of(replace(plain, groups=measured_groups(selected.splits, measured)), setting.sample.T)


def _selected_rung(
    name: str,
    kind: Literal["gap", "excess"],
    setting: Setting,
    ceiling: Scalar,
    selected: SelectedClass,
    entropy: Product,
    value: Enclosure,
    before: Enclosure,
    eps: Enclosure,
) -> Rung:
    return Rung(
        name,
        kind,
        kind == "gap",
        value,
        ceiling,
        rests_on=OF_A_CLASS,
        before_selection=before,
        selected=selected,
        entropy=entropy,
        radius=eps,
        details={
            "epsilon": eps,
            "log_covering": entropy.log_covering(eps),
            "parameter_count": selected.constants.parameters,
            "price": selected.price,
            "by_block": entropy.by_block(eps),
        },
    )


def _best_radius(entropy: Product, *, c: float, l_: float, m: int, extra: float) -> float:
    """Radius that nearly minimises ``2 l eps + c sqrt((H(eps) + extra)/(2m))``: a function of class, m and delta."""
    low, high = log_of(1e-9 * c / l_), log_of(4 * c / l_)
    for _ in range(2):
        points, approximate = entropy.on_grid(low, high, 97)
        values = 2 * l_ * elementary.exp(points) + c * np.sqrt((approximate + extra) / (2 * m))
        best = int(np.argmin(np.where(np.isfinite(values), values, np.inf)))
        low, high = float(points[max(best - 1, 0)]), float(points[min(best + 1, len(points) - 1)])
    return exp_of(float(points[best]))


def _single_scale(
    setting: Setting, entropy: Product, price: Enclosure, lipschitz: sympy.Expr, delta: Fraction
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


@functools.lru_cache(maxsize=16)
def _cheapest(setting: Setting, scale: Scalar, groups: bool) -> tuple[SelectedClass, Product]:
    """The class of about least ``H(eps) + price`` at the radius of 6.3: all hold at once, so this choice is free."""
    radius = float(margin_radius(setting.measured.k))
    log_eps = np.array([log_of(radius)])

    def cheapest(classes: Sequence[SelectedClass]) -> tuple[float, SelectedClass, Product]:
        found = []
        for selected in classes:
            entropy = entropy_of(selected.constants, setting.sample.T)
            cost = float(entropy.approximate(log_eps)[0]) + float(selected.price.upper)
            found.append((cost, selected, entropy))
        return min(found, key=lambda candidate: candidate[0])

    classes = setting.classes(scale, groups=groups)
    if groups:
        measured = setting.measured
        proposed = [one_group(shell, measured) for shell in classes]
        if measured.decays is not None:
            proposed += [split(shell, measured, setting.sample, radius) for shell in classes]
        return cheapest(proposed)[1:]
    plain = cheapest([selected for selected in classes if selected.constants.M_A is None])
    # the l1 radii only ever help the class they are added to
    twins = [s for s in classes if s.constants.M_A is not None and set(plain[1].cells) < set(s.cells)]
    _, selected, entropy = min(plain, cheapest(twins), key=lambda candidate: candidate[0])
    return selected, entropy


def scale(setting: Setting, delta: Fraction | None = None) -> Rung:
    """Sharp perturbation at one scale, section 7 paid, two-sided. Source: theory.md 5.1, 6.2, 7."""
    return _scale("scale", setting, delta, groups=False)


def scale_groups(setting: Setting, delta: Fraction | None = None) -> Rung:
    """The same with decay groups, their split paid, and vocabulary constants for vocabulary inputs.

    Source: theory.md 5.2, 5.3, 6.2, 7.
    """
    return _scale("scale-groups", setting, delta, groups=True)


def _scale(name: str, setting: Setting, delta: Fraction | None, *, groups: bool) -> Rung:
    delta = delta or setting.delta
    g: Scalar = 1
    lipschitz = setting.loss_lipschitz
    if isinstance(setting.loss, Ramp):  # the readout is divided by g, and the ramp has margin 1
        g, lipschitz = setting.loss.margin, margin_lipschitz(setting.measured.k)
    selected, entropy = _cheapest(setting, g, groups)
    value, eps, fixed = _single_scale(setting, entropy, selected.price, lipschitz, delta)
    measured = _measured_groups(setting, selected) if groups else measured_entropy(setting)
    before, *_ = _single_scale(setting, measured, Enclosure.point(0), setting.loss_lipschitz, delta)
    return _selected_rung(name, "gap", setting, setting.loss.range, selected, fixed, value, before, eps)


def margin_radius(k: int) -> sympy.Expr:
    """Covering radius of 6.3 at margin 1: 1/2 for one output, 1/(2 sqrt 2) in l2 for k > 1."""
    return 1 / (2 * margin_lipschitz(k))


def _margin_excess(
    setting: Setting, entropy: Product, price: Enclosure, eps: Enclosure, delta: Fraction
) -> tuple[Enclosure, Enclosure]:
    """The excess of 6.3 (by Pinsker) and the exponent of its kl form."""
    intervals = {sym.H: entropy.log_covering(eps), sym.price: price}
    excess, exponent = (
        increasing(formula, scalars_of(setting, delta), intervals)
        for formula in (chaining.MARGIN_EXCESS, chaining.MARGIN_EXPONENT)
    )
    return excess, exponent


def margin(setting: Setting, delta: Fraction | None = None) -> Rung:
    """Sharp perturbation at half the margin, section 7 paid, one-sided. Source: theory.md 5.1, 6.3, 7."""
    return _margin("margin", setting, delta, groups=False)


def margin_groups(setting: Setting, delta: Fraction | None = None) -> Rung:
    """The same with decay groups, their split paid, and vocabulary constants for vocabulary inputs.

    Source: theory.md 5.2, 5.3, 6.3, 7.
    """
    return _margin("margin-groups", setting, delta, groups=True)


def _margin(name: str, setting: Setting, delta: Fraction | None, *, groups: bool) -> Rung:
    delta = delta or setting.delta
    eps = enclose(margin_radius(setting.measured.k), {})
    selected, entropy = _cheapest(setting, setting.margin, groups)
    fixed = entropy.split(eps)
    value, exponent = _margin_excess(setting, fixed, selected.price, eps, delta)
    raw = enclose(margin_radius(setting.measured.k) * rational(setting.margin), {})
    measured = _measured_groups(setting, selected) if groups else measured_entropy(setting)
    before, _ = _margin_excess(setting, measured, Enclosure.point(0), raw, delta)
    rung = _selected_rung(name, "excess", setting, 1, selected, fixed, value, before, eps)
    return replace(rung, details={**rung.details, "exponent": exponent, "delta": delta})


def margin_risk(rung: Rung, margin_errors: int, m: int) -> Enclosure:
    """Risk of 6.3 in kl form, ``kl_inv(emp_g, (H + ln(1/pi) + ln(1/delta))/m)``, after ``margin_errors`` of m rows."""
    exponent: Enclosure = rung.details["exponent"]
    return kl_inv(Fraction(margin_errors, m), exponent)


def pac_bayes(setting: Setting, family: Family, delta: Fraction | None = None, margins: Array | None = None) -> Rung:
    """Margin PAC-Bayes with Gaussian posteriors at the weights, their prior paid; with proven lower bounds of the
    training margins (m,) also its risk. Source: theory.md 8.3, 5.1.
    """
    delta, m = delta or setting.delta, setting.sample.m
    found = family.at(m, delta)
    with_rows = None if margins is None else with_margins(family, m, delta, margins)
    risk = None if with_rows is None else with_rows.risk
    if found.posterior is None or not found.excess.upper.is_finite():
        reason = "no posterior keeps its moves below g/2"  # an excess is at most 1
        if not family.drafts:
            reason = "the constants of this model exceed the range of float64: no posterior"
        return Rung("pac-bayes", "excess", False, Enclosure.point(1), 1, reason, OF_A_CLASS, risk=risk)
    posterior = found.posterior
    reason = _posterior(posterior)
    if with_rows is not None and with_rows.posterior is not None:
        reason = f"excess: {reason}; risk: {_posterior(with_rows.posterior)}, g = {float(with_rows.g):.4g}"
    return Rung(
        "pac-bayes",
        "excess",
        False,
        found.excess,
        1,
        reason,
        OF_A_CLASS,
        risk=risk,
        details={
            "price": posterior.price,
            "divergence": posterior.divergence,
            "tau": posterior.tail,  # without the events
            "events": posterior.events,
            "by_block": posterior.by_block,
            "steps": list(found.trace),
            "steps_of_the_risk": [] if with_rows is None else list(with_rows.trace),
        },
    )


def _posterior(posterior: Posterior) -> str:
    shown = [approximately(part) for part in (posterior.divergence, posterior.price)]
    with bits(START_BITS):
        tau = decimal_string((posterior.tail.upper + posterior.events.upper).upper(), 2)
    return f"KL = {shown[0]}, price {shown[1]} nats, tau = {tau}"


def holdout(errors: int, n: int, delta: Fraction) -> Rung:
    """Clopper-Pearson on fresh test data: the number to beat. Source: theory.md 8.4."""
    return Rung(
        "holdout",
        "risk",
        False,
        binomial_upper(errors, n, delta),
        1,
        f"{errors} errors on {n} test rows",
        (Hypothesis.TEST, Hypothesis.GATE),
        details={"n": n, "errors": errors},
    )


SELECTED = (scale, margin, scale_groups, margin_groups)
"""The rungs with section 7 paid."""
