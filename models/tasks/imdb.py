"""IMDb: is a film review positive? From the public dataset's own folders, or through the ``datasets`` library.

The optional extra ``ssm-bounds[imdb]`` brings ``datasets`` (for the download) and ``transformers`` (for tokenizers);
a folder with the hashing tokenizer needs neither.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.models.tasks.task import Split, Task, TaskError

HASHED_WORDS = 30522
"""Tokens of the hashing tokenizer: as many as those of bert-base-uncased, the authors' choice."""
_DATASET = "stanfordnlp/imdb"
_INSTALL = "install it with: pip install 'ssm-bounds[imdb]'"
_WORD = re.compile(r"\w+")
_PADDING = 0

Reviews = tuple[Sequence[str], Sequence[int]]


class Tokenizer(NamedTuple):
    """Texts to tokens (n,T), cut or padded on the right; ``V`` numbers of tokens."""

    V: int
    encode: Callable[[Sequence[str], int], NDArray[np.int32]]


def imdb(
    T: int, *, m: int | None = None, data: Path | str | None = None, tokenizer: str = "hash", seed: int = 0
) -> Task:
    """Reviews as T tokens each; label 1 if positive, else 0.

    ``data``: a folder with ``train/pos/*.txt``, ``train/neg/*.txt`` and, if there is a test set, ``test/pos/*.txt``,
    ``test/neg/*.txt`` (the dataset's own layout); None downloads ``stanfordnlp/imdb``. ``m``: that many reviews of each
    set, chosen by ``seed`` (default all); their order is by ``seed`` too.
    ``tokenizer``: ``"hash"`` (words, lower case, by CRC-32 into 1..30521; 0 is padding: fixed before any data, so
    nothing is paid for it), or what ``transformers.AutoTokenizer`` takes: a folder or a name, such as the authors'
    ``bert-base-uncased``.
    Raises: TaskError naming the file or what to install; OSError.
    """
    if T < 1 or (m is not None and m < 1):
        raise TaskError(f"imdb: expected T >= 1 and m >= 1, got T = {T}, m = {m}")
    found = _downloaded() if data is None else _read_folder(Path(data))
    V, encode = hashing_tokenizer() if tokenizer == "hash" else _pretrained(tokenizer)
    streams = np.random.SeedSequence(seed).spawn(2)
    splits = {}
    for (name, (texts, labels)), stream in zip(found.items(), streams, strict=False):
        if m is not None and m > len(texts):
            raise TaskError(f"imdb: the {name} set has {len(texts)} reviews, fewer than m = {m}")
        chosen = np.random.default_rng(stream).permutation(len(texts))[:m]
        splits[name] = Split(encode([texts[i] for i in chosen], T), np.asarray(labels)[chosen])
    return Task("imdb", splits["train"], splits.get("test"), k=1, V=V)


def hashing_tokenizer() -> Tokenizer:
    """Words by the CRC-32 of their lower-case UTF-8: no vocabulary to learn or to download.

    >>> hashing_tokenizer().encode(["Good, good film!"], 4).tolist()
    [[2024, 2024, 25956, 0]]
    """

    def encode(texts: Sequence[str], T: int) -> NDArray[np.int32]:
        x = np.full((len(texts), T), _PADDING, dtype=np.int32)
        for row, text in zip(x, texts, strict=True):
            words = _WORD.findall(text.replace("<br />", " ").lower())[:T]
            row[: len(words)] = [1 + zlib.crc32(word.encode()) % (HASHED_WORDS - 1) for word in words]
        return x

    return Tokenizer(HASHED_WORDS, encode)


def _pretrained(name: str) -> Tokenizer:
    transformers = _import("transformers", f"tokenizer {name!r} needs it; {_INSTALL}, or use the tokenizer 'hash'")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name)
    except Exception as error:  # it raises what its many parts raise
        raise TaskError(
            f"tokenizer {name!r}: cannot be loaded ({_line(error)}); give a folder with a saved tokenizer, "
            "a name that can be downloaded from here, or 'hash'"
        ) from error
    if tokenizer.pad_token is None:
        raise TaskError(f"tokenizer {name!r}: has no padding token; set one and save it to a folder")
    tokenizer.padding_side = "right"

    def encode(texts: Sequence[str], T: int) -> NDArray[np.int32]:
        lower = [text.lower() for text in texts]  # as the authors do, whatever the tokenizer
        found = tokenizer(lower, padding="max_length", truncation=True, max_length=T)
        return np.asarray(found["input_ids"], dtype=np.int32)

    return Tokenizer(len(tokenizer), encode)


def _downloaded() -> dict[str, Reviews]:
    datasets = _import("datasets", f"to download {_DATASET} needs it; {_INSTALL}, or give the folder of the dataset")
    try:
        found = datasets.load_dataset(_DATASET)
    except Exception as error:  # it raises what its many parts raise
        raise TaskError(
            f"{_DATASET}: cannot be downloaded ({_line(error)}); give the folder of the dataset instead (aclImdb)"
        ) from error
    return {split: (list(found[split]["text"]), list(found[split]["label"])) for split in ("train", "test")}


def _read_folder(folder: Path) -> dict[str, Reviews]:
    if not (folder / "train").is_dir():
        raise TaskError(f"{folder}: expected a folder with train/pos/*.txt and train/neg/*.txt, found no train/ in it")
    found: dict[str, Reviews] = {}
    for split in ("train", "test"):
        if not (folder / split).is_dir():
            continue
        texts, labels = list[str](), list[int]()
        for label, name in enumerate(("neg", "pos")):
            files = sorted((folder / split / name).glob("*.txt"))
            if not files:
                raise TaskError(f"{folder / split / name}: expected reviews as .txt files, found none")
            texts += map(_read_text, files)
            labels += [label] * len(files)
        found[split] = texts, labels
    return found


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise TaskError(f"{path}: expected UTF-8 text ({error.reason} at byte {error.start})") from error


def _import(name: str, why: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise TaskError(f"imdb: the library {name!r} is not installed, and {why}") from error


def _line(error: Exception) -> str:
    """The first line of what may be a page."""
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')[:160]}"
