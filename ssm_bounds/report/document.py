"""A certificate as plain data: the JSON document, and the rows that every text form prints.

Rounding: ``value`` is rounded up, ``lower`` down; a number beyond the double range becomes a decimal string.
"""

from __future__ import annotations

import decimal
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy

from bounds import notation as sym
from bounds.blocks import assignment, coefficients
from bounds.constants import DecayGroups, field_names
from bounds.decimals import decimal_string, number
from bounds.enclose import Enclosure, enclose, enclose_all
from bounds.rung import Certificate, Rung, Setting, Tally, Verdict, condition
from bounds.selection import SelectedClass, Split
from bounds.sums import softplus

_CONSTANTS = ("s_A", "B_A", "M_A", "B_u", "B_B", "M_B", "B_C", "M_C", "B_q", "M_q", "p", "B_w", "M_w")


@dataclass(frozen=True, slots=True)
class Subject:
    """The file a certificate is about, and what was taken on trust when it was read."""

    path: str
    format: str
    sha256: str
    convention: str
    notes: tuple[str, ...] = ()


def _plain(value: Any) -> Any:
    """Details of a rung as JSON: enclosures as {"lower", "upper"}."""
    if isinstance(value, Enclosure):
        return {"lower": number(value.lower, "lower"), "upper": number(value.upper)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, int | str | bool) or value is None:
        return value
    return float(value)


def _upper(value: Enclosure | None) -> float | str | None:
    return None if value is None else number(value.upper)


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def unchecked(certificate: Certificate, subject: Subject) -> list[str]:
    """Hypotheses that nothing here checked, most consequential first."""
    setting = certificate.setting
    found = []
    if setting.embedding == "fixed" and setting.evidence != "recorded":
        how = "by the person who asked" if setting.evidence == "stated" else "by default"
        found.append(
            f"the embedding was fixed before the sample was drawn (taken so {how}; if it was trained on the sample the "
            "bound does not hold for it: use --embedding trained)"
        )
    found += [
        *setting.conditions,
        "samples i.i.d., and the risk is under the training distribution",
        "the program computes the real-arithmetic model (a float32 forward pass differs from it)",
        f"every sequence has at most T = {setting.sample.T} tokens"
        + ("" if setting.measured.V else f" of l2 norm at most B_u = {float(setting.measured.B_u):g}"),
    ]
    found.append("loss, margin, clip, inputs and delta were fixed before the data (--margin auto is paid for)")
    if certificate.test is not None:
        found.append(
            "the test rows are fresh"
            + (
                "; they are NOT drawn from the training distribution"
                if setting.shifted
                else ", drawn from the training distribution, and met by this model alone"
            )
        )
    return [*found, *subject.notes]


def _constants(setting: Setting) -> dict[str, Any]:
    measured = setting.measured_class()
    published = {sym.p: setting.measured.p, sym.B_q: setting.measured.B_q, sym.B_u: setting.measured.B_u}
    ball = enclose_all(
        {"low": softplus(sym.p - sym.B_q * sym.B_u), "high": softplus(sym.p + sym.B_q * sym.B_u)}, published
    )
    gates = {"Delta_min": number(ball["low"].lower, "lower"), "M_Delta_ball": number(ball["high"].upper)}
    if setting.measured.gate == "none":
        gates = {"Delta_min": 1.0, "M_Delta_ball": 1.0}
    largest = gates["M_Delta_ball"] if measured.M is None else float(measured.M)
    found = {name: _float(getattr(setting.measured, name)) for name in _CONSTANTS}
    return found | {"Delta_min": gates["Delta_min"], "M_Delta": largest, "M_Delta_ball": gates["M_Delta_ball"]}


def _class(selected: SelectedClass, margin: Any) -> dict[str, Any]:
    cells = {cell.name: float(cell.value) for cell in selected.cells}
    found: dict[str, Any] = {name: cells.get(name) for name in _CONSTANTS}
    found["p"] = None
    # with the embedding in the class, its rows are rescaled to norm 1
    found["B_u"] = float(selected.constants.B_u) if selected.constants.V is not None else None
    return found | {
        "Delta_min": None,
        "M_Delta": cells.get("M"),
        "M_Delta_ball": None,
        "p_lo": float(selected.constants.p_lo) if "p" in cells else None,
        "p_hi": cells.get("p"),
        "B_product": cells.get("B_product"),
        "v_product": cells.get("v_product"),
        "groups": _groups(selected),
        "margin": float(margin),
        "log_inverse_weight": number(selected.price.upper),
    }


def _groups(selected: SelectedClass) -> dict[str, Any] | None:
    """Items and bound of every decay group, slowest first."""
    groups = selected.constants.groups
    if groups is None:
        return None
    return {
        name: [{"items": group.items, "s_A": float(group.s_A)} for group in getattr(groups, name)]
        for name in field_names(DecayGroups)
    }


def _tally(tally: Tally | None, risk: Enclosure | None, *, margins: bool) -> dict[str, Any] | None:
    if tally is None:
        return None
    loss = tally.loss if math.isfinite(tally.loss) else None
    found: dict[str, Any] = {"n": tally.n, "loss": loss, "error": tally.errors / tally.n}
    if margins:
        found["margin_error"] = None if tally.margin_errors is None else tally.margin_errors / tally.n
    return found | {"risk_upper": None if risk is None else number(risk.upper)}


def _sums(setting: Setting) -> dict[str, Any]:
    """rho, S_1, S_2 of the published chain and R_1, R_2, at the measured constants."""
    constants = setting.measured_class()
    published = assignment(constants, setting.sample.T, rho="published")
    if setting.measured.gate == "softplus":
        published |= {sym.Delta_min: softplus(sym.p - sym.B_q * sym.B_u), sym.p: setting.measured.p}
    found = enclose_all({s.name: s for s in (sym.rho, sym.S_1, sym.S_2, sym.R_1, sym.R_2)}, published)
    return {name: number(value.upper) for name, value in found.items()}


def trace(rung: Rung) -> list[dict[str, Any]]:
    """The argument of a rung, rule by rule: what was paid, the covers and how they combine, the bound."""
    steps: list[dict[str, Any]] = []
    if rung.name == "pac-bayes":
        names = {"divergence": "KL(Q || P)", "price": "ln(1/pi) of the variances of P", "tau": "a move above g/2"}
        steps += [
            {"rule": rule, "source": "theory.md 8.3", "value": _upper(rung.details.get(name))}
            for name, rule in names.items()
        ]
        steps.append({"rule": "margin PAC-Bayes", "source": "theory.md 8.3", "value": number(rung.value.upper)})
    if rung.selected is not None:
        steps += [
            {
                "rule": f"{cell.name} <= {decimal_string(Enclosure.point(cell.value).upper, 6)}: cell {cell.position}",
                "source": "theory.md 7",
                "value": number(enclose(sympy.log(sym.r), {sym.r: 1 / cell.weight}).upper),
            }
            for cell in rung.selected.cells
        ]
        steps += [
            {
                "rule": f"{split.name} in groups of {_sizes(split)} of {len(split.labels)}: one labelled split",
                "source": "theory.md 5.2",
                "value": number(enclose(sympy.log(sym.r), {sym.r: 1 / split.weight}).upper),
            }
            for split in rung.selected.splits
        ]
        paid = "all cells, of the splits" if rung.selected.splits else "all cells"
        steps.append(
            {
                "rule": f"ln(1/pi) of {paid} and of {rung.selected.options} options fixed in advance",
                "source": "theory.md 7",
                "value": number(rung.selected.price.upper),
            }
        )
    steps += [{"rule": s.rule, "source": s.source, "value": number(s.value.upper)} for s in rung.trace]
    formulas = {
        "scale": ("2 l eps + c sqrt((H + ln(1/pi) + ln(2/delta))/(2m))", "theory.md 6.2"),
        "margin": ("sqrt((H + ln(1/pi) + ln(1/delta))/(2m))", "theory.md 6.3"),
    }
    base = rung.name.removesuffix("-groups")
    if base in formulas:
        rule, source = formulas[base]
        steps.append({"rule": rule, "source": source, "value": number(rung.value.upper)})
    return steps


def _sizes(split: Split) -> str:
    return "+".join(map(str, split.sizes))


def _rung(rung: Rung) -> dict[str, Any]:
    details = dict(rung.details)
    if rung.selected is not None:
        details["class"] = {cell.name: float(cell.value) for cell in rung.selected.cells}
        if rung.selected.splits:
            details["groups"] = _groups(rung.selected)
    return {
        "rung": rung.name,
        "kind": rung.kind,
        "sided": "two" if rung.two_sided else "one",
        "value": number(rung.value.upper),
        "lower": number(rung.value.lower, "lower"),
        "applies": rung.applies,
        "vacuous": rung.vacuous,
        "verdict": rung.verdict.value,
        "why": rung.why,
        "before_selection": None if rung.before_selection is None else number(rung.before_selection.upper),
        "details": _plain(details),
    }


def covering(certificate: Certificate) -> Rung:
    """The best rung, or the best of those that cover a class where it is not one."""
    best = certificate.best
    classes = [rung for rung in certificate.rungs if rung.selected is not None]
    return best if best.selected is not None else min(classes, key=lambda rung: float(rung.value.upper))


def document(certificate: Certificate, subject: Subject) -> dict[str, Any]:
    """The JSON document of one certificate; its keys are an interface other programs rely on."""
    setting, best = certificate.setting, certificate.best
    measured, loss = setting.measured, setting.loss
    covered = covering(certificate)
    beta = coefficients(setting.measured_class(), setting.sample.T)
    test = next((rung.value for rung in certificate.rungs if rung.name == "holdout"), None)
    empirical = None
    if certificate.train is not None or certificate.test is not None:
        empirical = {
            "train": _tally(certificate.train, certificate.train_risk, margins=True),
            "test": _tally(certificate.test, test, margins=False),
        }
    return {
        "checkpoint": {"path": subject.path, "format": subject.format, "sha256": subject.sha256},
        "setting": {
            "m": setting.sample.m,
            "T": setting.sample.T,
            **{name: getattr(measured, name) for name in ("d", "N", "k", "V")},
            "gate": measured.gate,
            "convention": subject.convention,
            "delta": number(Enclosure.point(setting.delta).upper),
            "loss": {
                "name": loss.name,
                "margin": float(setting.margin),
                "c": float(loss.range),
                "l": number(enclose(setting.loss_lipschitz, {}).upper),
            },
            "inputs": "vocabulary" if setting.vocabulary else "ball",
            "embedding": setting.embedding,
        },
        "constants": _constants(setting),
        "class": _class(covered.selected, setting.margin) if covered.selected is not None else None,
        "sums": _sums(setting),
        "beta": {name: number(beta[name].upper) if name in beta else None for name in ("A", "B", "C", "g", "w", "e")},
        "ladder": [_rung(rung) for rung in certificate.rungs],
        "verdict": certificate.verdict.value,
        "best": {
            "rung": best.name,
            "kind": best.kind,
            "value": number(best.value.upper),
            **{name: _upper(best.details.get(name)) for name in ("epsilon", "log_covering")},
            "parameter_count": best.details.get("parameter_count"),
        },
        "empirical": empirical,
        "unchecked": unchecked(certificate, subject),
        "trace": trace(best) or trace(covered),
    }


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the ladder as people read it."""

    rung: str
    value: str
    kind: str
    status: str
    why: str


def rows(certificate: Certificate) -> list[Row]:
    """The ladder, in order; ``status`` says does not apply, vacuous, or the verdict."""
    found = []
    for rung in certificate.rungs:
        status = "does not apply" if not rung.applies else "vacuous" if rung.vacuous else rung.verdict.value
        found.append(Row(rung.name, decimal_string(rung.value.upper), rung.kind, status, _why(rung, certificate)))
    return found


def _why(rung: Rung, certificate: Certificate) -> str:
    shared = condition(certificate.setting)
    if rung.selected is None:  # a condition that rungs share is told once, under the ladder
        return rung.why.removeprefix("does not apply: ").removesuffix(f"; {shared}" if shared else "")
    eps, covering, price = (decimal_string(rung.details[key].upper, 3) for key in ("epsilon", "log_covering", "price"))
    why = f"eps = {eps}, ln N = {covering}, price {price} nats"
    if rung.selected.splits:
        why += f", {_described(rung.selected, certificate.setting)}"
        plain = next(other for other in certificate.rungs if other.name == rung.name.removesuffix("-groups"))
        if not rung.value.upper < plain.value.upper:
            why += f"; no better than {plain.name}"
    return why


def _described(selected: SelectedClass, setting: Setting) -> str:
    """The decay groups of a class, and its norms where they are not the spectral ones."""
    split = [f"{split.name} {_sizes(split)}" for split in selected.splits if split.groups > 1]
    reason = "no split pays" if setting.measured.decays else "the entries of A were not measured one by one"
    groups = f"decay groups {', '.join(split)}" if split else f"one decay group ({reason})"
    return groups + ", vocabulary constants" * (selected.constants.norms == "vocabulary")


def probability(setting: Setting) -> decimal.Decimal:
    """1 - delta, rounded down."""
    rest = 1 - setting.delta
    floor = decimal.Context(prec=12, rounding=decimal.ROUND_FLOOR)
    return floor.divide(decimal.Decimal(rest.numerator), decimal.Decimal(rest.denominator)).normalize()


def claim(certificate: Certificate) -> str:
    """What the best rung says, in words, with its probability."""
    setting, best = certificate.setting, certificate.best
    value = decimal_string(best.value.upper)
    if best.kind == "gap":
        statement = f"sup over the class |risk - empirical risk| <= {value} ({setting.loss.name} loss)"
    else:
        statement = f"error rate <= fraction of training margins <= {float(setting.margin)!r}, plus {value}"
    return f"{statement}, with probability >= {probability(setting)}"


def shared_condition(certificate: Certificate) -> str | None:
    """What several rungs rest on, unchecked, and which they are."""
    shared = condition(certificate.setting)
    names = [rung.name for rung in certificate.rungs if shared and rung.why.endswith(shared)]
    return f"{', '.join(names)} hold {shared}" if names else None


def outcome(certificate: Certificate) -> list[tuple[str, str]]:
    """Labelled lines about the data: what was measured next to what is certified."""
    lines = []
    if certificate.train is not None:
        train = certificate.train
        text = f"n = {train.n}, loss {train.loss:.4f}, error {train.errors / train.n:.4f}"
        if train.margin_errors is not None:
            text += f", margins <= {float(certificate.setting.margin)!r}: {train.margin_errors / train.n:.4f}"
        lines.append(("train", text))
    if certificate.train_risk is not None:
        risk = decimal_string(certificate.train_risk.upper)
        rung = certificate.risk_rung
        some = sum(other.kind == "excess" for other in certificate.rungs)
        label = "certified" if certificate.verdict is Verdict.CERTIFIED else "conditional"
        lines.append(
            (label, f"error rate <= {risk} ({rung} in kl form, the best of {some} at delta/{some}; by itself)")
        )
    for found in certificate.rungs:
        if found.kind == "risk" and found.name != "holdout":
            value = decimal_string(found.value.upper)
            lines.append((found.name, f"error rate of its own model <= {value}, {found.verdict.value}; by itself"))
    if certificate.test is not None:
        test = certificate.test
        lines.append(("test", f"n = {test.n}, loss {test.loss:.4f}, error {test.errors / test.n:.4f}"))
    return lines
