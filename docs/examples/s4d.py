"""Makes an example: ``s4d.pth``, a linear S4D layer with a readout, and ``s4d.npz``, the rows that it was fitted to.

    python docs/examples/s4d.py [FOLDER]
    ssm-bounds certify docs/examples/s4d.pth --data docs/examples/s4d.npz --input-bound 1
    ssm-bounds measure docs/examples/s4d.pth --data docs/examples/s4d.npz

The label is the sign of a fading mean of the first input. The layer is as the public code begins; the readout alone is
fitted, by least squares.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

M, T, D, N = 3000, 100, 4, 8


def rows(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (M, T, D) of norm below 1, and labels (M,)."""
    x = rng.normal(size=(M, T, D))
    x *= 0.999 * rng.random((M, T, 1)) / np.linalg.norm(x, axis=2, keepdims=True)
    x = x.astype(np.float32)
    return x, (x[:, :, 0].astype(np.float64) @ np.exp(-np.arange(T)[::-1] / 12) > 0).astype(np.int64)


def layer(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """As the public code begins (kernel.C as pairs of reals, B folded into it)."""
    return {
        "kernel.C": rng.normal(size=(D, N, 2)) / np.sqrt(2),
        "kernel.log_dt": rng.uniform(np.log(0.01), np.log(0.1), size=D),
        "kernel.log_A_real": np.full((D, N), np.log(0.5)),
        "kernel.A_imag": np.tile(np.pi * np.arange(N), (D, 1)),
        "D": rng.normal(size=D),
    }


def last_output(tensors: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """y (M, D) after the last token: the convolution of the inputs with the kernels."""
    A = -np.exp(tensors["kernel.log_A_real"]) + 1j * tensors["kernel.A_imag"]
    step = np.exp(tensors["kernel.log_dt"])[:, None] * A
    c = (tensors["kernel.C"][..., 0] + 1j * tensors["kernel.C"][..., 1]) * np.expm1(step) / A
    kernel = 2 * np.einsum("dn,dnl->dl", c, np.exp(step[..., None] * np.arange(T))).real
    kernel[:, 0] += tensors["D"]
    return np.einsum("dl,mld->md", kernel, x[:, ::-1])


def make(folder: Path) -> None:
    """Writes both files."""
    rng = np.random.default_rng(0)
    x, y = rows(rng)
    tensors = layer(rng)
    outputs = last_output(tensors, x)
    tensors["W"] = np.linalg.lstsq(outputs, 2.0 * y - 1, rcond=None)[0][None, :]
    found = {name: torch.tensor(value, dtype=torch.float32) for name, value in tensors.items()}
    torch.save(found, folder / "s4d.pth")
    np.savez(folder / "s4d.npz", x_train=x, y_train=y)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
