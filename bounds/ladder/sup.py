"""Margin PAC-Bayes with a uniform posterior on a box that no output leaves by half a margin (theory M5.4, sup form).

**Claim.** In the notation of ``ladder.telescope``: for every input and every point of the box, let z move by at most E.
With probability 1 - delta, for all theta, h and g with ``E < g/2`` at once,
``risk(theta) <= kl_inv((1/m) #{i : mu_i <= g/2 + E}, (KL(Q || P) + ln(1/pi) + ln(xi(m)/delta))/m)``.

**Derivation.** That of the telescope with the whole move in the place of the even part and S = 0: f is 1 up to E and 0
beyond, tau is 0. It asks for no second derivative, so that steps may be clamped, and z may be any positive multiple of
the logit that depends on the parameters too (theory M5.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from ssm_bounds.bounds.architectures.mamba.heads import OF_READOUT, Fixed, Slopes2, by_entry, move2, slopes2
from ssm_bounds.bounds.architectures.mamba.telescope import box
from ssm_bounds.bounds.ladder.telescope import Block, Posterior, Widths, iterated, least, priced

_ROUNDS = 24


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


def slopes_around(block: Block2, width: Widths) -> Slopes2:
    return slopes2(box(block.center, width), block.windows, block.fixed, block.T)


@np.errstate(all="ignore")
def certified2(block: Block2, width: Widths, g: Fraction) -> Posterior:
    """Everything of the posterior with these widths around ``block``, which is in units of g already."""
    return priced(block, width, g, 0.0, move2(slopes_around(block, width), width))


@np.errstate(all="ignore")
def fitted2(block: Block2) -> Widths | None:
    """Widths of about least KL at which nothing moves by half the margin; None where there are none.

    At the optimum ``1/h_i - h_i/(3 lambda_b^2) = nu s_i``, s_i a mean over the last tokens: iterated, as s is of the
    box, and scaled by one factor in the end. A search, the same on every machine; nothing certified rests on it.
    """

    def following(width: Widths, prior: Mapping[str, float]) -> Widths | None:
        found = slopes_around(block, width)
        if not all(np.isfinite(each).all() for each in found.values()):
            return None
        costs = by_entry(found)

        def at(nu: float) -> Widths:
            return {
                name: 2 / (nu * costs[name] + np.sqrt(np.square(nu * costs[name]) + 4 / (3 * prior[name])))
                for name in prior
            }

        return at(least(lambda nu: move2(found, at(nu)), -42.0, 84.0))

    width = iterated(block, 1e-6, _ROUNDS, following)
    if width is None:
        return None

    def shrunk(factor: float) -> Widths:
        return {name: h / factor for name, h in width.items()}

    return shrunk(least(lambda factor: move2(slopes_around(block, shrunk(factor)), shrunk(factor)), -1.4, 4.2))
