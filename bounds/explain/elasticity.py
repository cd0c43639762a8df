"""What would make a certificate better: elasticities ``d ln bound / d ln constant``, and the bound recomputed.

A certified value is a step function of the weights: selected constants sit on the grid of theory 7, boxes are
covered with ceilings, prices step with cells. Differentiated is its *relaxation* (``explain.relaxation``), without
the ceilings and with exact minimisers, as a function of the measured constants: every constant of the class is a
rounding factor (the lower end of p's cell: an offset) times what was measured. Held are those factors, the price
``ln(1/pi)``, and every choice: the class, its decay groups (whose numbers of items grow in proportion with d and N),
which of two covers a block uses, range and Lipschitz constant of the loss, and the 1 or sqrt 2 of the margin. Counts
are continuous.

Constants: the elasticity in a spectral or l2 norm (B_w, B_B, B_C, B_q, B_u) is along the scaling of its matrix, all
of whose norms move with it; for B_u that of the embedding (or of the stated input bound). In an l1 norm (M_A, M_B,
M_C, M_w, M_q, shown where the class has it) that norm moves alone. A is the scaling of every a_jn; B_A, s_A (the bound
of the slowest groups) and the bound of each further decay group (s_rows.2, ...) move alone. M is the largest gate with
all else held. p is a location and may be 0: its row is *per unit*, ``d ln bound / dp``. s_A may have either sign: its
row is ``d ln bound / d ln|s_A|`` and its ``slope`` is ``d ln bound / d s_A``. At s_A = 0 the bound has a kink
(theory 4.5, ``|s_A|`` in 5.1): the slope is the one to the left, towards stability. A model whose s_A < 0 was
rounded to 0 has slope 0, its cell being held; so has every constant that is 0.

What is certified: ``relaxed`` and the elasticities are enclosures of the relaxation and its derivatives, not claims
about the certified number between two cells; ``down`` and ``up`` are certified: the same rung recomputed, with its
cells, prices and choices made anew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

from flint import arb
from sympy import Expr, diff

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.blocks import assignment
from ssm_bounds.bounds.architectures.selective_ssm.constants import ClassConstants
from ssm_bounds.bounds.architectures.selective_ssm.family import vocabulary_constants
from ssm_bounds.bounds.architectures.selective_ssm.groups import item_decays
from ssm_bounds.bounds.architectures.selective_ssm.sums import softplus
from ssm_bounds.bounds.architectures.selective_ssm.table import SELECTIVE_SSM
from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits, exact, least
from ssm_bounds.bounds.evaluate.decimals import decimal_string, number
from ssm_bounds.bounds.explain.moves import NORMS, moved
from ssm_bounds.bounds.explain.relaxation import COUNTS, Direction, Optimum, narrow, optimum, total
from ssm_bounds.bounds.gaps.losses import Ramp
from ssm_bounds.bounds.ladder.of_class import OfClass, of_class
from ssm_bounds.bounds.ladder.registry import PAID, Asked, named
from ssm_bounds.bounds.ladder.rung import Rung, Setting
from ssm_bounds.bounds.values import DomainError, Scalar


@dataclass(frozen=True, slots=True)
class Elasticity:
    """One row. ``value``: the constant as measured; ``elasticity``: ``d ln bound / d ln value``, or per unit for p;
    None where a block that costs nothing would begin to cost, with infinite slope. ``slope``: for s_A and the bounds
    of decay groups ``d ln bound / d s``. ``down`` and ``up``: certified values with the constant halved and doubled
    (p: less and plus 1), None where it cannot be moved alone."""

    constant: str
    meaning: str
    value: Scalar
    elasticity: Enclosure | None
    per: Literal["relative", "unit"] = "relative"
    slope: Enclosure | None = None
    down: Enclosure | None = None
    up: Enclosure | None = None

    @property
    def size(self) -> float:
        """Modulus of the elasticity, for sorting."""
        return math.inf if self.elasticity is None else abs(float(self.elasticity.upper))


@dataclass(frozen=True, slots=True)
class Explanation:
    """Elasticities of one rung, largest first. ``relaxed``: value of the relaxation; ``shares``: ``d H/d ln G`` of each
    block as a part of the sum, which is its share of the radius; ``passed_over``: the best rung where
    that one has no class of norms."""

    setting: Setting
    rung: Rung
    delta: Fraction
    relaxed: Enclosure
    shares: Mapping[str, Enclosure]
    rows: tuple[Elasticity, ...]
    passed_over: Rung | None = None

    def row(self, constant: str) -> Elasticity:
        """Raises: DomainError for a constant that the rung does not depend on."""
        for row in self.rows:
            if row.constant == constant:
                return row
        raise DomainError(
            f"rung {self.rung.name!r} has no constant {constant!r}: {', '.join(r.constant for r in self.rows)}"
        )


_MOVES = {
    "m": "training sequences",
    "delta": "failure probability",
    "g": "margin; moves the fraction that the bound adds to",
    "T": "largest sequence length",
    "d": "channels",
    "N": "states per channel",
    "k": "outputs",
    "V": "rows of the embedding",
    "B_w": "readout W, all of its norms",
    "B_B": "W_B, all of its norms",
    "B_C": "W_C, all of its norms",
    "B_q": "gate weights q",
    "B_u": "inputs: the embedding, all of its rows",
    "M": "largest gate, all else held",
    "A": "every entry of A",
    "B_A": "largest modulus in A, alone",
    "s_A": "largest entry of A, alone",
    "p": "gate bias",
} | {block.l1.name: f"l1 norm of {block.shown}, alone" for block in SELECTIVE_SSM.blocks if block.l1 is not None}
_GATE_SLOPE: Expr = diff(softplus(sym.p), sym.p) / softplus(sym.p)


def _gate(setting: Setting, constants: ClassConstants) -> tuple[arb, arb]:
    """``d ln M / dp`` and ``d ln M / d ln q``, at the cap's logit if the class has a cap, else at its own."""
    measured = setting.measured
    if constants.M is None:
        least, logit = constants.p_hi, Fraction(constants.p_hi) + Fraction(constants.B_q) * Fraction(constants.B_u)
    elif setting.vocabulary:
        least, logit = measured.p, Fraction(measured.logit_max or 0)
    else:
        least, logit = measured.p, Fraction(measured.p) + Fraction(measured.B_q) * Fraction(measured.B_u)
    by_p = narrow(_GATE_SLOPE, {sym.p: logit})
    with bits(2 * START_BITS):
        return by_p, by_p * exact(logit - Fraction(least))


def _directions(setting: Setting, rung: Rung) -> dict[str, Direction]:
    """What moves in the class when one constant of the model moves by a relative amount (p: by an amount)."""
    selected = of_class(rung).selected
    constants, measured = selected.constants, setting.measured
    vocabulary, trained = constants.norms == "vocabulary", constants.V is not None
    # W_B and W_C are normalised in the class: W carries their norms, and 1/g
    carried = ["v_w" if vocabulary else "B_w", *(["M_w"] if constants.M_w is not None else [])]
    norms = vocabulary_constants(measured) if vocabulary else (measured.B_w, measured.B_B, measured.B_C)
    if not all(norms) or (trained and not measured.B_u):
        carried = []  # the cell of the product 0, which stays 0
    product = dict.fromkeys(carried, 1)
    found: dict[str, Direction] = {"B_w": product, "B_B": product, "B_C": product}
    if isinstance(setting.loss, Ramp) or rung.kind == "excess":
        found["g"] = dict.fromkeys(carried, -1)
    cubed: dict[str, int | arb] = dict.fromkeys(carried, 3)
    inputs: dict[str, int | arb] = cubed if trained else {**(cubed if vocabulary else {}), "B_u": 1}
    if measured.gate == "softplus":
        by_p, by_q = _gate(setting, constants)
        weights: dict[str, int | arb] = {"B_q": 1, **({"M_q": 1} if constants.M_q is not None else {})}
        found |= {"M": {"M": 1}, "p": {"M": by_p}, "B_q": {**weights, "M": by_q}}
        if not trained:
            inputs = {**inputs, "M": by_q}
        elif measured.B_q:  # else the cell of the product B_q B_u = 0, which stays 0
            inputs = {**inputs, **weights, "M": by_q}
        if constants.M_q is not None:
            found["M_q"] = {"M_q": 1}
    found["B_u"] = inputs
    found |= {name: {name: 1} for name in ("T", "d", "N", "k", "B_A", "s_A")}
    if trained:
        found["V"] = {"V": 1}
    l1 = [block.l1.name for block in SELECTIVE_SSM.of(gate=False) if block.l1 is not None]
    found |= {name: {name: 1} for name in l1 if getattr(constants, name) is not None}
    groups = [cell.name for cell in selected.cells if cell.name.startswith(("s_A.", "s_rows.", "s_columns."))]
    found |= {name: {name: 1} for name in groups}
    return found | {"A": dict.fromkeys(("B_A", "s_A", *(["M_A"] if constants.M_A is not None else []), *groups), 1)}


def _measured_bounds(setting: Setting, rung: Rung) -> dict[str, Scalar]:
    """Largest measured decay of each further group, by the name of its cell."""
    selected = of_class(rung).selected
    decays = item_decays(setting.measured)
    return {
        f"s_{split.name}.{group + 1}": max(
            s for s, label in zip(decays[split.name], split.labels, strict=True) if label == group
        )
        for split in selected.splits
        for group in range(1, split.groups)
    }


def elasticities(setting: Setting, rung: Rung, delta: Fraction | None = None) -> Explanation:
    """Exact elasticities of a rung *scale*, *margin*, *scale-groups* or *margin-groups*, without recomputing it.

    ``delta``: at which the rung was computed, if not the setting's. Raises: DomainError for a rung without a class.
    Source: this module's docstring; theory 3.4, 5.1 to 5.4, 6.2, 6.3, 7.
    """
    delta = delta or setting.delta
    best = optimum(rung, setting, delta)
    measured = setting.measured
    values: dict[str, Scalar] = {
        **{name: getattr(measured, name) for name in (*COUNTS, *_MOVES) if getattr(measured, name, None) is not None},
        "m": setting.sample.m, "T": setting.sample.T, "delta": setting.delta, "g": setting.margin, "A": measured.B_A,
        **_measured_bounds(setting, rung),
    }  # fmt: skip
    found = [
        Elasticity("m", _MOVES["m"], setting.sample.m, best.elasticity(best.by_m, setting.sample.m)),
        Elasticity("delta", _MOVES["delta"], setting.delta, best.elasticity(best.by_delta, delta)),
    ]
    zero = Enclosure.point(0)
    for name, direction in _directions(setting, rung).items():
        value = values[name] if name != "M" else _largest(rung, setting)
        change: Enclosure | None
        if value == 0 and name != "p":
            change = zero  # relative changes of 0 are 0
        elif name == "T" and value == 1:
            change = None  # R_2 is 0 there and grows at once
        else:
            change = best.along(direction)
        row = Elasticity(name, _meaning(name), value, change, "unit" if name == "p" else "relative")
        if name.startswith("s_") and change is not None:
            row = replace(row, slope=_slope_of(best, name, value, change))
        found.append(row)
    with bits(2 * START_BITS):
        whole = total(best.radii.values())
        shares = {t.name: Enclosure.of(best.radii[t.name] / whole) if t.active else zero for t in best.terms}
        relaxed = Enclosure.of(best.value)
    return Explanation(setting, rung, delta, relaxed, shares, tuple(sorted(found, key=lambda row: -row.size)))


def _meaning(name: str) -> str:
    item, _, group = name.removeprefix("s_").partition(".")
    return f"bound of decay group {group} of {item}, alone" if group else _MOVES[name]


def _largest(rung: Rung, setting: Setting) -> Scalar:
    """M of the class."""
    selected = of_class(rung).selected
    return float(narrow(sym.M, assignment(replace(selected.constants, groups=None), setting.sample.T)))


def _slope_of(best: Optimum, name: str, value: Scalar, change: Enclosure) -> Enclosure | None:
    if value == 0:
        return best.along({f"{name} slope": 1})
    with bits(2 * START_BITS):
        return Enclosure.of(change.ball() / exact(value))


def recomputed(explanation: Explanation) -> Explanation:
    """With ``down`` and ``up``: the same rung, certified anew for each constant halved and doubled."""
    setting, delta = explanation.setting, explanation.delta
    share, bound = delta / setting.delta, named(explanation.rung.name)

    def certified(constant: str, factor: Fraction) -> Enclosure | None:
        other = moved(setting, constant, factor)
        return None if other is None else bound(Asked(other), other.delta * share).value

    rows = tuple(
        replace(row, down=certified(row.constant, Fraction(1, 2)), up=certified(row.constant, Fraction(2)))
        for row in explanation.rows
    )
    return replace(explanation, rows=rows)


def explain(setting: Setting, rungs: Sequence[Rung]) -> Explanation:
    """The elasticities of the best of ``rungs`` at its share of delta, and that rung recomputed.

    *pac-bayes* depends on the weights themselves, not on norms: where it is the best, the best rung with a class of
    norms is explained, and ``passed_over`` says so. Raises: DomainError.
    """
    share = setting.delta / len(PAID)

    def size(rung: Rung) -> float:
        return float(rung.value.upper / exact(Fraction(rung.ceiling)))

    best = min((rung for rung in rungs if rung.kind != "risk" and not rung.comparison), key=size)
    leader = min((rung for rung in rungs if isinstance(rung.argument, OfClass)), key=size)
    found = recomputed(elasticities(setting, named(leader.name)(Asked(setting), share), share))
    return replace(found, passed_over=None if best is leader else best)


def reading(explanation: Explanation) -> str:
    """What would make it better, in one line of certified numbers.

    The norm whose halving lowers the recomputed bound most, and twice the sample.
    """
    rung = explanation.rung
    halved = [(row.down, row.constant) for row in explanation.rows if row.constant in NORMS and row.down is not None]
    down, constant = min(halved, key=lambda found: float(found[0].upper))
    doubled = explanation.row("m").up or rung.value
    verb = "would bring" if down.upper < rung.value.upper else "would leave"
    text = (
        f"{rung.name}: halving {constant} {verb} the {rung.kind} from {decimal_string(rung.value.upper)} to "
        f"{decimal_string(down.upper)}; doubling m to {decimal_string(doubled.upper)}"
    )
    return text + " (vacuous all the same)" * (not least((down.upper, doubled.upper)) < exact(Fraction(rung.ceiling)))


def signed(size: float) -> str:
    """Four decimals with the sign, or two digits of what is smaller.

    >>> signed(0.11250), signed(-1.234e-5), signed(0.0)
    ('+0.1125', '-1.2e-05', '0')
    """
    if size == 0:
        return "0"
    return f"{size:+.4f}" if abs(size) >= 5e-4 else f"{size:+.1e}"


def _pair(value: Enclosure | None) -> dict[str, float | str] | None:
    return None if value is None else {"lower": number(value.lower, "lower"), "upper": number(value.upper)}


def records(explanation: Explanation) -> list[dict[str, Any]]:
    """One flat record a row, for a CSV file or a data frame: doubles, rounded outward where an end is given.

    ``elasticity_lower`` and ``_upper`` (empty where it is infinite), ``slope`` likewise; ``down`` and ``up`` are upper
    ends of the certified values.
    """
    found = []
    for row in explanation.rows:
        record: dict[str, Any] = {"constant": row.constant, "value": float(row.value), "per": row.per}
        for name, pair in (("elasticity", _pair(row.elasticity)), ("slope", _pair(row.slope))):
            record |= {f"{name}_{side}": None if pair is None else pair[side] for side in ("lower", "upper")}
        record |= {name: value and number(value.upper) for name, value in (("down", row.down), ("up", row.up))}
        found.append(record | {"meaning": row.meaning})
    return found


def document(explanation: Explanation) -> dict[str, Any]:
    """The JSON document: the rung explained, its relaxation, the shares of the radius, and the records."""
    rung, passed = explanation.rung, explanation.passed_over
    return {
        "rung": rung.name,
        "kind": rung.kind,
        "value": number(rung.value.upper),
        "delta": number(exact(explanation.delta)),
        "verdict": rung.verdict.value,
        "conditions": list(rung.conditions),
        "relaxed": _pair(explanation.relaxed),
        "shares": {name: _pair(share) for name, share in explanation.shares.items()},
        "best": None if passed is None else {"rung": passed.name, "value": number(passed.value.upper)},
        "reading": reading(explanation),
        "elasticities": records(explanation),
    }
