"""The page of one or several certificates: what the template shows, in words, rounded numbers and formulas.

Bounds are rounded up; numbers beside a formula are rounded to the nearest; the JSON in the page has every digit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from flint import arb
from markupsafe import Markup
from sympy import Symbol

from ssm_bounds.bounds.architectures.selective_ssm.table import SELECTIVE_SSM
from ssm_bounds.bounds.covers.lemmas import COVERS
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.evaluate.formula import Formula
from ssm_bounds.bounds.ladder.argument import Cost, shares
from ssm_bounds.bounds.ladder.rung import Rung
from ssm_bounds.bounds.notation import NOTATION
from ssm_bounds.certificate import Certificate, Headline
from ssm_bounds.inquiry import Terms
from ssm_bounds.report.document import documents, outcome, rows, taken_apart, trace
from ssm_bounds.report.html.environment import rendered
from ssm_bounds.report.html.figures import inline
from ssm_bounds.report.html.mathml import mathml
from ssm_bounds.report.plots.blocks import blocks
from ssm_bounds.report.plots.ladder import ladder

_GLYPHS = {"CERTIFIED": "✓", "CONDITIONAL": "◐", "vacuous": "○", "REFUSED": "✕"}
KINDS = {
    "gap": "the largest difference between risk and training risk over the class, on either side",
    "excess": "how far the error rate on new sequences may exceed the fraction of training sequences whose margin is "
    "at most g",
    "risk": "the error rate on new sequences itself (of occam-kl, holdout-kl, occam-groups and occam-chained: "
    "the mean that their sentence names)",
    "loss": "the mean of a bounded loss on new sequences, in units of the loss: no error rate",
    "bits": "the bits a symbol that a language model needs for a text",
    "difference": "the error rate on new sequences less that of the base with its own head, or bits a symbol less "
    "those of the base; it may be below 0",
}
_OTHER = {
    "M_Delta": ("M", "largest gate of the class and its inputs"),
    "M_Delta_ball": ("M", "largest gate over the whole ball |u| <= B_u"),
    "B_product": (None, "bound of B_w B_B B_C/g after the rescaling that leaves the output unchanged (with the "
    "embedding in the class: times B_u^3)"),
    "v_product": (None, "bound of v_w v_B v_C/g after the same rescaling"),
}  # fmt: skip
_DOWNWARD = ("Delta_min", "p_lo")


@dataclass(frozen=True, slots=True)
class Argument:
    """One rung taken apart: what costs what, the formulas with their numbers, the trace."""

    rung: Rung
    value: str
    delta: str
    parts: list[tuple[Cost, str, str]]
    total: str
    figure: Markup | None
    formulas: list[Formula]
    words: tuple[str, ...]
    trace: list[dict[str, Any]]


def page(
    certificates: Sequence[Certificate], failed: Sequence[tuple[str, str]] = (), *, command: str | None = None
) -> str:
    """The whole page as text; ``failed``: path and error of the files without a certificate, ``command``: what to type
    to get it again. The same input gives the same text.
    """
    data = documents(certificates, failed)
    pairs = zip(certificates, data["certificates"], strict=True)
    return rendered(
        "template.html",
        data,
        command=command,
        filters={"mathml": mathml, "symbol": _symbol, "nearest": nearest, "upward": _upward},
        reports=[_shown(i, *pair) for i, pair in enumerate(pairs, 1)],
        second=any(found.headline_conditional is not None for found in certificates),
        searched=any(rung.searched for found in certificates for rung in found.rungs),
        kinds=KINDS,
        covers=COVERS,
    )


def _shown(index: int, certificate: Certificate, data: dict[str, Any]) -> dict[str, Any]:
    question, setting, key = certificate.question, certificate.setting, f"c{index}"
    taken = taken_apart(certificate)
    others = [rung for rung in certificate.rungs if rung not in taken and rung.argument.costs()]
    lines = (certificate.headline, certificate.headline_conditional)
    return {
        "id": key,
        "checkpoint": question.checkpoint,
        "name": PurePath(question.checkpoint.path).name,
        "setting": setting,
        "data": data,
        "glyphs": _GLYPHS,
        "headlines": [_line(line) for line in lines if line is not None],
        "best": certificate.headline.rung,
        "shifted": question.shift if question.task is not None else None,
        "outcome": outcome(certificate),
        "rows": rows(certificate),
        "risks": certificate.train is not None,
        "ladder": inline(ladder(certificate.rungs), f"{key}-ladder", _ladder_label(certificate)),
        "arguments": [_argument(rung, setting, f"{key}-{rung.name}") for rung in taken],
        "others": [_argument(rung, setting, None) for rung in others],
        "constants": list(_constants(data)),
        "sums": list(_sums(data)),
        "sizes": list(_sizes(data)),
        "facts": question.facts,
        "standing": question.standing,
        "notes": question.notes,
    }


def _line(headline: Headline) -> dict[str, Any]:
    """A headline for the box: its sentence, and its value as the big number."""
    return {
        "headline": headline,
        "verdict": headline.verdict.value,
        "vacuous": headline.vacuous,
        "value": None if headline.value is None else decimal_string(headline.value.upper),
    }


def _ladder_label(certificate: Certificate) -> str:
    values = ", ".join(f"{row.rung} {row.value} ({row.verdict})" for row in rows(certificate))
    return f"Every rung as a fraction of the largest possible value, logarithmic: {values}"


def _argument(rung: Rung, setting: Terms, key: str | None) -> Argument:
    """``key``: prefix of the figure's ids; None for a rung of which only the costs are shown."""
    delta = setting.delta
    parts = rung.argument.costs()
    nats = [decimal_string(part.nats.upper) for part in parts]
    listed = ", ".join(f"{part.label} {shown}" for part, shown in zip(parts, nats, strict=True))
    return Argument(
        rung,
        decimal_string(rung.value.upper),
        nearest(Enclosure.point(delta)),
        list(zip(parts, nats, [f"{100 * share:.1f} %" for share in shares(parts)], strict=True)),
        decimal_string(sum((part.nats.upper for part in parts), arb(0))),
        inline(blocks(parts), key, f"Bars, in nats: {listed}") if key and parts else None,
        list(rung.argument.formulas()) if key else [],
        rung.argument.words() if key else (),
        trace(rung) if key else [],
    )


def nearest(value: Enclosure) -> str:
    """Six digits, rounded to the nearest; of any size."""
    middle = float(((value.lower + value.upper) / 2).mid())
    return f"{middle:.6g}" if abs(middle) < 1e300 else decimal_string(value.upper, 6)


def _upward(value: Any, digits: int = 6, side: Literal["lower", "upper"] = "upper") -> str:
    """A number of the JSON document, rounded outward; text (beyond the double range) stays as it is."""
    if isinstance(value, Enclosure):
        return decimal_string(value.upper, digits, side)
    return value if isinstance(value, str) else decimal_string(arb(value), digits, side)


def _symbol(name: str) -> Markup:
    return mathml(NOTATION[name].symbol if name in NOTATION else Symbol(name))


def _constants(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows of the table of constants: measured, and as the class bounds them."""
    measured, chosen = data["constants"] or {}, data["class"] or {}
    names = [*measured, *(name for name in ("p_lo", "p_hi", "B_product", "v_product") if name in chosen)]
    for name in names:
        pair = [measured.get(name), chosen.get(name)]
        if pair == [None, None]:
            continue
        side: Literal["lower", "upper"] = "lower" if name in _DOWNWARD else "upper"
        known, meaning = _OTHER.get(name, (name, None))
        entry = NOTATION.get(known or "")
        yield {
            "name": name,
            "symbol": None if entry is None else mathml(entry.symbol),
            "meaning": meaning or (entry.meaning if entry is not None else ""),
            "unit": "" if entry is None else entry.unit,
            "source": "theory.md 7" if entry is None else entry.source,
            "values": ["" if value is None else _upward(value, side=side) for value in pair],
        }


def _sums(data: dict[str, Any]) -> Iterator[tuple[Markup, str, str, str, str]]:
    for name, value in (data["sums"] or {}).items():
        entry = NOTATION[name]
        yield mathml(entry.symbol), entry.meaning, entry.unit, _upward(value), entry.source
    for name, value in (data["beta"] or {}).items():
        if value is not None:
            meaning = f"how far the output moves per unit of movement of {SELECTIVE_SSM.block(name).words}"
            yield mathml(Symbol(f"beta_{name}")), meaning, "", _upward(value), "theory.md 5"
    if data["class"] is not None:
        entry = NOTATION["w"]
        yield (
            mathml(entry.symbol),
            entry.meaning,
            entry.unit,
            _upward(data["class"]["log_inverse_weight"]),
            entry.source,
        )


def _sizes(data: dict[str, Any]) -> Iterator[tuple[Markup | str, str, Any]]:
    setting = data["setting"]
    for name in ("m", "T", "d", "N", "k", "V"):
        if setting[name] is not None:
            yield _symbol(name), NOTATION[name].meaning, setting[name]
    yield _symbol("delta"), NOTATION["delta"].meaning, setting["delta"]
    yield _symbol("g"), NOTATION["g"].meaning, setting["loss"]["margin"]
    yield _symbol("c"), NOTATION["c"].meaning, setting["loss"]["c"]
    yield _symbol("l"), NOTATION["l"].meaning, _upward(setting["loss"]["l"])
    yield "loss", "loss whose gap the rungs of kind gap bound", setting["loss"]["name"]
    for name, meaning in (
        ("gate", "how the step sizes depend on the input"),
        ("convention", "which tokens the output reads: the code's or the paper's"),
        ("inputs", "inputs of the class: the ball |u| <= B_u, or the rows of the embedding"),
        ("embedding", "fixed before the data, trained on it (then in the class), or none"),
    ):
        yield name, meaning, setting[name]
