"""The recurrent network of theory 10.1 for adversaries: pairs of them with one input, and the constants of their class.

Shapes: V (d,), U and W (d, d), X (T, d) in the order of time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.adversary import Array, Numbers, Sizes
from ssm_bounds.proofs.systems.selective_ssm import larger, rows

BLOCKS = ("V", "U", "W")
moved = sympy.Symbol("d_z", nonnegative=True)
radius = {block: sympy.Symbol(f"eps_{block}", nonnegative=True) for block in BLOCKS}


def sizes(*choices: tuple[str, int, int], **more: int) -> tuple[Sizes, ...]:
    """From (blocks that move, T, d)."""
    flags = ({f"{block} moves": int(block in blocks) for block in BLOCKS} for blocks, _, _ in choices)
    return tuple({"T": T, "d": d} | each | more for (_, T, d), each in zip(choices, flags, strict=True))


def arrays(given: Sizes) -> dict[str, tuple[int, ...]]:
    """One network, the moves of the blocks that move and one scale of these, an input."""
    d = given["d"]
    shapes: dict[str, tuple[int, ...]] = {"V": (d,), "U": (d, d), "W": (d, d)}
    moves = {f"move of {block}": shape for block, shape in shapes.items() if given[f"{block} moves"]}
    return shapes | moves | {"X": (given["T"], d), "scale": ()}


def bind(
    numbers: Numbers, free: Mapping[str, Array], given: Sizes, activation: Callable[[Array], Array]
) -> dict[sympy.Symbol, Array]:
    """``activation``: of slope at most 1, entry by entry."""
    scale = numbers.exp(free["scale"])
    first = {block: free[block] for block in BLOCKS}
    second = {
        block: value + scale * free[f"move of {block}"] if given[f"{block} moves"] else value
        for block, value in first.items()
    }

    def output(model: Mapping[str, Array]) -> Array:
        state = activation(model["W"] @ free["X"][0])
        for t in range(1, given["T"]):
            state = activation(model["U"] @ state + model["W"] @ free["X"][t])
        return (model["V"] * state).sum()

    def size(block: str, array: Array) -> Array:
        return numbers.norm(array) if block == "V" else numbers.spectral(array)

    most = {block: numbers.maximum(size(block, first[block]), size(block, second[block])) for block in BLOCKS}
    return {
        moved: abs(output(first) - output(second)),
        **{radius[block]: size(block, first[block] - second[block]) for block in BLOCKS},
        sym.B_V: most["V"],
        sym.B_U: most["U"],
        sym.B_W: most["W"],
        sym.B_u: larger(numbers, rows(numbers, free["X"])),
        sym.rho_h: 1,
        sym.rho: most["U"],
        sym.T: given["T"],
        sym.d: given["d"],
    }
