"""Any Mamba-1 under foreign names, by a map that says which tensor is which and what its block does.

TOML. ``[names]``: theirs, with ``{i}`` for the number of the layer, to ours::

    [names]
    "block_{i}/a" = { to = "A", negate_exp = true }              # A = -exp(theirs), else A = theirs
    "block_{i}/in" = { to = "in_proj.weight", transpose = true, split = ["z", "x"] }
    "block_{i}/skip" = "D"

``transpose`` reverses the axes. ``split`` says which parts their rows are, in their order: x, z of in_proj; dt, B, C of
x_proj; several of theirs may make up one of ours. Ours: the names of state-spaces, ``norm.weight``, ``norm.bias``.
``[block]``: ``convolution`` "causal" or "same", ``directions`` 1 or 2, ``step_offset``, ``norm`` "rms" or "layer"; and
``expand`` (d/D, checked) and ``eps`` where they are known. A map of names alone would certify another model.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ssm_bounds.models.files.container import CheckpointError, Tensor, quote
from ssm_bounds.models.files.formats.blocks import Facts, Reader
from ssm_bounds.models.files.formats.mixer1 import NAMES, layers1, mixer1
from ssm_bounds.models.files.tensors import MAX_TEXT, Tensors
from ssm_bounds.models.mamba.weights import Array, Layer, Mamba1, Norm

NAME = "mapped"
EPS = 1e-5
"""Where neither the map nor anything else says it; printed as assumed."""
PARTS = {"in_proj": ("x", "z"), "x_proj": ("dt", "B", "C")}
OURS = (NAMES - {"A_log"}) | {"A", "norm.weight", "norm.bias"}


@dataclass(frozen=True, slots=True)
class Entry:
    """What one of their tensors becomes."""

    theirs: str
    to: str
    transpose: bool
    split: tuple[str, ...]
    negate_exp: bool


@dataclass(frozen=True, slots=True)
class Map:
    """A map, checked."""

    entries: tuple[Entry, ...]
    convolution: Literal["causal", "same"]
    directions: Literal[1, 2]
    step_offset: float
    norm: Literal["rms", "layer"]
    expand: float | None
    eps: float | None


def read_map(path: str | os.PathLike[str]) -> Map:
    """Raises: CheckpointError, one line naming the map and the key."""
    path = Path(path)
    try:
        if not path.is_file() or path.stat().st_size > MAX_TEXT:
            raise CheckpointError("no such file, or too large a one; check the path")
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return _map(table)
    except CheckpointError as error:
        problem = str(error)
    except (ValueError, OSError, RecursionError) as error:
        problem = f"is not TOML ({str(error).splitlines()[0][:120]})"
    raise CheckpointError(f"map {quote(path.name)}: {problem}")


def _map(table: Mapping[str, Any]) -> Map:
    names, block = table.get("names"), table.get("block")
    if not isinstance(names, dict) or not isinstance(block, dict) or set(table) != {"names", "block"}:
        raise CheckpointError(
            f"has {', '.join(map(quote, table)) or 'nothing'}, expected the tables [names] and [block]"
        )
    if unknown := sorted(block.keys() - {"convolution", "directions", "step_offset", "norm", "expand", "eps"}):
        raise CheckpointError(f"[block] has {quote(unknown[0])}, which means nothing there")
    return Map(
        tuple(_entry(theirs, value) for theirs, value in names.items()),
        _one_of(block, "convolution", ("causal", "same")),
        _one_of(block, "directions", (1, 2)),
        _positive(block, "step_offset", zero=True),
        _one_of(block, "norm", ("rms", "layer")),
        _positive(block, "expand") if "expand" in block else None,
        _positive(block, "eps") if "eps" in block else None,
    )


def _one_of(block: Mapping[str, Any], key: str, values: Sequence[Any]) -> Any:
    found = block.get(key)
    if found not in values or isinstance(found, bool):
        raise CheckpointError(f"[block] {key}: expected {' or '.join(map(repr, values))}, found {quote(found)}")
    return found


def _positive(block: Mapping[str, Any], key: str, zero: bool = False) -> float:
    value = block.get(key)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not (0 < value < 1e300 or (zero and value == 0))
    ):
        raise CheckpointError(
            f"[block] {key}: expected a number {'from 0 on' if zero else 'above 0'}, found {quote(value)}"
        )
    return float(value)


def _entry(theirs: str, value: Any) -> Entry:
    value = {"to": value} if isinstance(value, str) else value
    if not isinstance(value, dict) or value.keys() - {"to", "transpose", "split", "negate_exp"}:
        raise CheckpointError(f"{quote(theirs)}: expected our name or {{to, transpose, split, negate_exp}}")
    to, split = value.get("to"), value.get("split", [])
    if theirs.count("{i}") != 1:
        raise CheckpointError(f"{quote(theirs)}: expected {{i}} once, where the number of the layer stands")
    if to not in OURS:
        raise CheckpointError(f"{quote(theirs)}: {quote(to)} is none of ours, which are {', '.join(sorted(OURS))}")
    parts = PARTS.get(to.split(".")[0], ())
    if not isinstance(split, list) or not set(map(str, split)) <= set(parts) or len(set(map(str, split))) < len(split):
        raise CheckpointError(
            f"{quote(theirs)}: split {quote(split)}, expected some of {', '.join(parts) or 'no parts'}"
        )
    flags = [value.get(key, False) for key in ("transpose", "negate_exp")]
    if not all(isinstance(flag, bool) for flag in flags) or (flags[1] and to != "A"):
        raise CheckpointError(f"{quote(theirs)}: transpose and negate_exp are true or false, the second for A alone")
    return Entry(theirs, to, flags[0], tuple(split), flags[1])


def layers(file: Tensors, facts: Facts, mapping: Map) -> list[Reader]:
    """One reader per layer, as if the file had our names. Raises: CheckpointError."""
    numbers = _numbers(file, mapping)
    facts.assume(
        f"by the map: convolution {mapping.convolution}, directions {mapping.directions}, "
        f"step offset {mapping.step_offset:g}, norm {mapping.norm}"
    )
    if any(entry.to == "A" and not entry.negate_exp for entry in mapping.entries):
        facts.assume("A_log = ln(-A), rounded to nearest: the file holds A itself")
    ours: dict[str, Tensor] = {}
    for i in numbers:
        ours |= _named(file, mapping, i)
    normed = any(entry.to == "norm.weight" for entry in mapping.entries)
    if any(entry.to == "norm.bias" for entry in mapping.entries) and (mapping.norm == "rms" or not normed):
        raise CheckpointError(
            "the map has a norm.bias, which only a LayerNorm has, beside a norm.weight; correct [block]"
        )
    if normed and mapping.eps is None:
        facts.assume(f"eps of the block norm {EPS:g}: the map has none")
    renamed = Tensors(file.path, ours, None)
    found = layers1(
        renamed,
        facts,
        norms=("norm",),
        eps=mapping.eps or EPS,
        mixer=lambda place: _mixer(renamed, place.mixer, mapping),
    )
    before = _common([entry.theirs for entry in mapping.entries]).rstrip("_./")
    names = [before.replace("{i}", str(i)) if "{i}" in before else f"layer {i}" for i in numbers]
    return [_as_stated(read, name, mapping) for read, name in zip(found, names, strict=True)]


def used(file: Tensors, mapping: Map) -> set[str]:
    """The names in the file that the map reads."""
    return {entry.theirs.replace("{i}", str(i)) for entry in mapping.entries for i in _matches(file, entry.theirs)}


def _as_stated(read: Reader, name: str, mapping: Map) -> Reader:
    """Under their name, and with the norm that the map states, whether or not the file has its bias."""

    def layer() -> Layer:
        found = replace(read(), name=name)
        if found.norm is None or mapping.norm == found.norm.kind:
            return found
        return replace(found, norm=Norm("layer", found.norm.gamma, found.norm.eps, np.zeros_like(found.norm.gamma)))

    return layer


def _mixer(file: Tensors, mixer: str, mapping: Map) -> Callable[[], Mamba1]:
    read = mixer1(file, mixer)
    D, d = file.shape(f"{mixer}out_proj.weight")
    if mapping.expand is not None and mapping.expand * D != d:
        raise CheckpointError(f"the map says expand = {mapping.expand:g}, the file has d = {d} and D = {D}")
    return lambda: replace(
        read(), convolution=mapping.convolution, directions=mapping.directions, step_offset=mapping.step_offset
    )


def _numbers(file: Tensors, mapping: Map) -> list[int]:
    """The layers; each must have all of the map's tensors, and its block no other."""
    if not mapping.entries:
        raise CheckpointError("the map has no [names]")
    found = {entry.theirs: _matches(file, entry.theirs) for entry in mapping.entries}
    every = set().union(*found.values())
    if not every:
        raise CheckpointError(f"holds no tensor {quote(mapping.entries[0].theirs)} for any i; check the map")
    for theirs, numbers in found.items():
        if missing := sorted(every - numbers):
            raise CheckpointError(f"lacks tensor {quote(theirs.replace('{i}', str(missing[0])))} that the map names")
    before = _common(found)
    if "{i}" in before:
        mapped = {theirs.replace("{i}", str(i)) for theirs in found for i in every}
        block = re.compile(re.escape(before).replace(re.escape("{i}"), r"\d+"))
        if extra := sorted(name for name in file.tensors if block.match(name) and name not in mapped):
            raise CheckpointError(f"also holds {quote(extra[0])}, which the map leaves out; the block is another one")
    return sorted(every)


def _common(names: Collection[str]) -> str:
    """What all names start with."""
    first, last = min(names), max(names)
    return first[: next((k for k, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))]


def _matches(file: Tensors, theirs: str) -> set[int]:
    pattern = re.compile(re.escape(theirs).replace(re.escape("{i}"), r"(\d{1,6})"))
    return {
        int(match[1]) for name in file.tensors if (match := pattern.fullmatch(name)) and str(int(match[1])) == match[1]
    }


def _named(file: Tensors, mapping: Map, i: int) -> dict[str, Tensor]:
    """Our names of layer ``i`` to tensors that are made when they are asked for."""
    shapes = {entry.to: _shape(file, entry, i) for entry in mapping.entries}
    A, steps = shapes.get("A", ()), shapes.get("dt_proj.weight", ())
    if len(A) != 2 or len(steps) != 2:
        raise CheckpointError("the map needs A (d, N) and dt_proj.weight (d, R)")
    rows = {"x": A[0], "z": A[0], "dt": steps[1], "B": A[1], "C": A[1]}
    named = {}
    for to in sorted(shapes):
        entries = [entry for entry in mapping.entries if entry.to == to]
        name = f"layers.{i}.{'' if to.startswith('norm.') else 'mixer.'}{'A_log' if to == 'A' else to}"
        if not any(entry.split for entry in entries):
            if len(entries) > 1:
                raise CheckpointError(f"the map has {quote(to)} twice; say which parts each is, by split")
            named[name] = Tensor("float64", shapes[to], _made(file, entries[0], i))
            continue
        parts = PARTS[to.split(".")[0]]
        if sorted(part for entry in entries for part in entry.split) != sorted(parts):
            raise CheckpointError(f"the map splits {quote(to)} into other parts than {', '.join(parts)}, each once")
        for entry in entries:
            if _shape(file, entry, i)[:1] != (sum(rows[part] for part in entry.split),):
                raise CheckpointError(
                    f"tensor {quote(entry.theirs.replace('{i}', str(i)))}: its rows are not those parts"
                )
        total = (sum(rows[part] for part in parts), *shapes[to][1:])
        named[name] = Tensor("float64", total, _joined(file, entries, i, parts, rows))
    return named


def _shape(file: Tensors, entry: Entry, i: int) -> tuple[int, ...]:
    shape = file.shape(entry.theirs.replace("{i}", str(i)))
    shape = shape[::-1] if entry.transpose else shape
    return (shape[0], 1, shape[1]) if entry.to == "conv1d.weight" and len(shape) == 2 else shape


def _made(file: Tensors, entry: Entry, i: int) -> Callable[[], Array]:
    def values() -> Array:
        name = entry.theirs.replace("{i}", str(i))
        array = file.array(name)
        array = (array.T if entry.transpose else array).reshape(_shape(file, entry, i))
        if entry.to != "A" or entry.negate_exp:
            return array
        if not (array < 0).all():
            raise CheckpointError(f"tensor {quote(name)}: A has entries from 0 on, expected A < 0; is it A_log?")
        return np.log(-array)

    return values


def _joined(
    file: Tensors, entries: Sequence[Entry], i: int, parts: Sequence[str], rows: Mapping[str, int]
) -> Callable[[], Array]:
    def values() -> Array:
        pieces: dict[str, Array] = {}
        for entry in entries:
            ends = np.cumsum([rows[part] for part in entry.split])[:-1]
            pieces |= dict(zip(entry.split, np.split(_made(file, entry, i)(), ends), strict=True))
        return np.concatenate([pieces[part] for part in parts])

    return values
