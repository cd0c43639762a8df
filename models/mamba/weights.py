"""One Mamba or Mamba-2 mixer as float64 arrays, in the symbols of theory M0, whatever file it came from.

Letters of shapes: D model, d channels, N states, R rank of the step, k taps, H heads, G groups. The norm's weight is
not folded into the rows of in_proj: whoever measures does that. Every array is what the file holds, exactly; only a
multiplier (Falcon-H1, Granite) and in_proj's dt bias are folded in, each product or sum rounded to nearest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """What a block applies to its input: ``gamma`` (D,) of ones where the file has none; a LayerNorm has ``beta``."""

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
class Backward:
    """The second direction of Vision Mamba where it has weights of its own: it reads from the last token on."""

    K: Array  # (d,k)
    b: Array  # (d,)
    X_dt: Array  # (R,d)
    X_B: Array  # (N,d)
    X_C: Array  # (N,d)
    W_dt: Array  # (d,R)
    p: Array  # (d,)
    A_log: Array  # (d,N)
    D: Array  # (d,)


@dataclass(frozen=True, slots=True, eq=False)
class Mamba1:
    """theory M0. Biases that a file has not are zeros.

    ``K`` (d,k): tap i meets the token i places back; in a "same" convolution the token k//2 - i places ahead.
    Two directions: y of both, their skips D included, add up before the gate. Without ``backward`` they share u and
    all weights (typeseg); with it the second one is causal on the reversed tokens, and shares in_proj and out_proj.
    """

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
    backward: Backward | None = None


@dataclass(frozen=True, slots=True, eq=False)
class GatedNorm:
    """The norm of Mamba-2 before out_proj, over groups of d/G channels; ``before_gate``: of y, not of y o SiLU(z)."""

    gamma: Array  # (d,)
    eps: float
    groups: int
    before_gate: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Mamba2:
    """theory M0, M3.3. Rows of in_proj by what they make; the convolution runs over [x | B | C]."""

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
class Vocabulary:
    """What tokens become before the first block: ``size`` rows (D,), which ``blocks(n)`` gives at most n at a time.

    ``rounded``: each number was multiplied by the family's factor, and so may be off by 2^-53 of itself.
    """

    size: int
    blocks: Callable[[int], Iterator[Array]]
    rounded: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One mixer of a model: its place, its name in the file, the norm of its input, its weights.

    ``norm`` None: the file has none, and ``radius`` is what the user stated instead, the largest |v|_2 of an input.
    What the mixer gives is what the block adds to the residual stream: multipliers are folded into W_o.
    ``vocabulary``: of the first block of a model of tokens, all that its norm is ever given; None where it may be
    anything.
    """

    index: int
    name: str
    norm: Norm | None
    mixer: Mamba1 | Mamba2
    radius: float | None = None
    vocabulary: Vocabulary | None = None
