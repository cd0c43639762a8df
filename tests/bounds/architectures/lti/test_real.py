"""The diagonal layer with real exponents: its moves attained and never exceeded, its gap that of a reference table."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.entropy import entropy
from ssm_bounds.bounds.architectures.lti.real import DEFINITIONS, DIAGONAL
from ssm_bounds.bounds.evaluate.balls import enclose


def values(*, T, s, B_A=10, B_w=1, B_u=1, d=16, N=4):
    sizes = {sym.d: d, sym.N: N, sym.T: T}
    return {**DEFINITIONS, **sizes, sym.s_A: s, sym.B_A: B_A, sym.B_w: B_w, sym.B_u: B_u}


def output(a, B, C, w, u) -> float:
    """z of inputs (T, d) in the order of their lag, term by term."""
    terms = [
        w[j] * C[j, n] * math.exp(a[j, n] * lag) * B[j, n] * u[lag, j]
        for lag in range(len(u))
        for j in range(len(w))
        for n in range(a.shape[1])
    ]
    return math.fsum(terms)


def beta(**given_values) -> dict[str, float]:
    found = values(**given_values)
    return {block.key: enclose(block.beta["sharp"], found).float_upper() for block in DIAGONAL.blocks}


@pytest.mark.parametrize("T", [2, 9])
@pytest.mark.parametrize("s", [-1.0, 0.0, 0.25])
@pytest.mark.parametrize("block", ["A", "B", "C", "w"])
def test_each_coefficient_is_attained(T, s, block):
    """One channel with one state, everything at its largest: 3 % less is refuted."""
    step, at = 2.0**-12, {"A": s, "B": 1.0, "C": 1.0, "w": 2.0}
    moved = at | {block: at[block] - step}
    u = np.full((T, 1), 0.5)

    def z(of):
        return output(*(np.array([[of[name]]]) for name in ("A", "B", "C")), np.array([of["w"]]), u)

    bound = beta(T=T, s=s, B_w=2, B_u=Fraction(1, 2))[block] * step
    assert 0.97 * bound < abs(z(at) - z(moved)) <= bound * (1 + 1e-9)


@given(st.integers(1, 3), st.integers(1, 2), st.integers(1, 5), st.floats(-2, 0.3), st.integers(0, 10**6))
def test_never_above(d, N, T, s, seed):
    """Any two members and an input; what is compared is far from rounding, or equal to it."""
    rng = np.random.default_rng(seed)

    def rows():
        found = rng.normal(size=(d, N))
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def member():
        w = rng.normal(size=d)
        return s - rng.exponential(size=(d, N)) * rng.integers(0, 2), rows(), rows(), w / np.linalg.norm(w)

    one, other = member(), member()
    u = rng.normal(size=(T, d))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    found = beta(T=T, s=s)
    bound = found["A"] * np.abs(one[0] - other[0]).max() + found["w"] * np.linalg.norm(one[3] - other[3])
    for key, i in (("B", 1), ("C", 2)):
        bound += found[key] * np.linalg.norm(one[i] - other[i], axis=1).max()
    assert abs(output(*one, u) - output(*other, u)) <= bound + 1e-12


@pytest.mark.parametrize("s", [Fraction(-1, 10), 0])
def test_the_gap_of_the_reference_table(shared, s):
    """Norms 1, exponents in [-10, s], m = 25000: another program's optimiser, within 0.5 %; 208 parameters."""
    for row in json.loads((shared / "reference" / "table.json").read_text())["rows"]:
        found = entropy(DIAGONAL.blocks, "sharp", values(T=row["T"], s=s))
        radii = np.linspace(math.log(1e-3), 0, 400)
        gaps = 2 * np.exp(radii) + np.sqrt((found.approximate(radii) + math.log(40)) / 50000)
        assert gaps.min() == pytest.approx(row[f"LTI cover s_A={float(s):g}"], rel=5e-3)
    assert sum(int(block.entries.subs({sym.d: 16, sym.N: 4})) for block in DIAGONAL.blocks) == 208
