"""Every table of blocks: its symbols are declared, its sources are headings, and its covers multiply to an entropy."""

from __future__ import annotations

import pytest

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.covers.entropy import LipschitzImage, Product
from ssm_bounds.bounds.covers.lemmas import Box
from ssm_bounds.bounds.evaluate.balls import enclose, rational
from tests.lists import ARCHITECTURES

DECLARED = {entry.symbol for entry in sym.NOTATION.values()}
VALUES = {entry.symbol: 2 for entry in sym.NOTATION.values()}

pytestmark = pytest.mark.parametrize("table", ARCHITECTURES, ids=lambda table: table.name)


def test_names_and_keys_are_unique(table):
    for names in ([block.name for block in table.blocks], [block.key for block in table.blocks]):
        assert names and len(set(names)) == len(names)
    assert {block.coefficient for block in table.blocks} == set(table.coefficients)


def test_every_symbol_is_declared(table):
    for block in table.blocks:
        for formula in (block.entries, block.radius, block.seen, *block.beta.values()):
            assert formula.free_symbols <= DECLARED


def test_every_theorem_has_a_source(table):
    assert {theorem for block in table.blocks for theorem in block.beta} <= table.sources.keys()
    assert all(source.startswith("theory.md ") for source in table.sources.values())


def test_every_block_moves_the_output_in_some_theorem(table):
    for block in table.blocks:
        assert block.beta
        for formula in block.beta.values():
            assert enclose(formula, VALUES).lower > 0


def test_groups_divide_blocks(table):
    for block in table.blocks:
        assert block.item is None or block.item in table.items
        assert rational(table.per_item(block), VALUES) > 0


def test_the_covers_multiply(table):
    """The blocks of one theorem, each in the metric of the output: a cover whose size falls with the radius."""
    parts = {}
    for block in table.under("sharp"):
        entries, radius = rational(block.entries, VALUES), rational(block.radius, VALUES)
        cover = block.cover(entries, radius) if block.cover is Box else block.cover(entries, radius, block.metric)
        parts[block.key] = LipschitzImage(cover, enclose(block.beta["sharp"], VALUES), "output")
    entropy = Product(parts)
    coarse, fine = (entropy.log_covering(eps) for eps in (1.0, 0.1))
    assert fine.lower > coarse.upper >= 0
