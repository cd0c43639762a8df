"""What the paper claims of each experiment, what was measured, and whether the two agree."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from ssm_bounds.experiments.honarpisheh2025.comparison import Compared
from ssm_bounds.experiments.honarpisheh2025.presets import Experiment, Name
from ssm_bounds.experiments.honarpisheh2025.statistics import (
    CONFIDENCE,
    FLOAT32_EXPONENT,
    Slope,
    separation,
    slope,
    trained,
    turning_length,
)
from ssm_bounds.experiments.run import Record

Agreement = Literal["agrees", "agrees in part", "does not agree", "undecided"]

CLAIMS: dict[Name, str] = {
    "unstable-init": "Started unstable (s_A = 0.1), the model trains at small T, and training drives s_A towards or "
    "below 0; the loss grows exponentially with T, and at large T training fails (Figure 1).",
    "sweep-abscissa": "Whether training succeeds is decided by the abscissa that it starts from: at s_A <= 0 it does, "
    "while further above 0 the loss starts higher and s_A has to fall first (Figure 5).",
    "length": "With s_A = 0 the gap between training and test performance does not grow with the length T (Figure 2).",
}
GAPS = {
    "error": "error rate (the paper plots accuracies)",
    "cross_entropy": "cross-entropy",
    "ramp": "ramp loss (what the rungs of kind gap bound)",
}


@dataclass(frozen=True, slots=True)
class Seeds:
    """The seeds of one setting: T and the initial s_A. Means and deviations over the runs with finite values."""

    T: int
    s_A: float
    records: tuple[Record, ...]

    @property
    def trained(self) -> float:
        """Fraction of the seeds."""
        return fmean(trained(record) for record in self.records)

    @property
    def final_s_A(self) -> float:
        """Mean after training over the seeds that trained; NaN if none did."""
        found = [record.constants["s_A"] for record in self.records if trained(record)]
        return fmean(float(value) for value in found if value is not None) if found else math.nan

    def gap(self, name: str) -> tuple[float, float]:
        """Mean and standard deviation; NaN without any, and deviation NaN of a single one."""
        found = finite(record.gaps().get(name, math.nan) for record in self.records)
        return fmean(found) if found else math.nan, stdev(found) if len(found) > 1 else math.nan


@dataclass(frozen=True, slots=True)
class Finding:
    """``measured``: one line each."""

    claim: str
    measured: tuple[str, ...]
    agreement: Agreement


def finite(values: Iterable[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]


def by_setting(found: Sequence[Compared]) -> tuple[Seeds, ...]:
    """By T (that of the task, before padding) and initial s_A."""
    sorted_by: dict[tuple[int, float], list[Record]] = {}
    for each in found:
        config = each.record.config
        sorted_by.setdefault((config.options["T"], config.settings.s_A), []).append(each.record)
    return tuple(Seeds(T, s_A, tuple(records)) for (T, s_A), records in sorted(sorted_by.items()))


def slopes(found: Sequence[Compared]) -> dict[str, Slope]:
    """Of each gap over T, over the runs where it is finite."""
    result = {}
    for name in GAPS:
        points = [(each.record.config.options["T"], each.record.gaps().get(name, math.nan)) for each in found]
        kept = [(T, gap) for T, gap in points if math.isfinite(gap)]
        result[name] = slope([T for T, _ in kept], [gap for _, gap in kept])
    return result


def judge(experiment: Experiment, found: Sequence[Compared]) -> Finding:
    """The finding of an experiment from its runs."""
    name = experiment.name
    rule = {"length": _length, "unstable-init": _unstable, "sweep-abscissa": _sweep}[name]
    measured, agreement = rule(found)
    return Finding(CLAIMS[name], tuple(measured), agreement)


def _length(found: Sequence[Compared]) -> tuple[list[str], Agreement]:
    measured, fitted = [], slopes(found)
    for name, line in fitted.items():
        if line.trend == "unknown":
            measured.append(f"gap of the {GAPS[name]}: {_TRENDS['unknown']} of its slope, {line.n} runs")
            continue
        lost = len(found) - line.n
        change = 100 * line.value, 100 * line.low, 100 * line.high
        measured.append(
            f"gap of the {GAPS[name]}: slope {_number(change[0])} per 100 tokens, "
            f"{CONFIDENCE:.0%} interval [{_number(change[1])}, {_number(change[2])}], {line.n} runs"
            + (f" ({lost} without a finite gap left out)" if lost else "")
            + f": {_TRENDS[line.trend]}"
        )
    trends = {line.trend for line in fitted.values()}
    if "unknown" in trends:
        return measured, "undecided"
    if "up" not in trends:
        hidden = fitted["error"].hidden
        if hidden <= _RESOLVED:
            return measured, "agrees"
        measured.append(f"the interval would hide a growth of the error gap by {hidden:.2f} over these lengths")
        return measured, "undecided"
    return measured, "does not agree" if trends == {"up"} or fitted["error"].trend == "up" else "agrees in part"


_RESOLVED = 0.1
"""Growth of the error gap over the lengths that an experiment must be able to see, to agree that there is none."""

_TRENDS = {
    "none": "no trend",
    "up": "it grows with T",
    "down": "it falls with T",
    "unknown": "too few lengths or runs for an interval",
}


def _unstable(found: Sequence[Compared]) -> tuple[list[str], Agreement]:
    grid = by_setting(found)
    measured = [_outcome(f"T = {group.T}", group) for group in grid]
    turn = turning_length([(group.T, group.trained) for group in grid])
    measured.append(
        "turning T: none, more than half of the seeds trained at the largest T"
        if turn is None
        else f"turning T: {turn}, the least T of the grid from which on at most half of the seeds trained"
    )
    measured += _by_seed(found)
    if len(grid) < 2:
        return measured, "undecided"
    succeeded = [group for group in grid if group.trained > 0.5]
    falling = [group.T for group in succeeded if group.final_s_A < group.s_A]
    measured.append(f"training lowered s_A at T = {', '.join(map(str, falling)) or 'none'}, of those that trained")
    parts = grid[0].trained > 0.5, bool(succeeded) and len(falling) == len(succeeded), turn is not None
    return measured, "agrees" if all(parts) else "agrees in part" if any(parts) else "does not agree"


def _by_seed(found: Sequence[Compared]) -> list[str]:
    """Where each seed turns, and whether float32's range says so beforehand."""
    outcomes: dict[int, list[tuple[int, float]]] = {}
    for each in found:
        config = each.record.config
        outcomes.setdefault(config.settings.seed, []).append((config.options["T"], float(trained(each.record))))
    turns = {seed: turning_length(outcome) for seed, outcome in sorted(outcomes.items())}
    lines = ["turning T by seed (its gates): " + ", ".join(f"{seed}: {turn or 'none'}" for seed, turn in turns.items())]
    split = separation(each.record for each in found)
    if split is not None:
        lines.append(
            f"the exponent s_A sum Delta_t of the longest training sequence at the initial weights is at most "
            f"{split.succeeded:.1f} where training succeeded and at least {split.failed:.1f} where it failed"
            + (f", but for {split.astray} of {split.n} runs" if split.astray else f", in all {split.n} runs")
            + f"; float32 ends at e^{FLOAT32_EXPONENT:.1f}"
        )
    return lines


def _sweep(found: Sequence[Compared]) -> tuple[list[str], Agreement]:
    grid = by_setting(found)
    measured = [_outcome(f"s_A = {group.s_A:+g}, T = {group.T}", group) for group in grid]
    stable, unstable = ([g for g in grid if (g.s_A > 0) == above] for above in (False, True))
    if not stable or not unstable:
        return measured, "undecided"
    succeeds = all(group.trained > 0.5 for group in stable)
    fails = any(group.trained <= 0.5 for group in unstable)
    falls = all(group.final_s_A < group.s_A for group in unstable if group.trained > 0)
    if succeeds and (fails or falls):
        return measured, "agrees"
    return measured, "agrees in part" if succeeds or fails else "does not agree"


def _outcome(setting: str, group: Seeds) -> str:
    seeds = len(group.records)
    text = f"{setting}: {round(group.trained * seeds)} of {seeds} seeds trained"
    if group.trained:
        text += f", s_A from {group.s_A:+g} to {group.final_s_A:+.4f} in the mean over them"
    diverged = sum(record.status == "diverged" for record in group.records)
    return text + (f"; {diverged} with a loss that is not finite" if diverged else "")


def _number(value: float) -> str:
    return f"{value:+.3g}"
