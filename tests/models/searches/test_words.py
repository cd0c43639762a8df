"""Words of classifiers of Mamba blocks: which tensors a family moves, and the model that the exact program runs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ssm_bounds.bounds.codes.families import coded
from ssm_bounds.bounds.codes.word import Coded, Word
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.mamba.design import Design
from ssm_bounds.models.mamba.module import MambaClassifier
from ssm_bounds.models.mamba.start import narrowed, start
from ssm_bounds.models.program.evaluate import logits
from ssm_bounds.models.program.run import prepared
from ssm_bounds.models.searches.words import counted, parts, scratch, stack
from ssm_bounds.models.tasks.task import Split

PLAIN = {"final_norm": True, "outputs": 3}


def drawn(design, seed=0):
    """A start whose zeros and ones are moved too."""
    rng = np.random.default_rng(seed)
    return {name: value + 0.2 * rng.normal(size=value.shape) for name, value in start(design, seed).items()}


@pytest.mark.parametrize(
    "design",
    [
        Design(V=5, pad=0, layers=2, N=3, k=3, pooling="mean", **PLAIN),
        Design(c=2, layers=2, D=17, k=4, expand=1, **PLAIN),
        Design(mixer="mamba2", V=5, D=8, N=3, P=4, G=2, layers=2, pooling="mean", **PLAIN),
        Design(mixer="mamba2", c=2, P=8, expand=2, **PLAIN),
    ],
)
def test_the_program_runs_the_model_of_these_names(design):
    rng, tensors = np.random.default_rng(1), drawn(design)
    x = rng.integers(1, 5, (9, 11)) if design.V else rng.normal(size=(9, 11, 2))
    lengths = rng.integers(4, 12, 9)
    model = MambaClassifier.from_tensors(design, tensors, dtype=torch.float64)
    with torch.no_grad():
        expected = model(torch.from_numpy(x), torch.from_numpy(lengths)).numpy()
    found = logits(prepared(stack(design, tensors)), x, lengths)
    assert np.abs(found - expected).max() < 1e-4 < 0.1 < np.abs(found).max()


@pytest.mark.parametrize(
    ("D", "family", "size"),
    [(16, "full", 5_434), (32, "full", 17_258), (32, "bitfit", 1_354), (32, "head", 330)],
)
def test_how_many_numbers_a_family_moves(D, family, size):
    """Of the models of MNIST-1D: the first two as theory 8.16 says."""
    design = Design(c=1, outputs=10, layers=2, D=D, N=8, final_norm=True, pooling="mean")
    shapes = coded(family, parts(design))
    assert sum(map(math.prod, shapes.values())) == size
    assert list(shapes) == [name for name in start(design, 0) if name in shapes]
    assert [name for name in shapes if name.endswith(("A_log", "x_proj.weight"))] == [
        f"backbone.layers.{i}.mixer.{name}" for i in range(2) for name in ("x_proj.weight", "A_log") if family == "full"
    ]


def test_it_counts_what_the_program_answers():
    """The label is the sign of the head's only row that is moved: 3 rows of 10 are wrong."""
    design = Design(V=3, D=16, N=8, **PLAIN)
    base = narrowed(start(design, 0))
    x, y = np.ones((10, 4), dtype=np.int64), np.repeat([2, 0], [7, 3])
    z = np.array([0, 0, 2])
    tensors = dict.fromkeys(coded("head", parts(design))) | {"score.bias": Coded(z, 0, 0)}
    word = Word("head", tensors, start=scratch(design, 0))
    found = counted(word, design, base, Split(x, y), 0.05)
    assert (found.errors, found.m) == (3, 10)
    assert float(found.nats.upper) == pytest.approx(word.about(), rel=1e-12) and found.risk.float_upper() < 1
    still = Word("head", dict.fromkeys(tensors), start=scratch(design, 0))
    assert counted(still, design, base, Split(x, y), 0.05).errors == 10  # all logits are alike
    assert counted(word, design, dict(sorted(base.items())), Split(x, y), 0.05).errors == 3
    with pytest.raises(DomainError, match=r"score\.bias missing, or too many"):
        counted(word, design, {name: base[name] for name in base if name != "score.bias"}, Split(x, y), 0.05)


def test_what_a_word_from_scratch_says():
    found = scratch(Design(c=1, D=16, layers=2, N=8, k=4, pooling="mean", **PLAIN), 7)
    assert (found.width, found.layers, found.states, found.convolution) == (16, 2, 8, 4)
    assert (found.expand, found.pooling, found.seed) == (2, "mean", 7)
    for sizes, message in (({"D": 17}, "width"), ({"N": 4}, "states"), ({"mixer": "mamba2"}, "Mamba blocks")):
        with pytest.raises(DomainError, match=message):
            scratch(Design(**({"V": 3, "D": 16, "N": 8} | PLAIN | sizes)), 0)


def test_a_single_output_has_no_such_search():
    design = Design(**({"V": 3} | PLAIN | {"outputs": 1}))
    with pytest.raises(DomainError, match="2 outputs or more"):
        stack(design, start(design, 0))


@pytest.mark.parametrize("other", [{"final_norm": False}, {"pool_before_norm": True, "pooling": "mean"}])
def test_norms_are_where_the_design_has_them(other):
    design = Design(**({"V": 3} | PLAIN | other))
    made = stack(design, start(design, 0))
    assert (made.norm is not None, made.pool_before_norm) == (design.final_norm, design.pool_before_norm)
