"""One process of ``test_portable``: hashes of the program's logits, and of what would not be the same everywhere.

``python -m tests.models.program.elsewhere`` prints them as JSON. Weights and inputs are integers over powers of two, so
that they are the same everywhere too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ssm_bounds.models.mamba.weights import GatedNorm, Layer, Mamba1, Mamba2, Norm
from ssm_bounds.models.program import blocks, primitives
from ssm_bounds.models.program.evaluate import digest, logits
from ssm_bounds.models.program.run import prepared, run
from ssm_bounds.models.program.stack import Embedding, Stack
from ssm_bounds.models.selective_ssm import program as paper
from ssm_bounds.models.selective_ssm import selftest
from ssm_bounds.models.selective_ssm.weights import Weights
from tests.portable import kernel

D, d, N, R, k, H, G = 48, 96, 4, 3, 4, 8, 2
ROWS, T = 96, 10


def model(kind: str) -> Stack:
    rng = np.random.default_rng(0)

    def draw(*shape: int, fan: int = 1) -> np.ndarray:
        return rng.integers(-(2**20), 2**20, shape) / 2**20 / 2 ** (fan.bit_length() // 2)

    def mamba1() -> Mamba1:
        return Mamba1(
            R_x=draw(d, D, fan=D), R_z=draw(d, D, fan=D), c=np.zeros(d), c_z=np.zeros(d), K=draw(d, k), b=draw(d),
            X_dt=draw(R, d, fan=d), X_B=draw(N, d, fan=d), X_C=draw(N, d, fan=d), c_dt=np.zeros(R), c_B=np.zeros(N),
            c_C=np.zeros(N), W_dt=draw(d, R), p=draw(d) - 2, A_log=draw(d, N), D=draw(d), W_o=draw(D, d, fan=d),
            b_o=np.zeros(D),
        )  # fmt: skip

    def mamba2() -> Mamba2:
        n = G * N
        return Mamba2(
            R_z=draw(d, D, fan=D), R_x=draw(d, D, fan=D), R_B=draw(n, D, fan=D), R_C=draw(n, D, fan=D),
            R_dt=draw(H, D, fan=D), c_z=np.zeros(d), c=np.zeros(d), c_B=np.zeros(n), c_C=np.zeros(n),
            K=draw(d + 2 * n, k), b=draw(d + 2 * n), p=draw(H) - 2, A_log=draw(H), D=draw(H),
            W_o=draw(D, d, fan=d), b_o=np.zeros(D), groups=G, norm=GatedNorm(1 + draw(d) / 2, 1e-5, 2),
        )  # fmt: skip

    def norm() -> Norm:
        return Norm("rms", 1 + draw(D) / 2, 1e-5)

    make = {"mamba1": mamba1, "mamba2": mamba2}[kind]
    layers = tuple(Layer(i, f"layers.{i}", norm(), make()) for i in range(2))
    return Stack(Embedding(draw(16, D)), layers, norm(), draw(5, D), draw(5), "mean")


def weights(kind: str) -> Weights:
    """Of the paper's model."""
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return rng.integers(-(2**20), 2**20, shape) / 2**20

    embedding = draw(16, D) if kind == "paper, tokens" else None
    A, W_B, W_C, q, W = -np.abs(draw(D, N)), draw(N, D), draw(N, D), draw(D) / 4, draw(5, D)
    return Weights(A=A, W_B=W_B, W_C=W_C, q=q, p=-0.5, W=W, embedding=embedding)


def inputs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.integers(0, 16, (ROWS, T)), rng.integers(1, T, ROWS, endpoint=True)


def reals() -> np.ndarray:
    return np.random.default_rng(3).integers(-(2**20), 2**20, (ROWS, T, D)) / 2**20


KINDS = ("mamba1", "mamba2", "paper, tokens", "paper, real")


def answers(kind: str, *, tested: bool = True) -> Callable[[Any], np.ndarray]:
    """Logits of the rows that are asked for, refused (or not) where a self-test fails."""
    if kind in ("mamba1", "mamba2"):
        program, call = prepared(model(kind)), logits if tested else run
        x, lengths = inputs()
        return lambda rows: call(program, x[rows], lengths[rows])
    drawn, x = weights(kind), inputs()[0] if kind == "paper, tokens" else reals()
    options: dict[str, Any] = {"gate": "softplus", "convention": "code"}
    if tested:
        return lambda rows: selftest.logits(drawn, x[rows], **options)
    return lambda rows: paper.run(paper.prepared(drawn, **options), x[rows])


ALL = slice(None)


@contextmanager
def using(*changes: tuple[Any, str, Callable]) -> Iterator[None]:
    """With other functions in their places."""
    before = [(place, name, getattr(place, name)) for place, name, _ in changes]
    for place, name, change in changes:
        setattr(place, name, change)
    try:
        yield
    finally:
        for place, name, function in before:
            setattr(place, name, function)


def floats(x: np.ndarray, W: primitives.Matrix) -> tuple[np.ndarray, np.ndarray]:
    """The product of the vectors as they are, not of integers."""
    y = np.tensordot(W.q * W.scale, x, axes=1)
    return y, np.ones(x.shape[1:], dtype=bool)


def singles(W: np.ndarray, q: np.ndarray) -> np.ndarray:
    return (W.astype(np.float32) @ q.astype(np.float32)).astype(np.float64)


CONTROLS: dict[str, tuple[tuple[Any, str, Callable], ...]] = {
    "a product of float32": ((primitives, "product", singles),),
    "a product of what is not rounded": ((blocks, "mm", floats), (paper, "mm", floats)),
    "NumPy's exp": ((primitives, "_exp", lambda x: np.exp(np.maximum(x, -700.0))),),
}


def hashes(kind: str) -> dict[str, str]:
    """Of the program, and of the controls, which are not refused here as ``logits`` would."""
    found = {"program": digest(answers(kind)(ALL))}
    for name, changes in CONTROLS.items():
        with using(*changes):
            found[name] = digest(answers(kind, tested=False)(ALL))
    return found


if __name__ == "__main__":
    print(json.dumps({"kernel": kernel(), "hashes": {kind: hashes(kind) for kind in KINDS}}))
