"""Stacks of layers: the coefficients hold, cannot be lowered, and what cannot be stacked says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.table import SELECTIVE_SSM
from ssm_bounds.bounds.architectures.stack import stack
from ssm_bounds.bounds.evaluate.balls import enclose_all
from ssm_bounds.bounds.values import DomainError
from tests.lists import LINEAR

TABLE = stack([LINEAR, LINEAR, LINEAR])
SYMBOLS = {s.name: s for block in TABLE.blocks for f in (block.radius, *block.beta.values()) for s in f.free_symbols}


def coefficients(radius: float, norms: list[float]) -> dict[str, float]:
    values = {SYMBOLS["B_u_1"]: radius} | {SYMBOLS[f"B_w_{i}"]: norm for i, norm in enumerate(norms, 1)}
    found = enclose_all(TABLE.beta("sharp"), values)
    return {name: value.float_upper() for name, value in found.items()}


def ratio(rng: np.random.Generator, moved: set[int]) -> float:
    """How much of the bound a random pair of models uses; on the line all of it, where signs agree."""
    n = int(rng.integers(1, 4))
    one = [rng.normal(size=(n, n)) for _ in range(3)]
    other = [W + rng.normal(size=(n, n)) * rng.exponential() * (i in moved) for i, W in enumerate(one)]
    u = rng.normal(size=n)
    norms = [max(np.linalg.norm(W, 2), np.linalg.norm(V, 2)) for W, V in zip(one, other, strict=True)]
    beta = coefficients(float(np.linalg.norm(u)), norms)
    bound = sum(beta[f"{i}.w"] * np.linalg.norm(W - V, 2) for i, (W, V) in enumerate(zip(one, other, strict=True), 1))
    return float(np.linalg.norm(one[2] @ one[1] @ one[0] @ u - other[2] @ other[1] @ other[0] @ u) / bound)


@pytest.mark.parametrize("moved", [{0}, {1}, {2}])
def test_each_coefficient_holds_and_is_attained(moved):
    rng = np.random.default_rng(0)
    found = [ratio(rng, moved) for _ in range(200)]
    assert 0.999 < max(found) <= 1 + 1e-12


def test_all_layers_at_once():
    rng = np.random.default_rng(1)
    assert 0.3 < max(ratio(rng, {0, 1, 2}) for _ in range(500)) <= 1 + 1e-12


def test_the_number_of_later_layers_matters():
    """A coefficient that forgets one later layer is too small."""
    beta = coefficients(1.0, [2.0, 3.0, 5.0])
    assert beta == pytest.approx({"1.w": 15.0, "2.w": 10.0, "3.w": 6.0})


def layered(**changes):
    """A layer whose gate is covered by a radius, and seen through a factor, that both hold the radius of the input."""
    block = LINEAR.blocks[0]
    gate = replace(block, name="q", key="q", shown="q", radius=sym.B_q * sym.B_u, seen=sym.B_u, coefficient="q")
    return replace(LINEAR, blocks=(block, gate), coefficients=("w", "q"), **changes)


def test_the_radius_of_the_input_is_put_in_wherever_it_stands():
    gate = stack([LINEAR, layered()]).blocks[-1]
    radius = SYMBOLS["B_w_1"] * SYMBOLS["B_u_1"]
    assert gate.seen == radius and gate.beta["sharp"].free_symbols == radius.free_symbols
    assert {symbol.name for symbol in gate.radius.free_symbols} == {"B_q_2", "B_w_1", "B_u_1"}


def test_only_theorems_of_all_layers_are_of_the_stack():
    more = replace(LINEAR, sources=LINEAR.sources | {"vocabulary": "theory.md 5.3"}, blocks=tuple(
        replace(block, beta=block.beta | {"vocabulary": block.beta["sharp"]}) for block in LINEAR.blocks
    ))  # fmt: skip
    both = stack([more, LINEAR])
    assert both.sources.keys() == {"sharp"} and both.under("vocabulary") == ()
    with pytest.raises(DomainError, match="no theorem in common"):
        stack([LINEAR, replace(LINEAR, sources={"repaired": "theory.md 5.5"})])


def test_a_symbol_that_may_hide_the_radius_is_refused():
    with pytest.raises(DomainError, match=r"\['B_w'\] stand for other expressions"):
        stack([LINEAR, replace(LINEAR, derived=frozenset({sym.B_w}))])


def test_names_and_flow():
    assert [block.name for block in TABLE.blocks] == ["1.W", "2.W", "3.W"]
    product = SYMBOLS["B_w_1"] * SYMBOLS["B_w_2"] * SYMBOLS["B_w_3"]
    assert TABLE.flow.lipschitz == product and TABLE.flow.output == product * SYMBOLS["B_u_1"]
    assert stack([stack([LINEAR, LINEAR]), LINEAR]).flow.lipschitz.count_ops() == product.count_ops()


def test_what_cannot_be_stacked_says_so():
    with pytest.raises(DomainError, match=r"layer 2 \(selective SSM\) cannot be stacked"):
        stack([LINEAR, SELECTIVE_SSM])
    with pytest.raises(DomainError, match="at least one layer"):
        stack([])
    with pytest.raises(DomainError, match=r"layer 1 \(linear model\)"):
        stack([replace(LINEAR, flow=None)])
