"""What each parameter block adds to the nats of a rung."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.ladder.argument import Cost, shares
from ssm_bounds.bounds.values import require
from ssm_bounds.report.plots.canvas import COLOURS, canvas

_STYLES: dict[str, dict[str, Any]] = {
    "block": {"color": COLOURS[0]},
    "price": {"color": COLOURS[4], "hatch": "///"},
    "symmetry": {"color": COLOURS[1], "hatch": "..."},
    "confidence": {"color": COLOURS[2], "hatch": "\\\\\\"},
}
_MEANINGS = {
    "block": "parameter block",
    "price": "price of choices",
    "symmetry": "shared by symmetric models",
    "confidence": "confidence",
}
_LETTERS = {"ln(1/pi)": r"$\ln(1/\pi)$", "ln(xi(m)/delta)": r"$\ln(\xi(m)/\delta)$"} | {
    f"ln({i}/delta)": rf"$\ln({i}/\delta)$" for i in (1, 2)
}


def blocks(parts: Sequence[Cost]) -> Figure:
    """One bar for each of ``costs(...)``, in nats, with its share of their sum. Raises: DomainError for no parts."""
    require(len(parts) > 0, "a figure of blocks needs a rung whose nats are split into blocks")
    figure = canvas(6.4, 0.9 + 0.3 * len(parts))
    axes = figure.subplots()
    nats = [part.nats.float_upper() for part in parts]
    for kind, meaning in _MEANINGS.items():
        mine = [i for i, part in enumerate(parts) if part.kind == kind]
        if mine:
            axes.barh(mine, [nats[i] for i in mine], height=0.62, label=meaning, linewidth=0, **_STYLES[kind])
    for i, (value, share) in enumerate(zip(nats, shares(tuple(parts)), strict=True)):
        axes.annotate(
            f"{decimal_string(parts[i].nats.upper)},  {100 * share:.1f} %",
            (max(value, 0.0), i),  # what symmetries give back is negative
            (5, 0),
            textcoords="offset points",
            va="center",
            size=9,
        )
    axes.set_yticks(range(len(parts)), [_written(part) for part in parts])
    axes.set_xlim(1.1 * min(0.0, *nats), 1.3 * max(nats) or 1)
    axes.set_xlabel("nats")
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper right", ncols=3, frameon=False, fontsize=9)
    return figure


def _written(part: Cost) -> str:
    if part.kind != "block":
        return _LETTERS.get(part.name, part.name)
    return re.sub(r"^(\(p, q\)|[A-Za-z](_[A-Z])?)(?=,|$)", r"$\1$", part.label)
