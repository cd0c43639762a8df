"""The page of what the layers of one or several models can do: table, figure and notes; no script, no network."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import PurePath
from typing import Any

from ssm_bounds.inspection import NOT_CLAIMED, LayerReport, ModelReport, documents
from ssm_bounds.models.files.container import printable
from ssm_bounds.report.html.environment import environment, style
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
    data = documents(models, failed, T=T, eta=eta)
    encoded = base64.b64encode((json.dumps(data, indent=2, allow_nan=False) + "\n").encode()).decode()
    text = (
        environment()
        .get_template("layers.html")
        .render(
            models=[_shown(i, model, T, eta) for i, model in enumerate(models, 1)],
            failed=data["failed"],
            data=data,
            encoded=encoded,
            command=command,
            T=T,
            eta=eta,
            version=version("ssm-bounds"),
            not_claimed=NOT_CLAIMED,
            style=style(),
        )
    )
    return text.encode("utf-8", "backslashreplace").decode("utf-8")  # a file name need not be valid Unicode


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
