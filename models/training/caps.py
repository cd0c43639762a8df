"""Class constants that training keeps: caps on s_A and on norms, and the projection onto them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from ssm_bounds.models.selective_ssm.module import SelectiveSSM

# Projected in float64 onto a ball this much smaller: rounding to float32 moves an entry by 2^-24 of itself, hence a
# matrix by at most 2^-24 of its Frobenius norm, so the rounded one is inside up to rank 4096.
_SHRINK = 1 - 2.0**-18
_NEAR = 1 - 2.0**-40  # norms are computed in float64 here, and certified elsewhere


@dataclass(frozen=True, slots=True)
class Caps:
    """Largest values of the constants of theory 1; None where there is no cap.

    ``s_A``: spectral abscissa. ``B_A``: largest |a_jn|. ``B_u``: l2 norm of an embedding row. ``B_B``, ``B_C``,
    ``B_w``: spectral norms of W_B, W_C, W. ``B_q``: l2 norm of q. Raises: ValueError.
    """

    s_A: float | None = None
    B_A: float | None = None
    B_u: float | None = None
    B_B: float | None = None
    B_C: float | None = None
    B_q: float | None = None
    B_w: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not (math.isfinite(value) and (value > 0 or field.name == "s_A")):
                wanted = "a finite number" if field.name == "s_A" else "a finite number > 0"
                raise ValueError(f"cap {field.name}: expected {wanted}, got {value}")
        if self.s_A is not None and self.B_A is not None and self.s_A < -self.B_A:
            raise ValueError(f"caps: no A has entries in [-B_A, s_A] = [{-self.B_A:g}, {self.s_A:g}]")


@torch.no_grad()
def project(model: SelectiveSSM, caps: Caps) -> None:
    """Move each block of the model to the nearest one (Frobenius) that meets the caps, in place.

    Entries of A are clipped, singular values of W_B, W_C and W are clipped, q and rows of the embedding are scaled.
    Afterwards the constants that ``selective_ssm.measure.measure`` certifies do not exceed the caps (of s_A and B_A, as
    float32 numbers rounded down); a block within its cap is left alone.
    """
    if caps.s_A is not None or caps.B_A is not None:
        low = None if caps.B_A is None else -_below(caps.B_A, model.A)
        high = min(_below(cap, model.A) for cap in (caps.s_A, caps.B_A) if cap is not None)
        model.A.clamp_(low, high)
    for matrix, cap in ((model.W_B, caps.B_B), (model.W_C, caps.B_C), (model.W, caps.B_w)):
        if cap is not None:
            _clip_singular_values(matrix, cap)
    if caps.B_q is not None:
        _clip_rows(model.q[None], caps.B_q)
    if caps.B_u is not None and model.embedding is not None:
        _clip_rows(model.embedding.weight, caps.B_u)


def _below(cap: float, like: Tensor) -> float:
    """The largest number of the tensor's dtype that is at most ``cap``."""
    near = torch.tensor(cap, dtype=like.dtype)
    return (near if near.item() <= cap else near.nextafter(near.new_tensor(-math.inf))).item()


def _clip_singular_values(matrix: Tensor, cap: float) -> None:
    exact = matrix.double()
    if not bool((torch.linalg.matrix_norm(exact, ord=2) > cap * _NEAR).item()):
        return
    U, values, Vh = torch.linalg.svd(exact, full_matrices=False)
    matrix.copy_((U * values.clamp_max(cap * _SHRINK)) @ Vh)


def _clip_rows(rows: Tensor, cap: float) -> None:
    norms = torch.linalg.vector_norm(rows.double(), dim=1, keepdim=True)
    far = (norms > cap * _NEAR)[:, 0]
    rows[far] = (rows[far].double() * (cap * _SHRINK / norms[far])).to(rows.dtype)
