"""A whole model as float64 arrays: what the program of theory 8.13 is a function of, beside one example.

Letters of shapes: D model, d channels, N states, R rank of the step, k taps, H heads, G groups; i inputs, V outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from ssm_bounds.bounds.values import DomainError, require
from ssm_bounds.models.mamba.weights import Array, Layer, Mamba1, Mamba2, Norm

MOST_OUTPUTS = 1 << 17
Pooling: TypeAlias = Literal["mean", "last", "none"]
"""What the head sees of a sequence: the mean of its positions, the last one, or each of them (a language model)."""


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """Tokens become rows of ``E``."""

    E: Array  # (V,D)


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Real inputs x become ``W x + b``."""

    W: Array  # (D,i)
    b: Array  # (D,)


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Blocks with residuals, then ``norm`` if there is one, pooling, ``head`` and its bias. A tied head is the
    embedding's E, again. ``pool_before_norm``: the mean is taken first, and the norm is of it.

    Raises: DomainError where a shape does not fit, an entry is not finite, or theory 8.13 has no such part: norms that
    centre, norms inside the mixer or before the gate, convolutions that look ahead, two directions, offsets of steps.
    """

    entry: Embedding | Projection
    layers: tuple[Layer, ...]
    norm: Norm | None
    head: Array  # (V,D)
    bias: Array  # (V,)
    pooling: Pooling
    pool_before_norm: bool = False

    def __post_init__(self) -> None:
        _shaped("stack", head=(self.head, (None, None)), bias=(self.bias, self.head.shape[:1]))
        D = self.head.shape[1]
        if isinstance(self.entry, Embedding):
            _shaped("entry", E=(self.entry.E, (None, D)))
        else:
            _shaped("entry", W=(self.entry.W, (D, None)), b=(self.entry.b, (D,)))
        for layer in self.layers:
            _norm(layer.name, layer.norm, D)
            if isinstance(layer.mixer, Mamba1):
                _mamba1(layer.name, layer.mixer, D)
            else:
                _mamba2(layer.name, layer.mixer, D)
        if self.norm is not None:
            _norm("the last norm", self.norm, D)
        require(len(self.head) <= MOST_OUTPUTS, f"at most {MOST_OUTPUTS} outputs, found {len(self.head)}")
        require(self.pooling in ("mean", "last", "none"), f"pooling: mean, last or none, found {self.pooling!r}")
        ordered = self.pooling == "mean" and self.norm is not None
        require(ordered or not self.pool_before_norm, "pool_before_norm: needs a last norm and the mean")


def _shaped(owner: str, **arrays: tuple[Array, tuple[int | None, ...]]) -> None:
    """Each array is float64, finite, not empty and of its shape, None being any size."""
    for name, (array, shape) in arrays.items():
        fits = array.ndim == len(shape) and all(
            size == there if size is not None else there >= 1 for size, there in zip(shape, array.shape, strict=True)
        )
        if array.dtype != np.float64 or not fits:
            wanted = ", ".join("any" if size is None else str(size) for size in shape)
            raise DomainError(f"{owner}: {name} has to be float64 ({wanted}), found {array.dtype} {array.shape}")
        require(bool(np.isfinite(array).all()), f"{owner}: {name} has entries that are not finite")


def _norm(owner: str, norm: Norm | None, D: int) -> None:
    if norm is None or norm.kind != "rms" or norm.beta is not None:
        raise DomainError(f"{owner}: the program has RMS norms without bias only")
    _shaped(owner, gamma=(norm.gamma, (D,)))
    _eps(owner, norm.eps)


def _eps(owner: str, eps: float) -> None:
    require(0 < eps < float("inf"), f"{owner}: eps has to be finite and above 0, found {eps}")


def _mamba1(owner: str, w: Mamba1, D: int) -> None:
    plain = w.inner is None and w.convolution == "causal" and w.directions == 1 and w.backward is None
    require(
        plain and w.step_offset == 0,
        f"{owner}: the program has no inner norms, no convolution that looks ahead, one direction, no offset of steps",
    )
    _shaped(owner, A_log=(w.A_log, (None, None)), W_dt=(w.W_dt, (None, None)))
    (d, N), R = w.A_log.shape, w.W_dt.shape[1]
    _shaped(
        owner, R_x=(w.R_x, (d, D)), R_z=(w.R_z, (d, D)), c=(w.c, (d,)), c_z=(w.c_z, (d,)),
        K=(w.K, (d, None)), b=(w.b, (d,)), X_dt=(w.X_dt, (R, d)), X_B=(w.X_B, (N, d)), X_C=(w.X_C, (N, d)),
        c_dt=(w.c_dt, (R,)), c_B=(w.c_B, (N,)), c_C=(w.c_C, (N,)), W_dt=(w.W_dt, (d, R)), p=(w.p, (d,)),
        D=(w.D, (d,)), W_o=(w.W_o, (D, d)), b_o=(w.b_o, (D,)),
    )  # fmt: skip


def _mamba2(owner: str, w: Mamba2, D: int) -> None:
    d, H, n = len(w.R_x), len(w.A_log), len(w.R_B)
    require(H >= 1 and d % H == 0, f"{owner}: {d} channels are not {H} heads of one size")
    require(w.groups >= 1 and H % w.groups == n % w.groups == 0, f"{owner}: groups {w.groups} do not divide the heads")
    _shaped(
        owner, R_z=(w.R_z, (d, D)), R_x=(w.R_x, (d, D)), R_B=(w.R_B, (n, D)), R_C=(w.R_C, (n, D)),
        R_dt=(w.R_dt, (H, D)), c_z=(w.c_z, (d,)), c=(w.c, (d,)), c_B=(w.c_B, (n,)), c_C=(w.c_C, (n,)),
        K=(w.K, (d + 2 * n, None)), b=(w.b, (d + 2 * n,)), p=(w.p, (H,)), A_log=(w.A_log, (H,)), D=(w.D, (H,)),
        W_o=(w.W_o, (D, d)), b_o=(w.b_o, (D,)),
    )  # fmt: skip
    low, high = w.limits
    require(0 <= low <= high, f"{owner}: limits of steps have to be 0 <= low <= high, found {w.limits}")
    if w.norm is not None:
        require(not w.norm.before_gate, f"{owner}: the program norms after the gate, not before it")
        require(w.norm.groups >= 1 and d % w.norm.groups == 0, f"{owner}: {w.norm.groups} norm groups do not divide d")
        _shaped(owner, gamma=(w.norm.gamma, (d,)))
        _eps(owner, w.norm.eps)
