"""How each family names the tensors of its Mamba mixers: one file each, held to ``blocks.Format``."""

from __future__ import annotations

from ssm_bounds.models.files.formats import (
    bamba,
    falcon_h1,
    falcon_mamba,
    granite,
    jamba,
    mamba,
    mamba2,
    mamba_minimal,
    mamba_ssm,
    mambapy,
    nemotron_h,
    vision_mamba,
    zamba2,
)
from ssm_bounds.models.files.formats.blocks import Format

FORMATS: tuple[Format, ...] = (
    mamba_ssm,
    mamba,
    falcon_mamba,
    mamba2,
    jamba,
    bamba,
    zamba2,
    nemotron_h,
    granite,
    falcon_h1,
    mambapy,
    mamba_minimal,
    vision_mamba,
)
"""Every format that is read without a map of names. At most one recognises a file."""
