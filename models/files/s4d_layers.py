"""Reads S4D layers with what stands between them, under the names of their public code. A file is data.

github.com/state-spaces/s4: ``models/s4/s4d.py``, one layer or several behind one another, each with its
``output_linear`` (GELU, a mixing layer, GLU) or without; and the model of ``example.py``, an encoder, residual blocks
with norms, a decoder. Bounds read one linear layer alone (``files/s4d.py``); this is what can be measured.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.models.files import small
from ssm_bounds.models.files.container import CheckpointError, Tensor, printable, quote
from ssm_bounds.models.files.s4d import MOST_MODES, NAMES
from ssm_bounds.models.files.tensors import located
from ssm_bounds.models.s4d.weights import SHAPES

Array = NDArray[np.float64]
Affine = tuple[Array, Array]
"""A matrix or a vector, and what is added."""

MOST_LAYERS = 1024
_OWN = {name: SHAPES[block] for block, name in NAMES.items() if block != "W"}
_MIXING = {"output_linear.0.weight": "edx", "output_linear.0.bias": "e"}
_MARK = "kernel.log_A_real"
_LAYER = re.compile(r"((?:.*\.)?)(0|[1-9][0-9]{0,3})\.")
_SAVE = "save the state dict of the S4D layers, or of the model of the public example.py"


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """``tensors``: C (d,N,2), log_dt, D (d,), log_A_real, A_imag (d,N). ``mixing``: (2d,d) and (2d,), behind GELU and
    before GLU. ``norm``: of the block, (d,) both."""

    name: str
    tensors: Mapping[str, Array]
    mixing: Affine | None
    norm: Affine | None = None

    @property
    def d(self) -> int:
        return len(self.tensors["D"])

    @property
    def N(self) -> int:
        return int(self.tensors["A_imag"].shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class File:
    """``encoder``: (d,n_u) and (d,) before the first layer. ``residual``: blocks of the public example, with norms."""

    path: Path
    sha256: str
    layers: tuple[Layer, ...]
    encoder: Affine | None = None
    residual: bool = False

    @property
    def width(self) -> int:
        """Of an input."""
        return self.layers[0].d if self.encoder is None else int(self.encoder[0].shape[1])


def read(path: str | os.PathLike[str]) -> File:
    """The layers in a .pt, .pth or .safetensors file, in the order of their numbers.

    Raises: CheckpointError, one line naming the file, the tensor, what was expected and found, and what to do.
    """
    path = Path(path)
    with located(path):
        tensors, sha256 = small.opened(path, _SAVE)
        return _file(path, sha256, tensors)


def _file(path: Path, sha256: str, tensors: Mapping[str, Tensor]) -> File:
    prefixes = _in_order([name.removesuffix(_MARK) for name in tensors if name.endswith(_MARK)])
    residual = "encoder.weight" in tensors
    axes: dict[str, dict[str, str]] = {}
    for i, prefix in enumerate(prefixes):
        own = {prefix + name: letters for name, letters in _OWN.items()}
        if any(f"{prefix}output_linear." in name for name in tensors):
            own |= {prefix + name: letters for name, letters in _MIXING.items()}
        if residual:
            own |= {f"norms.{i}.weight": "d", f"norms.{i}.bias": "d"}
        axes[prefix] = own
    ends = {"encoder.weight": "du", "encoder.bias": "d"} if residual else {}
    unread = {"decoder.weight", "decoder.bias"} if residual else {"W"} if len(prefixes) == 1 else set[str]()
    _require_names(tensors, {name: "" for own in axes.values() for name in own} | ends, unread)
    widths = set[int]()
    for own in axes.values():
        given = {name: tensors[name] for name in own}
        small.require_shapes(given | {name: tensors[name] for name in ends}, own | ends)
        widths |= {_require_sizes(given, own)}
    if len(widths) > 1:
        raise CheckpointError(f"its layers have {', '.join(map(str, sorted(widths)))} channels, expected one number")
    layers = tuple(_layer(prefix, tensors, axes[prefix], i if residual else None) for i, prefix in enumerate(prefixes))
    encoder = _affine(tensors, "encoder") if residual else None
    return File(path, sha256, layers, encoder, residual)


def _in_order(prefixes: list[str]) -> list[str]:
    """One without a number, or those of one list, 0, 1, 2 and so on: a gap is a module between that has no tensors.

    Raises: CheckpointError.
    """
    if not 1 <= len(prefixes) <= MOST_LAYERS:
        raise CheckpointError(f"holds {len(prefixes)} S4D layers, expected 1 to {MOST_LAYERS}; {_SAVE}")
    if prefixes == [""]:
        return prefixes
    found: dict[int, str] = {}
    stems = set[str]()
    for prefix in sorted(prefixes):
        if (match := _LAYER.fullmatch(prefix)) is None:
            raise CheckpointError(f"layer {quote(prefix)}: expected layers that are numbered 0, 1, 2, ...; {_SAVE}")
        stems.add(match[1])
        found[int(match[2])] = prefix
    if len(stems) > 1:
        lists = ", ".join(quote(stem) for stem in sorted(stems)[:4])
        raise CheckpointError(f"layers stand in several lists, {lists}, in an order that is not known; {_SAVE}")
    if missing := [i for i in range(len(found)) if i not in found]:
        raise CheckpointError(
            f"no layer has the number {missing[0]}, and there are later ones: what stands in its place is not known; "
            "number the layers 0, 1, 2, ... where nothing does"
        )
    return [found[i] for i in range(len(found))]


def _require_names(tensors: Mapping[str, Tensor], known: Mapping[str, str], unread: set[str]) -> None:
    if missing := [name for name in known if name not in tensors]:
        raise CheckpointError(f"lacks {', '.join(map(quote, missing[:8]))}; {_SAVE}")
    if unknown := sorted(set(tensors) - set(known) - unread):
        raise CheckpointError(
            f"also holds {', '.join(map(quote, unknown[:8]))}: what the layers are given is then not known; {_SAVE}"
        )


def _require_sizes(given: Mapping[str, Tensor], own: Mapping[str, str]) -> int:
    """The channels of a layer. Raises: CheckpointError for too many modes, and a mixing layer that is none."""
    (modes,) = (tensor.shape for name, tensor in given.items() if name.endswith("kernel.A_imag"))
    d, N = modes
    if d * N > MOST_MODES:
        raise CheckpointError(f"a layer has {d * N:,} modes, expected at most {MOST_MODES:,}")
    for name, letters in own.items():
        if letters == "edx" and given[name].shape != (2 * d, d, 1):
            raise CheckpointError(
                f"tensor {quote(name)}: expected shape {(2 * d, d, 1)}, a convolution of width 1 before GLU, found "
                f"{tuple(given[name].shape)}"
            )
    return int(d)


def _layer(prefix: str, tensors: Mapping[str, Tensor], own: Mapping[str, str], number: int | None) -> Layer:
    found = small.values({name: tensors[name] for name in own})
    blocks = {block: found[prefix + name].astype(np.float64) for block, name in NAMES.items() if block != "W"}
    mixing = None
    if f"{prefix}output_linear.0.weight" in found:
        matrix, bias = (found[f"{prefix}output_linear.0.{part}"].astype(np.float64) for part in ("weight", "bias"))
        mixing = (matrix[:, :, 0], bias)
    norm = None if number is None else _affine(tensors, f"norms.{number}")
    return Layer(printable(prefix.removesuffix(".")) or "layer", blocks, mixing, norm)


def _affine(tensors: Mapping[str, Tensor], name: str) -> Affine:
    found = small.values({part: tensors[f"{name}.{part}"] for part in ("weight", "bias")})
    return found["weight"].astype(np.float64), found["bias"].astype(np.float64)
