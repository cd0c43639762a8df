"""Text forms of the report of a model's layers: a table for people, Markdown, CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.evaluate.decimals import decimal_string
from ssm_bounds.inspection import NOT_CLAIMED, LayerReport, ModelReport, at_least, at_most
from ssm_bounds.models.files.container import printable
from ssm_bounds.report.table import Table

if TYPE_CHECKING:
    from rich.console import Console

_HEADER = (
    "layer", "mixer", "|u| <=", "gate from", "to", "forgets", "cannot", "undecided", "E(T)", "state <=", "scan <=",
    "out <=", "may overflow",
)  # fmt: skip
_ALIGN = "rlrrrrrrrrrrl"
_BESIDE = {"|u|": "u_l2", "state": "state_sup", "scan": "scan_sup", "out": "out_sup"}
_CSV = ("channels", "paper", "step_limits", "measured", "overflows", "notes")


def show(models: Sequence[ModelReport], T: int, eta: float, console: Console) -> None:
    """Each model: its table, a sentence, what was assumed, the notes of its layers; then what must not be read."""
    for model in models:
        console.print(_title(model), style="bold", highlight=False, markup=False, soft_wrap=True)
        table(model).show(console)
        if (seen := measured_table(model)) is not None:
            console.print(measured_on(model), highlight=False, markup=False, soft_wrap=True)
            seen.show(console)
        for line in _lines(model, T, eta):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    for line in NOT_CLAIMED:
        console.print(line, style="dim", highlight=False, markup=False, soft_wrap=True)


def markdown(models: Sequence[ModelReport], T: int, eta: float) -> str:
    parts = []
    for model in models:
        lines = "".join(f"- {line}\n" for line in _lines(model, T, eta))
        seen = measured_table(model)
        beside = "" if seen is None else f"{measured_on(model)}:\n\n{seen.markdown()}\n"
        parts.append(f"## {_title(model)}\n\n{table(model).markdown()}\n{beside}{lines}")
    return "\n".join([*parts, "".join(f"- {line}\n" for line in NOT_CLAIMED)])


def csv(models: Sequence[ModelReport], T: int, eta: float) -> str:
    """One row a layer, with every number of the JSON that is one."""
    records: list[dict[str, Any]] = []
    for model in models:
        for layer in model.layers:
            record = {name: value for name, value in asdict(layer).items() if name not in _CSV}
            paper = {f"paper_{name}": value for name, value in (layer.paper or {}).items()}
            seen = {f"measured_{name}": value for name, value in (layer.measured or {}).items()}
            records.append({"path": model.path, "family": model.family, "T": T, "eta": eta} | record | paper | seen)
    return Table.of_records(records).csv()


def _title(model: ModelReport) -> str:
    return printable(f"{model.path} ({model.format}; {model.parameters:,} numbers; {len(model.layers)} layers)")


def _lines(model: ModelReport, T: int, eta: float) -> Iterator[str]:
    yield printable(model.sentence(T=T, eta=eta))
    yield from said(model)


def said(model: ModelReport) -> Iterator[str]:
    """What was assumed and left out, and the notes of the layers."""
    for text in model.assumed:
        yield printable(f"assumed: {text}")
    for text in model.not_analysed:
        yield printable(f"not analysed: {text}")
    notes: dict[str, list[int]] = {}
    for layer in model.layers:
        for note in layer.notes:
            notes.setdefault(note, []).append(layer.index)
    for note, indices in notes.items():
        yield printable(f"layers {_ranges(indices)}: {note}")


def _ranges(indices: Sequence[int]) -> str:
    """0-3, 7."""
    found: list[list[int]] = []
    for i in indices:
        if found and i == found[-1][1] + 1:
            found[-1][1] = i
        else:
            found.append([i, i])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in found)


def table(model: ModelReport) -> Table:
    return Table(_HEADER, [_cells(layer) for layer in model.layers], _ALIGN)


def measured_table(model: ModelReport) -> Table | None:
    """What was seen, rounded to the nearest, and beside it what is certain; None where nothing was."""
    header = ["layer", "gate seen from", "to", "certain from", "to"]
    header += [title for name in _BESIDE for title in (f"{name} seen", "at most")]
    rows = [_beside(layer, layer.measured) for layer in model.layers if layer.measured is not None]
    return Table(header, rows, "r" * len(header)) if rows else None


def measured_on(model: ModelReport) -> str:
    """The label of that table."""
    return next((str(layer.measured["note"]) for layer in model.layers if layer.measured is not None), "")


def _beside(layer: LayerReport, seen: Mapping[str, Any]) -> list[str]:
    pairs = [(_nearest(seen[key]), _above(getattr(layer, key))) for key in _BESIDE.values()]
    steps = [_nearest(seen["delta_min"]), _nearest(seen["delta_max"])]
    return [str(layer.index), *steps, _below(layer.delta_min), _above(layer.delta_max), *(x for y in pairs for x in y)]


def _nearest(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _cells(layer: LayerReport) -> list[str]:
    upward = (layer.u_l2, layer.delta_max, layer.doubling_exponent, layer.state_sup, layer.scan_sup, layer.out_sup)
    u, gate, E, state, scan, out = (_above(value) for value in upward)
    shares = [at_least(layer.always_forgets), at_least(layer.cannot_forget), at_most(layer.undecided)]
    overflows = "not known" if layer.overflows is None else ", ".join(layer.overflows) or "none"
    return [str(layer.index), layer.mixer, u, _below(layer.delta_min), gate, *shares, E, state, scan, out, overflows]


def _above(value: float | None) -> str:
    return "-" if value is None else decimal_string(Enclosure.point(value).upper, 4)


def _below(value: float | None) -> str:
    return "-" if value is None else decimal_string(Enclosure.point(value).lower, 4, "lower")
