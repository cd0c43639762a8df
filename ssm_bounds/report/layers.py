"""Text forms of the report of a model's layers: a table for people, Markdown, CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
_CSV = ("channels", "paper", "step_limits", "measured", "overflows", "notes")


def show(models: Sequence[ModelReport], T: int, eta: float, console: Console) -> None:
    """Each model: its table, a sentence, what was assumed, the notes of its layers; then what must not be read."""
    for model in models:
        console.print(_title(model), style="bold", highlight=False, markup=False, soft_wrap=True)
        _table(model).show(console)
        for line in _lines(model, T, eta):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    for line in NOT_CLAIMED:
        console.print(line, style="dim", highlight=False, markup=False, soft_wrap=True)


def markdown(models: Sequence[ModelReport], T: int, eta: float) -> str:
    parts = []
    for model in models:
        lines = "".join(f"- {line}\n" for line in _lines(model, T, eta))
        parts.append(f"## {_title(model)}\n\n{_table(model).markdown()}\n{lines}")
    return "\n".join([*parts, "".join(f"- {line}\n" for line in NOT_CLAIMED)])


def csv(models: Sequence[ModelReport], T: int, eta: float) -> str:
    """One row a layer, with every number of the JSON that is one."""
    records: list[dict[str, Any]] = []
    for model in models:
        for layer in model.layers:
            record = {name: value for name, value in asdict(layer).items() if name not in _CSV}
            paper = {f"paper_{name}": value for name, value in (layer.paper or {}).items()}
            records.append({"path": model.path, "family": model.family, "T": T, "eta": eta} | record | paper)
    return Table.of_records(records).csv()


def _title(model: ModelReport) -> str:
    return printable(f"{model.path} ({model.format}; {model.parameters:,} numbers; {len(model.layers)} layers)")


def _lines(model: ModelReport, T: int, eta: float) -> Iterator[str]:
    yield printable(model.sentence(T=T, eta=eta))
    for text in model.assumed:
        yield printable(f"assumed: {text}")
    for text in model.not_analysed:
        yield printable(f"not analysed: {text}")
    said: dict[str, list[int]] = {}
    for layer in model.layers:
        for note in layer.notes:
            said.setdefault(note, []).append(layer.index)
    for note, indices in said.items():
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


def _table(model: ModelReport) -> Table:
    return Table(_HEADER, [_cells(layer) for layer in model.layers], _ALIGN)


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
