"""beta coefficients of the paper's model by theorem, read from its table: A, B (W_B), C (W_C), g (gate; q in the
published chain), w (readout), e (embedding)."""

from __future__ import annotations

from sympy import Expr

from ssm_bounds.bounds.architectures.selective_ssm.table import PUBLISHED_STATE, SELECTIVE_SSM

__all__ = ["EMBEDDING", "PUBLISHED", "PUBLISHED_ALPHA", "PUBLISHED_STATE", "REPAIRED", "SHARP", "VOCABULARY"]

SHARP: dict[str, Expr] = SELECTIVE_SSM.beta("sharp")
VOCABULARY: dict[str, Expr] = SELECTIVE_SSM.beta("vocabulary")
REPAIRED: dict[str, Expr] = SELECTIVE_SSM.beta("repaired")
EMBEDDING: Expr = SELECTIVE_SSM.beta("embedding")["e"]

_PUBLISHED = SELECTIVE_SSM.under("published")
PUBLISHED: dict[str, Expr] = {block.key: block.beta["published"] for block in _PUBLISHED}
PUBLISHED_ALPHA: dict[str, Expr] = {block.key: block.alpha for block in _PUBLISHED if block.alpha is not None}
