"""Questions about models that lie in no file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ssm_bounds.models.files.checkpoint import Checkpoint, Metadata
from ssm_bounds.models.selective_ssm.weights import Weights
from ssm_bounds.question import Question, ask

SHA256 = "ab" * 32


def asked(weights: Weights, recorded: Mapping[str, Any] | None = None, **stated: Any) -> Question:
    """About a model whose file records what training does, changed by ``recorded`` (None: not recorded)."""
    record = {"m": 1000, "T": 6, "gate": "softplus", "embedding": "none" if weights.V is None else "trained"}
    metadata = Metadata(**(record | dict(recorded or {})))
    return ask(Checkpoint(Path("runs/model.safetensors"), "native", SHA256, weights, metadata), **stated)
