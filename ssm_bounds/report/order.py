"""What the four-point identity says of a file: for people, and as the JSON document of ``docs/order.md``.

Rounding: lower bounds are rounded down, the radius up; what was measured to the nearest, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ssm_bounds.bounds.architectures.order import HYPOTHESES, Floor, floors
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.evaluate.decimals import decimal_string, number
from ssm_bounds.models.files.container import printable
from ssm_bounds.order import MET, Labelled, OrderReport
from ssm_bounds.report import origin
from ssm_bounds.report.table import Table, labelled

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA = 1
NOT_CLAIMED = (
    "That the model cannot see order: it can, alike after every prefix.",
    "Anything where the last tokens differ, or about a mean over the tokens, a convolution, a norm, a second layer.",
    "Anything about how well a model can be trained to do what it is not kept from.",
    "The residual is measured on the sequences named; the identity is a theorem, and not concluded from it.",
)


def show(report: OrderReport, console: Console) -> None:
    """The identity, what was measured, what the data hold, the lower bounds, and what must not be read."""
    checkpoint, weights = report.checkpoint, report.checkpoint.weights
    sizes = ", ".join(f"{name} = {getattr(weights, name)}" for name in ("d", "N", "k", "V"))
    title = printable(f"{checkpoint.path} ({checkpoint.format}; {sizes})")
    console.print(title, style="bold", highlight=False, markup=False, soft_wrap=True)
    console.print(report.sentence, highlight=False, markup=False)
    labelled(_lines(report), console)
    rows = [(floor.target, floor.measure, _at_least(floor), floor.source) for floor in floors()]
    Table(("every such model, on", "has", "of at least", "source"), rows, "wlrl", least=30).show(console)
    for line in NOT_CLAIMED:
        console.print(f"not claimed: {line}", style="dim", highlight=False, markup=False)


def _lines(report: OrderReport) -> Iterator[tuple[str, str]]:
    points, found = report.points, report.labelled
    source = f"random tokens, seed {report.seed}" if found is None else f"{found.source}, seed {report.seed}"
    few = "" if points.quadruples == report.asked else f" of {report.asked:,} asked for"
    yield "quadruples", printable(f"{points.quadruples:,}{few}: blocks of 2 to 8 tokens and their reversals; {source}")
    yield (
        "residual",
        f"measured: up to about {points.residual:.2g} of the largest of the four logits; in real arithmetic it is 0, "
        f"and each is within what rounding can make of that, at most {_above(points.radius, 2)}",
    )
    yield (
        "order",
        f"alone, in one of them, moves a logit by at least {_below(100 * points.moved, 3)} % of the largest of four",
    )
    if points.open:
        yield (
            "not counted",
            f"{points.open:,} quadruples with a logit that is not finite or huge, or radii as large as the largest",
        )
    if found is not None:
        yield "data", printable(_of_data(found))
    yield "facts", f"{origin.words(report.facts)}; the identity holds with the others too"
    for name, says in HYPOTHESES.items():
        yield name, f"{says}: {MET[name]}"


def _of_data(found: Labelled) -> str:
    rows, ended = found.found.rows, "" if found.found.exhaustive else " before the search ended early"
    if not rows:
        return f"no complete quadruple among the {found.m:,} training rows was found{ended}"
    first = ", ".join(map(str, rows[0]))
    return (
        f"{len(rows):,} complete quadruples without a common row among the {found.m:,} training rows were found{ended} "
        f"(rows {first}, from 0): in real arithmetic every such model errs on at least {len(rows):,} of these rows, a "
        f"share of {decimal_string(Enclosure.point(found.error).lower, 4, 'lower')}"
    )


def _at_least(floor: Floor) -> str:
    return f"{decimal_string(floor.value.lower, 4, 'lower')}{' ' * bool(floor.unit)}{floor.unit}"


def _above(value: float, digits: int) -> str:
    return decimal_string(Enclosure.point(value).upper, digits)


def _below(value: float, digits: int) -> str:
    return decimal_string(Enclosure.point(value).lower, digits, "lower")


def document(report: OrderReport) -> dict[str, Any]:
    """One file as JSON. A key's meaning never changes."""
    checkpoint, weights, points = report.checkpoint, report.checkpoint.weights, report.points
    found = report.labelled
    return {
        **origin.head(SCHEMA),
        "checkpoint": origin.file(checkpoint),
        "model": {name: getattr(weights, name) for name in ("d", "N", "k", "V")},
        "facts": origin.told(report.facts),
        "identity": report.sentence,
        "hypotheses": [{"name": name, "says": says, "met": MET[name]} for name, says in HYPOTHESES.items()],
        "sequences": {
            "source": "random tokens" if found is None else found.source,
            "seed": report.seed,
            "asked": report.asked,
            "quadruples": points.quadruples,
            "not_counted": points.open,
        },
        "residual": {"measured": points.residual, "rounding_at_most": points.radius, "beyond": points.beyond},
        "order_moves_at_least": points.moved,
        "labelled": None if found is None else _labelled(found),
        "floors": [
            {
                "target": floor.target,
                "measure": floor.measure,
                "at_least": number(floor.value.lower, "lower"),
                "unit": floor.unit,
                "source": floor.source,
            }
            for floor in floors()
        ],
        "not_claimed": list(NOT_CLAIMED),
    }


def _labelled(found: Labelled) -> dict[str, Any]:
    rows = found.found.rows
    return {
        "m": found.m,
        "quadruples": len(rows),
        "exhaustive": found.found.exhaustive,
        "first": list(rows[0]) if rows else None,
        "error_at_least": number(Enclosure.point(found.error).lower, "lower"),
    }
