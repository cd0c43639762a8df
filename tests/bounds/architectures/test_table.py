"""The block table against what else knows the model: its tensors, its number of parameters, the JSON schema."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.blocks import blocks_of, coefficient_formulas, count, covers
from ssm_bounds.bounds.architectures.selective_ssm.constants import DecayGroups
from ssm_bounds.bounds.architectures.selective_ssm.table import (
    BALL_RADII,
    L1_RADII,
    LARGEST_L1,
    NORMS,
    SELECTIVE_SSM,
    SEMINORMS,
)
from ssm_bounds.bounds.covers.entropy import LipschitzImage, Minimum
from ssm_bounds.bounds.covers.lemmas import Box, GroupVolume, Maurey, Volume
from ssm_bounds.bounds.evaluate.balls import rational
from ssm_bounds.bounds.evaluate.logs import logarithms, numbers
from ssm_bounds.bounds.selection.splits import Group
from ssm_bounds.models.selective_ssm.weights import SHAPES
from ssm_bounds.report.document import schema
from tests.bounds.sweeps.test_sweeps import arrays, constants, leaves

SIZES = {"d": sym.d, "N": sym.N, "k": sym.k, "V": sym.V}
GATED = constants(-0.3, -1.0, 0.7)
CLASSES = {
    "ball": GATED,
    "capped": replace(GATED, M=0.4),
    "no gate": replace(GATED, gate="none", B_q=0, M_q=None, p_lo=0, p_hi=0),
    "embedding": replace(GATED, V=7),
}


@pytest.mark.parametrize("name", SHAPES)
def test_every_tensor_is_a_block_of_its_size(name):
    block = next(block for block in SELECTIVE_SSM.blocks if block.name == name)
    assert block.entries == sympy.Mul(*(SIZES[axis] for axis in SHAPES[name]))


def test_what_is_read_off_the_table():
    """A second writing: the norms that grow with a tensor, the constants of a class, the largest l1 norms."""
    assert {str(first): [str(norm) for norm in norms] for first, norms in NORMS.items()} == {
        "B_w": ["B_w", "M_w", "v_w"],
        "B_B": ["B_B", "M_B", "v_B"],
        "B_C": ["B_C", "M_C", "v_C"],
        "B_q": ["B_q", "M_q"],
        "B_u": ["B_u", "v_B", "v_C", "v_w"],
    }
    assert sorted(BALL_RADII) == sorted(("B_A", "s_A", "B_B", "B_C", "B_q", "p_lo", "p_hi", "B_w", "B_u"))
    assert sorted(L1_RADII) == ["M_A", "M_B", "M_C", "M_q", "M_w"]
    d, N, k = sym.d, sym.N, sym.k
    assert dict(LARGEST_L1) == {
        sym.M_A: N * d * sym.B_A,
        sym.M_B: N * sympy.sqrt(d) * sym.B_B,
        sym.M_C: N * sympy.sqrt(d) * sym.B_C,
        sym.M_q: sympy.sqrt(d) * sym.B_q,
        sym.M_w: k * sympy.sqrt(d) * sym.B_w,
    }


def test_names_are_unique_and_every_symbol_is_declared():
    for names in ([b.name for b in SELECTIVE_SSM.blocks], [b.key for b in SELECTIVE_SSM.blocks]):
        assert len(set(names)) == len(names)
    declared = {entry.symbol for entry in sym.NOTATION.values()}
    for block in SELECTIVE_SSM.blocks:
        formulas = [block.entries, block.radius, block.seen, *block.beta.values()]
        assert set().union(*(formula.free_symbols for formula in formulas)) <= declared
        assert block.beta.keys() <= SELECTIVE_SSM.sources.keys()


def test_coefficients_are_the_keys_of_the_document():
    certificate = schema()["$defs"]["certificate"]["properties"]["beta"]["anyOf"][0]
    assert list(SELECTIVE_SSM.coefficients) == certificate["required"]
    assert {block.coefficient for block in SELECTIVE_SSM.blocks} == set(SELECTIVE_SSM.coefficients)


@pytest.mark.parametrize("name", CLASSES)
def test_blocks_hold_every_parameter_once(name):
    of = CLASSES[name]
    assert sum(count(block.entries, of) for block in blocks_of(of)) == of.parameters
    assert set(covers(of)) == {block.key for block in blocks_of(of)}
    assert set(coefficient_formulas(of)) == {block.coefficient for block in blocks_of(of)}


def test_theorem_by_theorem_the_same_blocks():
    core = {"A", "B", "C", "g", "w"}
    for theorem in ("sharp", "vocabulary", "repaired"):
        assert set(SELECTIVE_SSM.beta(theorem)) == core
        # the gate is one thing, however it is covered
        gates = {block.beta[theorem] for block in SELECTIVE_SSM.blocks if block.coefficient == "g"}
        assert len(gates) == 1
    used = set().union(*(formula.free_symbols for formula in SELECTIVE_SSM.beta("vocabulary").values()))
    assert not used & {*SEMINORMS, sym.kappa, sym.B_u}


def test_covers_of_a_class_are_those_of_the_table():
    """A second writing: lemma, entries and radius of each leaf, without l1 radii and with them."""
    d, N, k = GATED.d, GATED.N, GATED.k
    plain = covers(replace(GATED, M_A=None, M_B=None, M_C=None, M_q=None, M_w=None))
    assert plain["A"] == Box(d * N, (3 - Fraction(0.3)) / 2)
    assert plain["B"] == Volume(d * N, 2.0, "spectral") and plain["w"] == Volume(k * d, 7.0, "spectral")
    assert isinstance(plain["q"], LipschitzImage) and plain["q"].part == Volume(d, 0.7, "l2")
    sparse = covers(GATED)
    assert all(isinstance(sparse[name], Minimum) for name in "ABCw")
    found = {name: [type(leaf) for leaf, _ in leaves(cover)] for name, cover in sparse.items()}
    assert found == {name: [Volume, Maurey] for name in "ABCwq"} | {"p": [Box]}
    assert covers(replace(GATED, M=0.4))["g"] == Volume(d + 1, Fraction(0.7) * Fraction(1.5), "|dp| + B_u |dq|")


def test_readings_agree():
    of = replace(GATED, V=7)
    floats = arrays(of)
    values = {sym.NOTATION[name].symbol: getattr(of, name) for name in floats}
    arrays_of = {sym.NOTATION[name].symbol: value for name, value in floats.items()}
    for block in SELECTIVE_SSM.blocks:
        for formula in (block.entries, block.radius, block.seen):
            assert numbers(formula, arrays_of).item() == pytest.approx(float(rational(formula, values)), rel=1e-15)
    product = {"x": 3 * sym.B_w * sym.B_C**2 + sym.B_B, "modulus": abs(sym.s_A) * sym.B_q}
    exact = {name: float(rational(formula, values)) for name, formula in product.items()}
    found = logarithms(product, arrays_of)
    assert {name: value.item() for name, value in found.items()} == pytest.approx(
        {name: math.log(value) for name, value in exact.items()}, rel=1e-14
    )


def test_a_group_is_a_part_of_its_block():
    d, N = GATED.d, GATED.N
    groups = DecayGroups(
        (Group(5, -0.3), Group(d * N - 5, -1.0)), (Group(1, -0.3), Group(N - 1, -2.0)), (Group(d, -0.3),)
    )
    found = covers(replace(GATED, M_A=None, M_B=None, M_C=None, M_w=None, groups=groups))
    assert list(found) == ["A.1", "A.2", "B.1", "B.2", "C.1", "C.2", "w", "p", "q"]
    assert found["A.2"] == Box(d * N - 5, 1) and found["B.2"] == GroupVolume((N - 1) * d, 2.0, "spectral")
    assert found["w"] == GroupVolume(GATED.k * d, 7.0, "spectral")
