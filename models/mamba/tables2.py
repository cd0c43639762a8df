"""One Mamba-2 block with its readout as tables over a small vocabulary (theory M5.1), as ``tables`` has one of Mamba.

``f = rho_v s + sum_j omega_j w_j``: omega is ``W_o^T w`` times the weight of the norm after the gate, and f the logit
times the positive number s that this norm divides by (theory M5.2 (b)). Beside the tables, everything is in the file.
"""

from __future__ import annotations

import numpy as np
from flint import arb

from ssm_bounds.bounds.architectures.mamba.heads import Fixed
from ssm_bounds.bounds.architectures.mamba.suprema import Range
from ssm_bounds.bounds.evaluate.balls import START_BITS, bits
from ssm_bounds.bounds.values import DomainError, require
from ssm_bounds.models.mamba.classifier import Classifier
from ssm_bounds.models.mamba.tables import beside, one_layer, projected, ranged, read_out
from ssm_bounds.models.mamba.weights import Mamba2


def mixer2(classifier: Classifier) -> Mamba2:
    """The one block, if the theorem is about it. Raises: DomainError naming the hypothesis that it breaks."""
    found = one_layer(classifier).mixer
    if not isinstance(found, Mamba2):
        raise DomainError("this block is Mamba, not Mamba-2")
    require(bool(np.isfinite(found.A_log).all()), "A_log holds -infinity: a decay of 0 has no logarithm to move")
    norm = found.norm
    if norm is not None:
        require(not norm.before_gate, "theory M5.2 states no norm before the gate")
        require(norm.groups == 1, f"theory M5.2 states one norm over all channels, not one of {norm.groups} groups")
        require(norm.eps > 0, "the norm after the gate has an eps of 0: where nothing passes the gate it has no value")
        require(
            classifier.pooling == "last", "a mean over tokens after the norm of a block is not covered (theory M5.2)"
        )
    return found


def tables2(classifier: Classifier) -> dict[str, Range]:
    """By block of ``architectures.mamba.heads.BLOCKS2``. Raises: DomainError."""
    found = mixer2(classifier)
    rows, shift = np.vstack([found.R_x, found.R_B, found.R_C]), np.hstack([found.c, found.c_B, found.c_C])
    parts = {"XBC": (rows, shift), "Z": (found.R_z, found.c_z), "L": (found.R_dt, found.p)}
    with bits(START_BITS):
        made = {name: projected(classifier, *part) for name, part in parts.items()}
        omega = read_out(classifier, found.W_o)
        if found.norm is not None:
            omega = [x * arb(gamma) for x, gamma in zip(omega, found.norm.gamma.tolist(), strict=True)]
        rho = beside(classifier, found.b_o)
        own = {name: ranged(x.entries(), (x.nrows(), x.ncols())) for name, x in made.items()}
        own |= {"omega": ranged(omega, (len(omega),)), "rho": ranged(rho, (len(rho),))}
    return own | {name: (getattr(found, name), getattr(found, name)) for name in ("K", "b", "A_log", "D")}


def fixed(classifier: Classifier) -> Fixed:
    """What no training of the block moves."""
    found = mixer2(classifier)
    return Fixed(found.groups, found.limits, None if found.norm is None else found.norm.eps)
