"""The recurrent network's table: its sums in rationals, its moves attained and never exceeded, U in a ball of beta."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures import rnn
from ssm_bounds.bounds.architectures.entropy import entropy
from ssm_bounds.bounds.evaluate.balls import Enclosure, enclose
from ssm_bounds.bounds.values import DomainError


def values(*, beta, T, d=4, slope=1, B_V=1, B_W=1, B_u=1, b=1):
    sizes = {sym.d: d, sym.k: 1, sym.T: T, sym.b_h: b} | rnn.of_beta(beta, slope)
    return sizes | {sym.B_V: B_V, sym.B_W: B_W, sym.B_u: B_u}


def beta_of(given_values, definitions) -> dict[str, float]:
    return {
        block.key: enclose(block.beta["sharp"], {**definitions, **given_values}).float_upper()
        for block in rnn.RNN.blocks
    }


def by_hand(beta: Fraction, T: int, drive: Fraction, cap: Fraction | None) -> tuple[Fraction, Fraction]:
    """H_T and ``sum_{i<T} beta^i H_{T-1-i}``, one state after the other."""
    H = [Fraction(0)]
    for _ in range(T):
        H.append(beta * H[-1] + drive)  # unbounded
    if cap is not None:
        H = [min(h, cap) for h in H]
    return H[T], sum((beta**i * H[T - 1 - i] for i in range(T)), Fraction(0))


BETAS = (Fraction(1, 50), Fraction(9, 10), 1, Fraction(11, 10), 3)


@pytest.mark.parametrize("T", [1, 2, 3, 17, 60])
@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("slope", [1, Fraction(3, 2)])
def test_the_sums_are_those_of_the_recursion(beta, T, slope):
    """d = 4, so that the bound by entries is rational: ``b_h sqrt d`` = 2 b_h."""
    for b in (None, Fraction(1, 3), 1, 100):
        where = values(beta=beta, T=T, slope=slope, B_W=Fraction(2, 3), B_u=2, b=b or 1)
        definitions, cap = (rnn.FREE, None) if b is None else (rnn.BOUNDED, 2 * Fraction(b))
        if b is not None:
            where[sym.J] = rnn.switch(where, T)
        exact = by_hand(Fraction(beta), T, slope * Fraction(2, 3) * 2, cap)
        for symbol, value in zip((sym.B_h, sym.G_h), exact, strict=True):
            found, point = enclose(symbol, {**definitions, **where}), Enclosure.point(value)
            assert found.lower <= point.upper and point.lower <= found.upper
            assert found.float_upper() == pytest.approx(float(value), rel=1e-12)


@pytest.mark.parametrize("beta", BETAS)
def test_every_switch_gives_a_bound_and_the_chosen_one_the_least(beta):
    where = values(beta=beta, T=12)
    sums = [enclose(sym.G_h, {**rnn.BOUNDED, **where, sym.J: j}).float_upper() for j in range(12)]
    assert sums[rnn.switch(where, 12)] == pytest.approx(min(sums), rel=1e-12)
    assert max(sums) <= enclose(sym.G_h, {**rnn.FREE, **where}).float_upper() * 5


def test_a_length_costs_nothing():
    where = values(beta=Fraction(9, 10), T=10**18, d=16)
    found = enclose(sym.G_h, {**rnn.BOUNDED, **where, sym.J: rnn.switch(where, 10**18)})
    assert found.float_upper() == pytest.approx(40)  # 4/(1 - 0.9)


def run(V, U, W, X, activation):
    state = np.zeros(len(U))
    for token in X:
        state = activation(U @ state + W @ token)
    return V @ state


@pytest.mark.parametrize("T", [1, 2, 7])
@pytest.mark.parametrize("beta", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("block", ["V", "U", "W"])
def test_each_coefficient_is_attained_by_one_channel(T, beta, block):
    """3 % less is refuted; at T = 1 the output does not depend on U."""
    step, at = 2.0**-12, {"V": 2.0, "U": beta, "W": 1.0}
    moved = at | {block: at[block] - step}
    X = np.full((T, 1), 0.5)
    one, other = (run(*(np.array([[of[name]]]) for name in ("V", "U", "W")), X, lambda x: x) for of in (at, moved))
    where = values(beta=Fraction(beta), T=T, d=1, B_V=2, B_u=Fraction(1, 2))
    bound = beta_of(where, rnn.FREE)[block] * step
    assert 0.97 * bound <= abs(one - other).item() <= bound * (1 + 1e-9)
    assert bound > 0 or (T == 1 and block == "U")


@given(st.integers(1, 3), st.integers(1, 6), st.sampled_from([0.3, 1.0, 1.6]), st.booleans(), st.integers(0, 10**6))
def test_never_above(d, T, beta, bounded, seed):
    """Any two networks of the class; with tanh under the smaller coefficients too."""
    rng = np.random.default_rng(seed)

    def matrix(norm):
        found = rng.normal(size=(d, d))
        return norm * found / np.linalg.norm(found, 2)

    def member():
        V = rng.normal(size=(1, d))
        return V / np.linalg.norm(V), matrix(beta), matrix(4.0)

    one, other, X = member(), member(), rng.normal(size=(T, d))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    where = values(beta=Fraction(beta), T=T, d=d, B_W=4)
    if bounded:
        where[sym.J] = rnn.switch(where, T)
    found = beta_of(where, rnn.BOUNDED if bounded else rnn.FREE)
    bound = sum(found[key] * np.linalg.norm(a - b, 2) for key, a, b in zip(("V", "U", "W"), one, other, strict=True))
    activation = np.tanh if bounded else (lambda x: np.maximum(x, 0))
    assert np.abs(run(*one, X, activation) - run(*other, X, activation)).max() <= bound * (1 + 1e-9)


def test_the_cover_of_u_has_the_radius_of_the_class():
    """beta/rho_h: with radius 1 a class of beta = 2 would pay for half of U alone."""
    found = entropy(rnn.RNN.blocks, "sharp", {**rnn.FREE, **values(beta=2, T=3, slope=Fraction(1, 2))})
    assert found.blocks["U"].part.radius == 4
    assert float(found.blocks["U"].part.log_covering(1).upper) == pytest.approx(16 * math.log(9))


@pytest.mark.parametrize("bad", [0, -1, math.inf, math.nan])
def test_what_is_no_norm_of_u(bad):
    with pytest.raises(DomainError, match="beta"):
        rnn.of_beta(bad)
