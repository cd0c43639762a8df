"""Opens a model of the Mamba family: whose it is, how many mixers it has, and each of them when it is asked for."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, overload

from ssm_bounds.models.files.container import CheckpointError, quote
from ssm_bounds.models.files.formats import FORMATS, mapped
from ssm_bounds.models.files.formats.blocks import Facts, Reader, is_mamba2, places
from ssm_bounds.models.files.formats.refused import WHAT, refuse
from ssm_bounds.models.files.stream import Stream, stream
from ssm_bounds.models.files.tensors import Tensors, located, open_tensors
from ssm_bounds.models.mamba.weights import Layer, Vocabulary

BLOCK_NORMS = ("norm", "input_layernorm")
"""What families call the norm of a block."""


class Layers(Sequence[Layer]):
    """The layers of a model; each is read anew when it is asked for, and only its own tensors are in memory.

    ``vocabulary``: all that the first of them is given.
    """

    def __init__(self, path: Path, readers: Sequence[Reader], vocabulary: Vocabulary | None = None) -> None:
        self._path, self._readers, self._vocabulary = path, tuple(readers), vocabulary

    def __len__(self) -> int:
        return len(self._readers)

    @overload
    def __getitem__(self, index: int) -> Layer: ...
    @overload
    def __getitem__(self, index: slice) -> Layers: ...
    def __getitem__(self, index: int | slice) -> Layer | Layers:
        """Raises: CheckpointError for a tensor that cannot be read or is not finite; IndexError."""
        if isinstance(index, slice):
            first = range(len(self))[index]
            return Layers(self._path, self._readers[index], self._vocabulary if first and first[0] == 0 else None)
        with located(self._path):
            layer = self._readers[index]()
        if self._vocabulary is None or layer.norm is None or range(len(self))[index] != 0:
            return layer
        return replace(layer, vocabulary=self._vocabulary)


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A file, opened: ``format`` says whose names it has, ``family`` which mixer; ``parameters`` counts every number of
    the file, tied ones once.

    ``assumed``: what neither shapes nor config say, one sentence each, to be printed. ``not_analysed``: every other
    part of the file (attention, MLPs, embeddings), with the layers it is in; ``unread`` its tensors. ``stream``: what
    the first layers are given; None where the family's program or the file does not say it.
    """

    path: Path
    format: str
    family: Literal["Mamba", "Mamba-2"]
    parameters: int
    assumed: tuple[str, ...]
    not_analysed: tuple[str, ...]
    unread: tuple[str, ...]
    layers: Layers
    stream: Stream | None = None


def open_model(
    path: str | os.PathLike[str],
    *,
    mapping: str | os.PathLike[str] | None = None,
    input_radius: float | None = None,
    mixer_groups: int | None = None,
) -> Model:
    """Names and shapes are checked now, numbers when a layer is read.

    ``mapping``: a map of foreign names (``formats.mapped``). ``input_radius``: the largest l2 norm of a mixer's input,
    for a file without norms of its blocks. ``mixer_groups``: G of Mamba-2, for a file without config.
    Raises: CheckpointError, one line.
    """
    if input_radius is not None and not 0 < input_radius < float("inf"):
        raise CheckpointError(f"--input-radius {input_radius}: expected a finite number above 0")
    if mixer_groups is not None and mixer_groups < 1:
        raise CheckpointError(f"--mixer-groups {mixer_groups}: expected a whole number from 1 on")
    return of_tensors(open_tensors(path), mapping=mapping, input_radius=input_radius, mixer_groups=mixer_groups)


def of_tensors(
    file: Tensors,
    *,
    mapping: str | os.PathLike[str] | None = None,
    input_radius: float | None = None,
    mixer_groups: int | None = None,
) -> Model:
    """:func:`open_model` of tensors that were opened, or made; options in their ranges."""
    path = file.path
    with located(path):
        facts = Facts(file.config, input_radius, mixer_groups)
        if mapping is None:
            name, readers, used = _recognised(file, facts)
        else:
            found = mapped.read_map(mapping)
            name, readers, used = mapped.NAME, mapped.layers(file, facts, found), mapped.used(file, found)
        if input_radius is not None and not facts.unbounded:
            raise CheckpointError("every block has a norm, which bounds its input; leave --input-radius out")
        family: Literal["Mamba", "Mamba-2"] = "Mamba-2" if mapping is None and is_mamba2(file.tensors) else "Mamba"
        left = [key for key in file.tensors if key not in used]
        before = None if facts.unbounded else stream(file, facts, name, left)
        layers = Layers(path, readers, None if before is None else before.vocabulary)
    return Model(
        path, name, family, file.parameters, tuple(facts.assumed), not_analysed(left), tuple(left), layers, before
    )


def _recognised(file: Tensors, facts: Facts) -> tuple[str, Sequence[Reader], set[str]]:
    """The format, what reads its layers, and the names that these read."""
    config = file.config or {}
    refuse(file.tensors, config)
    form = next((form for form in FORMATS if form.recognises(file.tensors.keys(), config)), None)
    if form is None:
        raise CheckpointError(_unknown(file))
    readers, found = form.layers(file, facts), places(file.tensors)
    norms = {f"{p.block}{norm}.{part}" for p in found for norm in BLOCK_NORMS for part in ("weight", "bias")}
    norms &= file.tensors.keys()
    if not norms:  # its eps stands nowhere
        facts.assumed[:] = [line for line in facts.assumed if not line.startswith("eps of the block norm")]
    mixers = tuple(place.mixer for place in found)
    return form.NAME, readers, norms | {name for name in file.tensors if name.startswith(mixers)}


def _unknown(file: Tensors) -> str:
    decays = sorted(name for name in file.tensors if name.endswith("A_log"))
    said = (file.config or {}).get("model_type")
    if decays and places(file.tensors) and said is not None:
        return f"config.json says model_type {quote(said)}, whose tensors these are not; correct the config ({WHAT})"
    if decays:
        return (
            f"holds {quote(decays[0])} under names of no known family; if it is a Mamba-1, give a map of its names "
            "(--map, as docs/examples/typeseg.toml)"
        )
    some = ", ".join(map(quote, sorted(file.tensors)[:4])) or "no tensors"
    return f"holds no layer of Mamba (no tensor A_log), but {some}; {WHAT}"


_LAYER = re.compile(r"(?P<stack>(?:.*?\.)?layers)\.(?P<index>\d{1,6})\.(?P<part>[^.]+)(?P<rest>.*)")
_ATTENTION = re.compile(r"\.(q_proj|k_proj|qkv_proj|Wqkv|qkv|o_proj)\.")
_MLP = re.compile(r"\.(up_proj|gate_proj|down_proj|fc1|fc2|experts|router|input_linear|output_linear|gate_up_proj)\.")


def not_analysed(names: Iterable[str]) -> tuple[str, ...]:
    """What is left of a file, one sentence a part.

    >>> not_analysed(["m.layers.1.self_attn.q_proj.weight", "m.layers.3.self_attn.q_proj.weight", "lm_head.weight"])
    ('m.layers.*.self_attn (attention) in layers 1, 3', 'lm_head')
    """
    inside: dict[tuple[str, int], set[str]] = {}
    outside: dict[str, None] = {}
    for name in names:
        if match := _LAYER.fullmatch(name):
            part = f"{match['stack']}.*.{match['part']}"
            inside.setdefault((part, int(match["index"])), set()).add(f".{match['part']}{match['rest']}.")
        else:
            outside[name.rsplit(".", 1)[0] if name.endswith((".weight", ".bias")) else name] = None
    parts: dict[str, list[int]] = {}
    for (part, index), leaves in sorted(inside.items()):
        text = " ".join(leaves)
        kind = " (attention)" if _ATTENTION.search(text) else " (MLP)" if _MLP.search(text) else ""
        parts.setdefault(part.removesuffix(".weight") + kind, []).append(index)
    return (*(f"{part} in {_layers(numbers)}" for part, numbers in parts.items()), *outside)


def _layers(numbers: Collection[int]) -> str:
    """Runs of consecutive numbers, shortened.

    >>> _layers([0, 1, 2, 5])
    'layers 0 to 2, 5'
    """
    ordered = sorted(numbers)
    runs: list[tuple[int, int]] = []
    for number in ordered:
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    shown = ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in runs)
    return f"layer{'s' if len(ordered) > 1 else ''} {shown}"
