"""The report of an experiment in Markdown: claim, measurement, agreement, gap against bound, what failed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median

from ssm_bounds.experiments.honarpisheh2025.comparison import MEASURED, Compared
from ssm_bounds.experiments.honarpisheh2025.findings import Finding, Seeds, by_setting
from ssm_bounds.experiments.honarpisheh2025.presets import CLASSES, Experiment
from ssm_bounds.experiments.pool import Outcome
from ssm_bounds.experiments.run import RunConfig
from ssm_bounds.report.table import Table


def markdown(
    experiment: Experiment,
    found: Sequence[Compared],
    finding: Finding,
    outcome: Outcome[RunConfig, Compared],
    figures: Sequence[str] = (),
) -> str:
    """The whole report. ``figures``: names of .png files beside it."""
    parts = [
        f"# {experiment.name}: {experiment.task}, preset {experiment.preset}",
        f"**The paper claims:** {finding.claim}",
        f"**Measured:** {finding.agreement} with the claim.",
        "\n".join(f"- {line}" for line in finding.measured),
        *(f"![{name}]({name}.png)" for name in figures),
        "## Runs",
        _runs(experiment, found, outcome),
        "## Each setting",
        _settings(found),
        "## Gap against bound",
        _comparison(found),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _runs(experiment: Experiment, found: Sequence[Compared], outcome: Outcome[RunConfig, Compared]) -> str:
    settings = experiment.settings
    lines = [
        f"{len(found)} trained models; m = {found[0].record.m}, d = {settings.d}, N = {settings.N}, "
        f"{settings.epochs} epochs, batch {settings.batch}, Adam at {settings.lr:g}, gate {settings.gate}. "
        "A seed decides the data, the initial weights and the order of the batches. "
        f"A run counts as trained if its loss stayed finite and ended below ln {CLASSES[experiment.task]}, "
        "that of guessing.",
    ]
    shifts = {each.record.shift for each in found} - {None}
    lines += [f"Distribution shift: {shift}; the theorem excludes this." for shift in sorted(map(str, shifts))]
    if outcome.failed:
        lines.append(f"{len(outcome.failed)} runs failed twice and are not in the table; the same command tries again:")
        lines.append(
            "\n".join(f"- T = {job.options['T']}, seed {job.settings.seed}: {why}" for job, why in outcome.failed)
        )
    if outcome.interrupted:
        lines.append("Interrupted: runs are missing; the same command makes them.")
    return "\n\n".join(lines)


def _settings(found: Sequence[Compared]) -> str:
    def gap(name: str) -> Callable[[Seeds], str]:
        return lambda group: "{} ({})".format(*map(_short, group.gap(name)))

    columns: dict[str, Callable[[Seeds], str]] = {
        "T": lambda group: str(group.T),
        "initial s_A": lambda group: f"{group.s_A:+g}",
        "seeds": lambda group: str(len(group.records)),
        "trained": lambda group: f"{group.trained:.0%}",
        "final s_A": lambda group: _short(group.final_s_A),
        "train error": lambda group: _short(_median([record.train.error for record in group.records])),
        "test error": lambda group: _short(
            _median([record.test.error for record in group.records if record.test is not None])
        ),
        "gap of error": gap("error"),
        "gap of cross-entropy": gap("cross_entropy"),
    }
    rows = [[column(group) for column in columns.values()] for group in by_setting(found)]
    return Table(list(columns), rows, "r" * len(columns)).markdown() + (
        "\nFinal s_A: mean over the seeds that trained. Errors: medians. Gaps: test minus training, mean (standard "
        "deviation) over the seeds where it is finite."
    )


def _comparison(found: Sequence[Compared]) -> str:
    names = list(dict.fromkeys(bound.name for each in found for bound in each.bounds))
    rows = []
    for group in by_setting(found):
        keys = {record.config.key for record in group.records}
        inside = [each for each in found if each.record.config.key in keys]
        cells = [str(group.T), f"{group.s_A:+g}"]
        for kind, gap in MEASURED.items():
            gaps = (each.record.gaps().get(gap, math.nan) for each in inside)
            # a gap is bounded on both sides, an excess from above
            cells.append(_short(max((abs(found) if kind == "gap" else found for found in gaps), key=_nan_last)))
        for name in names:
            values = [bound.upper for each in inside for bound in each.bounds if bound.name == name]
            cells.append(_short(_median(values)))
        rows.append(cells)
    header = ["T", "initial s_A", *(f"largest gap: {name}" for name in MEASURED.values()), *names]
    table = Table(header, rows, "r" * len(header)).markdown()
    text = (
        f"{table}\nBounds: medians over the seeds, inf where a rung does not apply, each at confidence "
        f"{1 - float(found[0].record.config.delta):.0%} by itself; 1 is the range of what they bound, and more says "
        "nothing. scale and margin, with and without groups, pay for constants that were chosen after the training; "
        "published, repaired and sharp are conditional on constants fixed before it. Rungs called scale, and those "
        "three, bound the gap of the ramp loss on both sides; margin bounds the error rate less the fraction of "
        "training margins <= 1. "
    )
    if any(each.record.shift is not None for each in found):
        return text + "**Not compared:** training and test data differ in distribution."
    broken = [(each, each.violations()) for each in found]
    broken = [(each, names) for each, names in broken if names]
    if not broken:
        told = [
            [b.upper for b in each.bounds if math.isfinite(b.upper) and b.holds(each.record.gaps()) is not None]
            for each in found
        ]
        return (
            f"{text}**Every measured gap is below every bound**: {sum(map(bool, told))} of {len(found)} models could "
            f"be compared, {sum(min(uppers, default=1) < 1 for uppers in told)} of them with a bound below 1."
        )
    lines = [
        f"- T = {each.record.config.options['T']}, seed {each.record.config.settings.seed}: {', '.join(names)}"
        for each, names in broken
    ]
    return text + "**Measured gaps above a bound:**\n\n" + "\n".join(lines)


def _median(values: Sequence[float]) -> float:
    kept = [value for value in values if not math.isnan(value)]
    return median(kept) if kept else math.nan


def _nan_last(value: float) -> float:
    return -math.inf if math.isnan(value) else value


def _short(value: float) -> str:
    return "" if math.isnan(value) else f"{0.0 if abs(value) < 1e-12 else value:.4g}"  # sums of gaps cancel
