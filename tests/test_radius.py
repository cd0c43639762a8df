"""The proven radius of the program's margins, against the model of theory.md 1 in ball arithmetic."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from flint import arb
from hypothesis import example, given
from hypothesis import strategies as st

from bounds.enclose import bits
from bounds.losses import margins
from models import checkpoint, program, radius
from models.tasks.files import read_task
from models.tasks.task import Split
from models.weights import Weights

PRECISION = 600  # bits; terms of size 2^200 may cancel
UNIT = 2.0**-53


def dot(a, b) -> arb:
    return sum((arb(float(x)) * y for x, y in zip(a, b, strict=True)), arb(0))


def exact_logits(weights: Weights, u: np.ndarray, *, gate: str, convention: str) -> list[arb]:
    """theory.md 1 for one sequence u (T,d), one number at a time."""
    d, N = weights.A.shape
    x = [[arb(0)] * N for _ in range(d)]
    balls = [[arb(float(value)) for value in row] for row in u]
    for token in balls if convention == "code" else balls[:-1]:
        logit = arb(weights.p) + dot(weights.q, token)
        step = arb(1) if gate == "none" else logit.exp().log1p() if logit < 0 else logit + (-logit).exp().log1p()
        B = [dot(row, token) for row in weights.W_B]
        x = [
            [(step * arb(float(weights.A[j, n]))).exp() * x[j][n] + step * token[j] * B[n] for n in range(N)]
            for j in range(d)
        ]
    C = [dot(row, balls[-1]) for row in weights.W_C]
    y = [sum((x[j][n] * C[n] for n in range(N)), arb(0)) for j in range(d)]
    return [dot(row, y) for row in weights.W]


def exact_margins(weights: Weights, data: Split, *, gate: str = "softplus", convention: str = "code") -> list[arb]:
    found = []
    for row, label in zip(data.x, data.y.tolist(), strict=True):
        u = row if weights.embedding is None else weights.embedding[row]
        z = exact_logits(weights, u, gate=gate, convention=convention)
        if len(z) == 1:
            found.append(z[0] if label == 1 else -z[0])
        else:
            others = [value for i, value in enumerate(z) if i != label]
            top = others[0]
            for value in others[1:]:
                top = arb.max(top, value)
            found.append(z[label] - top)
    return found


def ratios(weights: Weights, data: Split, *, gate: str = "softplus", convention: str = "code") -> np.ndarray:
    """Error of the computed margin over its radius, for the rows that have one; at most 1 is the claim."""
    run = program.run(weights, data, gate=gate, convention=convention)
    found = radius.radius(run, data.y)
    with np.errstate(all="ignore"):
        computed = margins(run.z, data.y)
    assert not np.isnan(found).any() and (found > 0).all()
    kept = []
    with bits(PRECISION):
        for value, bound, true in zip(
            computed, found, exact_margins(weights, data, gate=gate, convention=convention), strict=True
        ):
            if math.isfinite(bound):
                error = abs(arb(float(value)) - true)
                assert error.rel_accuracy_bits() > 30 or error.upper() < arb(float(bound)) / 1000
                kept.append(float((error / arb(float(bound))).upper()))
    return np.array(kept)


@st.composite
def models(draw) -> tuple[Weights, Split, str, str]:
    """Small models, each block at a scale of its own: from ordinary to what overflows or underflows."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    d, N, k, T, V = (draw(st.integers(1, high)) for high in (3, 3, 3, 12, 4))
    wide = draw(st.booleans())

    def block(name: str, *shape: int) -> np.ndarray:
        ordinary = {"q": (-3, 3), "A": (-6, 9), "p": (-4, 10)}.get(name, (-4, 4))
        low, high = (-520, 300) if wide and name not in ("A", "q", "p") else ordinary
        value = rng.normal(size=shape) * 2.0 ** draw(st.integers(low, high), label=name)
        kind = draw(st.sampled_from(["normal", "integers", "zeros"]))
        if kind == "integers":
            return np.rint(rng.normal(size=shape) * 3)
        return value * (rng.random(size=shape) < 0.6) if kind == "zeros" else value

    A = block("A", d, N)
    A = draw(st.sampled_from([-np.abs(A), A, np.abs(A) / 64]))
    tokens = draw(st.booleans())
    weights = Weights(
        A=A,
        W_B=block("W_B", N, d),
        W_C=block("W_C", N, d),
        q=block("q", d),
        p=float(block("p", 1)[0]),
        W=block("W", k, d),
        embedding=block("embedding", V, d) if tokens else None,
    )
    x = rng.integers(V, size=(6, T)) if tokens else rng.normal(size=(6, T, d)) * 2.0 ** draw(st.integers(-8, 4))
    data = Split(x, rng.integers(max(k, 2), size=6))
    return weights, data, draw(st.sampled_from(["softplus", "none"])), draw(st.sampled_from(["code", "paper"]))


@given(models())
def test_no_margin_is_off_by_more_than_its_radius(model):
    weights, data, gate, convention = model
    assert (ratios(weights, data, gate=gate, convention=convention) <= 1).all()


def ordinary(seed: int, *, d: int = 4, N: int = 2, k: int = 2, T: int = 40, tokens: bool = True, n: int = 25):
    rng = np.random.default_rng(seed)
    weights = Weights(
        A=-np.abs(rng.normal(size=(d, N))),
        W_B=rng.normal(size=(N, d)),
        W_C=rng.normal(size=(N, d)),
        q=rng.normal(size=d),
        p=float(rng.normal()),
        W=rng.normal(size=(k, d)),
        embedding=rng.normal(size=(6, d)) if tokens else None,
    )
    x = rng.integers(6, size=(n, T)) if tokens else rng.normal(size=(n, T, d))
    return weights, Split(x, rng.integers(max(k, 2), size=n))


@pytest.mark.parametrize("tokens", [True, False])
@pytest.mark.parametrize("k", [1, 3])
def test_slack_on_ordinary_models(tokens, k):
    found = np.concatenate([ratios(*ordinary(seed, k=k, tokens=tokens)) for seed in range(4)])
    print(np.median(1/found), 1/found.max())
    assert (found <= 1).all() and np.median(1 / found) < 1000
