"""Pairs of small Mamba and Mamba-2 mixers for adversaries, from theory M0 in the unrolled form, one tap and D = 1.

Inputs v (T,) lie in [-1, 1], so that rho = 1. Shapes: d channels, N states, rank 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ssm_bounds.proofs.adversary import Array, Numbers, Sizes
from ssm_bounds.proofs.systems.selective_ssm import larger

BEND, LEAST = 2.3993, 0.27847  # below where SiLU' is largest; above -min SiLU


def silu(numbers: Numbers, x: Array) -> Array:
    return x / (1 + numbers.exp(-x))


def slope(numbers: Numbers, x: Array) -> Array:
    """SiLU'."""
    power = numbers.exp(-x)
    return (1 + power + x * power) / ((1 + power) * (1 + power))


def ball(numbers: Numbers, x: Array) -> Array:
    """Every real to (-1, 1)."""
    up, down = numbers.exp(x), numbers.exp(-x)
    return (up - down) / (up + down)


def least(numbers: Numbers, x: Array, y: Array) -> Array:
    """The smaller of two scalars."""
    return -numbers.maximum(-x, -y)


def together(numbers: Numbers, sizes: list[Array]) -> Array:
    """The l2 norm of some scalars >= 0, of which one may be alone."""
    if len(sizes) == 1:
        return sizes[0]
    return numbers.exp(numbers.log(sum(size * size for size in sizes) + 1e-60) / 2)


@dataclass(frozen=True, slots=True)
class Range:
    """``x = r v + c`` and ``a = K x + b`` of one channel: bounds at both parameter sets, and how far they move."""

    chi: Array
    kappa: Array
    high: Array  # upper end of a; the lower one is at least -high
    move: Array

    @classmethod
    def of(cls, numbers: Numbers, first: Mapping[str, Array], second: Mapping[str, Array], j: int) -> Range:
        both = (first, second)
        row, bias, tap, after = ([abs(one[name][j]) for one in both] for name in ("r", "c", "K", "b"))
        chi, kappa = larger(numbers, row) + larger(numbers, bias), larger(numbers, tap)
        moves = {name: abs(first[name][j] - second[name][j]) for name in ("r", "c", "K", "b")}
        move = moves["b"] + chi * moves["K"] + kappa * (moves["r"] + moves["c"])
        return cls(chi, kappa, larger(numbers, after) + kappa * chi, move)

    def size(self, numbers: Numbers) -> Array:
        """At least ``sup |SiLU(a)|``, and no more from LEAST on."""
        return numbers.maximum(silu(numbers, self.high), 0 * self.high + LEAST)

    def slope(self, numbers: Numbers) -> Array:
        """At least ``sup |SiLU'(a)|``, and no more for ends from 0 to BEND: SiLU' is at least -0.1, and 0.5 at 0."""
        bent = least(numbers, self.high, 0 * self.high + BEND)
        return slope(numbers, bent) + self._past(numbers)

    def _past(self, numbers: Numbers) -> Array:
        """What SiLU' may still rise past BEND: its second derivative is at most 1/2 in modulus, and it is below 1.1."""
        return least(numbers, numbers.maximum(self.high - BEND, 0 * self.high) / 2, 0 * self.high + 1e-4)


def sums(numbers: Numbers, slow: Array, fast: Array, M: Array, T: int) -> tuple[Array, Array, Array, Array]:
    """R_1, R_g, and what R_a and R_s are at most, for rates from slow to fast and steps up to M (M4.0, M4.1)."""
    one_more = numbers.exp(-slow * M)
    power = one_more**T
    first, plateau = M * (1 - power) / (1 - one_more), M * M * (T * (T - 1) / 2)
    gate = first + slow * least(numbers, plateau, M * first / 2)
    several = least(numbers, fast * plateau, (T - 1) * M * numbers.exp(0 * M - 1))
    return first, gate, several, least(numbers, fast * plateau, first)


def scanned(numbers: Numbers, steps: Array, rates: Array, pairs: Array, u: Array) -> Array:
    """``sum_i c_i sum_n e^{-a_n tau_i} C_n B_in u_i`` of one channel, most recent token first; ``pairs`` (T,N)."""
    before = numbers.prefix_sums(steps)
    decay = numbers.exp(-before[:, None] * rates[None])
    return ((decay * pairs).sum(1) * steps * u).sum()


def pair(
    arrays: Mapping[str, Array], numbers: Numbers, names: tuple[str, ...]
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Two parameter sets: the second moved by ``d...`` times a common scale, where there is such an array."""
    scale = numbers.exp(arrays["scale"] - 4)
    first = {name: arrays[name] for name in names}
    moved = {name: x + scale * arrays[f"d{name}"] if f"d{name}" in arrays else x for name, x in first.items()}
    return first, moved


def shapes(full: Mapping[str, tuple[int, ...]], moving: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """The free arrays of a pair: one set, the moves of some blocks, one scale."""
    return dict(full) | {f"d{name}": full[name] for name in moving} | {"scale": ()}


MOVES = (("r", "c", "K", "b"), ("X_B",), ("X_C",), ("X_dt", "W_dt", "p"), ("A_log",), ("D",))
"""Blocks that move together, by the term of dy_j that is theirs alone but for the first."""
MAMBA1 = ("r", "c", "K", "b", "X_B", "X_C", "X_dt", "W_dt", "p", "A_log", "D")
MAMBA2 = ("r", "c", "K", "b", "r_dt", "p", "A_log", "D")


def arrays1(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    T, d, N = sizes["T"], sizes["d"], sizes["N"]
    full = dict.fromkeys(("r", "c", "K", "b", "W_dt", "p", "D"), (d,)) | {"A_log": (d, N)}
    full |= {"X_B": (N, d), "X_C": (N, d), "X_dt": (1, d)}
    return shapes(full, MOVES[sizes["moves"]]) | {"v": (T,)}


def output1(numbers: Numbers, w: Mapping[str, Array], v: Array) -> tuple[Array, Array]:
    """``y_0`` at the last token, and all logits (T,d)."""
    u = silu(numbers, w["K"][None] * (v[:, None] * w["r"][None] + w["c"][None]) + w["b"][None])
    logits = (u @ w["X_dt"].T) * w["W_dt"][None] + (w["p"] - 4)[None]
    B, C = u @ w["X_B"].T, u[0] @ w["X_C"].T
    steps, rates = numbers.softplus(logits[:, 0]), numbers.exp(w["A_log"][0])
    return scanned(numbers, steps, rates, B * C[None], u[:, 0]) + w["D"][0] * u[0, 0], logits


def arrays2(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """One head of one channel; channels of [x | B | C], N = 1."""
    full = dict.fromkeys(("r", "c", "K", "b"), (3,)) | dict.fromkeys(("r_dt", "p", "A_log", "D"), (1,))
    return shapes(full, (MOVES[0], ("r_dt", "p"), ("A_log",), ("D",))[sizes["moves"]]) | {"v": (sizes["T"],)}


def output2(numbers: Numbers, w: Mapping[str, Array], v: Array) -> Array:
    """``y`` of the one channel at the last token."""
    u = silu(numbers, w["K"][None] * (v[:, None] * w["r"][None] + w["c"][None]) + w["b"][None])
    steps = numbers.softplus(w["r_dt"] * v + w["p"] - 4)
    rates = numbers.exp(w["A_log"])
    return scanned(numbers, steps, rates, u[:, 1:2] * u[0, 2], u[:, 0]) + w["D"][0] * u[0, 0]
