"""Every table of blocks: its symbols are declared, its sources are headings, and its covers multiply to an entropy."""

from __future__ import annotations

import pytest

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.entropy import entropy
from ssm_bounds.bounds.evaluate.balls import enclose, rational
from tests.lists import ARCHITECTURES

DECLARED = {entry.symbol.name for entry in sym.NOTATION.values()}


def values(table):
    """2 for every symbol, whichever layer it is of."""
    formulas = [f for block in table.blocks for f in (block.entries, block.radius, block.seen, *block.beta.values())]
    l1 = {block.l1: None for block in table.blocks if block.l1 is not None}
    symbols = set().union(*(formula.free_symbols for formula in formulas))
    return l1 | dict.fromkeys({entry.symbol for entry in sym.NOTATION.values()} | symbols - l1.keys(), 2)


def base(symbol):
    """The name of a symbol without the number of its layer."""
    return symbol.name if symbol.name in DECLARED else symbol.name.rpartition("_")[0]


pytestmark = pytest.mark.parametrize("table", ARCHITECTURES, ids=lambda table: table.name)


def test_names_and_keys_are_unique(table):
    for names in ([block.name for block in table.blocks], [block.key for block in table.blocks]):
        assert names and len(set(names)) == len(names)
    assert {block.coefficient for block in table.blocks} == set(table.coefficients)


def test_every_symbol_is_declared(table):
    for block in table.blocks:
        for formula in (block.entries, block.radius, block.seen, *block.beta.values()):
            assert all(base(symbol) in DECLARED for symbol in formula.free_symbols)


def test_every_theorem_has_a_source(table):
    assert {theorem for block in table.blocks for theorem in block.beta} <= table.sources.keys()
    assert all(source.startswith("theory.md ") for source in table.sources.values())


def test_every_block_moves_the_output_in_some_theorem(table):
    for block in table.blocks:
        assert block.beta
        for formula in block.beta.values():
            assert enclose(formula, values(table)).lower > 0


def test_groups_divide_blocks(table):
    for block in table.blocks:
        assert block.item is None or block.item in table.items
        assert rational(table.per_item(block), values(table)) > 0


def test_the_covers_multiply(table):
    """The blocks of one theorem, each in the metric of the output: a cover whose size falls with the radius."""
    found = entropy(table.under("sharp"), "sharp", values(table))
    assert set(found.blocks) == {block.key for block in table.under("sharp")}
    coarse, fine = (found.log_covering(eps) for eps in (1.0, 0.1))
    assert fine.lower > coarse.upper >= 0
