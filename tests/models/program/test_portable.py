"""The hash of the logits is the same for any product that is exact, any batch, BLAS kernel, vector width, threads.

Other kernels of OpenBLAS and NumPy without the instructions that it found at hand stand for other machines. What the
program does not use, products of numbers that are not rounded, comes out otherwise there, and is seen to.
"""

from __future__ import annotations

import functools
import json
from typing import Any

import numpy as np
import pytest
import torch

from ssm_bounds.models.program import primitives
from ssm_bounds.models.program.evaluate import digest
from tests.machines import EVERYTHING, FEATURES, KERNELS, TWO_THREADS, printed
from tests.models.program.elsewhere import ALL, CONTROLS, KINDS, ROWS, answers, hashes, using
from tests.portable import kernel

ORDER = np.random.default_rng(2)


def permuted(W, q):
    order = ORDER.permutation(len(q))
    return W[:, order] @ q[order]


def split(W, q):
    at = len(q) // 3
    return W[:, at:] @ q[at:] + W[:, :at] @ q[:at]


def by_rows(W, q):
    return np.stack([(row[:, None] * q).sum(axis=0) for row in W])


PRODUCTS = {
    "torch.mm": lambda W, q: torch.mm(torch.from_numpy(W), torch.from_numpy(q)).numpy(),
    "einsum": lambda W, q: np.einsum("kn,nb->kb", W, q),
    "integers": lambda W, q: (W.astype(np.int64) @ q.astype(np.int64)).astype(np.float64),
    "permuted": permuted,
    "split": split,
    "row by row": by_rows,
    "zeros with a sign": lambda W, q: -(W @ -q),
    "transposed": lambda W, q: (q.T.copy() @ W.T.copy()).T,
}


@pytest.fixture(scope="module")
def here() -> dict[str, dict[str, str]]:
    return {kind: hashes(kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PRODUCTS)
def test_any_exact_product(here, kind, name):
    with using((primitives, "product", PRODUCTS[name])):
        assert digest(answers(kind)(ALL)) == here[kind]["program"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 7, 64])
def test_any_batch(here, kind, size):
    found = answers(kind)
    assert digest(*(found(slice(i, i + size)) for i in range(0, ROWS, size))) == here[kind]["program"]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_in_any_order(here, kind):
    order = np.random.default_rng(5).permutation(ROWS)
    assert digest(answers(kind)(order)[np.argsort(order)]) == here[kind]["program"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("control", CONTROLS)
def test_the_controls_are_other_programs(here, kind, control):
    assert here[kind][control] != here[kind]["program"]


@pytest.mark.parametrize("control", [name for name in CONTROLS if "product" in name])
def test_a_batch_would_be_seen(control):
    """A control's row is not the same alone: these rows and sizes are enough to tell."""
    found = answers("mamba1", tested=False)
    with using(*CONTROLS[control]):
        assert digest(*(found(slice(i, i + 1)) for i in range(ROWS))) != digest(found(ALL))


@functools.cache
def elsewhere(place: str) -> dict[str, Any]:
    return json.loads(printed("-m", "tests.models.program.elsewhere", **PLACES[place]))


PLACES = {
    "two threads": TWO_THREADS,
    "no special instructions": {"NPY_DISABLE_CPU_FEATURES": FEATURES},
    **{name: {"OPENBLAS_CORETYPE": name} for name in KERNELS},
    "everything": EVERYTHING,
}


@pytest.mark.parametrize("place", PLACES)
def test_elsewhere(here, place):
    there = elsewhere(place)
    assert {kind: found["program"] for kind, found in there["hashes"].items()} == {
        kind: found["program"] for kind, found in here.items()
    }


def test_what_is_not_rounded_is_not_the_same_elsewhere(here):
    there = elsewhere("everything")
    if there["kernel"] == kernel():
        pytest.skip("OpenBLAS has one kernel here")
    for kind in KINDS:
        name = "a product of what is not rounded"
        assert there["hashes"][kind][name] != here[kind][name]
