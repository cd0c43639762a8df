"""Whether all that stands before the last block of a model is that of another, tensor by tensor (theory M6.4)."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.files import classifier
from ssm_bounds.models.files.container import quote
from ssm_bounds.models.mamba.classifier import Classifier

_HEAD = ("score.", "lm_head.", "backbone.norm_f.")


def base_of(path: Path, found: Classifier, base: Path) -> Classifier:
    """The model in ``base``, of which ``found``, read in ``path``, has all parts but its last block and its head.

    Raises: DomainError naming the first tensor that is another one; CheckpointError.
    """
    if not base.is_dir():
        raise DomainError(f"{base}: is no folder, expected that of the base, with its config")
    other, count = classifier.read(base), len(found.layers)
    trained = (f"backbone.layers.{count - 1}.", *_HEAD)
    own, theirs = (
        {name: x for name, x in classifier.tensors(each).items() if not name.startswith(trained)}
        for each in (path, base)
    )
    for name in sorted(own.keys() | theirs.keys()):
        if name not in own or name not in theirs:
            raise DomainError(
                f"{path}: tensor {quote(name)} is in {'the base' if name in theirs else 'it'} alone; {_ONLY}"
            )
        if not np.array_equal(own[name], theirs[name]):
            raise DomainError(f"{path}: tensor {quote(name)} is not that of the base; {_ONLY}")
    if len(other.layers) != count:
        raise DomainError(f"{path}: has {count} blocks, and the base {len(other.layers)}; {_ONLY}")
    if found.pad != other.pad:
        raise DomainError(
            f"{path}: pad_token_id is {_said(found.pad)}, and that of the base {_said(other.pad)}: it decides which "
            "token of a row is the last; expected the same in both configs (theory M6.4)"
        )
    shapes = [{name: x.shape for name, x in _arrays(each.layers[-1]).items()} for each in (found, other)]
    if shapes[0] != shapes[1]:
        raise DomainError(f"{path}: its last block is not of the sizes of that of the base")
    for layer, before in zip(found.layers, other.layers, strict=True):
        if _settings(layer) != _settings(before):
            raise DomainError(f"{path}: {layer.name} has other settings (eps, groups, limits) than the base")
    return other


_ONLY = "without --occam only the last block and the head may be others than those of --base (theory M6.4)"


def _said(pad: int | None) -> str:
    return "null" if pad is None else str(pad)


def _settings(part: Any) -> Any:
    """All of a layer but its arrays."""
    if is_dataclass(part) and not isinstance(part, type):
        values = ((f.name, getattr(part, f.name)) for f in fields(part))
        return {
            name: _settings(value)
            for name, value in values
            if name != "vocabulary" and not isinstance(value, np.ndarray)
        }
    return part


def _arrays(layer: Any) -> dict[str, Any]:
    mixer = layer.mixer
    return {name: x for name in mixer.__slots__ if isinstance(x := getattr(mixer, name), np.ndarray)}
