"""16.5: how far a Rademacher average moves with one example: half of what the largest gap does."""

import itertools
from collections.abc import Mapping

import sympy
from sympy import Abs, Ge, Le

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

before, after, without = sympy.symbols("R R' S", real=True)
plus, minus, plus_after, minus_after = sympy.symbols("P M P' M'", real=True)
claim = Le(Abs(after - before), sym.c / (2 * sym.m))
_HALVES = "R is the mean over the sign of the last example of the two suprema, its values less c/2"


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """A class of functions by its values on m examples, and on the one that replaces the last."""
    f, other, m = free["f"], free["other"], sizes["m"]

    def average(values: Array) -> Array:
        found = [
            numbers.largest(sum((sign * values[:, i] for i, sign in enumerate(signs)), values[:, 0] * 0))
            for signs in itertools.product((1, -1), repeat=m)
        ]
        return sum(found[1:], found[0]) / (len(found) * m)

    exchanged = f * 1
    exchanged[:, m - 1] = other
    top = numbers.maximum(numbers.largest(f), numbers.largest(other))
    bottom = numbers.maximum(numbers.largest(-f), numbers.largest(-other))
    return {before: average(f), after: average(exchanged), sym.c: top + bottom, sym.m: m}


STATEMENT = Statement(
    label="16.5-exchange",
    title="A Rademacher average moves by c/(2m) with one example",
    claim=claim,
    source="theory.md 16.5",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "R, R': averages of a class with values in [0, c] on two samples of m that differ in one example",
        "S: mean over the other signs of sup (1/m) sum of the other examples; P, M: of sup with (f - c/2)/m of the "
        "example added, or taken off",
    ),
    witness=dict.fromkeys((before, after, without, plus, minus, plus_after, minus_after), 0) | {sym.c: 1, sym.m: 1},
    derivation=(
        Step("halves", sympy.Eq(before, (plus + minus) / 2), Axiom(_HALVES, "constants do not move R")),
        Step(
            "halves after", sympy.Eq(after, (plus_after + minus_after) / 2), Axiom(_HALVES, "constants do not move R")
        ),
        Step(
            "at most",
            sympy.And(*(Le(each, without + sym.c / (2 * sym.m)) for each in (plus, minus, plus_after, minus_after))),
            Axiom("a supremum moves by at most the largest change", "|f - c/2|/m <= c/(2m)"),
        ),
        Step(
            "at least",
            sympy.And(Ge(plus + minus, 2 * without), Ge(plus_after + minus_after, 2 * without)),
            Axiom("two suprema add up to at least the supremum of the sum", "the example cancels in the sum"),
        ),
        Step("conclusion", claim, Z3(), ("halves", "halves after", "at most", "at least")),
    ),
    not_claimed=("Anything about averages with an absolute value.",),
    adversary=Adversary(
        tuple({"m": m, "K": K} for m, K in ((1, 2), (2, 3))),
        lambda sizes: {"f": (sizes["K"], sizes["m"]), "other": (sizes["K"],)},
        bind,
    ),
)
