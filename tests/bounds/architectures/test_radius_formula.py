"""The radius against a second writing of its proof, (iii) to (vi), in balls: no term may be dropped from the code."""

from __future__ import annotations

import math

import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings

from ssm_bounds.bounds.evaluate.balls import bits
from ssm_bounds.bounds.gaps.losses import margins
from ssm_bounds.models.selective_ssm import earlier, radius
from ssm_bounds.models.selective_ssm.earlier import product, softplus
from ssm_bounds.models.selective_ssm.weights import Weights
from ssm_bounds.models.tasks.task import Split
from tests.models.selective_ssm.test_radius import models

E, W = arb(2) ** -53, arb(2) ** -1075
EXP, SOFTPLUS = 3, 9


def size(a: float, b: float = 1.0) -> arb:
    return abs(arb(float(a)) * arb(float(b)))


def total(parts) -> arb:
    return sum(parts, arb(0))


def token_errors(weights: Weights, u: np.ndarray, gate: str):
    """Step and rho, (iii); then for each state the error of the decay, (iv), and that of the injection, (v)."""
    d, step, rho = weights.d, 1.0, arb(0)
    if gate == "softplus":
        step = float(softplus(product(u[None], weights.q[None]) + weights.p)[0, 0])
        f = (d + 1) * E * (size(weights.p) + total(map(size, weights.q, u))) + d * W
        moved = f * (1 + f)
        if step > 0:
            moved = arb.min(moved, f / arb(step))
        rho = SOFTPLUS * E + moved
    decays = earlier._exp(step * weights.A)
    decay_errors, inject_errors = np.empty((2, d, weights.N), dtype=object)
    for j in range(d):
        for n in range(weights.N):
            g = arb.min(size(step, weights.A[j, n]), arb(800)) * (rho + E) + (size(weights.A[j, n]) + 1) * W
            decay_errors[j, n] = arb(float(decays[j, n])) * (g + g * g + EXP * E) + 4 * W
            G, moved = total(map(size, weights.W_B[n], u)), size(step, u[j])
            whole = (moved * (rho + E) + (4 + 32 * size(u[j])) * W) * G
            inject_errors[j, n] = whole + moved * (d * E * G + d * W) + E * moved * G + W
    return step, decays, decay_errors, inject_errors


def logit_errors(weights: Weights, u: np.ndarray, run: earlier.Run, row: int) -> list[arb]:
    """(vi), at the states that the program computes."""
    d, N, tokens = weights.d, weights.N, u if run.convention == "code" else u[:-1]
    x, F = np.zeros((d, N)), np.full((d, N), arb(0), dtype=object)
    for token in tokens:
        step, decays, of_decay, of_inject = token_errors(weights, token, run.gate)
        B = product(token[None], weights.W_B)[0]
        for j in range(d):
            for n in range(N):
                D, before = arb(float(decays[j, n])), size(x[j, n])
                K = of_decay[j, n] + 2 * E * D
                F[j, n] = D * F[j, n] + K * (F[j, n] + before) + of_inject[j, n] + W
        x = x * decays + (step * token)[:, None] * B
    assert np.array_equal(x.ravel(), run.x[row])
    C, c = run.C[row], [d * E * total(map(size, weights.W_C[n], u[-1])) + d * W for n in range(N)]
    y = [
        d * E * size(run.y[row, j])
        + N * W
        + total(
            size(x[j, n]) * (c[n] + N * E * size(C[n])) + (F[j, n] + E * size(x[j, n])) * (size(C[n]) + c[n])
            for n in range(N)
        )
        for j in range(d)
    ]
    return [d * W + total(size(entry) * error for entry, error in zip(read, y, strict=True)) for read in weights.W]


def formula(weights: Weights, data: Split, run: earlier.Run, row: int) -> arb:
    u = (data.x[row] if weights.embedding is None else weights.embedding[data.x[row]]).astype(float)
    errors, label = logit_errors(weights, u, run, row), int(data.y[row])
    if len(errors) == 1:
        return errors[0]
    margin = margins(run.z[row : row + 1], data.y[row : row + 1])[0]
    others = [error for i, error in enumerate(errors) if i != label]
    for error in others[1:]:
        others[0] = arb.max(others[0], error)
    return errors[label] + others[0] + E * size(margin)


@settings(max_examples=60)
@given(models())
def test_the_code_is_at_least_the_formula(model):
    weights, data, gate, convention = model
    run = earlier.run(weights, data, gate=gate, convention=convention)
    found = radius.radius(run, data.y)
    with np.errstate(all="ignore"), bits(400):
        for row in np.flatnonzero(np.isfinite(found))[:2]:
            expected = formula(weights, data, run, int(row))
            assert arb(float(found[row])) >= expected * (1 + arb(2) ** -11)
            ordinary = expected > arb(2) ** -300  # below, the allowance for underflow is generous
            assert not ordinary or math.isclose(float(found[row]), float(expected.mid()), rel_tol=0.01)


@pytest.mark.parametrize(
    ("name", "value"), [("_UNIT", 2.0**-53 * 0.995), ("_EXP", 2.9), ("_SOFTPLUS", 8.9), ("_ABOVE", 1.0)]
)
def test_a_smaller_constant_is_seen(monkeypatch, name, value):
    """Each constant of the code, less by little, on models where it counts."""
    monkeypatch.setattr(radius, name, value)
    seen = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        one = np.ones((1, 1))
        weights = Weights(A=-4 * one, W_B=one, W_C=one, q=0 * one[0], p=-30.0, W=one, embedding=rng.normal(size=(3, 1)))
        data = Split(rng.integers(3, size=(2, 4)), np.array([0, 1]))
        run = earlier.run(weights, data)
        with bits(400):
            expected = [formula(weights, data, run, row) * (1 + arb(2) ** -11) for row in range(2)]
        seen += sum(not arb(float(r)) >= e for r, e in zip(radius.radius(run, data.y), expected, strict=True))
    assert seen > 0
