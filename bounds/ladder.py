"""The ladder of theory.md 6.5: named bounds as rungs, each with its verdict, and the certificate that collects them.

A new bound is one function here that composes existing parts into a :class:`Rung`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import sympy
from flint import arb

from bounds import chaining
from bounds import notation as sym
from bounds.blocks import assignment, coefficients, output_entropy
from bounds.constants import ClassConstants, DomainError, MeasuredConstants, Sample, Scalar, require
from bounds.enclose import Enclosure, Value, enclose, enclose_all
from bounds.entropy import EntropyBound, Product, Step, allocation
from bounds.groups import measured_groups, one_group, split
from bounds.inversion import binomial_upper, kl_inv
from bounds.losses import Loss, Ramp, margin_lipschitz, rational
from bounds.margin_pac_bayes import Family
from bounds.perturbation import PUBLISHED, PUBLISHED_ALPHA, PUBLISHED_STATE
from bounds.selection import SelectedClass, measured_class, selected_classes, vocabulary_constants
from bounds.sums import RHO

Embedding = Literal["fixed", "trained", "none"]
Evidence = Literal["recorded", "stated", "assumed"]


class Verdict(StrEnum):
    """theory.md 6.5: CERTIFIED when every hypothesis is checked or is one of the two named assumptions."""

    CERTIFIED = "CERTIFIED"
    CONDITIONAL = "CONDITIONAL"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a certificate is asked for. ``margin``: g of the margin rung, fixed before the data unless it was chosen
    by :func:`choose_margin`. ``embedding``: "trained" puts it in the class; ``evidence`` says who vouches for "fixed".
    ``conditions``: further hypotheses that nobody checked; ``shifted``: training and test data are known to differ in
    distribution.
    """

    measured: MeasuredConstants
    sample: Sample
    loss: Loss
    margin: Scalar
    delta: Fraction = Fraction(1, 20)
    vocabulary: bool = False
    embedding: Embedding = "none"
    evidence: Evidence = "assumed"
    conditions: tuple[str, ...] = ()
    shifted: bool = False

    def __post_init__(self) -> None:
        require(0 < self.delta < 1, f"delta is a failure probability in (0, 1), got {float(self.delta):g}")
        require(self.margin > 0, f"the margin must be > 0, got {self.margin!r}")
        require(
            (self.embedding == "none") == (self.measured.V is None),
            f"embedding {self.embedding!r} does not fit a model with {self.measured.V or 'no'} embedding rows",
        )
        require(
            not (self.vocabulary and self.embedding != "fixed"),
            "vocabulary inputs need a fixed embedding: with a trained one the constraint on (p, q) and the embedding "
            "is bilinear, hence not convex (theory.md 3.3); use ball inputs",
        )

    @property
    def in_class(self) -> bool:
        return self.embedding == "trained"

    @property
    def loss_lipschitz(self) -> sympy.Expr:
        return self.loss.lipschitz(self.measured.k)

    def measured_class(self) -> ClassConstants:
        return measured_class(self.measured, embedding_in_class=self.in_class, vocabulary=self.vocabulary)

    def classes(self, scale: Scalar, *, groups: bool = False) -> list[SelectedClass]:
        return list(
            selected_classes(
                self.measured,
                self.sample,
                margin=scale,
                embedding_in_class=self.in_class,
                vocabulary=self.vocabulary,
                groups=groups,
            )
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """What the program scored on n rows: mean loss, errors (margin <= 0), margin errors (margin <= g)."""

    n: int
    loss: float
    errors: int
    margin_errors: int | None = None


@dataclass(frozen=True, slots=True)
class Rung:
    """One bound. ``value.upper`` is the number; ``kind``: gap (of the loss), excess over emp_g, or risk."""

    name: str
    kind: Literal["gap", "excess", "risk"]
    two_sided: bool
    value: Enclosure
    ceiling: Scalar
    verdict: Verdict
    why: str
    applies: bool = True
    before_selection: Enclosure | None = None
    selected: SelectedClass | None = None
    entropy: EntropyBound | None = None
    radius: Enclosure | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trace(self) -> tuple[Step, ...]:
        """The covering argument, rule by rule, at the radius that the rung uses."""
        return () if self.entropy is None or self.radius is None else self.entropy.trace(self.radius)

    @property
    def vacuous(self) -> bool:
        """At least the range of what it bounds."""
        return not self.value.upper < _exact(self.ceiling)


@dataclass(frozen=True, slots=True)
class Certificate:
    """The ladder of one model, its best selected rung recomputed at delta over the number compared, and what is
    left unchecked. ``train_risk``: the smallest of the certified risks of the margin rungs, each at delta over their
    number, and ``risk_rung`` the name of the one that gives it."""

    setting: Setting
    rungs: tuple[Rung, ...]
    best: Rung
    compared: int
    train: Tally | None
    train_risk: Enclosure | None
    risk_rung: str | None
    test: Tally | None

    @property
    def verdict(self) -> Verdict:
        return self.best.verdict


def _exact(value: Scalar) -> arb:
    return Enclosure.point(value).upper


def _scalars(setting: Setting, delta: Fraction) -> dict[sympy.Symbol, Value]:
    return {
        sym.m: setting.sample.m,
        sym.delta: delta,
        sym.c: setting.loss.range,
        sym.l: setting.loss_lipschitz,
    }


def _increasing(
    formula: sympy.Expr, values: Mapping[sympy.Symbol, Value], intervals: Mapping[sympy.Symbol, Enclosure]
) -> Enclosure:
    """Enclosure of a formula that increases in every interval-valued symbol: both corners suffice."""
    lower = enclose(formula, {**values, **{symbol: interval.lower for symbol, interval in intervals.items()}})
    upper = enclose(formula, {**values, **{symbol: interval.upper for symbol, interval in intervals.items()}})
    return Enclosure(lower.lower, upper.upper)


# --- rungs at the measured constants: for comparison -------------------------------------------------------------


def published(setting: Setting) -> Rung:
    """Our explicit-constant reading of the printed route. Source: theory.md 2 (C.9, D.4, E.2)."""
    constants = replace(
        measured_class(setting.measured, embedding_in_class=False, vocabulary=False), p_lo=setting.measured.p
    )
    values = assignment(constants, setting.sample.T, rho="published") | {sym.B_x: PUBLISHED_STATE}
    blocks = [name for name in PUBLISHED if not (name == "q" and constants.gate == "none")]
    alpha, beta = ({name: table[name] for name in blocks} for table in (PUBLISHED_ALPHA, PUBLISHED))
    found = enclose_all(
        {("alpha", name): alpha[name] for name in blocks} | {("beta", name): beta[name] for name in blocks}, values
    )
    # C.9 needs alpha, beta > 0; a block of radius or coefficient 0 costs nothing
    active = [name for name in blocks if found["alpha", name].upper > 0 and found["beta", name].upper > 0]
    capacity = allocation([alpha[name] for name in active], [beta[name] for name in active]) ** sympy.Rational(3, 2)
    scalars = values | _scalars(setting, setting.delta) | {sym.C_F: capacity}
    details: dict[str, Any] = {}
    if active:
        result = enclose_all(
            {"C_F": sym.C_F, "ratio": chaining.PUBLISHED_CONDITION, "value": chaining.PUBLISHED_GAP}, scalars
        )
        value, ratio = result["value"], result["ratio"]
        details = {"C_F": result["C_F"], "ratio": ratio}
        applies = bool(ratio.upper <= 1)
        threshold = enclose(sym.l * sym.C_F * 3, scalars), enclose(sym.c * sympy.sqrt(sym.m), scalars)
        details |= {"3 l C_F": threshold[0], "c sqrt(m)": threshold[1]}
    else:
        applies, value = True, enclose(chaining.PUBLISHED_DEVIATION, scalars)
    if applies:
        why = "applies, but at measured constants (not paid for) and resting on C.3 and E.3, refuted in general"
    else:
        sign = "negative there" if value.upper < 0 else "below the true infimum there"
        why = (
            f"does not apply: 3 l C_F = {approximately(details['3 l C_F'])} exceeds c sqrt(m) = "
            f"{approximately(details['c sqrt(m)'])}, the printed formula is {sign}"
        )
    details |= {"alpha": {n: found["alpha", n] for n in blocks}, "beta": {n: found["beta", n] for n in blocks}}
    return Rung(
        "published", "gap", True, value, setting.loss.range, Verdict.CONDITIONAL, why, applies=applies, details=details
    )


def _chained(setting: Setting, chain: Literal["sharp", "repaired"], source: str) -> Rung:
    constants = setting.measured_class()
    beta = coefficients(constants, setting.sample.T, chain)
    entropy = _measured(setting) if chain == "sharp" else output_entropy(constants, beta)
    scalars = _scalars(setting, setting.delta)
    lipschitz = enclose(sym.l, scalars)
    found = chaining.dudley(entropy, lipschitz=lipschitz, c=setting.loss.range, m=setting.sample.m)
    half = Enclosure.of(_exact(Fraction(setting.loss.range) / 2) / lipschitz.upper)
    at_half = entropy.split(half)
    details: dict[str, Any] = {
        "rademacher": found.rademacher,
        "alpha": found.alpha,
        "cells": found.cells,
        "log_covering_at_half_range": at_half.log_covering(half),
        "beta": beta,
    }
    if chain == "repaired":
        details |= enclose_all(
            {"rho": RHO["repaired"], "S_1": sym.S_1, "S_2": sym.S_2}, assignment(constants, setting.sample.T)
        )
    why = f"{source} under the Dudley integral, at the measured constants (not paid for)"
    if not found.cells:
        covering = approximately(details["log_covering_at_half_range"])
        why += f"; ln N = {covering} at half range exceeds m/9, so no alpha below c/2 helps"
    return Rung(
        chain,
        "gap",
        True,
        _increasing(chaining.GAP, scalars, {sym.rademacher: found.rademacher}),
        setting.loss.range,
        Verdict.CONDITIONAL,
        why,
        entropy=at_half,
        radius=half,
        details=details,
    )


def repaired(setting: Setting) -> Rung:
    """The published route with its false steps replaced. Source: theory.md 5.5, 6.1."""
    return _chained(setting, "repaired", "5.5")


def sharp(setting: Setting) -> Rung:
    """The sharp perturbation theorem under the Dudley integral. Source: theory.md 5.1, 6.1."""
    return _chained(setting, "sharp", "5.1")


# --- rungs of a class paid for -----------------------------------------------------------------------------------


def conditions(setting: Setting) -> list[str]:
    """What the rungs of a class or a posterior rest on, unchecked, besides the two named assumptions."""
    found = list(setting.conditions)
    if setting.embedding == "fixed" and setting.evidence != "recorded":
        found.insert(0, "the embedding was fixed before the data")
    if setting.embedding == "none":
        found.insert(0, f"every input has l2 norm at most {float(setting.measured.B_u):g}")
    return found


def condition(setting: Setting) -> str:
    """The same as the end of a sentence; "" if there is nothing."""
    found = conditions(setting)
    return "if " + ", and ".join(found) if found else ""


def _conditional(setting: Setting) -> tuple[Verdict, str]:
    if found := condition(setting):
        return Verdict.CONDITIONAL, found
    return Verdict.CERTIFIED, "every constant chosen after the data is paid for"


def _entropy_of(constants: ClassConstants, T: int) -> Product:
    return output_entropy(constants, coefficients(constants, T))


@functools.lru_cache(maxsize=16)
def _measured(setting: Setting) -> Product:
    """Entropy of the class before section 7."""
    return _entropy_of(setting.measured_class(), setting.sample.T)


@functools.lru_cache(maxsize=16)
def _measured_groups(setting: Setting, selected: SelectedClass) -> Product:
    """Entropy of the class before section 7 with the split of a selected class, and in its norms."""
    measured = setting.measured
    plain = replace(setting.measured_class(), M_A=None, M_B=None, M_C=None, M_q=None, M_w=None)
    if selected.constants.norms == "vocabulary":
        v_w, v_B, v_C = vocabulary_constants(measured)
        plain = replace(plain, B_w=v_w, B_B=v_B, B_C=v_C, norms="vocabulary")
    return _entropy_of(replace(plain, groups=measured_groups(selected.splits, measured)), setting.sample.T)


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
    verdict, why = _conditional(setting)
    return Rung(
        name,
        kind,
        kind == "gap",
        value,
        ceiling,
        verdict,
        why,
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
    low, high = math.log(1e-9 * c / l_), math.log(4 * c / l_)
    for _ in range(2):
        points = np.linspace(low, high, 97)
        values = 2 * l_ * np.exp(points) + c * np.sqrt((entropy.approximate(points) + extra) / (2 * m))
        best = int(np.argmin(np.where(np.isfinite(values), values, np.inf)))
        low, high = points[max(best - 1, 0)], points[min(best + 1, len(points) - 1)]
    return math.exp(points[best])


def _single_scale(
    setting: Setting, entropy: Product, price: Enclosure, lipschitz: sympy.Expr, delta: Fraction
) -> tuple[Enclosure, Enclosure, Product]:
    """Value of 6.2, its radius, and the entropy with its split there."""
    scalars = _scalars(setting, delta) | {sym.l: lipschitz}
    constants = enclose_all({"c": sym.c, "l": sym.l, "log": sympy.log(2 / sym.delta)}, scalars)
    c, l_, log_delta = (float(constants[key].upper) for key in ("c", "l", "log"))
    extra = float(price.upper) + log_delta
    eps = Enclosure.point(_best_radius(entropy, c=c, l_=l_, m=setting.sample.m, extra=extra))
    fixed = entropy.split(eps)
    intervals = {sym.eps: eps, sym.H: fixed.log_covering(eps), sym.price: price}
    return _increasing(chaining.SINGLE_SCALE, scalars, intervals), eps, fixed


@functools.lru_cache(maxsize=16)
def _cheapest(setting: Setting, scale: Scalar, groups: bool) -> tuple[SelectedClass, Product]:
    """The class of about least ``H(eps) + price`` at the radius of 6.3: all hold at once, so this choice is free."""
    radius = float(margin_radius(setting.measured.k))
    log_eps = np.array([math.log(radius)])

    def cheapest(classes: Sequence[SelectedClass]) -> tuple[float, SelectedClass, Product]:
        found = []
        for selected in classes:
            entropy = _entropy_of(selected.constants, setting.sample.T)
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
    measured = _measured_groups(setting, selected) if groups else _measured(setting)
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
        _increasing(formula, _scalars(setting, delta), intervals)
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
    measured = _measured_groups(setting, selected) if groups else _measured(setting)
    before, _ = _margin_excess(setting, measured, Enclosure.point(0), raw, delta)
    rung = _selected_rung(name, "excess", setting, 1, selected, fixed, value, before, eps)
    return replace(rung, details={**rung.details, "exponent": exponent, "delta": delta})


def margin_risk(rung: Rung, train: Tally) -> Enclosure:
    """Certified risk of 6.3 in kl form: ``kl_inv(emp_g, (H + ln(1/pi) + ln(1/delta))/m)``."""
    if train.margin_errors is None:
        raise DomainError("the certified risk needs the number of training margins at most g")
    exponent: Enclosure = rung.details["exponent"]
    return kl_inv(Fraction(train.margin_errors, train.n), exponent)


def pac_bayes(setting: Setting, family: Family, delta: Fraction | None = None) -> Rung:
    """Margin PAC-Bayes with Gaussian posteriors at the weights, their prior paid. Source: theory.md 8.3, 5.1."""
    delta = delta or setting.delta
    found = family.at(setting.sample.m, delta)
    verdict, why = _conditional(setting)
    if found.posterior is None or not found.excess.upper.is_finite():
        why = "no posterior keeps its moves below g/2"
        return Rung("pac-bayes", "excess", False, Enclosure.point(1), 1, verdict, why)  # an excess is at most 1
    posterior = found.posterior
    shown = [approximately(part) for part in (posterior.divergence, posterior.price)]
    numbers = f"KL = {shown[0]}, price {shown[1]} nats, tau = {posterior.tail.float_upper():.2g}"
    return Rung(
        "pac-bayes",
        "excess",
        False,
        found.excess,
        1,
        verdict,
        f"{numbers}; {why}" if verdict is Verdict.CONDITIONAL else numbers,
        details={
            "price": posterior.price,
            "divergence": posterior.divergence,
            "tau": posterior.tail,
            "events": posterior.events,
            "by_block": posterior.by_block,
            "steps": list(found.trace),
        },
    )


def holdout(test: Tally, delta: Fraction, *, shifted: bool = False) -> Rung:
    """Clopper-Pearson on fresh test data: the number to beat. Source: theory.md 8.4."""
    origin = "but training and test data differ in distribution" if shifted else "drawn from the training distribution"
    return Rung(
        "holdout",
        "risk",
        False,
        binomial_upper(test.errors, test.n, delta),
        1,
        Verdict.CONDITIONAL if shifted else Verdict.CERTIFIED,
        f"{test.errors} errors on {test.n} test rows, assumed fresh, {origin}",
        details={"n": test.n, "errors": test.errors},
    )


def risk_of_weights(
    name: Literal["occam", "one-draw"],
    value: Enclosure,
    why: str,
    *,
    conditions: Sequence[str] = (),
    details: Mapping[str, Any],
) -> Rung:
    """A risk that holds for the program on exactly these weights: no margin, length or embedding is assumed.

    Source: theory.md 8.1, 8.2.
    """
    verdict = Verdict.CONDITIONAL if conditions else Verdict.CERTIFIED
    return Rung(name, "risk", False, value, 1, verdict, "; if ".join((why, *conditions)), details=details)


def with_rungs(certificate: Certificate, rungs: Sequence[Rung]) -> Certificate:
    """The certificate with more rungs, before the hold-out; each holds by itself at delta."""
    at = next((i for i, rung in enumerate(certificate.rungs) if rung.name == "holdout"), len(certificate.rungs))
    return replace(certificate, rungs=(*certificate.rungs[:at], *rungs, *certificate.rungs[at:]))


def choose_margin(setting: Setting, margins: np.ndarray) -> Scalar:
    """Margin of least certified risk, among one per cell of ``B_product/g``: free, because that cell is paid anyway.

    Shapes: margins (n,) of the training rows. Raises: DomainError when no margin is positive.
    Source: theory.md 7 (rescaling W by 1/g).
    """
    positive = np.sort(margins[margins > 0])
    if not len(positive):
        raise DomainError("--margin auto: no training row has a positive margin; there is no margin to choose")
    unit = setting.classes(1)[0].cell("B_product")
    product = Fraction(unit.value) if unit else Fraction(1)
    # g = B/2^{j/8} over the positive margins; the largest double below it would need the next cell
    low, high = (8 * math.log2(float(product) / float(end)) for end in (positive[-1], positive[0]))
    best: tuple[float, Scalar] = (math.inf, 1)
    for j in range(math.floor(low), min(math.ceil(high), math.floor(low) + 160) + 1, 2):
        g = float(product) * 2.0 ** (-j / 8)
        trial = margin(replace(setting, margin=g))
        tally = Tally(len(margins), 0.0, 0, int((margins <= g).sum()))
        best = min(best, (margin_risk(trial, tally).float_upper(), g))
    return best[1]


SELECTED = (scale, margin, scale_groups, margin_groups)
"""The rungs with section 7 paid: the best of them is recomputed at delta over their number (theory.md 6.5)."""


@functools.lru_cache(maxsize=64)
def certify(
    setting: Setting, *, train: Tally | None = None, test: Tally | None = None, family: Family | None = None
) -> Certificate:
    """All rungs of one model. ``train`` adds the certified risk, ``test`` the hold-out rung; ``family``, from
    :func:`bounds.margin_pac_bayes.fit` at the setting's margin, the rung that needs the weights themselves.
    Source: theory.md 6.5.
    """
    if train is not None:
        require(
            train.n == setting.sample.m,
            f"the training data has {train.n} rows but m = {setting.sample.m}: the bound is about the sample that "
            "the model was trained on",
        )
    makers: list[Callable[..., Rung]] = [functools.partial(rung, setting) for rung in SELECTED]
    if family is not None:
        makers.append(functools.partial(pac_bayes, setting, family))
    selected = {make: make() for make in makers}
    rungs = [published(setting), repaired(setting), sharp(setting), *selected.values()]
    leader = min(selected, key=lambda make: float(selected[make].value.upper / _exact(selected[make].ceiling)))
    best = leader(setting.delta / len(selected))
    train_risk = risk_rung = None
    if train is not None:
        share = setting.delta / (2 if family is None else 3)
        parts = [rung(setting, share) for rung in (margin, margin_groups)]
        risks = [(margin_risk(part, train), part.name) for part in parts]
        if family is not None and (found := family.at(train.n, share, train.margin_errors).risk) is not None:
            risks.append((found, "pac-bayes"))
        train_risk, risk_rung = min(risks, key=lambda found: float(found[0].upper))
    if test is not None:
        rungs.append(holdout(test, setting.delta, shifted=setting.shifted))
    return Certificate(setting, tuple(rungs), best, len(selected), train, train_risk, risk_rung, test)


def approximately(value: Enclosure) -> str:
    """A short decimal of the upper end, for messages: rounded to three digits, of any size."""
    return str(value.upper.str(3, radius=False))
