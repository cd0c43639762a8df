"""Margin PAC-Bayes of a last block and what reads it out, over all inputs of its ball (theory M5.4, M6.4).

**Claim.** That of ``ladder.sup`` for f of ``architectures.mamba.last``, a positive multiple of the logit: it moves by
at most the larger of far and near. The features are fixed before the data, or a linear map of real inputs that is one
of the blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import ClassVar

import numpy as np

from ssm_bounds.bounds.architectures.mamba.last import OF_READOUT, Last, around, furthest, on_box
from ssm_bounds.bounds.architectures.mamba.last_costs import costs
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.evaluate.elementary import Floats, total
from ssm_bounds.bounds.ladder.telescope import Boxed, Posterior, Widths, iterated, least, priced

NAME = "pac-bayes-last-block"
_ROUNDS = 24


@dataclass(frozen=True, slots=True, eq=False)
class LastBlock(Boxed):
    """``last`` of its centre; ``start`` and ``price`` as in ``telescope.Boxed``."""

    last: Last
    start: Mapping[str, Floats]
    price: Enclosure
    center: Mapping[str, tuple[Floats, Floats]] = field(default_factory=dict)

    READ_OUT: ClassVar[tuple[str, ...]] = OF_READOUT

    def __post_init__(self) -> None:
        object.__setattr__(self, "center", self.center or self.last.center)

    @property
    def where(self) -> str:
        over = f"over all inputs of at most {self.last.T} tokens in the ball of the block's norm"
        return f"{over}, logits divided by {self.last.divided} (its choice is in ln(1/pi))"

    @property
    def counted(self) -> Mapping[str, float]:
        return {"c": self.last.unit}

    def posteriors(self, g: Fraction) -> tuple[Posterior, ...]:
        """One, if any."""
        own = self.over(g)
        width = fitted_last(own)
        return () if width is None else (certified_last(own, width, g),)

    @property
    def own(self) -> Last:
        """In the units of ``center``."""
        return replace(self.last, center=self.center)


@np.errstate(all="ignore")
def certified_last(block: LastBlock, width: Widths, g: Fraction) -> Posterior:
    """Everything of the posterior with these widths around ``block``, which is in units of g already."""
    return priced(block, width, g, 0.0, furthest(block.own, width))


@np.errstate(all="ignore")
def fitted_last(block: LastBlock) -> Widths | None:
    """Widths of about least KL at which nothing moves by half the margin; None where there are none.

    As in ``sup.fitted2``. Those of line have the room that near leaves them: far is the larger of the two nowhere.
    A search, the same on every machine; nothing certified rests on it.
    """
    own = block.own

    def following(width: Widths, prior: Mapping[str, float]) -> Widths | None:
        at, readout = around(own, width)
        found = costs(own, at, readout, width)
        if not all(np.isfinite(each).all() for each in found.values()):
            return None

        def at_price(nu: float) -> Widths:
            return {
                name: 2 / (nu * found[name] + np.sqrt(np.square(nu * found[name]) + 4 / (3 * prior[name])))
                for name in prior
            }

        return _evened(own, at_price(least(lambda nu: _near(own, at_price(nu)), -42.0, 84.0)), prior["line"])

    width = iterated(block, 1e-6, _ROUNDS, following)
    if width is None:
        return None

    def shrunk(factor: float) -> Widths:
        return {name: h / factor for name, h in width.items()}

    return shrunk(least(lambda factor: furthest(own, shrunk(factor)), -1.4, 4.2))


def _near(last: Last, width: Widths) -> float:
    return on_box(last, width)[1]


def _evened(last: Last, width: Widths, prior: float) -> Widths:
    """With widths of line at which far is near."""
    line = width["line"]
    none, near = on_box(last, {**width, "line": 0 * line})
    far, _ = on_box(last, width)
    factor = max((near - none) / max(far - none, 1e-300), 0.1)
    size = np.sqrt(total(np.square(line)) / len(line)) * factor
    return {**width, "line": np.full(len(line), min(float(size), float(np.sqrt(3 * prior))))}
