"""How a text becomes symbols: a list that was fixed before any data, or the tokenizer file of a model (theory 8.15)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.models.tasks.task import TaskError

LETTERS = " abcdefghijklmnopqrstuvwxyz,;\"().-'0123456789`/:!?%ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # theory 8.16, in this order
NAME = "english-79"
"""What a config calls the fixed list: 0 is the end and the start, 1 any other character, then these."""
END = 0
_OTHER, _FIRST = 1, 2
_CODES = {ord(letter): i for i, letter in enumerate(LETTERS, _FIRST)}
MOST_BYTES = 1 << 27
"""Of a tokenizer file."""

Ints = NDArray[np.int64]


class Symbols(Protocol):
    """What turns a text into integers in 0..size-1. ``end``: of a document, and where each begins. ``name``: of the
    list, or the SHA-256 of the file."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def end(self) -> int: ...
    def encode(self, texts: Sequence[str]) -> list[Ints]: ...


@dataclass(frozen=True, slots=True)
class English:
    """The fixed list.

    >>> English().encode(["a Cat!", "é"])[0].tolist(), English().encode(["é"])[0].tolist()
    ([3, 2, 55, 3, 22, 50], [1])
    """

    name: str = NAME
    size: int = _FIRST + len(LETTERS)
    end: int = END

    def encode(self, texts: Sequence[str]) -> list[Ints]:
        return [np.array([_CODES.get(ord(each), _OTHER) for each in text], dtype=np.int64) for text in texts]


class Tokenizer:
    """A ``tokenizer.json`` of the library tokenizers. ``end``: a token that ends documents. Raises: TaskError."""

    def __init__(self, path: Path, end: int) -> None:
        try:
            from tokenizers import Tokenizer as Library
        except ImportError:
            raise TaskError(
                f"{path}: reading it needs the package tokenizers: pip install 'ssm-bounds[text]'"
            ) from None
        if path.stat().st_size > MOST_BYTES:
            raise TaskError(f"{path}: has {path.stat().st_size} bytes, a tokenizer has at most {MOST_BYTES}")
        data = path.read_bytes()
        try:
            model = json.loads(data)["model"]
            self._library: Any = Library.from_str(data.decode())
        except Exception as error:  # the library raises Exception itself
            raise TaskError(f"{path}: is no tokenizer file ({' '.join(str(error).split())[:100]})") from error
        if model.get("dropout"):
            raise TaskError(f"{path}: drops merges at random, so that a text has no fixed symbols; set dropout to 0")
        self.path, self.name = path, hashlib.sha256(data).hexdigest()
        self.size = 1 + max(self._library.get_vocab(with_added_tokens=True).values(), default=-1)
        self.end = end
        if not 0 <= end < self.size:
            raise TaskError(f"{path}: has {self.size} tokens, and the end of a document is said to be token {end}")

    def encode(self, texts: Sequence[str]) -> list[Ints]:
        self._library.no_truncation()
        self._library.no_padding()
        try:
            found = self._library.encode_batch(list(texts), add_special_tokens=False)
        except Exception as error:  # of the library: a text that it has no tokens for, half a character
            raise TaskError(f"{self.path}: cannot encode the text ({' '.join(str(error).split())[:100]})") from error
        return [np.array(each.ids, dtype=np.int64) for each in found]
