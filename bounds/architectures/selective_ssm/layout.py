"""The paper's model as named tensors, for codes: their axes, and what may be permuted or change its sign.

Signs: channel j in the embedding and in all that reads the channel; row n of W_B and W_C; W and W_C together. Inputs
that are not embedded fix the channels and their signs. That these are symmetries of the model is not used.
"""

from __future__ import annotations

from ssm_bounds.bounds.codes.layout import Flip, Index, Layout, Order, Tensor
from ssm_bounds.bounds.values import Gate


def layout(d: int, N: int, k: int, V: int | None, gate: Gate = "softplus") -> Layout:
    """d channels, N states, k outputs, V embedding rows (None: no embedding); gate "none" has no q and p.

    The order of everything is part of the prior ``codes.scheme.PRIOR``. Raises: DomainError.
    """
    gated, embedded = gate == "softplus", V is not None
    tensors = [
        Tensor("A", ("channels", "states")),
        Tensor("W_B", ("states", "channels")),
        Tensor("W_C", ("states", "channels")),
        *([Tensor("q", ("channels",)), Tensor("p", ())] if gated else []),
        Tensor("W", ("outputs", "channels")),
        *([Tensor("embedding", ("tokens", "channels"))] if embedded else []),
    ]
    indices = [Index("channels", d), Index("states", N), Index("outputs", k)]
    orders, flips = [Order("states", ("W_B", "W_C", "A"))], [Flip("states", ("W_B", "W_C")), Flip(None, ("W", "W_C"))]
    gauge = ["W", "W_B", "W_C"]
    if V is not None:
        q = ("q",) if gated else ()
        indices.append(Index("tokens", V))
        orders.insert(0, Order("channels", ("embedding", "W", *q, "W_B", "W_C", "A")))
        flips.append(Flip("channels", ("embedding", *q, "W", "W_B", "W_C")))
        gauge = ["embedding", *q, *gauge]
    return Layout(tuple(indices), tuple(tensors), ("channels", "states"), tuple(orders), tuple(flips), tuple(gauge))


def gate_of(layout: Layout) -> Gate:
    """The gate of a model that is laid out so."""
    return "softplus" if "q" in layout.axes() else "none"
