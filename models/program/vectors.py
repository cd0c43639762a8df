"""The vectors of theory 8.13, to the last bit: what an implementation of the program has to give.

Vectors of Mamba-2 are of this file: made here and by the second writing in ``tests/models/program/oracle.py``.
"""

from __future__ import annotations

from itertools import count

import numpy as np

from ssm_bounds.models.mamba.weights import Array, GatedNorm, Layer, Mamba1, Mamba2, Norm
from ssm_bounds.models.program.stack import Embedding, Projection, Stack

FUNCTIONS = {
    "exp": {
        -745.2: "0x1.14f2b0fb92fdap-1010",
        -1.0: "0x1.78b563529dc88p-2",
        0.5: "0x1.a61298e179000p+0",
        10.0: "0x1.5829dcf2d59d4p+14",
    },
    "softplus": {
        -30.0: "0x1.a56e0c2a59c69p-44",
        -1.0: "0x1.40c7abf015b39p-2",
        0.0: "0x1.62e42fe6f2dc4p-1",
        20.0: "0x1.400000008da43p+4",
    },
    "silu": {
        -30.0: "-0x1.8b172b67b415ep-39",
        -1.0: "-0x1.1365613ca4496p-2",
        0.5: "0x1.3eb2fd4d4922bp-2",
        3.0: "0x1.6dc9d8d2a3efep+1",
    },
    "ln": {1e-9: "-0x1.4b927f32bffb8p+4", 0.5: "-0x1.62e42fefa39efp-1", 3.0: "0x1.193ea7aad030dp+0"},
}

X = np.array([[((37 * (5 * i + j)) % 101 - 50) / (7, 3e5, 1e-6)[i] for j in range(5)] for i in range(3)])
W = np.array([[((53 * (5 * i + j)) % 89 - 44) / (9, 1100)[i] for j in range(5)] for i in range(2)])
FIRST_Q, FIRST_E = (-7489829, -1947355, 3595118, -5991863, -449390), 3
FIRST_W = (-160199, 32768, -98304, 94663, -36409)
PRODUCT = (
    ("0x1.afbef4p+2", "-0x1.00bb2f8c09p-1"),
    ("-0x1.da93df21d8p-13", "0x1.dce1145906p-18"),
    ("0x1.21eb1b8d8p+24", "0x1.8bf38a298p+20"),
)

LENGTHS = (5, 3)
REAL = np.array([[[((7 * b + 3 * t) % 11 - 5) / 4] for t in range(5)] for b in range(2)])
LOGITS1 = (
    ("0x1.257c958p-4", "0x1.88df80dp-2", "-0x1.72da81ep-3"),
    ("-0x1.a529824p-4", "0x1.9dc09b7p-2", "-0x1.21e7647p-2"),
)
TOKENS = np.array([[(7 * b + 3 * t) % 5 for t in range(5)] for b in range(2)])
LOGITS2 = (
    ("0x1.a066fa8p-2", "-0x1.7832e58p-2", "0x1.2a65c8p-3"),
    ("0x1.88e3372p-2", "0x1.c4b8a3cp-3", "0x1.3e23dd8p-3"),
)


class Tensors:
    """Tensor k, flat index i: ``((37 i + 11 k) mod 101 - 50)/128``, norms plus 1."""

    def __init__(self) -> None:
        self._k = count()

    def __call__(self, *shape: int) -> Array:
        k, i = next(self._k), np.arange(int(np.prod(shape)))
        return (((37 * i + 11 * k) % 101 - 50) / 128).reshape(shape)

    def norm(self, size: int) -> Norm:
        return Norm("rms", 1 + self(size), 1e-5)


def mamba1() -> Stack:
    """Two layers on one real input, the mean pooled."""
    tensors, D, d, N, R = Tensors(), 4, 8, 2, 1
    entry = Projection(tensors(D, 1), tensors(D))
    layers = []
    for index in range(2):
        norm, into, K, b, low = tensors.norm(D), tensors(2 * d, D), tensors(d, 3), tensors(d), tensors(R + 2 * N, d)
        mixer = Mamba1(
            R_x=into[:d], R_z=into[d:], K=K[:, ::-1], b=b, X_dt=low[:R], X_B=low[R : R + N], X_C=low[R + N :],
            W_dt=tensors(d, R), p=tensors(d), A_log=tensors(d, N), D=tensors(d), W_o=tensors(D, d),
            c=np.zeros(d), c_z=np.zeros(d), c_dt=np.zeros(R), c_B=np.zeros(N), c_C=np.zeros(N), b_o=np.zeros(D),
        )  # fmt: skip
        layers.append(Layer(index, f"layers.{index}", norm, mixer))
    return Stack(entry, tuple(layers), tensors.norm(D), tensors(3, D), tensors(3), "mean")


def mamba2() -> Stack:
    """Two layers on five tokens, the last position pooled: 4 heads of 2 channels in 2 groups, norms over 2 groups.

    Tensors in the order embedding; per layer norm, in_proj, conv_w, conv_b, dt_bias, A_log, D, norm of the gate,
    out_proj; norm_f, head, head_b. Limits of the steps 1/2 and 7/8.
    """
    tensors, D, d, N, H, G = Tensors(), 4, 8, 3, 4, 2
    entry = Embedding(tensors(5, D))
    layers = []
    for index in range(2):
        norm, into = tensors.norm(D), tensors(2 * d + 2 * G * N + H, D)
        z, x, B, C, dt = np.split(into, np.cumsum([d, d, G * N, G * N]))
        mixer = Mamba2(
            R_z=z, R_x=x, R_B=B, R_C=C, R_dt=dt, K=tensors(d + 2 * G * N, 3)[:, ::-1], b=tensors(d + 2 * G * N),
            p=tensors(H), A_log=tensors(H), D=tensors(H), norm=GatedNorm(1 + tensors(d), 1e-5, 2), W_o=tensors(D, d),
            c=np.zeros(d), c_z=np.zeros(d), c_B=np.zeros(G * N), c_C=np.zeros(G * N), b_o=np.zeros(D),
            groups=G, limits=(0.5, 0.875),
        )  # fmt: skip
        layers.append(Layer(index, f"layers.{index}", norm, mixer))
    return Stack(entry, tuple(layers), tensors.norm(D), tensors(3, D), tensors(3), "last")
