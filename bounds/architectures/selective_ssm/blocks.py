"""A class of models as parameter blocks: each block's cover, in the metric its beta coefficient is stated for."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.block import Block, Theorem
from ssm_bounds.bounds.architectures.entropy import OUTPUT, cover
from ssm_bounds.bounds.architectures.selective_ssm.constants import ClassConstants, DecayGroups
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS, RHO
from ssm_bounds.bounds.architectures.selective_ssm.table import SELECTIVE_SSM, SEMINORMS
from ssm_bounds.bounds.covers.entropy import EntropyBound, LipschitzImage, Product
from ssm_bounds.bounds.covers.lemmas import Box, GroupVolume
from ssm_bounds.bounds.evaluate.balls import Enclosure, Value, enclose_all, rational
from ssm_bounds.bounds.selection.splits import Group
from ssm_bounds.bounds.values import field_names, require

_NAMES = tuple(name for name in field_names(ClassConstants) if name in sym.NOTATION)


def assignment(
    constants: ClassConstants, T: int, *, rho: Literal["published", "repaired"] = "repaired"
) -> dict[sympy.Symbol, Value]:
    """Values of every symbol that a sum or coefficient of this class contains."""
    values: dict[sympy.Symbol, Value] = {**DEFINITIONS, sym.rho: RHO[rho], sym.T: T}
    for name in _NAMES:
        if (value := getattr(constants, name)) is not None:
            values[sym.NOTATION[name].symbol] = value
    if constants.gate == "none":
        values |= {sym.M: 1, sym.Delta_min: 1}
    if constants.norms == "vocabulary":  # no spectral norm is bounded, so whatever asks for one must fail
        for spectral, vocabulary in SEMINORMS.items():
            values[vocabulary] = values.pop(spectral)
    return values


def group_terms(groups: DecayGroups) -> dict[str, tuple[Block, Group]]:
    """Name of every group's term, its block and the group: B.1, B.2, ..., or B where the rows are one group."""
    divided = [(block, getattr(groups, block.item)) for block in SELECTIVE_SSM.blocks if block.item is not None]
    return {
        f"{block.key}.{i}" if len(found) > 1 else block.key: (block, group)
        for block, found in divided
        for i, group in enumerate(found, 1)
    }


def blocks_of(constants: ClassConstants) -> tuple[Block, ...]:
    """The blocks of a class: under a cap on M the gate is one (theory 3.3)."""
    return SELECTIVE_SSM.of(
        gate=constants.gate == "softplus", joint=constants.M is not None, embedding=constants.V is not None
    )


def coefficients(
    constants: ClassConstants, T: int, chain: Literal["sharp", "repaired"] = "sharp"
) -> Mapping[str, Enclosure]:
    """Enclosed beta of each block: A, B, C, w, g (unless the gate is none), e (if the embedding is in the class).

    With decay groups one for each of :func:`group_terms`.
    """
    # no coefficient depends on an l1 radius, so classes that differ in those alone share them
    return _coefficients(without_l1(constants), T, chain)


def without_l1(constants: ClassConstants) -> ClassConstants:
    """The same class without a constraint on l1 norms."""
    radii: dict[str, Any] = {block.l1.name: None for block in SELECTIVE_SSM.blocks if block.l1 is not None}
    return constants if all(getattr(constants, name) is None for name in radii) else replace(constants, **radii)


def coefficient_formulas(
    constants: ClassConstants, chain: Literal["sharp", "repaired"] = "sharp"
) -> dict[str, sympy.Expr]:
    """The expression of each block's beta: of 5.1 (5.3 in vocabulary norms) or 5.5, and 5.4; a decay group's is that of
    its block."""
    theorem: Theorem = "vocabulary" if constants.norms == "vocabulary" and chain == "sharp" else chain
    table = SELECTIVE_SSM.beta(theorem) | SELECTIVE_SSM.beta("embedding")
    present = {block.coefficient for block in blocks_of(constants)}
    return {name: formula for name, formula in table.items() if name in present}


@functools.lru_cache(maxsize=512)
def _coefficients(constants: ClassConstants, T: int, chain: Literal["sharp", "repaired"]) -> Mapping[str, Enclosure]:
    if constants.groups is not None:
        require(chain == "sharp", "decay groups belong to the sharp chain (theory 5.2)")
        one = replace(constants, groups=None)
        terms = {
            name: _coefficients(replace(one, s_A=group.s_A), T, chain)[block.coefficient]
            for name, (block, group) in group_terms(constants.groups).items()
        }
        shared = _coefficients(one, T, chain)  # the gate and the embedding act through every group at once
        divided = {block.coefficient for block, _ in group_terms(constants.groups).values()}
        return terms | {name: value for name, value in shared.items() if name not in divided}
    require(chain == "sharp" or constants.norms == "spectral", "the repaired chain (theory 5.5) is in spectral norms")
    return enclose_all(coefficient_formulas(constants, chain), assignment(constants, T))


def count(expression: sympy.Expr, constants: ClassConstants) -> int:
    """A number of entries or items of the table, at the sizes of a class."""
    return _count(expression, constants.d, constants.N, constants.k, constants.V)


@functools.lru_cache(maxsize=512)
def _count(expression: sympy.Expr, d: int, N: int, k: int, V: int | None) -> int:
    return int(rational(expression, {sym.d: d, sym.N: N, sym.k: k, sym.V: V}))


def covers(constants: ClassConstants) -> dict[str, EntropyBound]:
    """Covers with centres inside, block by block, in the metrics of the table.

    With vocabulary norms W_B, W_C and W are covered in those (theory 5.3); with decay groups a group's term is that
    of the packing of the whole matrix, and the box of A is one for each group (theory 5.2).
    """
    return {name: found for name, _, found in _covers(constants, blocks_of(constants))}


def _covers(constants: ClassConstants, blocks: Iterable[Block]) -> Iterator[tuple[str, Block, EntropyBound]]:
    """Name, block and cover of every term of these blocks."""
    values = {sym.NOTATION[name].symbol: getattr(constants, name) for name in _NAMES}
    terms = {} if constants.groups is None else group_terms(constants.groups)
    for block in blocks:
        metric = constants.norms if block.metric == "spectral" else block.metric
        if block.item is None or constants.groups is None:
            yield block.key, block, cover(block, metric, count(block.entries, constants), values)
            continue
        per_item = count(SELECTIVE_SSM.per_item(block), constants)
        for name, (divided, group) in terms.items():
            if divided is block:
                at = values | {sym.s_A: group.s_A}
                # a box is independent in its entries; the bound of an entry's row or column may be smaller than its
                # own: it then needs no more midpoints
                lemma = Box if block.cover is Box else GroupVolume
                yield name, block, lemma(group.items * per_item, rational(block.radius, at), metric)


def output_entropy(constants: ClassConstants, beta: Mapping[str, Enclosure]) -> Product:
    """``H(eps)``: bound of the log covering number of the outputs (theory 3.4 over the blocks of 5.1 or 5.5)."""
    return Product(images(constants, beta, blocks_of(constants)))


def images(
    constants: ClassConstants, beta: Mapping[str, Enclosure], blocks: Iterable[Block]
) -> dict[str, LipschitzImage]:
    """The same, block by block, of some of the blocks."""
    return {
        name: LipschitzImage(found, beta[name if name in beta else block.coefficient], OUTPUT)
        for name, block, found in _covers(constants, blocks)
    }
