"""The weights of one selective SSM classifier, as plain arrays: what a checkpoint holds and what the norms measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHAPES: Mapping[str, str] = {
    "A": "dN",
    "W_B": "Nd",
    "W_C": "Nd",
    "q": "d",
    "p": "",
    "W": "kd",
    "embedding": "Vd",
}
"""Dimensions of each block, one letter per axis: d channels, N states per channel, k outputs, V embedding rows."""


class WeightsError(ValueError):
    """Arrays that are not the weights of one model: a shape, dtype or value that does not fit."""


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Weights of ``z = W y_T`` (theory 1), copied to read-only float64 arrays.

    Shapes: as in ``SHAPES``. ``A`` holds the diagonal entries a_jn themselves (no exponential, no change of sign).
    ``embedding`` is None for real-valued inputs. Raises: WeightsError.

    >>> ones = np.ones((3, 2))
    >>> Weights(A=-ones, W_B=ones.T, W_C=ones.T, q=ones[:, 0], p=0.0, W=ones.T).k
    2
    """

    A: Array
    W_B: Array
    W_C: Array
    q: Array
    p: float
    W: Array
    embedding: Array | None = None

    def __post_init__(self) -> None:
        present = [name for name in SHAPES if name != "embedding" or self.embedding is not None]
        arrays = {name: float64(name, getattr(self, name)) for name in present}
        check_shapes({name: array.shape for name, array in arrays.items()}, SHAPES)
        for name, array in arrays.items():
            object.__setattr__(self, name, array if SHAPES[name] else float(array))

    @property
    def d(self) -> int:
        """Channels."""
        return self.A.shape[0]

    @property
    def N(self) -> int:
        """States per channel."""
        return self.A.shape[1]

    @property
    def k(self) -> int:
        """Outputs."""
        return self.W.shape[0]

    @property
    def V(self) -> int | None:
        """Embedding rows; None for real-valued inputs."""
        return None if self.embedding is None else self.embedding.shape[0]


def check_shapes(shapes: Mapping[str, tuple[int, ...]], letters: Mapping[str, str]) -> None:
    """Require each shape to fit its ``letters``: a digit is that size, a letter is one size >= 1 throughout.

    Raises: WeightsError naming the array and the array that fixed the size it contradicts.

    >>> check_shapes({"A": (16, 4), "W_B": (4, 15)}, SHAPES)
    Traceback (most recent call last):
    ssm_bounds.models.selective_ssm.weights.WeightsError: W_B: expected shape (N, d) with N = 4 as in A, d = ...
    """
    fixed: dict[str, tuple[int, str]] = {}
    for name, shape in shapes.items():
        axes = letters[name]
        wanted = [int(axis) if axis.isdigit() else fixed.get(axis, (None, ""))[0] for axis in axes]
        if len(shape) != len(axes) or any(
            size < 1 or want not in (None, size) for size, want in zip(shape, wanted, strict=True)
        ):
            known = [f"{axis} = {fixed[axis][0]} as in {fixed[axis][1]}" for axis in axes if axis in fixed]
            known += ["every size at least 1"] * (0 in shape)
            raise WeightsError(
                f"{name}: expected shape ({', '.join(axes)}{',' * (len(axes) == 1)})"
                f"{' with ' * bool(known)}{', '.join(known)}; found {shape}"
            )
        fixed |= {axis: (size, name) for axis, size in zip(axes, shape, strict=True) if axis not in fixed}


def float64(name: str, value: object) -> Array:
    """A read-only copy; only float types whose values float64 holds exactly."""
    array = np.asarray(value)
    if array.dtype not in (np.float16, np.float32, np.float64):
        raise WeightsError(f"{name}: expected float32 or float64 values, found dtype {array.dtype}")
    array = np.array(array, dtype=np.float64, order="C")
    if not np.isfinite(array).all():
        raise WeightsError(f"{name}: expected finite values, found {np.count_nonzero(~np.isfinite(array))} NaN or inf")
    array.flags.writeable = False
    return array
