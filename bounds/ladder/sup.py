"""Margin PAC-Bayes with a uniform posterior on a box that no output leaves by half a margin (theory M5.4, sup form).

**Claim.** In the notation of ``ladder.telescope``: for every input and every point of the box, let z move by at most E.
With probability 1 - delta, for all theta, h and g with ``E < g/2`` at once,
``risk(theta) <= kl_inv((1/m) #{i : mu_i <= g/2 + E}, (KL(Q || P) + ln(1/pi) + ln(xi(m)/delta))/m)``.

**Derivation.** That of the telescope with the whole move in the place of the even part and S = 0: f is 1 up to E and 0
beyond, tau is 0. It asks for no second derivative, so that steps may be clamped, and z may be any positive multiple of
the logit that depends on the parameters too (theory M5.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from ssm_bounds.bounds.architectures.mamba.heads import OF_READOUT, Fixed, Slopes2, by_entry, move2, slopes2
from ssm_bounds.bounds.architectures.mamba.telescope import box
from ssm_bounds.bounds.evaluate.elementary import Floats, total
from ssm_bounds.bounds.ladder.telescope import Block, Posterior, best_scale, priced

_ROUNDS = 24
_FINE = 2.0**-10  # of logarithms to base 2


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Block2(Block):
    """One trained Mamba-2 block in tables (``heads.BLOCKS2``); z is s times the logit."""

    fixed: Fixed

    READ_OUT: ClassVar[tuple[str, ...]] = OF_READOUT

    def posteriors(self, g: Fraction) -> tuple[Posterior, ...]:
        """One, if any."""
        own = self.over(g)
        width = fitted2(own)
        return () if width is None else (certified2(own, width, g),)


def slopes_around(block: Block2, width: Mapping[str, Floats]) -> Slopes2:
    return slopes2(box(block.center, width), block.windows, block.fixed, block.T)


def certified2(block: Block2, width: Mapping[str, Floats], g: Fraction) -> Posterior:
    """Everything of the posterior with these widths around ``block``, which is in units of g already."""
    return priced(block, width, g, 0.0, move2(slopes_around(block, width), width))


def fitted2(block: Block2) -> dict[str, Floats] | None:
    """Widths of about least KL at which nothing moves by half the margin; None where there are none.

    At the optimum ``1/h_i - h_i/(3 lambda_b^2) = nu s_i``, s_i a mean over the last tokens: iterated, as s is of the
    box, and scaled by one factor in the end. A search, the same on every machine; nothing certified rests on it.
    """
    squares = {
        name: float(total(np.square((low + high) / 2 - block.start[name])))
        for name, (low, high) in block.center.items()
    }
    width = {name: np.full(low.shape, 1e-6) for name, (low, _) in block.center.items()}
    for i in range(_ROUNDS):
        found = slopes_around(block, width)
        if not all(np.isfinite(each).all() for each in found.values()):
            return None
        prior = {
            name: 2.0 ** best_scale(squares[name] + float(total(np.square(h))) / 3, h.size) for name, h in width.items()
        }
        costs = by_entry(found)

        def at(nu: float, prior: Mapping[str, float] = prior, costs: Mapping[str, Floats] = costs) -> dict[str, Floats]:
            return {
                name: 2 / (nu * costs[name] + np.sqrt(np.square(nu * costs[name]) + 4 / (3 * prior[name])))
                for name in prior
            }

        def moved(log: float, found: Slopes2 = found) -> float:
            return move2(found, at(2.0**log))

        following = at(2.0 ** _least(moved, -60.0, 120.0))
        width = {name: np.sqrt(width[name] * following[name]) if i else following[name] * 0.5 for name in width}

    def shrunk(log: float) -> dict[str, Floats]:
        return {name: h * 2.0**-log for name, h in width.items()}

    log = _least(lambda log: move2(slopes_around(block, shrunk(log)), shrunk(log)), -2.0, 6.0)
    return shrunk(log)


def _least(moved: Callable[[float], float], low: float, high: float) -> float:
    """About the least number at which a move, which falls, is below half the margin; ``high`` if none is."""
    while high - low > _FINE:
        middle = (low + high) / 2
        low, high = (low, middle) if moved(middle) < 0.5 else (middle, high)
    return high
