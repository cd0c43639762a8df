"""The program of the paper's model on a machine whose arithmetic has been looked at: else it refuses to run."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from ssm_bounds.bounds.values import Gate
from ssm_bounds.models.files.checkpoint import Convention
from ssm_bounds.models.program.selftest import require_bits, require_exact
from ssm_bounds.models.selective_ssm import vectors
from ssm_bounds.models.selective_ssm.program import prepared, run
from ssm_bounds.models.selective_ssm.weights import Array, Weights


def logits(weights: Weights, x: NDArray, *, gate: Gate = "softplus", convention: Convention = "code") -> Array:
    """:func:`program.run` on a machine that has passed the self-test. Raises: DomainError."""
    require_exact()
    _require_vectors()
    return run(prepared(weights, gate=gate, convention=convention), x)


@functools.cache
def _require_vectors() -> None:
    """Once in a process."""
    for name, example in vectors.EXAMPLES.items():
        found = run(prepared(example.weights, gate=example.gate, convention=example.convention), example.x)
        require_bits(f"the example of the paper's model, {name},", found.ravel(), np.ravel(example.logits).tolist())
