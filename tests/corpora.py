"""Texts of Debian as documents: glosses of WordNet (wordnet-base) and entries of GCIDE (dict-gcide)."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

WORDNET, GCIDE = Path("/usr/share/wordnet"), Path("/usr/share/dictd")
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def glosses(seed: int = 0) -> list[str]:
    """All that follows ``| `` in the data files, permuted by the seed."""
    found = []
    for part in ("noun", "verb", "adj", "adv"):
        with (WORDNET / f"data.{part}").open(encoding="latin-1") as file:
            found += [line.split("| ", 1)[1].strip() for line in file if "| " in line and not line.startswith("  ")]
    random.Random(seed).shuffle(found)
    return found


def entries() -> list[str]:
    """The entries of the dictionary in its order, each in one line."""
    raw = gzip.decompress((GCIDE / "gcide.dict.dz").read_bytes())
    lines = (GCIDE / "gcide.index").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("00")]
    spans = sorted({(_number(start), _number(size)) for _, start, size in rows})
    return [" ".join(raw[start : start + size].decode("utf-8", "replace").split()) for start, size in spans]


def _number(text: str) -> int:
    found = 0
    for digit in text:
        found = 64 * found + _DIGITS.index(digit)
    return found
