"""Small classifiers of two blocks with real inputs, and rows that they can learn."""

from __future__ import annotations

import numpy as np
import pytest

import ssm_bounds
from ssm_bounds.models.files import classifier as files
from ssm_bounds.models.mamba.design import Design
from ssm_bounds.models.mamba.start import narrowed, start
from ssm_bounds.models.searches import head
from ssm_bounds.models.tasks.arrays import write_arrays
from ssm_bounds.models.tasks.task import Split, Task

T = 8
DESIGN = {"c": 1, "D": 16, "N": 8, "k": 3, "layers": 2, "outputs": 3, "final_norm": True, "pooling": "mean"}


def trained(folder, seed=0, **design):
    """A folder as a training leaves it, its head drawn at random."""
    made = Design(**DESIGN | design)
    tensors = {name: value.astype(np.float32) for name, value in narrowed(start(made, seed)).items()}
    rng = np.random.default_rng(5)
    tensors["score.weight"] = rng.normal(size=tensors["score.weight"].shape).astype(np.float32)
    folder.mkdir(exist_ok=True)
    labels = tuple("abcdefghij")[: max(2, made.outputs)]
    files.write(folder, made, tensors, labels=labels, seed=seed, training={"T": T})
    return folder


def rows(m, rng, labels=None) -> Split:
    """Waves of three lengths."""
    y = rng.integers(0, 3, m)
    x = np.sin(np.arange(T) * (0.5 + 0.5 * y[:, None])) + 0.2 * rng.normal(size=(m, T))
    return Split(x[:, :, None], y if labels is None else labels(m))


def task(m=300, test=100, seed=1, labels=None) -> Task:
    rng = np.random.default_rng(seed)
    return Task("waves", rows(m, rng, labels), rows(test, rng) if test else None, k=3, V=None)


def worded(folder, data, base=None):
    """A trained folder ``stack``, rows ``data.npz``, and a head ``word`` that was quickly found for them, around the
    start or a ``base``."""
    trained(folder / "stack")
    write_arrays(folder / "data.npz", data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(head, "_KICKS", 1)
        patch.setattr(head, "_ROWS", 1)
        search = ssm_bounds.Search(occam=True, family="head", base=base, save=folder / "word")
        ssm_bounds.certify(ssm_bounds.ask(folder / "stack", data=data, search=search))
    return folder
