"""The proven radius of the program's margins, against the model of theory 1 in ball arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds.evaluate.balls import bits
from ssm_bounds.bounds.gaps.losses import margins
from ssm_bounds.models.files import checkpoint
from ssm_bounds.models.selective_ssm import earlier, radius
from ssm_bounds.models.selective_ssm.weights import Weights
from ssm_bounds.models.tasks.files import read_task
from ssm_bounds.models.tasks.task import Split

PRECISION = 600  # bits; terms of size 2^200 may cancel
UNIT = 2.0**-53


def dot(a, b) -> arb:
    return sum((arb(float(x)) * y for x, y in zip(a, b, strict=True)), arb(0))


def exact_logits(weights: Weights, u: np.ndarray, *, gate: str, convention: str) -> list[arb]:
    """theory 1 for one sequence u (T,d), one number at a time."""
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
    run = earlier.run(weights, data, gate=gate, convention=convention)
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
    """Errors cancel, the radius adds them: about 150 times the error at the median, 20 at the least."""
    found = np.concatenate([ratios(*ordinary(seed, k=k, tokens=tokens)) for seed in range(4)])
    assert (found <= 1).all() and found.max() > 1 / 100 and np.median(1 / found) < 1000


def single(*, gate: str = "none", n: int = 3000, p: float = 0.0, A: float = -1.0, T: int = 1) -> np.ndarray:
    """Ratios of n inputs of one channel, one state, one output."""
    rng = np.random.default_rng(0)
    one, word = np.full((1, 1), 1.7), np.full((1, 1), math.e)
    weights = Weights(A=np.full((1, 1), A), W_B=one, W_C=word, q=np.full(1, 1 / 3), p=p, W=word)
    return ratios(weights, Split(1 + rng.random((n, T, 1)), np.ones(n, dtype=int)), gate=gate)


def test_the_constants_cannot_be_halved_and_halved_again():
    """Without a gate 7 e is claimed of five roundings that may all go one way; of the 9 e of a gate and the 3 e of a
    decay a third is seen."""
    assert 0.4 < single().max() <= 1
    assert 0.2 < single(gate="softplus", p=0.3).max() <= 1
    assert 0.25 < single(gate="softplus", p=-0.5, A=-200.0, T=3).max() <= 1


def underflowing() -> tuple[Weights, Split]:
    """What a token injects falls below the smallest number, and the readout would bring it back."""
    small, large = np.full((1, 1), 2.0**-538), np.full((1, 1), 1.5 * 2.0**800)
    weights = Weights(A=-small, W_B=np.full((1, 1), 1.3), W_C=large, q=np.zeros(1), p=0.5, W=large)
    return weights, Split(small[None] * np.arange(1, 8)[:, None, None], np.ones(7, dtype=int))


def test_numbers_below_the_smallest_are_counted():
    found = ratios(*underflowing())
    assert len(found) == 7 and 1e-5 < found.max() <= 1


@pytest.mark.parametrize(("name", "value"), [("_ABOVE", 1e-3), ("_UNIT", 2.0**-59), ("_TINY", 0.0)])
def test_a_smaller_radius_is_noticed(name, value, monkeypatch):
    monkeypatch.setattr(radius, name, value)
    weights, data = underflowing() if name == "_TINY" else ordinary(0, k=1)
    run = earlier.run(weights, data)
    with bits(PRECISION):
        pairs = zip(margins(run.z, data.y), exact_margins(weights, data), radius.radius(run, data.y), strict=True)
        assert any(abs(arb(float(z)) - true) > arb(float(bound)) for z, true, bound in pairs)


def relative(function, truth, x: np.ndarray, floor: arb) -> float:
    """Largest error in units of 2^-53, after an absolute ``floor``."""
    worst = arb(0)
    with bits(200):
        for value, at in zip(function(x).tolist(), x.tolist(), strict=True):
            true = truth(arb(at))
            worst = arb.max(worst, (abs(arb(value) - true) - floor) / true)
        return float(worst) / UNIT


def test_elementary_errors_are_those_of_the_proof():
    tiny = arb(2) ** -1075
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.uniform(-1, 1, 4000), rng.uniform(-750, 709, 4000), np.arange(-60, 60) * math.log(2) / 2])
    assert 1 < relative(earlier._exp, arb.exp, x, tiny) <= 3
    assert relative(earlier._exp, arb.exp, np.linspace(-800, -700, 2000), tiny) <= 3
    assert not earlier._exp(np.array([-800.1, -1e300, -np.inf])).any()

    def softplus(at: arb) -> arb:
        return at.exp().log1p() if at < 0 else at + (-at).exp().log1p()

    for x in (rng.uniform(-40, 40, 4000), rng.uniform(-1, 1, 4000), np.linspace(-800, 800, 2001)):
        assert relative(earlier.softplus, softplus, x, 8 * tiny) <= 9
    assert relative(earlier.softplus, softplus, np.linspace(-1, 0, 4000), 8 * tiny) > 2


def test_the_numbers_of_the_proof():
    """The recurrences of steps (i) and (ii), in exact arithmetic."""
    r, t, error = Fraction(34658, 100000), Fraction(1), Fraction(0)
    for i in range(14, 1, -1):
        error = (error + 2 * t) * r / i
        t = t * r / i + 1
        error += t
    assert error <= Fraction(1853, 1000) and t <= Fraction(1196, 1000)
    e_r = Fraction(14143, 10000)  # above e^0.34658
    assert 1 + (Fraction(1853, 1000) + Fraction(1196, 1000)) * r * e_r <= Fraction(2495, 1000)
    assert Fraction(2495, 1000) + Fraction(3467, 10000) + Fraction(14, 10**20) * 2**53 <= Fraction(285, 100)
    s, t, error = Fraction(1, 9), Fraction(0), Fraction(0)
    for i in range(35, 0, -2):
        error = (error + 12 * t) * s + (i > 1) * Fraction(1, i)
        t = t * s + Fraction(1, i)
        error += t
    assert error <= Fraction(164, 100) and 5 + error + 1 <= Fraction(765, 100)
    assert s**18 / 37 / (1 - s) <= Fraction(21, 10**20)
    with bits(200):
        assert arb(34658).exp() > 0 and (arb(34658) / 100000).exp() < arb(14143) / 10000
        assert arb(2).log() / 2 + arb(1e-10) < arb(34658) / 100000
        assert abs(arb(earlier._LN2_HIGH) + arb(earlier._LN2_LOW) - arb(2).log()) < arb(2e-10) * arb(UNIT)
    whole = np.arange(-1155, 1156) * earlier._LN2_HIGH
    assert all(
        Fraction(float(w)) == i * Fraction(earlier._LN2_HIGH) for i, w in zip(range(-1155, 1156), whole, strict=True)
    )


def rotation(seed: int, n: int = 300, T: int = 20) -> tuple[Weights, Split]:
    """Tokens that move one state by +v and -v, as often the one as the other: margins of exactly 0."""
    weights = Weights(
        A=np.zeros((2, 1)),
        W_B=np.array([[0.0, 1.0]]),
        W_C=np.array([[0.0, 1.0]]),
        q=np.zeros(2),
        p=0.3,
        W=np.array([[1.0, 0.0]]),
        embedding=np.array([[0.1, 0.3], [-0.1, 0.3]]),
    )
    rng = np.random.default_rng(seed)
    x = rng.permuted(np.tile(np.arange(T) % 2, (n, 1)), axis=1)
    return weights, Split(x, rng.integers(2, size=n))


def test_ties_of_real_arithmetic_are_errors():
    weights, data = rotation(0)
    run = earlier.run(weights, data)
    with bits(PRECISION):
        assert all(true.upper() <= 1e-150 for true in exact_margins(weights, Split(data.x[:5], data.y[:5])))
    right = data.m - earlier.errors(run.z, data.y)
    assert right > data.m / 20  # where rounding fell on the right side
    assert earlier.errors(run.z, data.y, radius.radius(run, data.y)) == data.m
    assert earlier.errors(run.z, data.y, radius.likely(run)) == data.m
    one_more = Split(np.concatenate([data.x, 0 * data.x[:, :1]], axis=1), np.ones_like(data.y))
    run = earlier.run(weights, one_more)
    assert earlier.errors(run.z, one_more.y, radius.radius(run, one_more.y)) == 0
    assert earlier.errors(run.z, one_more.y, radius.likely(run)) == 0


@pytest.mark.parametrize("size", [1e-4, 1e-150, 1e19, 1e200])
@pytest.mark.parametrize("k", [1, 3])
def test_counts_do_not_depend_on_the_size_of_the_logits(size, k):
    weights, data = ordinary(7, k=k, n=200)
    W = weights.W * size
    parts = {name: getattr(weights, name) for name in ("A", "W_B", "W_C", "q", "p", "embedding")}
    run = earlier.run(Weights(**parts, W=W), data)
    found, margin = radius.radius(run, data.y), margins(run.z, data.y)
    wrong = earlier.errors(run.z, data.y)
    assert 20 < wrong < 180 and earlier.errors(run.z, data.y, found) == wrong
    assert np.median(found / np.abs(margin)) < 1e-12


def test_no_radius_where_nothing_is_proven():
    weights, data = ordinary(3, k=1)
    parts = {name: getattr(weights, name) for name in ("W_B", "W_C", "q", "W", "embedding")}
    for changed in ({"A": weights.A * 0 + 800}, {"p": -1e30}):
        run = earlier.run(Weights(**({"A": weights.A, "p": weights.p} | parts | changed)), data)
        assert np.isinf(radius.radius(run, data.y)).all()
        assert earlier.errors(run.z, data.y, radius.radius(run, data.y)) == data.m
    run = earlier.run(Weights(A=weights.A, p=-2000.0, **parts), data)
    assert (radius.radius(run, data.y) < 1e-300).all()  # every gate is below the smallest number


@pytest.mark.parametrize("tokens", [True, False])
@pytest.mark.parametrize("convention", ["code", "paper"])
def test_radius_does_not_depend_on_the_batch(tokens, convention, monkeypatch):
    weights, data = ordinary(4, tokens=tokens)
    whole = radius.radius(earlier.run(weights, data, convention=convention), data.y)
    monkeypatch.setattr(radius, "AT_ONCE", 50)
    again = radius.radius(earlier.run(weights, data, convention=convention), data.y)
    parts = [Split(data.x[i : i + 3], data.y[i : i + 3]) for i in range(0, data.m, 3)]
    alone = np.concatenate([radius.radius(earlier.run(weights, p, convention=convention), p.y) for p in parts])
    assert whole.tobytes() == again.tobytes() == alone.tobytes()


def test_majority_reference(shared):
    weights = checkpoint.read(shared / "checkpoints" / "majority_T200_m1000_seed1.pth").weights
    data = read_task(shared / "data" / "majority_T200_seed1.npz").train
    run = earlier.run(weights, data)
    found = radius.radius(run, data.y)
    assert earlier.errors(run.z, data.y) == earlier.errors(run.z, data.y, found) == 29
    assert 1e-14 < np.median(found / np.abs(margins(run.z, data.y))) < 1e-12
    few = Split(data.x[:5], data.y[:5])
    assert (ratios(weights, few) <= 1).all()
