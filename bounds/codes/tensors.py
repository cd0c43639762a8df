"""Occam certificates: a prior code for rounded weights, and the risk bound it buys. Source: theory.md 8.1.

Everything here is fixed before any data: the prior is the uniform one over ``SCHEMES``, and given the scheme over its
options; only the integers are coded by what they are. A code length in nats is ``ln 1/pi(theta)``. Codewords that
``codes.symmetries`` maps to one share their masses in the prior ``PRIOR``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from itertools import product
from typing import Any, Literal, Self, get_args

import numpy as np
from flint import arb
from numpy.typing import NDArray

from ssm_bounds.bounds.codes import symmetries
from ssm_bounds.bounds.codes.symbols import Integers, Symbol, Symbols, alphabet
from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits
from ssm_bounds.bounds.values import DomainError, Gate, require

Prior = Literal["integers-1", "integers-2"]
PRIOR: Prior = "integers-2"
"""Name of the prior below: masses are summed over symmetries. A changed prior is a new name."""
UNPOOLED: Prior = "integers-1"
"""Every codeword by itself: the prior of files that name none."""
STEPS = tuple(Fraction(1, 2**k) for k in range(10))
"""A weight is an integer times one of these."""
Width = Literal["full", "narrow"]
StepSharing = Literal["row", "block", "model"]
Pool = Literal["block", "model"]


@dataclass(frozen=True, slots=True)
class Scheme:
    """How a model is coded. ``width`` narrow: only the first channels and states are coded, the others are zero.
    ``steps``: one step per row, per block or for the model. ``pool``: one symbol code per block or for the model.
    """

    width: Width
    steps: StepSharing
    pool: Pool
    symbols: Symbols


SCHEMES = tuple(
    Scheme(*choice) for choice in product(get_args(Width), get_args(StepSharing), get_args(Pool), get_args(Symbols))
)
"""Every scheme, of equal prior mass; the one of theory.md 8.1 is ``PLAIN``."""
PLAIN = Scheme("full", "block", "block", "geometric")


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the model, fixed before the data: d channels, N states, k outputs, V embedding rows (None: no
    embedding). Gate "none" has no q and p. Raises: DomainError."""

    d: int
    N: int
    k: int
    V: int | None
    gate: Gate = "softplus"

    def __post_init__(self) -> None:
        sizes = (self.d, self.N, self.k, *(() if self.V is None else (self.V,)))
        require(all(type(n) is int and n >= 1 for n in sizes), f"Shape: every size is an integer >= 1, got {self}")

    def blocks(self) -> dict[str, tuple[int, int]]:
        """Rows and columns of each block, in coding order."""
        gate = {"q": (1, self.d), "p": (1, 1)} if self.gate == "softplus" else {}
        embedding = {} if self.V is None else {"embedding": (self.V, self.d)}
        d, N = self.d, self.N
        return {"A": (d, N), "W_B": (N, d), "W_C": (N, d)} | gate | {"W": (self.k, d)} | embedding


@dataclass(frozen=True, slots=True)
class Code:
    """One codebook of the prior: a scheme and its options, all of them paid for by ``header``.

    ``channels`` and ``states``: how many are coded (all of them in width "full"). ``steps``: exponents k of the steps
    2^{-k}, one per row or block in coding order or a single one. ``symbols``: index into ``alphabet``, one per block
    or a single one. ``prior``: whose mass is meant. Raises: DomainError for options that the scheme does not have.
    """

    shape: Shape
    scheme: Scheme
    channels: int
    states: int
    steps: tuple[int, ...]
    symbols: tuple[int, ...]
    prior: Prior = PRIOR

    def __post_init__(self) -> None:
        require(self.prior in get_args(Prior), f"the code is of the prior {self.prior!r}, this version has {PRIOR!r}")
        require(self.scheme in SCHEMES, f"unknown scheme {self.scheme}")
        full = self.scheme.width == "full"
        for name, value, size in (("channels", self.channels, self.shape.d), ("states", self.states, self.shape.N)):
            least = size if full else 1
            require(type(value) is int and least <= value <= size, f"{name}: expected {least}..{size}, got {value!r}")
        kinds = len(alphabet(self.scheme.symbols))
        groups = len(self.coded()) if self.scheme.pool == "block" else 1
        for name, options, wanted, most in (
            ("steps", self.steps, self._step_count(), len(STEPS)),
            ("symbols", self.symbols, groups, kinds),
        ):
            fits = len(options) == wanted and all(type(i) is int and 0 <= i < most for i in options)
            require(fits, f"{name}: expected {wanted} options in 0..{most - 1}, got {options!r}")

    def coded(self) -> dict[str, tuple[int, int]]:
        """Rows and columns of each block that are coded: its upper left corner."""
        small = Shape(self.channels, self.states, self.shape.k, self.shape.V, self.shape.gate)
        return small.blocks()

    def _step_count(self) -> int:
        if self.scheme.steps == "model":
            return 1
        return len(self.coded()) if self.scheme.steps == "block" else sum(rows for rows, _ in self.coded().values())

    def exponents(self) -> dict[str, tuple[int, ...]]:
        """The exponent of the step of every row of each coded block."""
        found, at = {}, 0
        for index, (name, (rows, _)) in enumerate(self.coded().items()):
            if self.scheme.steps == "row":
                found[name], at = self.steps[at : at + rows], at + rows
            else:
                found[name] = (self.steps[index if self.scheme.steps == "block" else 0],) * rows
        return found

    def scales(self) -> dict[str, NDArray[np.float64]]:
        """The step of every row of each coded block, shape (rows, 1)."""
        return {name: np.array([[float(STEPS[k])] for k in rows]) for name, rows in self.exponents().items()}

    def integers(self, blocks: Mapping[str, NDArray[np.float64]]) -> dict[str, Integers]:
        """Integers of the weights ``blocks`` (2-d, named as in ``Shape.blocks``): their exact quotients by the steps.

        Raises: DomainError where a weight is no multiple of its step, or not coded and not zero.
        """
        found = {}
        for name, scale in self.scales().items():
            rows, columns = self.coded()[name]
            block = np.asarray(blocks[name], dtype=np.float64)
            require(
                block.shape == self.shape.blocks()[name],
                f"{name}: expected shape {self.shape.blocks()[name]}, got {block.shape}",
            )
            rest = block.copy()
            rest[:rows, :columns] = 0
            require(not rest.any(), f"{name}: a weight outside the coded {rows} x {columns} corner is not zero")
            z = block[:rows, :columns] / scale  # a power of two: exact
            require(
                bool(np.all(z == np.rint(z)) and np.all(np.abs(z) < 2**53)),
                f"{name}: holds a weight that is not an integer times its step",
            )
            found[name] = z.astype(np.int64)
        return found

    def _groups(self, integers: Mapping[str, Integers]) -> Iterator[tuple[Symbol, Integers]]:
        kinds, vectors = alphabet(self.scheme.symbols), [integers[name].ravel() for name in self.coded()]
        if self.scheme.pool == "model":
            vectors = [np.concatenate(vectors)]
        for index, vector in zip(self.symbols, vectors, strict=True):
            yield kinds[index], vector

    def choices(self) -> int:
        """How many codebooks share the prior's mass at this one's level: ``header = ln choices``."""
        widths = self.shape.d * self.shape.N if self.scheme.width == "narrow" else 1
        kinds = len(alphabet(self.scheme.symbols))
        return len(SCHEMES) * widths * len(STEPS) ** len(self.steps) * int(kinds ** len(self.symbols))

    def _pools_signs(self) -> bool:
        """The mass of ``Counts`` depends on signs."""
        return self.scheme.symbols != "counts"

    def _values(self, integers: Mapping[str, Integers]) -> dict[str, NDArray[np.float64]]:
        return {name: integers[name] * scale for name, scale in self.scales().items()}

    def orbit(self, integers: Mapping[str, Integers]) -> int:
        """How many codewords of equal mass share it with this one. Source: ``codes.symmetries``."""
        if self.prior == UNPOOLED:
            return 1
        return symmetries.orbit(self._values(integers), self.exponents(), signs=self._pools_signs())

    def representative(self, integers: Mapping[str, Integers]) -> tuple[Self, dict[str, Integers]]:
        """The codeword that runs for this one, in its own code: the map R of ``codes.symmetries``."""
        if self.prior == UNPOOLED:
            return self, dict(integers)
        channels, states = symmetries.order(self._values(integers), self.exponents())
        found = symmetries.permuted(integers, channels, states)
        rows = symmetries.permuted_rows(self.exponents(), channels, states).values()
        steps = tuple(k for row in rows for k in row) if self.scheme.steps == "row" else self.steps
        return replace(self, steps=steps), symmetries.positive(found) if self._pools_signs() else found

    def represents(self, integers: Mapping[str, Integers]) -> bool:
        """Whether these integers are their own representative: the only ones that the prior speaks about."""
        code, same = self.representative(integers)
        return code == self and all(np.array_equal(same[name], integers[name]) for name in same)

    def mass(self, integers: Mapping[str, Integers]) -> Fraction:
        """Exact prior mass ``pi(theta)`` of their representative; for small models (the fractions are long)."""
        parts = (symbol.mass(vector) for symbol, vector in self._groups(integers))
        return math.prod(parts, start=Fraction(self.orbit(integers), self.choices()))

    def _costs(self, integers: Mapping[str, Integers]) -> list[tuple[str, int, arb]]:
        """What adds up to ``-ln mass``, at the current precision, as (name, how many weights, nats)."""
        names = list(self.coded()) if self.scheme.pool == "block" else ["all weights"]
        found = [("options", 0, arb(self.choices()).log())]
        for name, (symbol, vector) in zip(names, self._groups(integers), strict=True):
            found.append((name, vector.size, symbol.nats(vector)))
        if self.prior != UNPOOLED:
            found.append(("symmetries", 0, -arb(self.orbit(integers)).log()))
        return found

    def nats(self, integers: Mapping[str, Integers]) -> Enclosure:
        """Code length ``ln 1/pi(theta)`` of their representative. Source: theory.md 8.1."""
        with bits(START_BITS):
            return Enclosure.of(sum((nats for *_, nats in self._costs(integers)), arb(0)))

    def about(self, integers: Mapping[str, Integers]) -> float:
        """``nats`` in float64, for searching."""
        total = math.log(self.choices()) + sum(symbol.about(vector) for symbol, vector in self._groups(integers))
        return total - math.log(self.orbit(integers))

    def ledger(self, integers: Mapping[str, Integers]) -> list[tuple[str, int, Enclosure]]:
        """What ``nats`` is the sum of: the options, each group of weights, and what symmetries give back.

        Rows: name, how many weights, nats.
        """
        with bits(START_BITS):
            return [(name, size, Enclosure.of(nats)) for name, size, nats in self._costs(integers)]

    def __str__(self) -> str:
        width, shape = "all channels and states", self.shape
        if self.scheme.width == "narrow":
            width = f"{self.channels} of {shape.d} channels and {self.states} of {shape.N} states"
        steps = f"2^-{self.steps[0]}" if len(set(self.steps)) == 1 else f"2^-{min(self.steps)} to 2^-{max(self.steps)}"
        return (
            f"{self.scheme.symbols} code per {self.scheme.pool}, steps {steps} per {self.scheme.steps}, {width}, "
            f"one of {len(SCHEMES)} schemes, prior {self.prior}"
        )

    def record(self) -> dict[str, Any]:
        """Plain values for a file, read back by :func:`recorded`."""
        return {
            "scheme": asdict(self.scheme),
            "channels": self.channels,
            "states": self.states,
            "steps": list(self.steps),
            "symbols": list(self.symbols),
            "prior": self.prior,
        }


def recorded(shape: Shape, record: Mapping[str, Any]) -> Code:
    """The code in a file's record. Raises: DomainError."""
    try:
        return Code(
            shape,
            Scheme(**record["scheme"]),
            record["channels"],
            record["states"],
            tuple(record["steps"]),
            tuple(record["symbols"]),
            record.get("prior", UNPOOLED),
        )
    except DomainError:
        raise
    except (KeyError, TypeError, ValueError) as problem:
        raise DomainError(f"not the record of a code ({problem}); round the model again with --occam") from None


def fitted(shape: Shape, blocks: Mapping[str, NDArray[np.float64]], scheme: Scheme) -> Code:
    """The code of one scheme for these weights (2-d blocks, multiples of 2^{-9}): the shortest, but for its steps.

    A step is the largest that divides its weights, so that integers are smallest. Raises: DomainError.
    """
    arrays = {name: np.asarray(blocks[name], dtype=np.float64) for name in shape.blocks()}
    channels, states = _extent(arrays) if scheme.width == "narrow" else (shape.d, shape.N)
    small = Shape(channels, states, shape.k, shape.V, shape.gate).blocks()
    cut = [arrays[name][:rows, :columns] for name, (rows, columns) in small.items()]
    if scheme.steps == "row":
        parts = [row for block in cut for row in block]
    else:
        parts = cut if scheme.steps == "block" else [np.concatenate([block.ravel() for block in cut])]
    steps = tuple(_exponent(part) for part in parts)
    groups = len(cut) if scheme.pool == "block" else 1
    code = Code(shape, scheme, channels, states, steps, (0,) * groups)
    lengths = [[kind.about(z) for kind in alphabet(scheme.symbols)] for _, z in code._groups(code.integers(arrays))]
    return Code(shape, scheme, channels, states, steps, tuple(row.index(min(row)) for row in lengths))


def arranged(shape: Shape, blocks: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """The model (2-d blocks) with its channels and states in the order of representatives, those without weights last.

    So that a narrow code leaves out what it can. Sums change their order, and so may the last bits of an answer.
    """
    arrays = {name: np.asarray(blocks[name], dtype=np.float64) for name in shape.blocks()}
    one_step = {name: (0,) * rows for name, (rows, _) in shape.blocks().items()}
    return symmetries.permuted(arrays, *symmetries.order(arrays, one_step))


def shortest(shape: Shape, blocks: Mapping[str, NDArray[np.float64]], schemes: Sequence[Scheme] = SCHEMES) -> Code:
    """The shortest of the :func:`fitted` codes; the first of several.

    Raises: DomainError where no code holds these weights.
    """
    codes = [fitted(shape, blocks, scheme) for scheme in schemes]
    lengths = [code.about(code.integers(blocks)) for code in codes]
    require(math.isfinite(min(lengths)), "no code of the given schemes holds these weights")
    return codes[lengths.index(min(lengths))]


def _exponent(values: NDArray[np.float64]) -> int:
    """The least k with all values multiples of 2^{-k}."""
    for k in range(len(STEPS)):
        scaled = values * 2.0**k
        if np.array_equal(scaled, np.rint(scaled)):
            return k
    raise DomainError(f"a weight is no multiple of the smallest step, 2^-{len(STEPS) - 1}")


def _extent(arrays: Mapping[str, NDArray[np.float64]]) -> tuple[int, int]:
    """The least numbers of leading channels and states (at least 1) outside which every weight is zero."""
    channels = arrays["A"].any(1) | arrays["W_B"].any(0) | arrays["W_C"].any(0) | arrays["W"].any(0)
    for name in ("q", "embedding"):
        if name in arrays:
            channels = channels | arrays[name].any(0)
    states = arrays["A"].any(0) | arrays["W_B"].any(1) | arrays["W_C"].any(1)
    return max(1, int(np.flatnonzero(channels).max(initial=0)) + 1), max(
        1, int(np.flatnonzero(states).max(initial=0)) + 1
    )
