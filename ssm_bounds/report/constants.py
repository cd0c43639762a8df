"""What a report shows of the model itself: its sizes and, of one of the paper, constants, sums and coefficients."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.blocks import assignment, coefficients
from ssm_bounds.bounds.architectures.selective_ssm.sums import softplus
from ssm_bounds.bounds.architectures.selective_ssm.table import SELECTIVE_SSM
from ssm_bounds.bounds.evaluate.balls import enclose_all
from ssm_bounds.bounds.evaluate.decimals import number
from ssm_bounds.bounds.ladder.of_class import OfClass, groups_of
from ssm_bounds.bounds.ladder.rung import Rung, Setting
from ssm_bounds.bounds.selection.family import SelectedClass
from ssm_bounds.folders import OfFolder
from ssm_bounds.inquiry import Inquiry, Terms
from ssm_bounds.language import LanguageQuestion
from ssm_bounds.lti import LtiQuestion
from ssm_bounds.one_block import BlockQuestion
from ssm_bounds.question import Question
from ssm_bounds.stacks import StackQuestion

_CONSTANTS = ("s_A", "B_A", "M_A", "B_u", "B_B", "M_B", "B_C", "M_C", "B_q", "M_q", "p", "B_w", "M_w")


@dataclass(frozen=True, slots=True)
class Sizes:
    """d channels, N states of each, k outputs, V tokens (None: real inputs); ``title``: in a line above a table, and
    ``outputs``, where k alone would mislead. ``gate``, ``convention``, ``embedding``: None where every rung is about a
    program, which is written out."""

    d: int
    N: int
    k: int
    V: int | None
    gate: str | None
    convention: str | None
    inputs: str
    embedding: str | None
    title: str
    outputs: str = ""


def of_model(question: Inquiry) -> Sizes:
    """By the kind of the model."""
    if isinstance(question, Question):
        setting = question.setting
        measured = setting.measured
        return Sizes(
            measured.d,
            measured.N,
            measured.k,
            measured.V,
            measured.gate,
            question.convention,
            "vocabulary" if setting.vocabulary else "ball",
            setting.embedding,
            f"s_A = {float(measured.s_A):.4g}",
        )
    if isinstance(question, BlockQuestion):
        # a token's tables hold what its trained embedding gives, and the output reads the state after the token
        return _of_folder(question, "trained" if question.base is None or question.coding is not None else "fixed")
    if isinstance(question, StackQuestion):
        return replace(_of_folder(question, ""), gate=None, convention=None, embedding=None)
    if isinstance(question, LanguageQuestion):
        text = question.setting
        return Sizes(text.d, text.N, text.V, text.V, None, None, "vocabulary", None, f"V = {text.V}")
    if isinstance(question, LtiQuestion):
        sizes = question.setting.measured
        return Sizes(sizes.d, sizes.N, sizes.k, None, "none", "code", "ball", "none", "real inputs")
    raise TypeError(f"no sizes for {type(question).__name__}")


def _of_folder(question: OfFolder, embedding: str) -> Sizes:
    found, k = question.setting, len(question.classifier.score)
    inputs, title = ("vocabulary", f"V = {found.V}") if found.V else ("ball", "real inputs")
    held = embedding if found.V else "none"
    outputs = "2 classes, one logit" if k == 1 else ""
    return Sizes(found.d, found.N, k, found.V or None, "softplus", "code", inputs, held, title, outputs)


def constants(setting: Terms, covered: Rung | None) -> dict[str, Any]:
    """Entries of the JSON document: constants, class, sums and beta of a model of the paper; null for any other."""
    if not isinstance(setting, Setting):
        return dict.fromkeys(("constants", "class", "sums", "beta"))
    argument = None if covered is None else covered.argument
    beta = coefficients(setting.measured_class(), setting.sample.T)
    return {
        "constants": _constants(setting),
        "class": _class(argument.selected, setting.margin) if isinstance(argument, OfClass) else None,
        "sums": _sums(setting),
        "beta": {name: number(beta[name].upper) if name in beta else None for name in SELECTIVE_SSM.coefficients},
    }


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


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
        "groups": groups_of(selected),
        "margin": float(margin),
        "log_inverse_weight": number(selected.price.upper),
    }


def _sums(setting: Setting) -> dict[str, Any]:
    """rho, S_1, S_2 of the published chain and R_1, R_2, at the measured constants."""
    constants = setting.measured_class()
    published = assignment(constants, setting.sample.T, rho="published")
    if setting.measured.gate == "softplus":
        published |= {sym.Delta_min: softplus(sym.p - sym.B_q * sym.B_u), sym.p: setting.measured.p}
    found = enclose_all({s.name: s for s in (sym.rho, sym.S_1, sym.S_2, sym.R_1, sym.R_2)}, published)
    return {name: number(value.upper) for name, value in found.items()}
