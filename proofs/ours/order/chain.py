"""15.7: layers of two diagonal units, one behind the other, and the iterated integral that they approach."""

import math
from collections.abc import Callable, Mapping

import sympy
from sympy import Abs, Eq, Le

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom, Fold
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

apart, first, grown, plain = sympy.symbols("d V_1 P Q", nonnegative=True)
others, bounds, bound = sympy.symbols("R B b", nonnegative=True)
term = sympy.Symbol("s", real=True)
claim = Le(apart, first * (grown - plain))


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """On a path along axes, a_1, b_1, c_1, a_2, b_2, ..: the word 123, and 12 where there is no c."""
    eps, n = numbers.exp(free["eps"]), sizes["moves"]

    def sinh(x: Array) -> Array:
        return (numbers.exp(eps * x) - numbers.exp(-eps * x)) / (2 * eps)

    def way(x: Array) -> Array:
        return x

    def iterated(weigh: Callable[[Array], Array]) -> Array:
        """``int int weigh(Z_T - Z_s) weigh'(Y_s - Y_r) dX_r dY_s``: of ``sinh`` the chain, of ``way`` the integral."""

        def second(moves: int) -> Array:
            """Up to so many moves of b; a move of a that no b follows adds 0."""
            heights = [free["b"][i:moves].sum() for i in range(moves)]
            return sum((free["a"][i] * weigh(height) for i, height in enumerate(heights)), 0 * eps)

        if sizes["letters"] == 2:
            return second(n)
        left = [weigh(free["c"][j:].sum()) for j in range(n)]
        return sum((left[j] * (second(j + 1) - second(j)) for j in range(n)), 0 * eps)

    varied = [abs(free[name]).sum() for name in "abc"[: sizes["letters"]]]
    values = {apart: abs(iterated(sinh) - iterated(way)), first: varied[0]}
    for symbol, weigh in ((grown, sinh), (plain, way)):
        values[symbol] = math.prod((weigh(V) for V in varied[2:]), start=weigh(varied[1]))
    return values


STATEMENT = Statement(
    label="15.7",
    title="Chains of diagonal layers",
    claim=claim,
    source="theory.md 15.7",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "d = |u_k - S^{i_1..i_k}| at the end of the path; V_l: the variation of X^{i_l}; Q = V_2 .. V_k and P = "
        "sinh(eps V_2)/eps .. sinh(eps V_k)/eps",
        "s: eps^{2 (j_2 + .. + j_k)} S^{i_1 i_2^{2 j_2 + 1} .. i_k^{2 j_k + 1}}, for each choice of j_2, .., j_k >= 0; "
        "b: V_1 times the product of eps^{2 j_l} V_l^{2 j_l + 1}/(2 j_l + 1)!; R and B: the sums of |s| and of b over "
        "all choices but zeros",
        "attained by a path along i_1, then i_2, and so on, if the letters are distinct",
    ),
    witness={apart: 1, first: 1, grown: 2, plain: 1, others: 1, bounds: 1, bound: 1, term: 1},
    derivation=(
        Step(
            "one word",
            Le(Abs(term), bound),
            Axiom(
                "over u_1 < u_2 < .. an integral of |dX| is at most that where only equal neighbours keep order",
                "monotonicity",
            ),
        ),
        Step("all words", Le(others, bounds), Fold(((others, Abs(term)), (bounds, bound))), ("one word",)),
        Step(
            "identity",
            Le(apart, others),
            Axiom(
                "u_k is the sum of s over all choices: expand sinh(eps (X_T - X_s)), (X_T - X_s)^n/n! = S^{i..i}_{s,T}",
                "power series; the definition of S^{IJ} as an integral over S^I",
            ),
        ),
        Step(
            "series of sinh",
            Eq(bounds, first * (grown - plain)),
            Axiom("the product of the series of sinh(eps V_l)/eps, less its first term", "power series of sinh"),
        ),
        Step("conclusion", claim, Z3(), ("all words", "identity", "series of sinh")),
    ),
    not_claimed=(
        "That it is tight where letters repeat.",
        "Anything about how such exponents are learned.",
    ),
    adversary=Adversary(
        ({"letters": 2, "moves": 2}, {"letters": 3, "moves": 2}),
        lambda sizes: dict.fromkeys("abc"[: sizes["letters"]], (sizes["moves"],)) | {"eps": ()},
        bind,
    ),
)
