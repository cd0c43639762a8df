"""The weights that a word stands for: ``theta = decode(base, word)``, a fixed function of both (theory 8.12)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ssm_bounds.bounds.codes.families import SUBSPACE, Family, Part, coded, reach
from ssm_bounds.bounds.codes.moves import lora, moved, scaled, subspace, uniform
from ssm_bounds.bounds.codes.word import Coded, Word
from ssm_bounds.bounds.evaluate.elementary import Floats
from ssm_bounds.bounds.values import require


def decode(word: Word, parts: Mapping[str, Part], base: Mapping[str, Floats]) -> dict[str, Floats]:
    """Every tensor of the model, in float64. ``base``: what is moved, from scratch the start of the word's seed. c of
    each tensor that the subspace moves is :func:`ssm_bounds.bounds.codes.families.reach`. Raises: DomainError.
    """
    require(list(base) == list(parts), f"decode: the base has {', '.join(base)}, the model {', '.join(parts)}")
    for name, part in parts.items():
        found = base[name]
        fits = found.shape == part.shape and found.dtype == np.float64 and bool(np.isfinite(found).all())
        require(fits, f"{name}: needs finite float64 {part.shape}, got {found.dtype} {found.shape}")
    word.require_shapes(coded(word.family, parts, word.size))
    seed = 0 if word.start is None else word.start.seed
    starts = centres(word.family, parts, base, word.size, seed)
    weights: dict[str, Floats] = {}
    for name, start in base.items():
        if name in word.tensors:
            weights[name] = _moved(word.tensors[name], start)
        elif f"{name}.A" in word.tensors:
            first, second = word.tensors[f"{name}.A"], word.tensors[f"{name}.B"]
            grown = starts[f"{name}.B"] if second is None else scaled(second.z, second.step)
            weights[name] = lora(start, _moved(first, starts[f"{name}.A"]), grown)
        else:
            weights[name] = start
    vector = word.tensors.get(SUBSPACE)
    if vector is not None:
        still = {name: start for name, start in weights.items() if name not in word.tensors}
        scales = {name: reach(parts[name], len(vector.z)) for name in still}
        weights |= subspace(still, vector.z, vector.step, scales, seed)
    return weights


def centres(
    family: Family, parts: Mapping[str, Part], base: Mapping[str, Floats], size: int | None = None, seed: int = 0
) -> dict[str, Floats]:
    """Where integers of zero leave each tensor of the word. Source: theory 8.12.

    lora: A_0 is drawn for every matrix, in order, over the root of its columns, and B starts at 0.
    """
    numbers, found = np.random.Philox(key=seed), dict[str, Floats]()
    for name, shape in coded(family, parts, size).items():
        if name in base:
            found[name] = base[name]
        elif name.endswith(".A"):
            drawn = uniform(numbers, math.prod(shape)).reshape(shape)
            found[name] = np.asarray(drawn / np.sqrt(float(shape[1])))
        else:
            found[name] = np.zeros(shape)
    return found


def _moved(tensor: Coded | None, start: Floats) -> Floats:
    """A tensor that is not coded stays where it is: its integers are all zero."""
    if tensor is None:
        return start
    return moved(start if tensor.centre == "base" else np.zeros_like(start), tensor.z, tensor.step)
