"""The weights that a word stands for: ``theta = decode(base, word)``, a fixed function of both (theory 8.12)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ssm_bounds.bounds.codes.families import SUBSPACE, Part, coded
from ssm_bounds.bounds.codes.moves import lora, moved, scaled, subspace, uniform
from ssm_bounds.bounds.codes.word import Coded, Word
from ssm_bounds.bounds.evaluate.elementary import Floats
from ssm_bounds.bounds.values import require


def decode(
    word: Word, parts: Mapping[str, Part], base: Mapping[str, Floats], scales: Mapping[str, float] | None = None
) -> dict[str, Floats]:
    """Every tensor of the model, in float64. ``base``: what is moved, from scratch the start of the word's seed.

    ``scales``: c of each tensor that the subspace moves, fixed before the data; 1 where nothing is said. Raises:
    DomainError.
    """
    require(list(base) == list(parts), f"decode: the base has {', '.join(base)}, the model {', '.join(parts)}")
    for name, part in parts.items():
        found = base[name]
        fits = found.shape == part.shape and found.dtype == np.float64 and bool(np.isfinite(found).all())
        require(fits, f"{name}: needs finite float64 {part.shape}, got {found.dtype} {found.shape}")
    word.require_shapes(coded(word.family, parts, word.size))
    seed = 0 if word.start is None else word.start.seed
    numbers = np.random.Philox(key=seed)
    weights: dict[str, Floats] = {}
    for name, start in base.items():
        if name in word.tensors:
            weights[name] = _moved(word.tensors[name], start)
        elif f"{name}.A" in word.tensors:
            first, second = word.tensors[f"{name}.A"], word.tensors[f"{name}.B"]
            weights[name] = lora(start, *_factors(first, second, start, word.size or 0, numbers))
        else:
            weights[name] = start
    vector = word.tensors.get(SUBSPACE)
    if vector is not None:
        still = {name: start for name, start in weights.items() if name not in word.tensors}
        known = {name: (scales or {}).get(name, 1.0) for name in still}
        weights |= subspace(still, vector.z, vector.step, known, seed)
    return weights


def _moved(tensor: Coded | None, start: Floats) -> Floats:
    """A tensor that is not coded stays where it is: its integers are all zero."""
    if tensor is None:
        return start
    return moved(start if tensor.centre == "base" else np.zeros_like(start), tensor.z, tensor.step)


def _factors(
    first: Coded | None, second: Coded | None, start: Floats, rank: int, numbers: np.random.Philox
) -> tuple[Floats, Floats]:
    """A and B of lora: A_0 is drawn for every matrix, in order, over the root of its columns; B starts at 0."""
    rows, columns = start.shape
    drawn = uniform(numbers, rank * columns).reshape(rank, columns) / np.sqrt(float(columns))
    return _moved(first, drawn), np.zeros((rows, rank)) if second is None else scaled(second.z, second.step)
