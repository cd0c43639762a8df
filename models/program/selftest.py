"""Is the arithmetic of this process that of theory 8.13? Where it is not, the program refuses to run."""

from __future__ import annotations

import functools

import numpy as np

from ssm_bounds.bounds.values import require
from ssm_bounds.models.program import primitives, vectors
from ssm_bounds.models.program.run import prepared, run
from ssm_bounds.models.program.stack import Stack


def require_exact() -> None:
    """Subnormal numbers at each call, since flushing them is a matter of the thread; all else once in a process.

    Raises: DomainError that says what is not exact.
    """
    small = np.array([1e-310, 2.0**-600])
    require(
        bool((small * np.array([1.0, 2.0**-450]) > 0).all()),
        "subnormal numbers are flushed to zero in this thread, so the program would not be exact; undo "
        "torch.set_flush_denormal(True), or what else set it",
    )
    _require_the_rest()


@functools.cache
def _require_the_rest() -> None:
    _require_products()
    for name, values in vectors.FUNCTIONS.items():
        found = getattr(primitives, name)(np.array(list(values)))
        require_bits(name, found, list(values.values()))
    y, _ = primitives.mm(vectors.X.T, primitives.matrix(vectors.W))
    require_bits("the product of the vectors", y.T.ravel(), [word for row in vectors.PRODUCT for word in row])
    _require_model("Mamba", vectors.mamba1(), vectors.REAL, vectors.LOGITS1)
    _require_model("Mamba-2", vectors.mamba2(), vectors.TOKENS, vectors.LOGITS2)


def _require_products() -> None:
    """The largest sum, and random ones against integers of 64 bits."""
    largest = primitives.product(np.full((8, 4096), 2.0**18), np.full((4096, 8), 2.0**23))
    rng = np.random.default_rng(0)
    w, q = rng.integers(-(2**18), 2**18, (7, 4096), endpoint=True), rng.integers(-(2**23), 2**23, (4096, 9))
    found = primitives.product(w.astype(np.float64), q.astype(np.float64))
    require(
        bool((largest == 2.0**53).all() and (found == w @ q).all()),
        "the product of matrices of this NumPy is not exact on integers up to 2^53; use another BLAS",
    )


def _require_model(name: str, stack: Stack, x: np.ndarray, logits: tuple[tuple[str, ...], ...]) -> None:
    found = run(prepared(stack), x, vectors.LENGTHS)
    require_bits(f"the example of {name}", found.ravel(), [word for row in logits for word in row])


def require_bits(name: str, found: np.ndarray, expected: list[str]) -> None:
    there = [value.hex() for value in found.tolist()]
    require(
        there == [float.fromhex(word).hex() for word in expected],
        f"{name} gives {', '.join(there)} in place of {', '.join(expected)}: this arithmetic is not IEEE 754's",
    )
