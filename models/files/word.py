"""The folder of a word: the classifier that it decodes to, in the usual files, and beside them what was chosen.

``word.json`` holds family, steps, codes, what is moved and a record; ``word.safetensors`` the integers. A record is
never believed: whoever certifies decodes again, runs again and counts again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from ssm_bounds.bounds.codes.decode import decode
from ssm_bounds.bounds.codes.families import coded
from ssm_bounds.bounds.codes.symbols import Integers
from ssm_bounds.bounds.codes.word import Coded, Word
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.files import atomic, classifier
from ssm_bounds.models.files.container import CheckpointError, quote, read_bytes
from ssm_bounds.models.files.tensors import located, read_json
from ssm_bounds.models.mamba.base import Base, given, started
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.mamba.weights import Array
from ssm_bounds.models.program.run import NAME, VERSION

WORD, INTEGERS, TOKENIZER = "word.json", "word.safetensors", "tokenizer.json"
FORMAT = 1
_NAMES = {WORD, INTEGERS, TOKENIZER, classifier.CONFIG, classifier.WEIGHTS}
_KEYS = {"format", "family", "size", "from", "tensors", "program", "record"}


@dataclass(frozen=True, slots=True, eq=False)
class Saved:
    """A word that was read, what it moves, and the classifier that it decodes to. ``record``: what the file says of
    a count, to compare with."""

    word: Word
    base: Base
    classifier: Classifier
    record: Mapping[str, Any]


def is_word(path: Path | str) -> bool:
    return (Path(path) / WORD).is_file()


def require_own(folder: Path) -> None:
    """Raise CheckpointError unless a word may be written there: nothing, an empty folder, or a word."""
    if not folder.exists():
        if not folder.parent.is_dir():
            raise CheckpointError(f"{folder}: there is no directory {folder.parent}; create it first")
        return
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else {folder.name}
    if not folder.is_dir() or (names and (names - _NAMES or WORD not in names)):
        raise CheckpointError(f"{folder}: is there and is no word; name another folder")


def moved_by(base: Path | str | None, found: Classifier) -> Base:
    """What a word of this classifier moves: the model in the folder ``base``, or else the start of its seed.

    Raises: CheckpointError, DomainError.
    """
    if base is not None and not Path(base).is_dir():
        raise CheckpointError(f"{base}: is no folder, expected that of the base, with its config")
    if base is None:
        return started(found, classifier.design_of(found.config, len(found.score)))
    return given(classifier.tensors(base), classifier.read(base), found)


def model(word: Word, base: Base, source: Path | str = "the word") -> tuple[dict[str, Array], Classifier]:
    """Every tensor that a word stands for, and the classifier made of them. Raises: DomainError, CheckpointError."""
    tensors = decode(word, base.parts, base.tensors)
    return tensors, classifier.assembled(tensors, base.config, source)


def write(folder: Path, word: Word, base: Base, record: Mapping[str, Any]) -> None:
    """All four files, each atomically. ``record``: JSON values. The same word gives the same bytes. Raises: OSError."""
    require_own(folder)
    tensors, _ = model(word, base)
    integers = {name: each.z for name, each in word.tensors.items() if each is not None}
    chosen = {
        name: None if each is None else {"step": each.step, "code": each.code, "centre": each.centre}
        for name, each in word.tensors.items()
    }
    text = {
        "format": FORMAT,
        "family": word.family,
        "size": word.size,
        "from": {"seed": word.start.seed} if word.start is not None else {"base": base.sha256},
        "tensors": chosen,
        "program": {"name": NAME, "version": VERSION},
        "record": dict(record),
    }
    folder.mkdir(exist_ok=True)
    atomic.write(folder / classifier.CONFIG, _json(classifier.plain(base.config)))
    atomic.write(folder / classifier.WEIGHTS, classifier.packed(tensors))
    atomic.write(folder / INTEGERS, safetensors.numpy.save(integers))
    atomic.write(folder / WORD, _json(text))


def read(folder: Path | str, base: Path | str | None = None) -> Saved:
    """A word and its model, decoded anew from what it moves: ``base`` where it moves a model that was given.

    Raises: CheckpointError, one line: also where the weights of the folder are not those of the word.
    """
    folder = Path(folder)
    stored = classifier.read(folder)
    with located(folder):
        text = _text(folder)
        moved = _moved(text["from"], base, stored)
        try:
            word = _word(text, moved, _integers(folder / INTEGERS))
            tensors, found = model(word, moved, folder)
        except DomainError as error:
            raise CheckpointError(f"{WORD}: {error}") from error
        if classifier.plain(stored.config) != classifier.plain(moved.config):
            raise CheckpointError(f"{classifier.CONFIG} is not that of the word's model; save the word again")
    held = classifier.tensors(folder)
    with located(folder):
        same = held.keys() == tensors.keys() and all(np.array_equal(held[name], tensors[name]) for name in tensors)
        if not same:
            raise CheckpointError(f"{classifier.WEIGHTS} holds other weights than its word decodes to; save it again")
    return Saved(word, moved, found, text["record"])


def recorded(folder: Path) -> Mapping[str, Any]:
    """What a word's file says of its count. Raises: CheckpointError, one line."""
    with located(folder):
        record: Mapping[str, Any] = _text(folder)["record"]
    return record


def _text(folder: Path) -> dict[str, Any]:
    text = read_json(folder / WORD)
    if text.keys() != _KEYS or type(text["format"]) is not int or text["format"] != FORMAT:
        raise CheckpointError(f"{WORD}: expected a word of format {FORMAT}, with {', '.join(sorted(_KEYS))}")
    for key in ("from", "tensors", "program", "record"):
        if not isinstance(text[key], dict):
            raise CheckpointError(f"{WORD} {quote(key)}: expected an object, found {quote(text[key])}")
    if text["program"] != {"name": NAME, "version": VERSION}:
        raise CheckpointError(f"{WORD}: is of the program {quote(text['program'])}, this one is {NAME}, {VERSION}")
    return text


def _moved(source: Mapping[str, Any], base: Path | str | None, stored: Classifier) -> Base:
    if source.keys() == {"seed"}:
        if base is not None:
            raise CheckpointError("its word moves a start that its seed decides; leave --base out")
        if type(source["seed"]) is not int or source["seed"] != stored.seed:
            raise CheckpointError(f"{WORD} names seed {quote(source['seed'])}, {classifier.CONFIG} {stored.seed}")
        return moved_by(None, stored)
    if source.keys() != {"base"} or not isinstance(source["base"], str):
        raise CheckpointError(f"{WORD} 'from': expected a seed or a base, found {quote(source)}")
    if base is None:
        raise CheckpointError(f"its word moves a base (sha256 {quote(source['base'][:8])}...): give --base FOLDER")
    found = moved_by(base, stored)
    if found.sha256 != source["base"]:
        raise CheckpointError(f"its word moves another base than {base}, of sha256 {quote(source['base'][:8])}...")
    return found


def _integers(path: Path) -> dict[str, Integers]:
    """Raises: CheckpointError."""
    data = read_bytes(path)
    try:
        found = safetensors.numpy.load(data)
    except Exception as error:  # of safetensors, and of NumPy for types that it lacks
        raise CheckpointError(f"{INTEGERS} is damaged, expected a safetensors file; save the word again") from error
    for name, each in found.items():
        if each.dtype != np.int64:
            raise CheckpointError(f"{INTEGERS}: {quote(name)} has dtype {each.dtype}, expected int64")
    return found


def _word(text: Mapping[str, Any], base: Base, integers: Mapping[str, Integers]) -> Word:
    """Raises: CheckpointError, DomainError."""
    chosen = text["tensors"]
    if not isinstance(text["family"], str):
        raise CheckpointError(f"{WORD} 'family': expected a name, found {quote(text['family'])}")
    shapes = coded(text["family"], base.parts, text["size"])  # type: ignore[arg-type]
    if chosen.keys() != shapes.keys():
        raise CheckpointError(f"{WORD} 'tensors': expected {', '.join(shapes)}, found {quote(list(chosen))}")
    if integers.keys() != {name for name, each in chosen.items() if each is not None}:
        raise CheckpointError(f"{INTEGERS} holds other tensors than {WORD} names")
    tensors: dict[str, Coded | None] = {}
    for name in shapes:
        each = chosen[name]
        if each is not None and (not isinstance(each, dict) or each.keys() != {"step", "code", "centre"}):
            raise CheckpointError(f"{WORD} {quote(name)}: expected step, code and centre, found {quote(each)}")
        tensors[name] = None if each is None else Coded(integers[name], **each)
    word = Word(text["family"], tensors, text["size"], base.start)  # type: ignore[arg-type]
    word.require_shapes(shapes)
    if not math.isfinite(word.about()):
        raise CheckpointError(f"{INTEGERS} holds integers that their code does not have")
    return word


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, allow_nan=False) + "\n").encode()
