"""mamba.py (alxndrTL): ``Mamba`` inside its ``LM``, with or without learned norms on dt, B and C."""

from __future__ import annotations

from collections.abc import Callable, Collection

from ssm_bounds.models.files.formats.blocks import Config, Facts, Place, Reader, has, is_mamba1, places, root
from ssm_bounds.models.files.formats.mixer1 import layers1, learned_norms, mixer1
from ssm_bounds.models.files.tensors import Tensors
from ssm_bounds.models.mamba.weights import Mamba1

NAME = "mambapy"
INNER = {"dt": "dt_layernorm.weight", "B": "B_layernorm.weight", "C": "C_layernorm.weight"}


def recognises(names: Collection[str], config: Config) -> bool:
    """It writes no config. A bare ``Mamba`` without inner norms has the names of mamba-minimal, and its program."""
    return is_mamba1(names) and not config and (_normed(names) or (root(names) or "").endswith("mamba."))


def layers(file: Tensors, facts: Facts) -> list[Reader]:
    eps = facts.eps("rms_norm_eps", 1e-5, "eps of every norm")
    normed = _normed(file.tensors)
    if not normed:
        facts.assumed.append("no norms on dt, B and C: those of mamba.py's muP have no weights to be seen by")

    def mixer(place: Place) -> Callable[[], Mamba1]:
        inner = learned_norms(file, place.mixer, INNER, eps) if normed else None
        return mixer1(file, place.mixer, inner, frozenset(INNER.values()) if normed else frozenset())

    return layers1(file, facts, norms=("norm",), eps=eps, mixer=mixer)


def _normed(names: Collection[str]) -> bool:
    return all(has(names, name) for name in INNER.values()) and all(".mixer." in "." + p.mixer for p in places(names))
