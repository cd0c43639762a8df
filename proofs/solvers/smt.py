"""Real arithmetic by z3."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import sympy
import z3
from sympy.logic.boolalg import Boolean

from ssm_bounds.proofs.solvers.facts import decided
from ssm_bounds.proofs.statement import Outcome


@dataclass(frozen=True, slots=True)
class Z3:
    """Real arithmetic: the hypotheses, the facts and the negated claim have no common solution.

    exp, log and the like become fresh variables, one per distinct argument: only what the facts say of them is used,
    that exp(a + b) = exp(a) exp(b), exp(-a) exp(a) = 1, exp(a) >= 1 + a, exp increases; log(a) <= a - 1 and log(a) >= 0
    for a >= 1. Roots are real roots: s >= 0 with s^k = x, for x >= 0. A ceiling lies in [x, x + 1). Of a quotient by 0
    or a root below 0 nothing is known.
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
        translate.logarithms()
        translate.exponentials()
        answer = solver.check()
        return decided(answer == z3.unsat, "" if answer == z3.unsat else f"z3 says {answer}")


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
            self.solver.add(z3.Implies(power != 0, inverse * power == 1))
            return inverse
        if node.is_Pow and node.exp.is_Rational:
            root = self._atom(sympy.Pow(node.base, sympy.Rational(1, node.exp.q), evaluate=False))
            base = self.real(node.base)
            self.solver.add(z3.Implies(base >= 0, z3.And(root >= 0, z3.Product([root] * int(node.exp.q)) == base)))
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
        if isinstance(node, sympy.exp):
            return self._exponential(node)
        if isinstance(node, sympy.ceiling):
            above, argument = self._atom(node), self.real(node.args[0])
            self.solver.add(above >= argument, above < argument + 1)
            return above
        return self._atom(node)

    def _exponential(self, node: sympy.Expr) -> z3.ArithRef:
        """The variable of e^x, tied to those of its factors when x is a sum or an integer multiple, and to e^-x."""
        if node in self.atoms:
            return self.atoms[node]
        power = self._atom(node)
        terms = [term.as_coeff_Mul() for term in sympy.Add.make_args(sympy.expand(node.exp))]
        if any(not coefficient.is_Integer or rest == 1 for coefficient, rest in terms):
            return power
        factors = [(sympy.exp(rest if count > 0 else -rest), abs(int(count))) for count, rest in terms]
        if factors != [(node, 1)]:
            self.solver.add(power == z3.Product([self.real(factor) for factor, n in factors for _ in range(n)]))
        elif (inverse := self.atoms.get(sympy.exp(-node.exp))) is not None:
            self.solver.add(power * inverse == 1)
        return power

    def exponentials(self) -> None:
        """What is known of exp at the arguments met so far."""
        found = [(self.real(node.args[0]), atom) for node, atom in list(self.atoms.items()) if node.func is sympy.exp]
        for x, power in found:
            self.solver.add(power > 0, power >= 1 + x, z3.Implies(x < 0, power < 1), z3.Implies(x > 0, power > 1))
        for (x, low), (y, high) in itertools.permutations(found, 2):
            self.solver.add(z3.Implies(x <= y, low <= high))

    def logarithms(self) -> None:
        """What is known of log at the arguments met so far."""
        for node, atom in list(self.atoms.items()):
            if isinstance(node, sympy.log):
                x = self.real(node.args[0])
                self.solver.add(z3.Implies(x > 0, atom <= x - 1), z3.Implies(x >= 1, atom >= 0))

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


def admits(symbol: sympy.Symbol, value: sympy.Expr, facts: tuple[Boolean, ...]) -> bool:
    """Whether a value is certainly one that the symbol's assumptions allow: a real of its sign, an integer."""
    if symbol.is_real is not True or value.is_real is not True:
        return False
    special = ("even", "odd", "prime", "composite", "irrational", "zero")
    if any(getattr(symbol, f"is_{name}") for name in special) or (symbol.is_nonpositive and not symbol.is_negative):
        return False
    if symbol.is_nonzero and not (symbol.is_positive or symbol.is_negative):
        return False
    if symbol.is_integer and not value.is_integer:
        return False
    zero = sympy.Integer(0)
    sign = (
        (sympy.Gt if symbol.is_positive else sympy.Ge)(value, zero)
        if symbol.is_nonnegative
        else sympy.Lt(value, zero)
        if symbol.is_negative
        else sympy.true
    )
    return sign == sympy.true or sign in facts or Z3().decide(sign, facts).holds
