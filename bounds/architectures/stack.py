"""Layers one behind the other, as one table.

The output moves with a block of one layer as that layer's own output does, times how fast the later layers move with
their inputs. Every constant is one of the class, so that layers may move one after the other. With depth the constants
multiply: the table says what norms can say of a stack, which is little for many layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sympy import Expr, S, Symbol

from ssm_bounds.bounds.architectures.block import Architecture, Block, Flow, Theorem
from ssm_bounds.bounds.values import DomainError, require


def stack(layers: Sequence[Architecture]) -> Architecture:
    """The table of ``f_L o ... o f_1``: "2.W" is the W of the second layer, whose symbols end in _2.

    Raises: DomainError for a layer without a flow, whose output is no input of another. Source: theory.md 11.
    """
    require(bool(layers), "a stack has at least one layer")
    theorems = frozenset[Theorem].intersection(*(frozenset(layer.sources) for layer in layers))
    require(bool(theorems), "the layers of a stack have no theorem in common")
    copies = [_copy(layer, i) for i, layer in enumerate(layers, 1)]
    flows = [flow for _, flow in copies]
    radius: Expr = flows[0].input
    placed = []
    for flow in flows:  # what a layer gets is at most what the one before it gives
        placed.append({flow.input: radius})
        radius = flow.output.xreplace({flow.input: radius})
    slopes = [flow.lipschitz.xreplace(at) for flow, at in zip(flows, placed, strict=True)]
    blocks: list[Block] = []
    for i, ((own, _), at) in enumerate(zip(copies, placed, strict=True)):
        later = S.One
        for slope in slopes[i + 1 :]:
            later = later * slope
        blocks += [_behind(block, at, later, theorems) for block in own]
    lipschitz = S.One
    for slope in slopes:
        lipschitz = lipschitz * slope
    return Architecture(
        "stack of " + ", ".join(layer.name for layer in layers),
        tuple(blocks),
        {},
        {theorem: ", ".join(dict.fromkeys(layer.sources[theorem] for layer in layers)) for theorem in sorted(theorems)},
        tuple(block.coefficient for block in blocks),
        Flow(flows[0].input, radius, lipschitz),
    )


def _behind(block: Block, at: dict[Symbol, Expr], later: Expr, theorems: frozenset[Theorem]) -> Block:
    """A block with the input radius of its place, its moves carried through the later layers."""
    return replace(
        block,
        radius=block.radius.xreplace(at),
        seen=block.seen.xreplace(at),
        beta={name: later * beta.xreplace(at) for name, beta in block.beta.items() if name in theorems},
    )


def _copy(layer: Architecture, i: int) -> tuple[tuple[Block, ...], Flow]:
    """The blocks and the flow of a layer in symbols of its own.

    A symbol that stands for an expression of others could hide the input radius, which is to be replaced: refused.
    """
    if layer.flow is None:
        raise DomainError(f"layer {i} ({layer.name}) cannot be stacked: it says no flow from its input to its output")
    flow = layer.flow
    symbols = flow.output.free_symbols | flow.lipschitz.free_symbols | {flow.input}
    for block in layer.blocks:
        for formula in (block.entries, block.radius, block.seen, *block.beta.values()):
            symbols |= formula.free_symbols
        symbols |= {block.l1} if block.l1 is not None else set()
    hidden = sorted(symbol.name for symbol in symbols if symbol in layer.derived)
    require(not hidden, f"layer {i} ({layer.name}): {hidden} stand for other expressions; write them out for a stack")
    own = {symbol: Symbol(f"{symbol.name}_{i}", **symbol.assumptions0) for symbol in symbols}
    blocks = tuple(_renamed(block, i, own) for block in layer.blocks)
    return blocks, Flow(own[flow.input], flow.output.xreplace(own), flow.lipschitz.xreplace(own))


def _renamed(block: Block, i: int, own: dict[Symbol, Symbol]) -> Block:
    return replace(
        block,
        name=f"{i}.{block.name}",
        key=f"{i}.{block.key}",
        coefficient=f"{i}.{block.coefficient}",
        shown=f"{block.shown} of layer {i}",
        words=f"{block.words} of layer {i}",
        entries=block.entries.xreplace(own),
        radius=block.radius.xreplace(own),
        seen=block.seen.xreplace(own),
        l1=None if block.l1 is None else own[block.l1],
        beta={theorem: beta.xreplace(own) for theorem, beta in block.beta.items()},
        alpha=None,
        item=None,
    )
