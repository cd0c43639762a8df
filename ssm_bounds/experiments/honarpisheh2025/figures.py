"""Figures of an experiment, each as .png and .pdf."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas import DataFrame

from ssm_bounds.experiments.honarpisheh2025.comparison import Compared
from ssm_bounds.experiments.honarpisheh2025.findings import GAPS, by_setting
from ssm_bounds.experiments.honarpisheh2025.presets import Experiment
from ssm_bounds.experiments.honarpisheh2025.statistics import FLOAT32_EXPONENT, trained
from ssm_bounds.models.training.monitor import read_log
from ssm_bounds.report.plots.canvas import COLOURS, canvas, save
from ssm_bounds.report.plots.gaps import measured_against_bound


def draw(experiment: Experiment, found: Sequence[Compared], folder: Path) -> tuple[str, ...]:
    """The names of the figures written, without suffix. Raises: OSError."""
    main = canvas(12 if experiment.name == "unstable-init" else 9, 3.6)
    if experiment.name == "length":
        _gaps(main, found)
    else:
        _curves(main, experiment, found, folder / "runs")
    table = DataFrame([each.row() for each in found])
    bounds = measured_against_bound(table, "T" if table["T"].nunique() > 1 else "initial_s_A")
    for name, figure in (("gap" if experiment.name == "length" else "training", main), ("bounds", bounds)):
        for suffix in ("png", "pdf"):
            save(figure, folder / f"{name}.{suffix}")
    return ("gap" if experiment.name == "length" else "training", "bounds")


def _gaps(figure: Figure, found: Sequence[Compared]) -> None:
    """Mean and standard deviation over the seeds."""
    for axes, name in zip(figure.subplots(1, 2), ("error", "cross_entropy"), strict=True):
        grid = by_setting(found)
        gaps = [group.gap(name) for group in grid]
        spreads = [0.0 if math.isnan(spread) else spread for _, spread in gaps]
        axes.errorbar([group.T for group in grid], [mean for mean, _ in gaps], spreads, marker="o", capsize=3)
        axes.axhline(0, color="grey", linewidth=0.8)
        axes.set(xlabel="T", ylabel="test - training", title=GAPS[name].split(" (")[0])


def _curves(figure: Figure, experiment: Experiment, found: Sequence[Compared], runs: Path) -> None:
    """Training loss and s_A after each epoch, a line for each run."""
    by_T = experiment.name == "unstable-init"
    keys = [_key(each, by_T) for each in found]
    values = sorted(set(keys))
    loss, s_A, *rest = figure.subplots(1, 3 if by_T else 2)
    named = set[float]()
    for each, key in zip(found, keys, strict=True):
        rows = read_log(runs / each.record.config.key / "model.jsonl")
        color = colormaps["viridis"](values.index(key) / max(1, len(values) - 1))
        label = None if key in named else f"T = {key:g}" if by_T else f"s_A = {key:+g}"
        named.add(key)
        steps = [row["epoch"] for row in rows]
        losses = [math.nan if row.get("loss") is None else row["loss"] for row in rows]
        loss.plot(steps, losses, color=color, linewidth=1, label=label)
        s_A.plot(steps, [row["s_A"] for row in rows], color=color, linewidth=1)
    loss.set(xlabel="epoch", ylabel="training objective")
    _logarithmic(loss, "y", (value for line in loss.lines for value in line.get_ydata()))
    s_A.set(xlabel="epoch", ylabel="spectral abscissa s_A")
    s_A.axhline(0, color="grey", linewidth=0.8)
    if rest:
        _exponents(rest[0], found)
    figure.legend(loc="outside right center", fontsize=8)


def _exponents(axes: Axes, found: Sequence[Compared]) -> None:
    """Final training loss against the initial exponent; failures on the upper edge, since they have no loss."""
    records = [each.record for each in found if math.isfinite(each.record.exponent)]
    for succeeded, marker, colour in ((True, "o", COLOURS[0]), (False, "x", COLOURS[1])):
        chosen = [record for record in records if trained(record) == succeeded]
        losses = [record.train.cross_entropy for record in chosen]
        finite = [(record.exponent, loss) for record, loss in zip(chosen, losses, strict=True) if math.isfinite(loss)]
        if finite:
            axes.plot(*zip(*finite, strict=True), marker, color=colour, label="trained" if succeeded else "failed")
        lost = [record.exponent for record, loss in zip(chosen, losses, strict=True) if not math.isfinite(loss)]
        edge = axes.get_xaxis_transform()
        axes.plot(lost, [0.97] * len(lost), marker, color=colour, transform=edge, label="not finite" if lost else None)
    axes.axvline(FLOAT32_EXPONENT, color="grey", linewidth=0.8)
    axes.set(xlabel="$s_A \\sum_t \\Delta_t$, longest sequence, initial weights", ylabel="final training loss")
    _logarithmic(axes, "x", (record.exponent for record in records))
    _logarithmic(axes, "y", (record.train.cross_entropy for record in records))


def _logarithmic(axes: Axes, which: Literal["x", "y"], values: Iterable[float]) -> None:
    """Where there is something that a logarithm has."""
    if any(math.isfinite(value) and value > 0 for value in values):
        axes.set(**{f"{which}scale": "log"})


def _key(each: Compared, by_T: bool) -> float:
    config = each.record.config
    return config.options["T"] if by_T else config.settings.s_A
