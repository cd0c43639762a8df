"""The tensors of one small model by the names in its file: wrappers, dtypes, shapes and values.

Of a model that is read whole; ``files.tensors`` reads those of any size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ssm_bounds.models.files.container import CheckpointError, Tensor, parse, quote, read_bytes
from ssm_bounds.models.files.tensors import finite
from ssm_bounds.models.selective_ssm.weights import WeightsError, check_shapes


def opened(path: Path, save: str) -> tuple[dict[str, Tensor], str]:
    """The tensors of a file, :func:`unwrapped`, and the SHA-256 of its bytes, read once. Raises: CheckpointError."""
    data = read_bytes(path)
    return unwrapped(parse(data)[0], save), hashlib.sha256(data).hexdigest()


def unwrapped(tensors: Mapping[str, Tensor], save: str) -> dict[str, Tensor]:
    """Without the prefixes of wrappers. Raises: CheckpointError for a name that stands there twice, with what to do."""
    short: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        own = name
        while own.startswith(("module.", "_orig_mod.")):
            own = own.partition(".")[2]
        if own in short:
            raise CheckpointError(f"holds tensor {quote(own)} twice, with and without a wrapper's prefix; {save}")
        short[own] = tensor
    return short


def require_shapes(tensors: Mapping[str, Tensor], axes: Mapping[str, str], dtypes: str = "float32 or float64") -> None:
    """Floats, and of shapes that fit one model (``axes`` by name: a letter each), before a value is read.

    ``dtypes``: what is expected, in words. Raises: CheckpointError.
    """
    for name, tensor in tensors.items():
        if tensor.dtype not in ("float32", "float64"):
            raise CheckpointError(
                f"tensor {name!r}: has dtype {tensor.dtype}, expected {dtypes}; convert the model with .float() and "
                "save it again"
            )
    try:
        check_shapes(
            {repr(name): tensor.shape for name, tensor in tensors.items()},
            {repr(name): letters for name, letters in axes.items()},
        )
    except WeightsError as error:
        raise CheckpointError(f"tensor {error}; check which model this file was saved from") from None


def values(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """As the file holds them. Raises: CheckpointError for NaN and infinite ones."""
    return {name: finite(name, tensor.values()) for name, tensor in tensors.items()}
