"""The selective state-space model of theory 1 for adversaries, in the unrolled form (U), and pairs of models.

Shapes: U (T, d) most recent token first, A (d, N), W_B and W_C (N, d), q (d,), p scalar, W (k, d).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.adversary import Array, Numbers, Sizes


@dataclass(frozen=True, slots=True)
class System:
    """One parameter set with its input."""

    A: Array
    B: Array
    C: Array
    q: Array
    p: Array
    W: Array
    U: Array

    def logits(self) -> Array:
        return self.U @ self.q + self.p

    def output(self, numbers: Numbers) -> Array:
        """(U): ``z = W C_T sum_i exp(A tau_i) c_i (u_{T-i} (x) W_B u_{T-i})``."""
        c = numbers.softplus(self.logits())
        tau = numbers.prefix_sums(c)
        decay = numbers.exp(self.A[None] * tau[:, None, None])
        update = (c[:, None] * self.U)[:, :, None] * (self.U @ self.B.T)[:, None, :]
        return self.W @ ((decay * update).sum(0) @ (self.C @ self.U[0]))


def rows(numbers: Numbers, U: Array) -> list[Array]:
    """l2 norm of each row."""
    return [numbers.norm(row) for row in U]


def pair_arrays(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """The free arrays of a pair of models: one set, the moves ``d...`` of each block, and one common scale of these."""
    T, d, N, k = (sizes[name] for name in ("T", "d", "N", "k"))
    shapes = {"A": (d, N), "B": (N, d), "C": (N, d), "q": (d,), "p": (), "W": (k, d), "U": (T, d)}
    return shapes | {f"d{name}": shape for name, shape in shapes.items() if name in moves(sizes)} | {"scale": ()}


MOVES = ("A", "B", "C", "qp", "W", "ABCqpW", "U")


def pair_sizes(*choices: tuple[str, int, int, int, bool]) -> tuple[Sizes, ...]:
    """Sizes from (blocks that move, T, d, N, decaying), with one output."""
    return tuple(
        {"T": T, "d": d, "N": N, "k": 1, "decaying": int(decaying), "moves": MOVES.index(blocks)}
        for blocks, T, d, N, decaying in choices
    )


def moves(sizes: Sizes) -> str:
    """Which blocks differ between the two models."""
    return MOVES[sizes["moves"]]


def pair(numbers: Numbers, arrays: Mapping[str, Array], sizes: Sizes) -> tuple[System, System]:
    """Two models. ``decaying``: A = -raw^2 (s_A <= 0); otherwise A = raw (any sign)."""
    scale = numbers.exp(arrays["scale"])
    first = {name: arrays[name] for name in ("A", "B", "C", "q", "p", "W", "U")}
    second = {
        name: value + scale * arrays[f"d{name}"] if f"d{name}" in arrays else value for name, value in first.items()
    }
    if sizes["decaying"]:
        first["A"], second["A"] = -first["A"] * first["A"], -second["A"] * second["A"]
    return System(**first), System(**second)


def class_constants(numbers: Numbers, first: System, second: System) -> dict[Any, Any]:
    """The smallest constants of a class that contains both models and their inputs; every gate between them as well."""
    both = (first, second)

    def most(values: list[Array]) -> Array:
        return larger(numbers, values)

    return {
        sym.B_w: most([numbers.spectral(s.W) for s in both]),
        sym.B_B: most([numbers.spectral(s.B) for s in both]),
        sym.B_C: most([numbers.spectral(s.C) for s in both]),
        sym.B_q: most([numbers.norm(s.q) for s in both]),
        sym.B_u: most([norm for s in both for norm in rows(numbers, s.U)]),
        sym.s_A: most([numbers.largest(s.A) for s in both]),
        sym.B_A: most([numbers.largest(abs(s.A)) for s in both]),
        # logits move on a straight line when parameters or inputs do (one of them at a time), and softplus increases
        sym.M: numbers.softplus(most([numbers.largest(s.logits()) for s in both])),
        sym.T: first.U.shape[0],
    }


def output_move(numbers: Numbers, first: System, second: System) -> Array:
    """|z - z^|."""
    return numbers.norm(first.output(numbers) - second.output(numbers))


def larger(numbers: Numbers, values: list[Array]) -> Array:
    """The largest of several scalars."""
    result = values[0]
    for value in values[1:]:
        result = numbers.maximum(result, value)
    return result


def distances(numbers: Numbers, first: System, second: System) -> dict[str, Array]:
    """How far apart the blocks are, in the norms of theory 5.1; g: the largest move of a logit; e: of a token."""
    return {
        "A": numbers.largest(abs(first.A - second.A)),
        "B": numbers.spectral(first.B - second.B),
        "C": numbers.spectral(first.C - second.C),
        "g": numbers.largest(abs(first.logits() - second.logits())),
        "w": numbers.spectral(first.W - second.W),
        "e": larger(numbers, rows(numbers, first.U - second.U)),
    }
