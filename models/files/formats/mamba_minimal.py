"""mamba-minimal (johnma2006), and a bare ``Mamba`` of mamba.py, whose names and program are the same."""

from __future__ import annotations

from collections.abc import Collection

from ssm_bounds.models.files.formats.blocks import Config, Facts, Reader, has, is_mamba1, places, root
from ssm_bounds.models.files.formats.mixer1 import layers1, mixer1
from ssm_bounds.models.files.tensors import Tensors

NAME = "mamba_minimal"


def recognises(names: Collection[str], config: Config) -> bool:
    """It writes no config, and its layers stand at the top."""
    plain = is_mamba1(names) and not any(has(names, f"{x}.weight") for x in ("B_layernorm", "dt_layernorm"))
    one_way = not (has(names, "A_b_log") or has(names, "A_log_b"))
    return plain and one_way and not config and root(names) == "" and all(".mixer." in p.mixer for p in places(names))


def layers(file: Tensors, facts: Facts) -> list[Reader]:
    eps = facts.eps("eps", 1e-5)
    return layers1(file, facts, norms=("norm",), eps=eps, mixer=lambda place: mixer1(file, place.mixer))
