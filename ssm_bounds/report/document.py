"""A certificate as plain data: the JSON document, and the rows that every text form prints.

Rounding: ``value`` is rounded up, ``lower`` down; a number beyond the double range becomes a decimal string.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ssm_bounds.bounds.evaluate.balls import Enclosure, enclose
from ssm_bounds.bounds.evaluate.decimals import decimal_string, number, share_string
from ssm_bounds.bounds.ladder.of_class import OfClass
from ssm_bounds.bounds.ladder.rung import Rung, Verdict, exactly
from ssm_bounds.certificate import Certificate, Claim, Headline, sentence
from ssm_bounds.models.selective_ssm.tally import Tally
from ssm_bounds.report import origin
from ssm_bounds.report.constants import constants, of_model

SCHEMA = 2
_LABELS = {"loss": "mean loss", "difference": "beside base"}
_ELSEWHERE = "elsewhere"
_APART = "By itself at delta: that it holds together with the headline is not claimed."


def plain(value: Any) -> Any:
    """Details of a rung as JSON: enclosures as {"lower", "upper"}."""
    if isinstance(value, Enclosure):
        return {"lower": number(value.lower, "lower"), "upper": number(value.upper)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, int | str | bool) or value is None:
        return value
    return float(value)


def _upper(value: Enclosure | None) -> float | str | None:
    return None if value is None else number(value.upper)


def _tally(tally: Tally | None) -> dict[str, Any] | None:
    if tally is None:
        return None
    return {
        "n": tally.n,
        "loss": tally.loss if math.isfinite(tally.loss) else None,
        "errors": tally.errors,
        "program_errors": tally.program_errors,
        "margin_errors": tally.margin_errors,
        "within_radius": tally.inside,
        "radius": number(exactly(tally.radius)) if math.isfinite(tally.radius) else None,
        "program": tally.program or None,
        "counted": tally.counted,
    }


def trace(rung: Rung) -> list[dict[str, Any]]:
    """The argument of a rung, rule by rule."""
    return [
        {"rule": step.rule, "source": step.source, "value": number(step.value.upper)} for step in rung.argument.steps()
    ]


def _rung(rung: Rung) -> dict[str, Any]:
    claims = rung.verdict is not Verdict.REFUSED
    return {
        "rung": rung.name,
        "kind": rung.kind,
        "sided": "two" if rung.two_sided else "one",
        "verdict": rung.verdict.value,
        "conditions": list(rung.conditions),
        "refusal": rung.refusal,
        "value": number(rung.value.upper) if claims else None,
        "risk": _upper(rung.risk) if claims else None,
        "would_be": None if claims else number(rung.value.upper),
        "lower": number(rung.value.lower, "lower") if claims else None,
        "vacuous": rung.vacuous,
        "comparison": rung.comparison,
        "reason": rung.argument.sentence(),
        "before_selection": _upper(rung.before_selection) if claims else None,
        "details": plain(rung.argument.record()) if claims else {},
    }


def covering(certificate: Certificate) -> Rung | None:
    """The rung that covers a class and says most: the headline's, or the smallest in units of its range; None where
    all are refused."""
    classes = [rung for rung in certificate.rungs if isinstance(rung.argument, OfClass) and rung.refusal is None]
    named = [rung for rung in classes if rung.name == certificate.headline.rung]
    smallest = min(classes, key=lambda rung: float(rung.value.upper / exactly(rung.ceiling)), default=None)
    return named[0] if named else smallest


def taken_apart(certificate: Certificate) -> list[Rung]:
    """The rungs whose argument a report shows: that of the headline, and the one that covers a class."""
    named = [rung for rung in certificate.rungs if rung.name == certificate.headline.rung]
    covered = covering(certificate)
    return list({rung.name: rung for rung in (*named, *([] if covered is None else [covered]))}.values())


def _headline(headline: Headline | None) -> dict[str, Any] | None:
    if headline is None:
        return None
    return {
        "sentence": headline.sentence,
        "rung": headline.rung,
        "kind": headline.kind,
        "value": _upper(headline.value),
        "delta": number(exactly(headline.delta)),
        "verdict": headline.verdict.value,
        "conditions": list(headline.conditions),
        "vacuous": headline.vacuous,
    }


def _beside(certificate: Certificate, claim: Claim, *, together: bool) -> dict[str, Any]:
    rung = claim.rung
    return {
        "sentence": sentence(certificate.question, claim),
        "rung": rung.name,
        "kind": claim.kind,
        "value": _upper(claim.value),
        "delta": number(exactly(certificate.setting.delta)),
        "verdict": rung.verdict.value,
        "conditions": list(rung.conditions),
        "vacuous": _vacuous(claim),
        "together": together,
    }


def _setting(certificate: Certificate) -> dict[str, Any]:
    setting, question = certificate.setting, certificate.question
    sizes, loss = of_model(question), setting.loss
    return {
        "m": setting.sample.m,
        "T": setting.sample.T,
        **{name: getattr(sizes, name) for name in ("d", "N", "k", "V")},
        "gate": sizes.gate,
        "convention": sizes.convention,
        "delta": number(exactly(setting.delta)),
        "loss": {
            "name": loss.name,
            "margin": None if setting.margin is None else float(setting.margin),
            "c": float(loss.range),
            "l": number(enclose(loss.lipschitz(sizes.k), {}).upper),
        },
        "inputs": sizes.inputs,
        "embedding": sizes.embedding,
        "models_on_test": question.models,
    }


def _empirical(certificate: Certificate) -> dict[str, Any] | None:
    trivial = certificate.trivial
    if trivial is None or certificate.train is None:  # rows that were counted, and answered by nothing
        return None
    return {
        "train": _tally(certificate.train),
        "test": _tally(certificate.test),
        "trivial": {
            "chance": number(exactly(trivial.chance)),
            "commonest_label": number(exactly(trivial.commonest)),
        },
    }


def document(certificate: Certificate) -> dict[str, Any]:
    """One certificate as JSON: an entry of ``certificates`` in ``schema.json``. A key's meaning never changes."""
    question, headline = certificate.question, certificate.headline
    return {
        "checkpoint": origin.file(question.checkpoint),
        "headline": _headline(headline),
        "headline_conditional": _headline(certificate.headline_conditional),
        "beside": [_beside(certificate, claim, together=together) for claim, together in beside(certificate)],
        "claim": headline.sentence,
        "verdict": headline.verdict.value,
        "best": {"rung": headline.rung, "kind": headline.kind, "value": _upper(headline.value)},
        "compared": certificate.compared,
        "standing_assumptions": list(question.standing),
        "facts": origin.told(question.facts),
        "notes": list(question.notes),
        "setting": _setting(certificate),
        "rungs": [_rung(rung) for rung in certificate.rungs],
        "empirical": _empirical(certificate),
        **constants(certificate.setting, covering(certificate)),
        "trace": {rung.name: trace(rung) for rung in taken_apart(certificate)},
    }


def documents(certificates: Sequence[Certificate], failed: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """The whole document, for one file or many; ``failed``: path and error of each that could not be certified."""
    return {
        **origin.head(SCHEMA),
        "certificates": [document(certificate) for certificate in certificates],
        "failed": [{"path": path, "error": error} for path, error in failed],
    }


def schema(name: str = "schema.json") -> dict[str, Any]:
    """The JSON Schema (2020-12) that :func:`documents` follows, or ``inspect.json``, that of inspect."""
    text = files("ssm_bounds.report").joinpath(name).read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def of_all(certificates: Sequence[Certificate]) -> list[str]:
    """The standing assumptions that all of these have, in order; others belong beside their own."""
    standing = [certificate.question.standing for certificate in certificates]
    return [line for line in standing[0] if all(line in other for other in standing[1:])] if standing else []


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the ladder as people read it."""

    rung: str
    value: str
    kind: str
    risk: str
    verdict: str
    vacuous: bool
    why: str


def rows(certificate: Certificate) -> list[Row]:
    """The ladder, in order. A refused rung has no value; what it would be stands with the reason."""
    comparable = [rung for rung in certificate.rungs if rung.of_test and rung.refusal is None]
    holdout = comparable[0] if comparable and certificate.question.one_law else None
    return [_row(rung, certificate, holdout) for rung in certificate.rungs]


def _row(rung: Rung, certificate: Certificate, holdout: Rung | None) -> Row:
    if rung.refusal is not None:
        value, risk = "refused", ""
        why = f"{rung.refusal} (would be {decimal_string((rung.risk or rung.value).upper)})"
    else:
        value, risk = decimal_string(rung.value.upper), "" if rung.risk is None else decimal_string(rung.risk.upper)
        why = _why(rung, certificate)
        risk_of_what_runs = None if certificate.question.rounds else rung.risk
        claimed = risk_of_what_runs or (rung.value if rung.kind == "risk" else None)
        if claimed is not None and holdout is not None and holdout.value.upper < claimed.upper:
            why += "; the hold-out is smaller"
    return Row(rung.name, value, rung.kind, risk, rung.verdict.value, rung.vacuous and rung.refusal is None, why)


def _why(rung: Rung, certificate: Certificate) -> str:
    why = rung.argument.sentence()
    if rung.refines is not None and not rung.value.upper < certificate.rung(rung.refines).value.upper:
        why += f"; no better than {rung.refines}"
    if certificate.question.rounds and rung.kind in ("gap", "excess"):
        why += "; of the real-arithmetic model"
    return why


def outcome(certificate: Certificate) -> list[tuple[str, str]]:
    """Labelled lines beside the headline: what was compared, what stands by itself, and what the data show."""
    lines = []
    if certificate.compared > 1 and certificate.headline.rung is not None:
        number = certificate.compared
        told = f"the smallest of {number} claims, each at delta/{number}"
        if any(claim.elsewhere for claim in certificate.claims):
            told = f"{number} claims, each at delta/{number}; of those that are not elsewhere the smallest"
        lines.append(("compared", told))
    if (own := certificate.by_itself) is not None:
        value = own.risk if own.risk is not None else own.value
        delta = f"{float(certificate.setting.delta):g}"
        lines.append(
            ("by itself", f"{own.name}, at delta = {delta}: {decimal_string(value.upper)}, {own.verdict.value}")
        )
    for claim, together in beside(certificate):
        label = _ELSEWHERE if together else _LABELS[claim.kind]
        told = sentence(certificate.question, claim)
        lines.append((label, f"{_judged(claim)}: {told}" + ("" if together else f" {_APART}")))
    for name, tally in (("train", certificate.train), ("test", certificate.test)):
        if tally is not None:
            lines.append((name, _scored(tally, certificate, margins=name == "train")))
    if certificate.trivial is not None:
        trivial = (certificate.trivial.chance, certificate.trivial.commonest)
        chance, commonest = (share_string(each.numerator, each.denominator) for each in trivial)
        lines.append(("trivial", f"guessing errs on {chance}, the commonest label on {commonest} of the training rows"))
    return lines


def beside(certificate: Certificate) -> Iterator[tuple[Claim, bool]]:
    """What is claimed besides the headline, each with whether it holds together with that: of another mean than that of
    the training rows, at its share of delta; and what is no risk, by itself."""
    yield from ((claim, True) for claim in certificate.claims if claim.elsewhere and claim.rung.refusal is None)
    yield from ((claim, False) for claim in certificate.apart)


def _vacuous(claim: Claim) -> bool:
    return not claim.value.upper < exactly(claim.rung.ceiling)


def _judged(claim: Claim) -> str:
    return f"{claim.rung.verdict.value}{', vacuous' if _vacuous(claim) else ''}"


def _scored(tally: Tally, certificate: Certificate, *, margins: bool) -> str:
    where = certificate.question.margins.removeprefix("training margins")
    error = f"error {share_string(tally.counted, tally.n)} ({tally.counted} rows)"
    text = f"n = {tally.n}, loss{f' of margins{where}' if where else ''} {tally.loss:.4f}, {error}"
    if tally.program:
        text += f" by {tally.program}"
    if margins:
        below = share_string(tally.margin_errors, tally.n)
        text += "; in real arithmetic" if tally.rounds else ","
        text += f" margins{where} <= {float(certificate.setting.margin or 0)!r}: {below}"
    if tally.inside and (margins or not tally.rounds):
        text += f"; {tally.inside} within their proven rounding radius, at most {tally.radius:.2g}"
    if tally.program_errors != tally.counted:
        text += f"; the program itself errs on {tally.program_errors}"
    return text
