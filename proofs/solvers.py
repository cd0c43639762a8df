"""Who decides a step: sympy, z3, interval branch and bound, rules of calculus; axioms and assumptions are named.

Trouble (a time-out, an expression a solver does not know) resolves to "not decided", never to "holds".
"""

from __future__ import annotations

import functools
import heapq
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import sympy
import z3
from sympy.logic.boolalg import Boolean

from bounds.constants import Scalar
from bounds.enclose import range_over
from proofs.statement import Outcome

_STRICT = (sympy.StrictLessThan, sympy.StrictGreaterThan)
_INEQUALITIES = (sympy.LessThan, sympy.GreaterThan, *_STRICT)
Box = Mapping[sympy.Symbol, tuple[Scalar, Scalar]]


def _decided(holds: bool, remark: str = "") -> Outcome:
    return Outcome(holds, "decided", remark)


@dataclass(frozen=True, slots=True)
class Axiom:
    """A classical fact, cited: the claim is an instance of it."""

    name: str
    citation: str

    @property
    def method(self) -> str:
        return f"axiom: {self.name}"

    def decide(self, claim: Boolean, facts: tuple[Boolean, ...]) -> Outcome:
        return Outcome(True, "axiom", f"{self.name} ({self.citation})")


@dataclass(frozen=True, slots=True)
class Assumed:
    """A step that no solver here decides, shown with its citation; it keeps the verdict below PROVED."""

    citation: str
    method = "assumed"

    def decide(self, claim: Boolean, facts: tuple[Boolean, ...]) -> Outcome:
        return Outcome(True, "assumed", self.citation)


@dataclass(frozen=True, slots=True)
class Identity:
    """An equality by sympy: the difference of the sides simplifies to 0. Derivatives, limits and sums are taken first.

    For an inequality, sympy must reduce the difference to a number of the right sign.
    """

    method = "sympy"

    def decide(self, claim: Boolean, facts: tuple[Boolean, ...]) -> Outcome:
        if claim == sympy.true:
            return _decided(True)
        difference = sympy.simplify((claim.lhs - claim.rhs).doit())
        if difference != 0:
            difference = sympy.simplify(sympy.expand_log(sympy.expand(difference.rewrite(sympy.exp)), force=False))
        if isinstance(claim, sympy.Eq):
            return _decided(difference == 0, str(difference) if difference != 0 else "")
        return _decided(bool(claim.func(difference, 0) == sympy.true), str(difference))


@dataclass(frozen=True, slots=True)
class Induction:
    """``left(n) = right(n)`` for integers n >= start: the base, and equal increments. ``left`` is a sum over t < n."""

    variable: sympy.Symbol
    start: int = 0
    method = "sympy induction"

    def decide(self, claim: Boolean, facts: tuple[Boolean, ...]) -> Outcome:
        total, closed = claim.lhs, claim.rhs
        if not isinstance(claim, sympy.Eq) or not isinstance(total, sympy.Sum):
            return _decided(False, "induction needs a sum on the left of an equality")
        index, low, high = total.limits[0]
        if high != self.variable - 1 or low != 0:
            return _decided(False, f"induction needs a sum over 0 <= {index} < {self.variable}")
        base = sympy.simplify(
            sum(total.function.subs(index, i) for i in range(self.start)) - closed.subs(self.variable, self.start)
        )
        step = closed.subs(self.variable, self.variable + 1) - closed - total.function.subs(index, self.variable)
        step = sympy.simplify(sympy.powsimp(sympy.expand(sympy.together(step))))
        return _decided(base == 0 and step == 0, "" if base == 0 and step == 0 else f"base {base}, step {step}")


@dataclass(frozen=True, slots=True)
class Z3:
    """Real arithmetic: the hypotheses, the facts and the negated claim have no common solution.

    exp, log and the like become fresh variables, one per distinct argument: only what the facts say of them is used.
    Roots are real roots: s >= 0 with s^k = x, for x >= 0.
    """

    seconds: float = 20.0
    method = "z3"

    def decide(self, claim: Boolean, facts: tuple[Boolean, ...]) -> Outcome:
        solver = z3.Solver()
        solver.set("timeout", int(1000 * self.seconds))
        translate = _Translation(solver)
        for fact in facts:
            solver.add(translate.boolean(fact))
        solver.add(z3.Not(translate.boolean(claim)))
        answer = solver.check()
        return _decided(answer == z3.unsat, "" if answer == z3.unsat else f"z3 says {answer}")


class _Translation:
    """sympy to z3, adding what sympy knows of each symbol (its assumptions) to the solver."""

    def __init__(self, solver: z3.Solver) -> None:
        self.solver = solver
        self.atoms: dict[sympy.Expr, z3.ArithRef] = {}

    def boolean(self, claim: Boolean) -> z3.BoolRef:
        if claim in (sympy.true, sympy.false):
            return z3.BoolVal(claim is sympy.true)
        if isinstance(claim, sympy.And | sympy.Or):
            parts = [self.boolean(part) for part in claim.args]
            return (z3.And if isinstance(claim, sympy.And) else z3.Or)(*parts)
        if isinstance(claim, sympy.Not):
            return z3.Not(self.boolean(claim.args[0]))
        if isinstance(claim, sympy.Implies):
            return z3.Implies(*(self.boolean(part) for part in claim.args))
        left, right = (self.real(side) for side in claim.args)
        return {
            sympy.Eq: lambda: left == right,
            sympy.Ne: lambda: left != right,
            sympy.LessThan: lambda: left <= right,
            sympy.StrictLessThan: lambda: left < right,
            sympy.GreaterThan: lambda: left >= right,
            sympy.StrictGreaterThan: lambda: left > right,
        }[claim.func]()

    def real(self, node: sympy.Expr) -> z3.ArithRef:
        if node.is_Rational:
            return z3.RatVal(int(node.p), int(node.q))
        if node.is_Add:
            return z3.Sum([self.real(term) for term in node.args])
        if node.is_Mul:
            return z3.Product([self.real(factor) for factor in node.args])
        if node.is_Pow and node.exp.is_Integer:
            base = self.real(node.base)
            power = z3.Product([base] * abs(int(node.exp)))
            if node.exp > 0:
                return power
            inverse = self._atom(node)
            self.solver.add(inverse * power == 1)  # the statement divides by it, so it is not 0
            return inverse
        if node.is_Pow and node.exp.is_Rational:
            root = self._atom(sympy.Pow(node.base, sympy.Rational(1, node.exp.q), evaluate=False))
            self.solver.add(root >= 0, z3.Product([root] * int(node.exp.q)) == self.real(node.base))
            power = z3.Product([root] * abs(int(node.exp.p)))
            return power if node.exp > 0 else 1 / power
        if isinstance(node, sympy.Max | sympy.Min):
            parts = [self.real(part) for part in node.args]
            result = parts[0]
            for part in parts[1:]:
                first = result >= part if isinstance(node, sympy.Max) else result <= part
                result = z3.If(first, result, part)
            return result
        if isinstance(node, sympy.Abs):
            inner = self.real(node.args[0])
            return z3.If(inner >= 0, inner, -inner)
        return self._atom(node)

    def _atom(self, node: sympy.Expr) -> z3.ArithRef:
        if node not in self.atoms:
            variable = z3.Real(f"v{len(self.atoms)}_{node}"[:60])
            self.atoms[node] = variable
            if node.is_positive:
                self.solver.add(variable > 0)
            elif node.is_nonnegative:
                self.solver.add(variable >= 0)
            elif node.is_negative:
                self.solver.add(variable < 0)
        return self.atoms[node]


@dataclass(frozen=True, slots=True)
class Interval:
    """An inequality over a box, by branch and bound with arb balls: the sign is certain on every piece.

    ``box``: closed ranges of all free symbols; ``reduction``: how an unbounded direction or another domain came to it.
    """

    box: tuple[tuple[sympy.Symbol, Scalar, Scalar], ...]
    reduction: str = ""
    pieces: int = 20_000

    @property
    def method(self) -> str:
        return "interval"

    def decide(self, claim: Boolean, facts: tuple[Boolean, ...]) -> Outcome:
        if claim == sympy.true:  # sympy decided it while it was being written down
            return _decided(True)
        whole = {symbol: (Fraction(low), Fraction(high)) for symbol, low, high in self.box}
        if missing := claim.free_symbols - whole.keys():
            return _decided(False, f"the box says nothing of {sorted(map(str, missing))}")
        difference = claim.gts - claim.lts
        strict = isinstance(claim, _STRICT)
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
                return _decided(False, f"fails on {box}")
            if done + len(queue) > self.pieces:
                return _decided(False, f"undecided after {self.pieces} pieces, for example on {box}")
            symbol = max(box, key=functools.partial(_share, box, whole))
            low, high = box[symbol]
            middle = (low + high) / 2
            for half in ((low, middle), (middle, high)):
                heapq.heappush(queue, (-float(half[1] - half[0]), next(order), box | {symbol: half}))
        return _decided(True, f"{done} pieces" + (f"; {self.reduction}" if self.reduction else ""))


def _share(box: Box, whole: Box, symbol: sympy.Symbol) -> Fraction:
    """How much of its whole range a symbol still has."""
    width, full = (Fraction(b[symbol][1]) - Fraction(b[symbol][0]) for b in (box, whole))
    return width / full if full else Fraction(0)


@dataclass(frozen=True, slots=True)
class Monotone:
    """``f >= 0`` on [start, oo) from ``f(start) >= 0`` and ``f' >= 0`` (mean value theorem).

    Sympy knows the sign of f', or a fact says it: one among ``using`` must then be the derivative of the claim's
    difference in ``variable``, up to simplification, times a factor sympy knows to be positive.
    """

    variable: sympy.Symbol
    start: sympy.Expr
    method = "sympy, mean value theorem"

    def decide(self, claim: Boolean, facts: tuple[Boolean, ...]) -> Outcome:
        f = claim.gts - claim.lts
        derivative = sympy.diff(f, self.variable)
        at_start = sympy.simplify(f.subs(self.variable, self.start))
        if not (at_start == 0 or at_start.is_nonnegative):
            return _decided(False, f"the difference at {self.variable} = {self.start} is {at_start}")
        if sympy.simplify(derivative).is_nonnegative:
            return _decided(True)
        for fact in facts:
            if not isinstance(fact, _INEQUALITIES):
                continue
            ratio = sympy.simplify(derivative / (fact.gts - fact.lts)) if fact.gts != fact.lts else None
            if ratio is not None and ratio.is_positive:
                return _decided(True)
        return _decided(False, f"no fact says that {derivative} >= 0")


@dataclass(frozen=True, slots=True)
class Chain:
    """A claim whose sides are joined by the named steps, each starting where the one before ended."""

    method = "chain"

    def decide(self, claim: Boolean, facts: tuple[Boolean, ...]) -> Outcome:
        at = claim.lts if not isinstance(claim, sympy.Eq) else claim.lhs
        end = claim.gts if not isinstance(claim, sympy.Eq) else claim.rhs
        strict = False
        for fact in facts:
            if isinstance(fact, sympy.Eq) and at in fact.args:
                at = fact.rhs if fact.lhs == at else fact.lhs
            elif isinstance(fact, _INEQUALITIES) and fact.lts == at:
                at = fact.gts
                strict = strict or isinstance(fact, _STRICT)
            else:
                return _decided(False, f"the chain stands at {at}, which {fact} does not continue")
        wanted_strict = isinstance(claim, _STRICT)
        return _decided(
            at == end and (strict or not wanted_strict), "" if at == end else f"it ends at {at}, not at {end}"
        )
