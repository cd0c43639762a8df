"""Interval branch and bound."""

from __future__ import annotations

import functools
import heapq
import itertools
from dataclasses import dataclass
from fractions import Fraction

import sympy
from sympy.logic.boolalg import Boolean

from ssm_bounds.bounds.evaluate.balls import range_over
from ssm_bounds.bounds.values import Scalar
from ssm_bounds.proofs.solvers.facts import STRICT, Box, decided
from ssm_bounds.proofs.solvers.smt import Z3
from ssm_bounds.proofs.statement import Outcome


@dataclass(frozen=True, slots=True)
class Interval:
    """An inequality over a box, by branch and bound with arb balls: the sign is certain on every piece.

    ``box``: closed ranges of all free symbols. The facts must confine the symbols to it: an unbounded direction is
    reduced beforehand, by a substitution in a step of its own.
    """

    box: tuple[tuple[sympy.Symbol, Scalar, Scalar], ...]
    pieces: int = 20_000

    @property
    def method(self) -> str:
        return "interval"

    def decide(self, claim: Boolean, facts: tuple[Boolean, ...]) -> Outcome:
        if claim == sympy.true:  # sympy decided it while it was being written down
            return decided(True)
        whole = {symbol: (Fraction(low), Fraction(high)) for symbol, low, high in self.box}
        if missing := claim.free_symbols - whole.keys():
            return decided(False, f"the box says nothing of {sorted(map(str, missing))}")
        for symbol, (low, high) in whole.items():
            inside = sympy.And(sympy.Ge(symbol, sympy.Rational(low)), sympy.Le(symbol, sympy.Rational(high)))
            if not Z3().decide(inside, facts).holds:
                return decided(False, f"the facts do not confine {symbol} to [{low}, {high}]")
        difference = claim.gts - claim.lts
        strict = isinstance(claim, STRICT)
        order = itertools.count()
        queue = [(-1.0, next(order), whole)]
        done = 0
        while queue:
            _, _, box = heapq.heappop(queue)
            done += 1
            found = range_over(difference, box)
            if found is not None and (found.lower > 0 or (found.lower >= 0 and not strict)):
                continue
            if found is not None and found.upper < 0:
                return decided(False, f"fails on {box}")
            if done + len(queue) > self.pieces:
                return decided(False, f"undecided after {self.pieces} pieces, for example on {box}")
            symbol = max(box, key=functools.partial(_share, box, whole))
            low, high = box[symbol]
            middle = (low + high) / 2
            for half in ((low, middle), (middle, high)):
                heapq.heappush(queue, (-float(half[1] - half[0]), next(order), box | {symbol: half}))
        return decided(True, f"{done} pieces")


def _share(box: Box, whole: Box, symbol: sympy.Symbol) -> Fraction:
    """How much of its whole range a symbol still has."""
    width, full = (Fraction(b[symbol][1]) - Fraction(b[symbol][0]) for b in (box, whole))
    return width / full if full else Fraction(0)
