"""Elasticities as horizontal bars: which constant of a certificate matters, and in which direction."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.bounds.explain.elasticity import Explanation, signed
from ssm_bounds.report.plots.canvas import COLOURS, canvas

_WORSE, _BETTER = COLOURS[1], COLOURS[0]


def label(constant: str, per: str = "relative") -> str:
    """A constant's name in mathematical type.

    >>> label("B_u"), label("s_rows.2"), label("p", "unit")
    ('$B_u$', '$|s_{\\\\mathrm{rows},2}|$', '$p$ (per unit)')
    """
    name, _, rest = constant.partition("_")
    item, _, group = rest.partition(".")
    text = {"delta": "\\delta"}.get(constant, constant)
    if group:
        text = f"s_{{\\mathrm{{{item}}},{group}}}"
    if name == "s":
        text = f"|{text}|"
    return f"${text}$" + " (per unit)" * (per == "unit")


def bars(explanation: Explanation) -> Figure:
    """``d ln bound / d ln x`` of every constant x, largest first; those that are infinite are left out.

    To the right (hatched) a larger constant makes the bound larger. Units: none; of p one over a logit.
    """
    rows = [(row, float(row.elasticity.ball().mid())) for row in explanation.rows if row.elasticity is not None]
    figure = canvas(height=1.4 + 0.22 * len(rows))
    axes = figure.subplots()
    sizes = [size for _, size in rows]
    drawn = axes.barh(
        range(len(rows)),
        sizes,
        color=[_WORSE if size > 0 else _BETTER for size in sizes],
        edgecolor="white",
        hatch=["///" if size > 0 else "" for size in sizes],
    )
    axes.bar_label(drawn, labels=[signed(size) for size in sizes], padding=3, fontsize="small")
    axes.set_yticks(range(len(rows)), [label(row.constant, row.per) for row, _ in rows])
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.8)
    reach = 1.25 * max((abs(size) for size in sizes), default=1.0) or 1.0
    axes.set_xlim(-reach, reach)
    rung = explanation.rung
    axes.set_xlabel(rf"elasticity $\partial \ln(\mathrm{{{rung.kind}}})\,/\,\partial \ln x$ (no unit)")
    axes.set_title(f"{rung.name}: certified {rung.kind} {decimal_string(rung.value.upper)}", fontsize="medium")
    figure.legend(
        handles=[
            Patch(facecolor=_WORSE, edgecolor="white", hatch="///", label="larger makes the bound larger"),
            Patch(facecolor=_BETTER, edgecolor="white", label="larger makes the bound smaller"),
        ],
        loc="outside lower center",
        ncols=2,
        fontsize="small",
        frameon=False,
    )
    axes.spines[["top", "right"]].set_visible(False)
    return figure
