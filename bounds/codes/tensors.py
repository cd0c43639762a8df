"""Occam certificates: a prior code for the rounded tensors of a model. Source: theory 8.1.

Everything here is fixed before any data: the layout; the prior, which is uniform over ``SCHEMES`` and given the scheme
over its options; only the integers are coded by what they are. A code length in nats is ``ln 1/pi(theta)``. Codewords
that ``codes.symmetries`` maps to one share their masses in the prior ``PRIOR``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any, Self, get_args

import numpy as np
from flint import arb
from numpy.typing import NDArray

from ssm_bounds.bounds.codes import symmetries
from ssm_bounds.bounds.codes.layout import Layout, Shape, corner, row_count, taken
from ssm_bounds.bounds.codes.scheme import PRIOR, SCHEMES, STEPS, UNPOOLED, Prior, Scheme
from ssm_bounds.bounds.codes.symbols import ALPHABETS, Integers, Symbols
from ssm_bounds.bounds.evaluate.balls import START_BITS, Enclosure, bits
from ssm_bounds.bounds.values import DomainError, require

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Code:
    """One codebook of the prior: a scheme and its options, all of them paid for by ``choices``.

    ``kept``: how many values of each narrow index of the layout are coded (all of them in width "full"). ``steps``:
    exponents k of the steps 2^{-k}, one per row or tensor in coding order or a single one. ``symbols``: index into the
    alphabet of the scheme, one per tensor or a single one. ``prior``: whose mass is meant. Raises: DomainError for
    options that the scheme does not have.
    """

    layout: Layout
    scheme: Scheme
    kept: tuple[int, ...]
    steps: tuple[int, ...]
    symbols: tuple[int, ...]
    prior: Prior = PRIOR

    def __post_init__(self) -> None:
        require(self.prior in get_args(Prior), f"the code is of the prior {self.prior!r}, this version has {PRIOR!r}")
        require(self.scheme in SCHEMES, f"unknown scheme {self.scheme}")
        narrow, sizes = self.layout.narrow, self.layout.sizes()
        require(len(self.kept) == len(narrow), f"kept: expected one number for each of {narrow}, got {self.kept!r}")
        for name, value in zip(narrow, self.kept, strict=True):
            least = sizes[name] if self.scheme.width == "full" else 1
            fits = type(value) is int and least <= value <= sizes[name]
            require(fits, f"{name}: expected {least}..{sizes[name]}, got {value!r}")
        shapes = self.coded()
        wanted = {"model": 1, "block": len(shapes), "row": sum(map(row_count, shapes.values()))}
        for name, options, count, most in (
            ("steps", self.steps, wanted[self.scheme.steps], len(STEPS)),
            ("symbols", self.symbols, wanted[self.scheme.pool], len(ALPHABETS[self.scheme.symbols])),
        ):
            fits = len(options) == count and all(type(i) is int and 0 <= i < most for i in options)
            require(fits, f"{name}: expected {count} options in 0..{most - 1}, got {options!r}")

    def coded(self) -> dict[str, Shape]:
        """The shape of what is coded of each tensor: its first corner."""
        return self.layout.shapes(self.kept)

    def exponents(self) -> dict[str, tuple[int, ...]]:
        """The exponent of the step of every row of each coded tensor."""
        found, at = {}, 0
        for index, (name, shape) in enumerate(self.coded().items()):
            rows = row_count(shape)
            if self.scheme.steps == "row":
                found[name], at = self.steps[at : at + rows], at + rows
            else:
                found[name] = (self.steps[index if self.scheme.steps == "block" else 0],) * rows
        return found

    def scales(self) -> dict[str, Array]:
        """The step of every row of each coded tensor, along its first axis."""
        found, shapes = {}, self.coded()
        for name, exponents in self.exponents().items():
            axes = len(shapes[name])
            found[name] = np.array([float(STEPS[k]) for k in exponents]).reshape((-1, *[1] * axes)[:axes])
        return found

    def values(self, integers: Mapping[str, Integers]) -> dict[str, Array]:
        """The coded corner of each tensor: its integers times their steps."""
        return {name: np.asarray(integers[name] * scale) for name, scale in self.scales().items()}

    def decoded(self, integers: Mapping[str, Integers]) -> dict[str, Array]:
        """The tensors of these integers, zero where nothing is coded."""
        found = {name: np.zeros(shape) for name, shape in self.layout.shapes().items()}
        for name, part in self.values(integers).items():
            found[name][corner(part.shape)] = part
        return found

    def integers(self, tensors: Mapping[str, Array]) -> dict[str, Integers]:
        """Integers of the tensors, named and shaped as in the layout: their exact quotients by the steps.

        Raises: DomainError where a weight is no multiple of its step, or not coded and not zero.
        """
        found, shapes, coded = {}, self.layout.shapes(), self.coded()
        require(
            set(tensors) == set(shapes), f"the code is of the tensors {', '.join(shapes)}, got {', '.join(tensors)}"
        )
        for name, scale in self.scales().items():
            tensor = np.asarray(tensors[name], dtype=np.float64)
            require(tensor.shape == shapes[name], f"{name}: expected shape {shapes[name]}, got {tensor.shape}")
            inside = corner(coded[name])
            rest = tensor.copy()
            rest[inside] = 0
            size = " x ".join(map(str, coded[name]))
            require(not rest.any(), f"{name}: a weight outside the coded {size} corner is not zero")
            z = np.asarray(tensor[inside] / scale)  # a power of two: exact
            require(
                bool(np.all(z == np.rint(z)) and np.all(np.abs(z) < 2**53)),
                f"{name}: holds a weight that is not an integer times its step",
            )
            found[name] = z.astype(np.int64)
        return found

    def groups(self, integers: Mapping[str, Integers]) -> Iterator[tuple[Symbols, Integers]]:
        """The integers that share a symbol code, with it."""
        kinds, vectors = ALPHABETS[self.scheme.symbols], [integers[name].ravel() for name in self.coded()]
        if self.scheme.pool == "model":
            vectors = [np.concatenate(vectors)]
        for index, vector in zip(self.symbols, vectors, strict=True):
            yield kinds[index], vector

    def choices(self) -> int:
        """How many codebooks share the prior's mass at this one's level: ``header = ln choices``."""
        sizes = self.layout.sizes()
        widths = math.prod(sizes[name] for name in self.layout.narrow) if self.scheme.width == "narrow" else 1
        kinds = len(ALPHABETS[self.scheme.symbols])
        return len(SCHEMES) * widths * len(STEPS) ** len(self.steps) * int(kinds ** len(self.symbols))

    def _even(self) -> bool:
        """Whether a change of signs leaves every mass as it is."""
        return all(symbols.even for symbols in ALPHABETS[self.scheme.symbols])

    def orbit(self, integers: Mapping[str, Integers]) -> int:
        """How many codewords of equal mass share it with this one. Source: ``codes.symmetries``."""
        if self.prior == UNPOOLED:
            return 1
        return symmetries.orbit(self.layout, self.values(integers), self.exponents(), signs=self._even())

    def representative(self, integers: Mapping[str, Integers]) -> tuple[Self, dict[str, Integers]]:
        """The codeword that runs for this one, in its own code: the map R of ``codes.symmetries``."""
        if self.prior == UNPOOLED:
            return self, dict(integers)
        order = symmetries.order(self.layout, self.values(integers), self.exponents())
        found = taken(self.layout, integers, order)
        rows = symmetries.moved_rows(self.layout, self.exponents(), order).values()
        steps = tuple(k for row in rows for k in row) if self.scheme.steps == "row" else self.steps
        return replace(self, steps=steps), symmetries.positive(self.layout, found) if self._even() else found

    def represents(self, integers: Mapping[str, Integers]) -> bool:
        """Whether these integers are their own representative: the only ones that the prior speaks about."""
        code, same = self.representative(integers)
        return code == self and all(np.array_equal(same[name], integers[name]) for name in same)

    def mass(self, integers: Mapping[str, Integers]) -> Fraction:
        """Exact prior mass ``pi(theta)`` of their representative; for small models (the fractions are long)."""
        parts = (symbol.mass(vector) for symbol, vector in self.groups(integers))
        return math.prod(parts, start=Fraction(self.orbit(integers), self.choices()))

    def _costs(self, integers: Mapping[str, Integers]) -> list[tuple[str, int, arb]]:
        """What adds up to ``-ln mass``, at the current precision, as (name, how many weights, nats)."""
        names = list(self.coded()) if self.scheme.pool == "block" else ["all weights"]
        found = [("options", 0, arb(self.choices()).log())]
        for name, (symbol, vector) in zip(names, self.groups(integers), strict=True):
            found.append((name, vector.size, symbol.nats(vector)))
        if self.prior != UNPOOLED:
            found.append(("symmetries", 0, -arb(self.orbit(integers)).log()))
        return found

    def nats(self, integers: Mapping[str, Integers]) -> Enclosure:
        """Code length ``ln 1/pi(theta)`` of their representative. Source: theory 8.1."""
        with bits(START_BITS):
            return Enclosure.of(sum((nats for *_, nats in self._costs(integers)), arb(0)))

    def about(self, integers: Mapping[str, Integers]) -> float:
        """``nats`` in float64, for searching."""
        total = math.log(self.choices()) + sum(symbol.about(vector) for symbol, vector in self.groups(integers))
        return total - math.log(self.orbit(integers))

    def ledger(self, integers: Mapping[str, Integers]) -> list[tuple[str, int, Enclosure]]:
        """What ``nats`` is the sum of: the options, each group of weights, and what symmetries give back.

        Rows: name, how many weights, nats.
        """
        with bits(START_BITS):
            return [(name, size, Enclosure.of(nats)) for name, size, nats in self._costs(integers)]

    def __str__(self) -> str:
        names, sizes = self.layout.narrow, self.layout.sizes()
        width = f"all {' and '.join(names)}" if names else "every tensor"
        if names and self.scheme.width == "narrow":
            parts = zip(self.kept, names, strict=True)
            width = " and ".join(f"{kept} of {sizes[name]} {name}" for kept, name in parts)
        steps = f"2^-{self.steps[0]}" if len(set(self.steps)) == 1 else f"2^-{min(self.steps)} to 2^-{max(self.steps)}"
        return (
            f"{self.scheme.symbols} code per {self.scheme.pool}, steps {steps} per {self.scheme.steps}, {width}, "
            f"one of {len(SCHEMES)} schemes, prior {self.prior}"
        )

    def record(self) -> dict[str, Any]:
        """Plain values for a file, read back by :func:`recorded`."""
        return {
            "scheme": asdict(self.scheme),
            **dict(zip(self.layout.narrow, self.kept, strict=True)),
            "steps": list(self.steps),
            "symbols": list(self.symbols),
            "prior": self.prior,
        }


def recorded(layout: Layout, record: Mapping[str, Any]) -> Code:
    """The code in a file's record. Raises: DomainError."""
    try:
        return Code(
            layout,
            Scheme(**record["scheme"]),
            tuple(record[name] for name in layout.narrow),
            tuple(record["steps"]),
            tuple(record["symbols"]),
            record.get("prior", UNPOOLED),
        )
    except DomainError:
        raise
    except (KeyError, TypeError, ValueError) as problem:
        raise DomainError(f"not the record of a code ({problem}); round the model again with --occam") from None
