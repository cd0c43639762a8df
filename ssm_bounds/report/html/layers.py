"""The page of what the layers of one or several models can do: table, figure and notes; no script, no network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from ssm_bounds.inspection import NOT_CLAIMED, LayerReport, ModelReport, documents
from ssm_bounds.models.files.container import printable
from ssm_bounds.report.html.environment import rendered
from ssm_bounds.report.html.figures import inline
from ssm_bounds.report.layers import measured_on, measured_table, said, table
from ssm_bounds.report.plots.layers import layers


def page(
    models: Sequence[ModelReport],
    failed: Sequence[tuple[str, str]] = (),
    *,
    T: int,
    eta: float,
    command: str | None = None,
) -> str:
    """The whole page as text; ``failed``: path and error of the files without a report, ``command``: what to type to
    get it again. The same input gives the same text.
    """
    return rendered(
        "layers.html",
        documents(models, failed, T=T, eta=eta),
        command=command,
        models=[_shown(i, model, T, eta) for i, model in enumerate(models, 1)],
        T=T,
        eta=eta,
        not_claimed=NOT_CLAIMED,
    )


def _shown(index: int, model: ModelReport, T: int, eta: float) -> dict[str, Any]:
    key = f"m{index}"
    return {
        "id": key,
        "name": printable(PurePath(model.path).name),
        "model": model,
        "sentence": printable(model.sentence(T=T, eta=eta)),
        "table": table(model),
        "measured": measured_table(model),
        "measured_on": measured_on(model),
        "figure": inline(layers(model.layers), f"{key}-figure", _label(model.layers)) if model.layers else None,
        "said": list(said(model)),
    }


def _label(reports: Sequence[LayerReport]) -> str:
    """The figure in words, rounded to the nearest."""
    parts = []
    for report in reports:
        known = {
            "floor": report.horizon_floor,
            "ceiling": report.horizon_ceiling,
            "gate from": report.delta_min,
            "to": report.delta_max,
        }
        told = ", ".join(f"{name} {'none' if value is None else f'{value:.3g}'}" for name, value in known.items())
        parts.append(f"layer {report.index}: {told}")
    return "Memory in tokens, and gates, of every layer, about: " + "; ".join(parts)
