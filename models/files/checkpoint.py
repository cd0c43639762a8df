"""Reads and writes checkpoints of one selective SSM classifier. A file is data: nothing in it is ever run.

The first bytes decide how a file is read, not its suffix: a zip or legacy file of ``torch.save``, or safetensors.
The tensor names decide which model it holds: see ``FORMATS``.

Metadata is one safetensors metadata entry, ``ssm_bounds``: a JSON object with any fields of ``Metadata``, such as
``{"task": "imdb", "m": 25000, "T": 500, "gate": "softplus", "convention": "code", "embedding": "trained"}``.
One entry, because safetensors writes several in random order and equal models should have equal files.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import safetensors
import safetensors.numpy

from ssm_bounds.bounds.values import Gate
from ssm_bounds.models.files import atomic, small
from ssm_bounds.models.files.container import SAVE, CheckpointError, Tensor, parse, printable, quote, read_bytes
from ssm_bounds.models.selective_ssm.weights import SHAPES, Array, Weights

Convention = Literal["code", "paper"]
MOST = 10**18
"""Training rows, and their largest length: more is a mistake."""
EmbeddingKind = Literal["trained", "fixed", "none"]

_METADATA = "ssm_bounds"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the weights cannot tell; None where the file does not say. ``extra``: free text the package does not use.

    m sequences of length at most T, trained on ``task``. ``gate``: "none" where Delta = 1. ``convention``: whether y_T
    reads the state after token T ("code") or before it ("paper"), theory 1. ``embedding``: how it came about.
    ``occam``: the code that rounded weights are in (``searches.quantise.record``), theory 8.1. ``one_draw``: the
    draw that the weights are (``ladder.one_draw.Draw.record``), theory 8.2.
    Raises: CheckpointError.
    """

    task: str | None = None
    m: int | None = None
    T: int | None = None
    gate: Gate | None = None
    convention: Convention | None = None
    embedding: EmbeddingKind | None = None
    occam: Mapping[str, Any] | None = None
    one_draw: Mapping[str, Any] | None = None
    extra: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        def require(condition: bool, name: str, expected: str) -> None:
            if not condition:
                found = quote(getattr(self, name))
                raise CheckpointError(f"metadata {name!r}: expected {expected}, found {found}; correct it")

        require(self.task is None or isinstance(self.task, str), "task", "a string")
        for name in ("m", "T"):
            value = getattr(self, name)
            require(value is None or (type(value) is int and 1 <= value <= MOST), name, "an integer from 1 to 10^18")
        for name, kind in (("gate", Gate), ("convention", Convention), ("embedding", EmbeddingKind)):
            require(getattr(self, name) in (None, *get_args(kind)), name, f"one of {', '.join(get_args(kind))}")
        require(self.occam is None or isinstance(self.occam, Mapping), "occam", "an object, the record of a code")
        require(
            self.one_draw is None or isinstance(self.one_draw, Mapping), "one_draw", "an object, the record of a draw"
        )
        pairs = self.extra.items() if isinstance(self.extra, Mapping) else [(None, None)]
        require(all(isinstance(text, str) for pair in pairs for text in pair), "extra", "an object of strings")


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """One file, read: ``format`` is the name of its Format, ``sha256`` the hex digest of the bytes that were read."""

    path: Path
    format: str
    sha256: str
    weights: Weights
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Format:
    """How one code base names its tensors: block of ``Weights`` to tensor name. ``readout``: axes of W in the file."""

    name: str
    names: Mapping[str, str]
    readout: str = "kd"
    optional: frozenset[str] = frozenset()

    @property
    def axes(self) -> dict[str, str]:
        """Tensor name to its axes, in the letters of ``selective_ssm.weights.SHAPES``; p is stored with shape (1,)."""
        return {name: {"p": "1", "W": self.readout}.get(block, SHAPES[block]) for block, name in self.names.items()}


def _authors(prefix: str, readout: str) -> dict[str, str]:
    inner = {"A": "A", "W_B": "W_B", "W_C": "W_C", "q": "q_delta", "p": "p_delta"}
    return {block: prefix + name for block, name in inner.items()} | {"W": readout, "embedding": "embedding.weight"}


NATIVE = Format(
    "native",
    {block: block for block in ("A", "W_B", "W_C", "q", "p", "W")} | {"embedding": "embedding.weight"},
    optional=frozenset({"embedding"}),
)
FORMATS = (
    NATIVE,
    # github.com/Arya-Honarpisheh/gen_err_sel_ssm: SentimentModel (one output) and MultiClassModel
    Format("honarpisheh", _authors("SSM.ssm.", "SSM.w"), readout="d"),
    Format("honarpisheh", _authors("ssm.", "W")),
)
"""Every format that is read. To add one, add an entry."""


def read(path: str | os.PathLike[str]) -> Checkpoint:
    """The checkpoint in a .pt, .pth or .safetensors file (or a link to one). Values are kept exactly.

    Raises: CheckpointError, one line naming the file, the tensor, what was expected and found, and what to do.
    """
    path = Path(path)
    try:
        data = read_bytes(path)
        tensors, entries = parse(data)
        metadata = _metadata(entries)
        form, weights = _weights(tensors)
        _require_consistent(weights, metadata)
        return Checkpoint(path, form.name, hashlib.sha256(data).hexdigest(), weights, metadata)
    except CheckpointError as error:
        problem = str(error)
    raise _located(path, problem)


def write(path: str | os.PathLike[str], weights: Weights, metadata: Metadata | None = None) -> None:
    """Write a native safetensors file that ``read`` returns unchanged; readers see the old file or the new one.

    Each tensor is float32 where that loses nothing, else float64. Raises: CheckpointError.
    """
    try:
        data = encoded(weights, metadata)
    except CheckpointError as error:
        problem = str(error)
    else:
        return save(path, data)
    raise _located(Path(path), problem)


def encoded(weights: Weights, metadata: Metadata | None = None) -> bytes:
    """The bytes of the file that :func:`write` writes. Raises: CheckpointError."""
    metadata = metadata or Metadata()
    _require_consistent(weights, metadata)
    blocks = {NATIVE.names[block]: getattr(weights, block) for block in NATIVE.names}
    tensors = {name: _smallest(np.atleast_1d(value)) for name, value in blocks.items() if value is not None}
    known = {name: value for name, value in asdict(metadata).items() if value not in (None, {})}
    return safetensors.numpy.save(tensors, {_METADATA: json.dumps(known, sort_keys=True)})


def save(path: str | os.PathLike[str], data: bytes) -> None:
    """Put ``data`` at ``path``: all of it or nothing. Raises: CheckpointError."""
    path = Path(path)
    try:
        atomic.write(path, data)
        return
    except OSError as error:
        problem = f"cannot be written ({error.strerror}); check the directory and its permissions"
    raise _located(path, problem)


def _weights(tensors: Mapping[str, Tensor]) -> tuple[Format, Weights]:
    found = small.unwrapped(tensors, SAVE)
    form = _recognise(found.keys())
    given = {name: found[name] for name in form.names.values() if name in found}
    small.require_shapes(given, form.axes)
    values = small.values(given)
    arrays = {block: values[name] for block, name in form.names.items() if name in values}
    arrays["W"] = np.atleast_2d(arrays["W"])
    return form, Weights(**(arrays | {"p": arrays["p"][0]}))


def _recognise(found: Iterable[str]) -> Format:
    """The format sharing most names with the file, which must then have exactly its names."""
    names = set(found)
    mamba = sorted(name for name in names if name.endswith("A_log") or {"mixer", "mamba"} & set(name.split(".")))
    if mamba:
        raise CheckpointError(
            f"tensor {quote(mamba[0])}: belongs to a Mamba layer, expected a classifier with one selective SSM "
            "(theory 1); of a classifier with a Mamba block name the folder that has its config, and "
            "`ssm-bounds inspect` says what each layer can do"
        )
    if any(name.endswith("kernel.log_A_real") for name in names):
        raise CheckpointError(
            "is S4D, which selects nothing, expected a classifier with one selective SSM (theory 1); "
            "`ssm-bounds certify` reads one linear layer of it"
        )
    form = max(FORMATS, key=lambda form: len(names & form.axes.keys()))
    expected = set(form.axes)
    if len(names & expected) < len(expected) / 2:
        raise CheckpointError(
            f"holds {_list(names) or 'no tensors'}, expected {_list(expected)}; "
            "see files.checkpoint.FORMATS for what is read"
        )
    if missing := expected - names - {form.names[block] for block in form.optional}:
        raise CheckpointError(f"lacks {_list(missing)}, expected in the {form.name} format; save the whole state dict")
    if unknown := names - expected:
        raise CheckpointError(f"also holds {_list(unknown)}, unknown to the {form.name} format; save the model alone")
    return form


def _metadata(entries: Mapping[str, str]) -> Metadata:
    extra = {name: value for name, value in entries.items() if name != _METADATA}
    if _METADATA not in entries:
        return Metadata(extra=extra)
    try:
        known = json.loads(entries[_METADATA])
        return Metadata(**(known | {"extra": extra | known.get("extra", {})}))
    except CheckpointError:
        raise
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise CheckpointError(
            f"metadata {_METADATA!r}: expected a JSON object with fields of files.checkpoint.Metadata, "
            f"found {quote(entries[_METADATA])}; write the file again"
        ) from None


def _require_consistent(weights: Weights, metadata: Metadata) -> None:
    if metadata.embedding is not None and (metadata.embedding == "none") != (weights.embedding is None):
        found = "no embedding" if weights.embedding is None else "an embedding"
        raise CheckpointError(
            f"tensor 'embedding.weight': the weights hold {found}, expected what metadata 'embedding' says, "
            f"{metadata.embedding!r}; correct the metadata"
        )


def _smallest(array: Array) -> np.ndarray:
    with np.errstate(over="ignore"):
        single = array.astype(np.float32)
    return single if np.array_equal(single, array) else array


def _located(path: Path, problem: str) -> CheckpointError:
    return CheckpointError(printable(f"{path}: {problem}"))


def _list(names: Iterable[str]) -> str:
    quoted = [quote(name) for name in sorted(names)]
    return ", ".join(quoted[:8]) + (f" and {len(quoted) - 8} more" if len(quoted) > 8 else "")
