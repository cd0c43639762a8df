"""A word: everything that was trained, every choice priced by a prior that was fixed before the data (theory 8.12).

The bet is not in it: the bounds of 8.5 to 8.7 pay for theirs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

import numpy as np
from flint import arb

from ssm_bounds.bounds.codes.families import DIMENSIONS, FAMILIES, RANKS, Family, check_size
from ssm_bounds.bounds.codes.layout import Shape
from ssm_bounds.bounds.codes.moves import LARGEST, STEPS
from ssm_bounds.bounds.codes.symbols import WORD_ALPHABET, Integers, Symbols
from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits
from ssm_bounds.bounds.values import require

WIDTHS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 2560)
LAYERS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
STATES = {"mamba": (8, 16, 32, 64), "paper": (2, 4, 8, 16)}
CONVOLUTIONS = (2, 3, 4)
EXPANDS = (1, 2)
POOLINGS = ("mean", "last")
SEEDS = 2**16
LENGTHS = tuple(2**k for k in range(4, 16))
POWERS = tuple(range(1, 9))
CONSTANTS = 2**16
"""Input constants are two integers of 16 bits, times a fixed 2^-8."""


@dataclass(frozen=True, slots=True)
class Start:
    """A model from scratch: its sizes, and the seed of its start. ``architecture`` is fixed beforehand, and not priced;
    that a language model has no pooling is too.

    Raises: DomainError.
    """

    width: int
    layers: int
    states: int
    convolution: int
    expand: int
    pooling: Literal["mean", "last"] | None
    seed: int = 0
    architecture: Literal["mamba", "paper"] = "mamba"

    def __post_init__(self) -> None:
        require(self.architecture in STATES, f"start: unknown architecture {self.architecture!r}")
        for name, listed in self._lists().items():
            value = getattr(self, name)
            require(value in listed, f"{name}: expected one of {listed}, got {value!r}")
        _require_seed(self.seed)

    def _lists(self) -> dict[str, tuple[int | str, ...]]:
        listed: dict[str, tuple[int | str, ...]] = {
            "width": WIDTHS,
            "layers": LAYERS,
            "states": STATES[self.architecture],
            "convolution": CONVOLUTIONS,
            "expand": EXPANDS,
        }
        return listed if self.pooling is None else listed | {"pooling": POOLINGS}

    def architectures(self) -> int:
        """How many there are, of equal mass.

        >>> Start(16, 2, 8, 4, 2, "mean").architectures()
        9216
        """
        return math.prod(map(len, self._lists().values()))


@dataclass(frozen=True, slots=True)
class Seeded:
    """A model from scratch of sizes that were fixed before the data: its seed alone is chosen. Raises: DomainError."""

    seed: int = 0

    def __post_init__(self) -> None:
        _require_seed(self.seed)


def _require_seed(seed: int) -> None:
    fits = type(seed) is int and 0 <= seed < SEEDS
    require(fits, f"seed: expected an integer below 2^16, got {seed!r}")


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """The integers of one tensor, ``code``: their code in ``WORD_ALPHABET``, and j of their step s_j.

    ``centre``: what they move; only a word from scratch may say 0. Raises: DomainError.
    """

    z: Integers
    step: int
    code: int
    centre: Literal["base", "zero"] = "base"

    def __post_init__(self) -> None:
        require(isinstance(self.z, np.ndarray) and self.z.dtype == np.int64, "coded tensor: needs int64 integers")
        require(bool(((self.z > -LARGEST) & (self.z < LARGEST)).all()), "coded tensor: an integer is 2^45 or more")
        for name, listed in (("step", STEPS), ("code", WORD_ALPHABET)):
            value = getattr(self, name)
            fits = type(value) is int and 0 <= value < len(listed)
            require(fits, f"{name}: expected 0..{len(listed) - 1}, got {value!r}")
        require(self.centre in ("base", "zero"), f"centre: expected base or zero, got {self.centre!r}")

    @property
    def symbols(self) -> Symbols:
        return WORD_ALPHABET[self.code]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: the choice, how often it was made, its prior, and the nats of all of them."""

    choice: str
    times: int
    prior: str
    nats: Enclosure


_Priced: TypeAlias = tuple[str, str, int | tuple[Symbols, Integers]]
"""Choice, prior, and out of how many of equal mass, or by which code which integers."""


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """What ``decode`` makes a model of. Which tensors there are, and their shapes, follow from the family, its size and
    what is fixed before the data: ``families.coded``; :meth:`require_shapes` holds the word to them.

    ``tensors``: coded, or None where all integers are zero. ``size``: rank of lora, dimension of the subspace.
    ``start``: from scratch only; its sizes are chosen, or fixed before the data. ``length``: T, where it was not fixed
    before the data. ``bases``: how many were listed. ``power``: k of the smoothing 2^-k, ``mixture``: with the base or
    uniform, where the word chooses. ``constants``: what standardises inputs, where the sample gave it. Raises:
    DomainError.
    """

    family: Family
    tensors: Mapping[str, Coded | None]
    size: int | None = None
    start: Start | Seeded | None = None
    length: int | None = None
    bases: int = 1
    power: int | None = None
    mixture: bool | None = None
    constants: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        check_size(self.family, self.size)
        require(type(self.bases) is int and self.bases >= 1, f"bases: expected a number >= 1, got {self.bases!r}")
        require(self.start is None or self.bases == 1, "a word from scratch has no list of bases")
        for name, listed in (("length", LENGTHS), ("power", POWERS)):
            value = getattr(self, name)
            require(value is None or value in listed, f"{name}: expected one of {listed}, got {value!r}")
        if self.constants is not None:
            fits = len(self.constants) == 2 and all(type(i) is int and 0 <= i < CONSTANTS for i in self.constants)
            require(fits, f"constants: expected two integers of 16 bits, got {self.constants!r}")
        for name, tensor in self.tensors.items():
            moved = tensor is None or self.start is not None or tensor.centre == "base"
            require(moved, f"{name}: only a word from scratch may be centred at zero")

    def require_shapes(self, shapes: Mapping[str, Shape]) -> None:
        """Raises: DomainError unless the tensors are these: of one header, so that all masses sum to at most 1."""
        require(list(self.tensors) == list(shapes), f"a word of {', '.join(shapes)}: got {', '.join(self.tensors)}")
        for name, tensor in self.tensors.items():
            found = None if tensor is None else tensor.z.shape
            require(found in (None, shapes[name]), f"{name}: expected integers {shapes[name]}, got {found}")

    def _header(self) -> Iterator[_Priced]:
        uniform = "uniform"
        yield "family: " + ", ".join(FAMILIES), uniform, len(FAMILIES)
        if self.family == "lora":
            yield "lora rank 1..8", uniform, len(RANKS)
        if self.family == "subspace":
            yield "subspace dimension 2^4..2^13", uniform, len(DIMENSIONS)
        if self.start is not None:
            if isinstance(self.start, Start):
                pooling = "" if self.start.pooling is None else ", pooling"
                yield f"d_model, layers, N, conv, expand{pooling}", uniform, self.start.architectures()
            yield "seed 0 or another", "1/2", 2
            if self.start.seed:
                yield "seed 1..2^16 - 1", uniform, SEEDS - 1
        if self.length is not None:
            yield "T: 2^4..2^15", uniform, len(LENGTHS)
        if self.bases > 1:
            yield "listed base", uniform, self.bases
        if self.power is not None:
            yield "alpha = 2^-1..2^-8", uniform, len(POWERS)
        if self.mixture is not None:
            yield "smoothing: uniform or with the base", uniform, 2
        if self.constants is not None:
            yield "input constants: two integers of 16 bits", uniform, CONSTANTS**2

    def _tensor(self, tensor: Coded | None) -> Iterator[_Priced]:
        yield "tensor: coded, or its integers all zero", "flag", 2
        if tensor is not None:
            if self.start is not None:
                yield "centre: start or 0", "flag", 2
            yield "step s_j, j = 0..35", "uniform", len(STEPS)
            yield "code: Sparse, Counts(K), KT(K), K = 2^0..2^9", "uniform", len(WORD_ALPHABET)
            yield "integers", "their code", (tensor.symbols, tensor.z.ravel())

    def _choices(self) -> Iterator[_Priced]:
        yield from self._header()
        for tensor in self.tensors.values():
            yield from self._tensor(tensor)

    def mass(self) -> Fraction:
        """Exact prior mass; for small words (the fractions are long)."""
        return math.prod((_mass(priced) for *_, priced in self._choices()), start=Fraction(1))

    def nats(self) -> Enclosure:
        """Code length ``ln 1/pi(theta)``. Source: theory 8.12."""
        with bits(START_BITS):
            return Enclosure.of(sum((_nats(priced) for *_, priced in self._choices()), arb(0)))

    def about(self) -> float:
        """``nats`` in float64, for searching."""
        return sum(math.log(p) if isinstance(p, int) else p[0].about(p[1]) for *_, p in self._choices())

    def table(self) -> list[Row]:
        """What ``nats`` is the sum of, choice by choice, as in theory 8.12."""
        found: dict[tuple[str, str], list[arb]] = {}
        with bits(START_BITS):
            for choice, prior, priced in self._choices():
                found.setdefault((choice, prior), []).append(_nats(priced))
            return [
                Row(choice, len(each), prior, Enclosure.of(sum(each, arb(0))))
                for (choice, prior), each in found.items()
            ]

    def ledger(self) -> list[tuple[str, int, Enclosure]]:
        """The same by tensor: the header, then each with its options. Rows: name, how many weights, nats."""
        with bits(START_BITS):
            found = [("options", 0, sum((_nats(priced) for *_, priced in self._header()), arb(0)))]
            for name, tensor in self.tensors.items():
                nats = sum((_nats(priced) for *_, priced in self._tensor(tensor)), arb(0))
                found.append((name, 0 if tensor is None else tensor.z.size, nats))
            return [(name, size, Enclosure.of(nats)) for name, size, nats in found]


def _mass(priced: int | tuple[Symbols, Integers]) -> Fraction:
    return Fraction(1, priced) if isinstance(priced, int) else priced[0].mass(priced[1])


def _nats(priced: int | tuple[Symbols, Integers]) -> arb:
    return arb(priced).log() if isinstance(priced, int) else priced[0].nats(priced[1])
