"""lower <= estimate <= upper on small classes, with exact oracles; members that certainly lie in the class."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from ssm_bounds.bounds.architectures.selective_ssm.constants import ClassConstants
from ssm_bounds.bounds.architectures.selective_ssm.lower import ball_class, ball_class_upper, largest_output
from ssm_bounds.bounds.values import DomainError, Sample
from ssm_bounds.models.searches import rademacher
from ssm_bounds.models.searches.rademacher import attained, check_member, estimate
from ssm_bounds.models.selective_ssm.scan import last_output
from ssm_bounds.models.selective_ssm.weights import Weights

BALL = ClassConstants(
    d=2, N=2, k=1, V=None, gate="softplus", s_A=-0.25, B_A=2.0, M_A=None, B_u=1.5, B_B=2.0, M_B=None, B_C=1.25,
    M_C=None, B_q=0.75, M_q=None, p_lo=-2.0, p_hi=-1.0, B_w=3.0, M_w=None,
)  # fmt: skip
CASES = [
    pytest.param(replace(BALL, d=d, N=N, s_A=s_A), m, T, id=f"d={d},N={N},T={T},m={m},s_A={s_A}")
    for (d, N, T, m), s_A in itertools.product(
        [(1, 1, 1, 1), (1, 1, 1, 2), (1, 2, 3, 5), (2, 2, 4, 6), (3, 2, 2, 4)], [-0.25, 0.0, 0.125]
    )
]


def constant(constants, m, T):
    """The constant input B_u e_1 of theory 9.1."""
    u = np.zeros((m, T, constants.d))
    u[..., 0] = constants.B_u
    return u


def random(constants, m, T, seed=0):
    """Tokens uniform in direction, of norm up to B_u."""
    rng = np.random.default_rng(seed)
    u = rng.normal(size=(m, T, constants.d))
    u *= rng.uniform(0.5, 0.99, size=(m, T, 1)) * constants.B_u / np.linalg.norm(u, axis=2, keepdims=True)
    return u


def in_order(lower, found, upper):
    """A lower bound that the ascent reaches to 1 % and, with no tolerance, an estimate from below under the upper."""
    return Fraction(0.99) * lower <= found <= upper


@pytest.mark.parametrize(("constants", "m", "T"), CASES)
def test_constant_input(constants, m, T):
    """9.1 is exact there, so the estimate lies between 0.99 of it and it; and below 9.2 on every sample."""
    sample = Sample(m, T)
    found = estimate(constants, constant(constants, m, T), restarts=2).mean
    exact = ball_class(constants, sample)
    lower, upper = Fraction(exact.float_lower()), ball_class_upper(constants, sample).float_upper()
    assert found <= exact.float_lower()
    assert in_order(lower, found, upper)
    assert not in_order(lower * Fraction(103, 100), found, upper)  # mutation: a lower bound raised by 3 %
    assert not in_order(lower, found, upper / (1.02 * upper / found))
    assert not in_order(lower, found, upper / 20)  # the slack of 9.2 is below 20 for m <= 6


@pytest.mark.parametrize(("constants", "m", "T"), CASES)
def test_random_inputs(constants, m, T):
    sample = Sample(m, T)
    found = estimate(constants, random(constants, m, T), restarts=2)
    Z = largest_output(constants, T)
    assert 0 < found.mean <= min(Z.float_lower(), ball_class_upper(constants, sample).float_lower())
    assert (found.values <= Z.float_lower()).all()


@pytest.mark.parametrize("m", [2, 3, 4])
def test_orthogonal_tokens(m):
    """d = N = m, T = 1, no gate: W_B, W_C multiples of I give ``Rad = Z/sqrt m``, more than the constant input's."""
    constants = replace(BALL, d=m, N=m, gate="none", B_q=0.0, p_lo=0.0, p_hi=0.0)
    found = estimate(constants, BALL.B_u * np.eye(m)[:, None])
    exact = largest_output(constants, 1).float_upper() / math.sqrt(m)
    assert 0.999 * exact < found.mean <= exact
    assert found.mean > ball_class(constants, Sample(m, 1)).float_upper()


def test_where_the_upper_bound_is_not_trivial():
    """m so large that 9.2 is below Z: an estimate with an error bar, on a seeded sample of sign vectors."""
    constants, m, T = replace(BALL, d=1, N=1), 4000, 1
    sample, delta = Sample(m, T), 0.05
    Z = largest_output(constants, T).float_upper()
    exact, upper = ball_class(constants, sample), ball_class_upper(constants, sample)
    assert upper.float_upper() < 0.9 * Z
    found = estimate(constants, constant(constants, m, T), vectors=24, restarts=1, seed=3)
    t = found.confidence(Z, delta)
    assert t < 0.8 * found.mean
    assert exact.float_upper() <= found.mean + t
    assert 0 < found.at_least(Z, delta) <= exact.float_lower() <= upper.float_lower()
    assert abs(found.mean - exact.float_lower()) < 4 * found.standard_error
    assert upper.float_upper() / 200 < found.mean  # mutation: 9.2 divided by 200 is refuted


def oracle(constants, u, signs, grid):
    """d = N = T = 1: ``z = w c b softplus(p + q u) u^3``, the largest correlation over a grid of (p, q)."""
    p = np.linspace(constants.p_lo, constants.p_hi, grid)[:, None, None]
    q = np.linspace(-constants.B_q, constants.B_q, grid)[None, :, None]
    gates = np.log1p(np.exp(p + q * u))
    return constants.B_w * constants.B_B * constants.B_C * abs(gates * u**3 @ signs).max() / len(u)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_against_a_grid(seed):
    constants = replace(BALL, d=1, N=1)
    u = random(constants, 5, 1, seed)
    found = estimate(constants, u, restarts=8)
    best = np.array([oracle(constants, u[:, 0, 0], signs, 200) for signs in found.signs])
    assert (found.values <= 1.002 * best).all()
    assert found.mean >= 0.995 * best.mean()


def test_against_a_grid_of_decays():
    """d = N = 1, T = 2, no gate: ``z = w c u_2 b (e^a u_1^2 + u_2^2)``, largest over a grid of a."""
    constants = replace(BALL, d=1, N=1, gate="none", B_q=0.0, p_lo=0.0, p_hi=0.0, s_A=0.5)
    u = random(constants, 6, 2, 5)
    found = estimate(constants, u)
    first, last = u[:, 0, 0], u[:, 1, 0]
    outputs = last * (np.exp(np.linspace(-2, 0.5, 500)[:, None]) * first**2 + last**2)
    for value, signs in zip(found.values, found.signs, strict=True):
        assert value == pytest.approx(3 * 2 * 1.25 * abs(outputs @ signs).max() / 6, rel=1e-3)


def test_all_sign_vectors_up_to_symmetry():
    found = estimate(BALL, random(BALL, 4, 2), restarts=1)
    both = {tuple(row) for row in found.signs.tolist()} | {tuple(row) for row in (-found.signs).tolist()}
    assert both == set(itertools.product((-1, 1), repeat=4))
    assert found.exhaustive and found.standard_error == 0 == found.confidence(7.0, 0.01)
    assert found.at_least(7.0, 0.01) == found.mean
    assert Fraction(found.mean) <= sum(map(Fraction, found.values.tolist())) / 8


@pytest.mark.parametrize("gate", ["softplus", "none"])
def test_members_attain_what_is_said(gate):
    """The certified value is that of the program, less than its rounding below it."""
    constants = replace(BALL, d=3) if gate == "softplus" else replace(BALL, gate="none", B_q=0.0, p_lo=0.0, p_hi=0.0)
    u = random(constants, 4, 5)
    found = estimate(constants, u, restarts=2)
    for value, signs, w in zip(found.values, found.signs, found.members, strict=True):
        check_member(w, constants)
        blocks = (torch.tensor(x) for x in (w.A, w.W_B, w.W_C, w.q, [w.p]))
        z = last_output(torch.from_numpy(u), *blocks, gate=gate, form="sequential").numpy() @ w.W[0]
        assert value == pytest.approx(float(signs @ z) / 4, rel=1e-12)
        assert value == attained(w, gate, signs, u)
        assert attained(w, gate, -signs, u) == 0  # W = 0 does better


def test_more_restarts_and_every_seed_stay_below():
    u = constant(BALL, 3, 3)
    exact = ball_class(BALL, Sample(3, 3)).float_lower()
    values = [estimate(BALL, u, restarts=r, seed=s).mean for r, s in ((1, 0), (8, 0), (1, 1), (1, 2))]
    assert max(values) <= exact and min(values) > 0.99 * exact
    assert estimate(BALL, u, seed=5).mean == estimate(BALL, u, seed=5).mean


def test_a_sample_of_sign_vectors_against_all_of_them():
    u = random(BALL, 8, 2)
    Z = largest_output(BALL, 2).float_upper()
    every, some = estimate(BALL, u, restarts=2), estimate(BALL, u, vectors=60, restarts=2, seed=1)
    assert some.signs.shape == (60, 8) and not some.exhaustive
    assert abs(some.mean - every.mean) < 4 * some.standard_error
    assert some.at_least(Z, 0.05) <= every.mean
    # McDiarmid over 480 signs beats Hoeffding over 60 vectors, and is not below it by more than that
    t = some.confidence(Z, 0.05)
    assert t == pytest.approx(Z * math.sqrt(2 * math.log(20) / 480))
    assert t >= Z * math.sqrt(2 * math.log(20) / 480) * (1 - 1e-15)
    assert estimate(BALL, u[:3], vectors=2).confidence(1.0, 0.05) == pytest.approx(math.sqrt(math.log(20) / 4))
    assert estimate(BALL, u[:3], vectors=1).standard_error == math.inf


def test_chunks_do_not_change_what_is_certified(monkeypatch):
    u = constant(BALL, 4, 2)
    monkeypatch.setattr(rademacher, "_LARGEST_BATCH", 100)
    exact = ball_class(BALL, Sample(4, 2)).float_lower()
    assert 0.99 * exact < estimate(BALL, u, restarts=2).mean <= exact


def test_degenerate_classes():
    u = random(BALL, 3, 2)
    for changes in ({"B_w": 0.0}, {"B_B": 0.0}):
        assert estimate(replace(BALL, **changes), u).mean == 0
    fixed = replace(BALL, B_A=0.25, B_q=0.0, p_lo=-1.0)  # one decay, one gate
    assert all((w.A == -0.25).all() and w.p == -1.0 and not w.q.any() for w in estimate(fixed, u).members)
    assert estimate(BALL, np.zeros((2, 3, 2))).mean == 0


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"W_B": 1.0}, "B_B"), ({"W_C": 1.0}, "B_C"), ({"q": 1.0}, "B_q"), ({"W": 1.0}, "B_w"),
        ({"A": -0.25}, "s_A"), ({"A": -2.0}, "B_A"), ({"p": -1.0}, "p_hi"), ({"p": -2.0}, "-p_lo"),
    ],
)  # fmt: skip
def test_a_member_out_of_the_class_is_refused(changes, name):
    """Each block at its limit passes, and an ulp (a few for spectral norms, which are bounds) beyond does not."""
    e = np.zeros((2, 2))
    e[0, 0] = 1.0
    unit = {"W_B": 2.0 * e, "W_C": 1.25 * e, "q": 0.75 * e[0], "W": 3.0 * e[:1], "A": np.full((2, 2), -1.0), "p": -1.5}
    limit = dict(unit)
    (block, value), = changes.items()  # fmt: skip
    if block in ("A", "p"):
        outward = 1 if name in ("s_A", "p_hi") else -1
        limit[block] = np.full((2, 2), value) if block == "A" else value
        beyond = np.nextafter(limit[block], outward * np.inf)
    else:
        limit[block] = unit[block] * (1 - 1e-15)
        beyond = unit[block] * (1 + 1e-15)
    inside = {k: v * (1 - 1e-15) if k in ("W_B", "W_C") else v for k, v in limit.items()}
    check_member(Weights(**inside), BALL)
    with pytest.raises(DomainError, match=f"exceeds {name} ="):
        check_member(Weights(**inside | {block: beyond if block == "A" or block != "p" else float(beyond)}), BALL)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"k": 2}, {}, "one output"),
        ({"V": 5}, {}, "without V"),
        ({"M": 1.0}, {}, "without M"),
        ({"M_B": 9.0}, {}, "without M_B"),
        ({"p_lo": Fraction(-5, 3)}, {}, "float64 weights"),
        ({"B_u": 1.0}, {}, "exceeds B_u"),
        ({"d": 3}, {}, "expected shape"),
        ({}, {"vectors": 0}, "at least one"),
        ({}, {"restarts": 0}, "restarts >= 1"),
    ],
)
def test_refused(changes, options, message):
    with pytest.raises(DomainError, match=message):
        estimate(replace(BALL, **changes), constant(BALL, 2, 2), **options)


def test_refused_samples_and_levels():
    with pytest.raises(DomainError, match="say how many vectors"):
        estimate(BALL, constant(BALL, 13, 1))
    for bad in (np.full((2, 2, 2), np.nan), np.zeros((0, 2, 2)), np.zeros((2, 2))):
        with pytest.raises(DomainError, match="inputs"):
            estimate(BALL, bad)
    found = estimate(BALL, constant(BALL, 2, 1), vectors=2, restarts=1)
    with pytest.raises(DomainError, match="delta"):
        found.confidence(1.0, 1.0)
    with pytest.raises(DomainError, match="finite"):
        found.confidence(math.inf, 0.5)
