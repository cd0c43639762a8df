"""One Mamba or Mamba-2 mixer as float64 arrays, in the symbols of theory-mamba M0, whatever file it came from.

Letters of shapes: D model, d channels, N states, R rank of the step, k taps, H heads, G groups. The norm's weight is
not folded into the rows of in_proj: whoever measures does that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """What a block applies to its input: ``gamma`` (D,), ones where the file has none, ``beta`` (D,) of a LayerNorm."""

    kind: Literal["rms", "layer"]
    gamma: Array
    eps: float
    beta: Array | None = None


@dataclass(frozen=True, slots=True, eq=False)
class InnerNorms:
    """RMS norms on dt, B and C before they are used: weightless in FalconMamba (ones), with weights in Jamba."""

    dt: Array  # (R,)
    B: Array  # (N,)
    C: Array  # (N,)
    eps: float


@dataclass(frozen=True, slots=True, eq=False)
class Mamba1:
    """theory-mamba M0. ``K`` (d,k): tap 0 is the current token. Biases that a file has not are zeros."""

    R_x: Array  # (d,D)
    R_z: Array  # (d,D)
    c: Array  # (d,)
    c_z: Array  # (d,)
    K: Array  # (d,k)
    b: Array  # (d,)
    X_dt: Array  # (R,d)
    X_B: Array  # (N,d)
    X_C: Array  # (N,d)
    c_dt: Array  # (R,)
    c_B: Array  # (N,)
    c_C: Array  # (N,)
    W_dt: Array  # (d,R)
    p: Array  # (d,)
    A_log: Array  # (d,N)
    D: Array  # (d,)
    W_o: Array  # (D,d)
    b_o: Array  # (D,)
    inner: InnerNorms | None = None
    convolution: Literal["causal", "same"] = "causal"
    directions: Literal[1, 2] = 1
    step_offset: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class GatedNorm:
    """The norm of Mamba-2 before out_proj, over ``groups`` of channels; ``before_gate``: of y alone."""

    gamma: Array  # (d,)
    eps: float
    groups: int
    before_gate: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Mamba2:
    """theory-mamba M0, M3.3. Rows of in_proj by what they make; the convolution runs over [x | B | C]."""

    R_z: Array  # (d,D)
    R_x: Array  # (d,D)
    R_B: Array  # (G N,D)
    R_C: Array  # (G N,D)
    R_dt: Array  # (H,D)
    c_z: Array  # (d,)
    c: Array  # (d,)
    c_B: Array  # (G N,)
    c_C: Array  # (G N,)
    K: Array  # (d + 2 G N,k)
    b: Array  # (d + 2 G N,)
    p: Array  # (H,), with in_proj's dt bias
    A_log: Array  # (H,)
    D: Array  # (H,)
    W_o: Array  # (D,d)
    b_o: Array  # (D,)
    groups: int  # of B and C
    norm: GatedNorm | None
    limits: tuple[float, float] = (0.0, float("inf"))


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One mixer of a model: its place, its input norm (None: nothing bounds its input), and its weights."""

    index: int
    name: str
    norm: Norm | None
    mixer: Mamba1 | Mamba2
