"""Signatures as states of a nilpotent equation against RoughPy and pysiglib, on random paths: the extra ``peers``."""

from __future__ import annotations

import numpy as np
import pytest

from ssm_bounds.models.linear_cde.signature import signature


def by_roughpy(path: np.ndarray, depth: int) -> np.ndarray:
    rp = pytest.importorskip("roughpy", reason="RoughPy is not installed: pip install 'ssm-bounds[peers]'")
    steps = np.diff(path, axis=0)
    context = rp.get_context(path.shape[1], depth, rp.DPReal)
    stream = rp.LieIncrementStream.from_increments(steps, indices=np.arange(len(steps), dtype=float), ctx=context)
    return np.array(stream.signature(rp.RealInterval(0, len(steps)), resolution=10))


def by_pysiglib(path: np.ndarray, depth: int) -> np.ndarray:
    library = pytest.importorskip("pysiglib", reason="pysiglib is not installed: pip install 'ssm-bounds[peers]'")
    size = sum(path.shape[1] ** k for k in range(depth + 1))
    return np.append(1.0, np.ravel(library.sig(path, depth)))[-size:]  # with or without the empty word


@pytest.mark.parametrize("other", [by_roughpy, by_pysiglib])
@pytest.mark.parametrize(("letters", "depth", "points"), [(1, 5, 4), (2, 6, 7), (3, 4, 9), (5, 3, 5)])
def test_another_library_agrees(other, letters, depth, points):
    rng = np.random.default_rng(letters)
    path = rng.normal(size=(points, letters))
    ours = np.array([float(value) for value in signature(path.tolist(), depth).values()])
    theirs = other(path, depth)
    assert np.abs(ours - theirs).max() <= 1e-12 * np.abs(ours).max()
    backwards = np.array([float(value) for value in signature(path[::-1].tolist(), depth).values()])
    assert np.abs(backwards - theirs).max() > 1e-3 * np.abs(ours).max()  # another path is another signature
