"""Figures of an experiment, each as .png and .pdf."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import colormaps
from matplotlib.figure import Figure

from models.experiments.comparison import Compared
from models.experiments.findings import GAPS, groups
from models.experiments.presets import Experiment
from models.monitor import read_log


def draw(experiment: Experiment, found: Sequence[Compared], folder: Path) -> tuple[str, ...]:
    """The names of the figures written, without suffix. Raises: OSError."""
    main = Figure(figsize=(9, 3.6), layout="constrained")
    if experiment.name == "length":
        _gaps(main, found)
    else:
        _curves(main, experiment, found, folder / "runs")
    bounds = Figure(figsize=(7, 4.5), layout="constrained")
    _bounds(bounds.subplots(), experiment, found)
    for name, figure in (("gap" if experiment.name == "length" else "training", main), ("bounds", bounds)):
        for suffix in ("png", "pdf"):
            figure.savefig(folder / f"{name}.{suffix}", dpi=150)
    return ("gap" if experiment.name == "length" else "training", "bounds")


def _gaps(figure: Any, found: Sequence[Compared]) -> None:
    """Mean and standard deviation over the seeds."""
    for axes, name in zip(figure.subplots(1, 2), ("error", "cross_entropy"), strict=True):
        grid = groups(found)
        gaps = [group.gap(name) for group in grid]
        spreads = [0.0 if math.isnan(spread) else spread for _, spread in gaps]
        axes.errorbar([group.T for group in grid], [mean for mean, _ in gaps], spreads, marker="o", capsize=3)
        axes.axhline(0, color="grey", linewidth=0.8)
        axes.set(xlabel="T", ylabel="test - training", title=GAPS[name].split(" (")[0])


def _curves(figure: Any, experiment: Experiment, found: Sequence[Compared], runs: Path) -> None:
    """Training loss and s_A after each epoch, a line for each run."""
    by_T = experiment.name == "unstable-init"
    keys = [_key(each, by_T) for each in found]
    values = sorted(set(keys))
    loss, s_A = figure.subplots(1, 2)
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
    loss.set(xlabel="epoch", ylabel="training objective", yscale="log")
    s_A.set(xlabel="epoch", ylabel="spectral abscissa s_A")
    s_A.axhline(0, color="grey", linewidth=0.8)
    figure.legend(loc="outside right center", fontsize=8)


def _bounds(axes: Any, experiment: Experiment, found: Sequence[Compared]) -> None:
    """Measured gaps (ramp and error in absolute value) and bounds, on one logarithmic scale, over T or initial s_A."""
    by_T = len({_key(each, True) for each in found}) > 1
    shown: dict[str, list[tuple[float, float]]] = {}
    for each in found:
        x = _key(each, by_T)
        gaps = each.record.gaps()
        for name in ("ramp", "error", "margin"):
            gap = gaps.get(name, math.nan)
            shown.setdefault(f"measured: {name}", []).append((x, gap if name == "margin" else abs(gap)))
        for bound in each.bounds:
            shown.setdefault(f"bound: {bound.name}", []).append((x, bound.upper))
    for name, points in shown.items():
        kept = [(x, y) for x, y in points if math.isfinite(y) and y > 0]
        if kept:
            marker = "o" if name.startswith("measured") else "_"
            axes.plot(*zip(*kept, strict=True), linestyle="none", marker=marker, markersize=5, label=name)
    axes.axhline(1, color="grey", linewidth=0.8)
    axes.set(xlabel="T" if by_T else "initial s_A", ylabel="gap", yscale="log", title=f"{experiment.task}: gap, bound")
    axes.figure.legend(loc="outside right center", fontsize=8)


def _key(each: Compared, by_T: bool) -> float:
    config = each.record.config
    return config.options["T"] if by_T else config.settings.s_A
