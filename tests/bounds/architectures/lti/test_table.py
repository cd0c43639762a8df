"""The moves of a linear S4D model: attained block by block, never above, and the cover of its exponents."""

from __future__ import annotations

import math

import numpy as np
import pytest
from flint import acb, arb
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.lti.table import DEFINITIONS, S4D
from ssm_bounds.bounds.covers.lemmas import Strip
from ssm_bounds.bounds.evaluate.balls import bits, enclose
from ssm_bounds.bounds.values import DomainError


@pytest.fixture(autouse=True)
def enough_bits():
    """For what the tests compute of balls themselves."""
    with bits(200):
        yield


def output(exponents, c, D, W, u) -> list[arb]:
    """z of inputs (T, d), as theory 14.1 writes it: (k,)."""
    T, d = len(u), len(exponents)
    y = []
    for j in range(d):
        total = arb(0)
        for lag in range(T):
            modes = (g * (lag * z).exp() for g, z in zip(c[j], exponents[j], strict=True))
            tap = 2 * sum(modes, acb(0)).real + (arb(D[j]) if lag == 0 else 0)
            total += tap * u[T - 1 - lag][j]
        y.append(total)
    return [sum((w * each for w, each in zip(row, y, strict=True)), arb(0)) for row in W]


def distance(one, other) -> arb:
    square = sum(((a - b) ** 2 for a, b in zip(one, other, strict=True)), arb(0))
    return square.upper().sqrt() if square.contains(0) else square.sqrt()


def coefficients(*, T, s, C_1, D, B_w, B_u) -> dict[str, arb]:
    values = {**DEFINITIONS, sym.T: T, sym.s_lambda: s, sym.C_1: C_1, sym.D_skip: D, sym.B_w: B_w, sym.B_u: B_u}
    return {block.key: enclose(block.beta["sharp"], values).upper for block in S4D.blocks}


class TestAttained:
    """One channel with one real mode at its largest, inputs of one sign: 3 % less is refuted for every block."""

    @pytest.mark.parametrize("T", [1, 2, 7])
    @pytest.mark.parametrize("s", [-3.0, -0.25, 0.0, 0.125])
    @pytest.mark.parametrize("block", ["lambda", "c", "D", "w"])
    def test_one_block(self, T, s, block):
        C_1, D, B_w, B_u, step = 1.5, 0.75, 2.0, 0.5, 2.0**-10
        at = {"lambda": s, "c": C_1, "D": D, "w": B_w}
        moved = at | {block: at[block] - step}
        beta = coefficients(T=T, s=s, C_1=C_1, D=D, B_w=B_w, B_u=B_u)[block]

        def z(of):
            return output([[acb(of["lambda"])]], [[acb(of["c"])]], [of["D"]], [[arb(of["w"])]], [[B_u]] * T)

        move = distance(z(at), z(moved))
        assert move.lower() <= beta * step  # equal, but for the radius of the ball
        assert move > arb("0.97") * beta * step or (block == "lambda" and T == 1 and move == 0 and beta == 0)


numbers = st.floats(-1, 1)


class TestNeverAbove:
    @given(
        st.integers(1, 3), st.integers(1, 2), st.integers(1, 2), st.integers(1, 5), st.floats(-2, 0.3), st.floats(0, 3),
        st.integers(0, 2**32 - 1), st.integers(0, 3),
    )  # fmt: skip
    def test_two_members_and_an_input(self, d, N, k, T, s, extra, seed, extreme):
        """Members anywhere in the class, more often at its corners, and inputs on the sphere."""
        rng = np.random.default_rng(seed)
        b, C_1, D, B_w, B_u = max(-s, 0) + extra, 1.25, 0.5, 0.75, 2.0

        def member():
            real = rng.uniform(-b, s, (d, N)) if extreme % 2 else np.full((d, N), s)
            imaginary = rng.uniform(0, math.pi, (d, N)) if extreme < 2 else np.zeros((d, N))
            c = rng.normal(size=(d, N)) + 1j * rng.normal(size=(d, N)) * (extreme < 3)
            c *= C_1 * (1 - 1e-12) / np.abs(c).sum(axis=1, keepdims=True)
            W = rng.normal(size=(k, d))
            W *= B_w * (1 - 1e-12) / np.linalg.norm(W, 2)
            return real + 1j * imaginary, c, rng.uniform(-D, D, d), W

        one, other = member(), member()
        if extreme % 2:  # near each other
            other = tuple(x + 2.0**-7 * (y - x) for x, y in zip(one, other, strict=True))
        u = rng.normal(size=(T, d))
        u *= B_u * (1 - 1e-12) / np.linalg.norm(u, axis=1, keepdims=True)

        def z(exponents, c, D, W):
            balls = ([[acb(complex(x)) for x in row] for row in part] for part in (exponents, c))
            return output(*balls, D, W.tolist(), u.tolist())

        beta = coefficients(T=T, s=s, C_1=C_1, D=D, B_w=B_w, B_u=B_u)
        moves = {
            "lambda": np.abs(one[0] - other[0]).max(),
            "c": np.abs(one[1] - other[1]).sum(axis=1).max(),
            "D": np.abs(one[2] - other[2]).max(),
            "w": np.linalg.norm(one[3] - other[3], 2),
        }
        # norms in float64, each next to 1e-12 above its own
        bound = sum((beta[name] * arb(float(move)) * (1 + 1e-12) for name, move in moves.items()), arb(0))
        assert distance(z(*one), z(*other)).lower() <= bound

    @given(st.lists(st.tuples(numbers, st.floats(-20, 20)), min_size=1, max_size=2), st.data())
    def test_phases_lie_in_half_a_turn_without_loss(self, modes, data):
        """Whole turns, and conjugates of exponent and coefficient together, give the same kernel."""
        c = [complex(data.draw(numbers), data.draw(numbers)) for _ in modes]
        folded, changed = [], []
        for (real, phase), g in zip(modes, c, strict=True):
            exponent, coefficient = acb(real, phase), acb(g)
            turns = round(phase / (2 * math.pi))
            exponent -= acb(0, 2 * turns * arb.pi())
            if exponent.imag < 0:
                exponent, coefficient = exponent.conjugate(), coefficient.conjugate()
            assert exponent.imag <= arb.pi() + 1e-9
            folded.append(exponent)
            changed.append(coefficient)
        u = [[1.0], [-0.5], [0.25], [1.0]]
        first = output([[acb(*mode) for mode in modes]], [[acb(g) for g in c]], [0.0], [[1.0]], u)
        second = output([folded], [changed], [0.0], [[1.0]], u)
        assert first[0].overlaps(second[0])


class TestStrip:
    @staticmethod
    def cells(r, eps):
        return max(1, math.ceil(math.sqrt(2) * r / eps)), max(1, math.ceil(math.pi / (math.sqrt(2) * eps)))

    @pytest.mark.parametrize("r", [0.0, 0.01, 0.4, 3.0])
    @pytest.mark.parametrize("eps", [0.013, 0.3, 1.0, 5.0])
    def test_midpoints_cover(self, r, eps):
        """Every point of the rectangle is within eps of a midpoint, and their number is the bound."""
        across, along = self.cells(r, eps)
        bound = Strip(4, r).log_covering(eps)
        assert bound.lower <= 2 * (arb(across).log() + arb(along).log()) <= bound.upper
        assert bound.upper - bound.lower < 1e-9
        rng = np.random.default_rng(0)
        points = np.stack([rng.uniform(-r, r, 500), rng.uniform(0, np.pi, 500)])
        points[:, :4] = [[-r, r, -r, r], [0, 0, np.pi, np.pi]]
        column = np.floor(np.clip((points[0] + r) / (2 * r / across if r else 1), 0, across - 1))
        row = np.floor(np.clip(points[1] / (np.pi / along), 0, along - 1))
        middles = [-r + (2 * column + 1) * r / across, (row + 0.5) * np.pi / along]
        assert np.hypot(*(points - middles)).max() <= eps * (1 + 1e-12)

    def test_a_radius_three_percent_smaller_needs_more_cells(self):
        """Two cells across and one along: the corners are at distance eps from the middles."""
        r, eps = math.pi / math.sqrt(2) * math.sqrt(2), math.pi / math.sqrt(2)
        middle, corner = (r / 2, math.pi / 2), (0.0, 0.0)
        assert math.dist(middle, corner) == pytest.approx(eps, rel=1e-12)
        assert Strip(2, r).log_covering(eps * 1.0001).upper < 0.7 < Strip(2, r).log_covering(eps * 0.97).lower

    def test_it_decreases_and_is_near_its_float(self):
        strip = Strip(6, 0.3)
        radii = np.array([1e-6, 1e-3, 0.1, 0.5, 4.0])
        found = [float(strip.log_covering(float(eps)).upper) for eps in radii]
        assert found == sorted(found, reverse=True) and found[-1] == 0
        assert strip.approximate(np.log(radii)) == pytest.approx(found, rel=1e-9)
        # the surrogate is of the same size where eps is small
        (surrogate,) = strip.surrogates()
        smooth = surrogate.weight * np.log1p(np.exp(surrogate.log_scale) / 1e-6)
        assert smooth == pytest.approx(found[0], rel=1e-3)
        (flat,) = Strip(6, 0).surrogates()
        assert flat.weight == 3 and flat.log_scale == pytest.approx(math.log(math.pi / math.sqrt(2)))

    @pytest.mark.parametrize(("dimension", "r"), [(0, 1.0), (3, 1.0), (2, -1.0)])
    def test_what_is_no_strip(self, dimension, r):
        with pytest.raises(DomainError, match="Strip"):
            Strip(dimension, r)
        with pytest.raises(DomainError, match="a covering radius is > 0"):
            Strip(2, 1.0).log_covering(0)
