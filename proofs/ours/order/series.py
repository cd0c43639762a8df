"""15.1: the signature series of a linear CDE, cut at a level, and what it leaves out."""

from collections.abc import Mapping

import sympy
from sympy import Eq, Le, Sum, factorial

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom, Fold
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

k, i = sympy.symbols("k i", integer=True, nonnegative=True)
rest, parts, tail, size = sympy.symbols("r P E z", nonnegative=True)
part, term = sympy.symbols("p_k t_k", nonnegative=True)
length, step = sympy.symbols("l m", positive=True)
claim = Le(rest, size * tail)


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """Two segments; the parts of each degree by the recurrence of the proof."""
    start, level = free["Z"], sizes["level"]
    degrees = [start, *(0 * start for _ in range(level))]
    total = 0
    exact = start
    for name in ("M", "N"):
        matrix = free[name]
        total = total + numbers.spectral(matrix)
        moved = [*degrees]
        for degree in range(level + 1):
            power = degrees[degree]
            for order in range(1, level + 1 - degree):
                power = matrix @ power / order
                moved[degree + order] = moved[degree + order] + power
        degrees, exact = moved, numbers.exponential(matrix) @ exact
    series: Array = 1
    kept: Array = 1
    for degree in range(1, level + 1):
        kept = kept * total / degree
        series = series + kept
    return {rest: numbers.norm(exact - sum(degrees)), size: numbers.norm(start), tail: numbers.exp(total) - series}


STATEMENT = Statement(
    label="15.1",
    title="The series of a linear CDE, cut at a level",
    claim=claim,
    source="theory.md 15.1",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "Z_T = e^{M_n} .. e^{M_1} Z_0; r: the l2 norm of Z_T less its parts of degree at most M in the path",
        "z = |Z_0|_2",
        "p_k: the norm of the part of degree k; l: the sum of the spectral norms of the M_j; t_k = l^k/k!",
        "P and E: the sums of p_k and of t_k over all k above M",
    ),
    witness={rest: 1, parts: 1, tail: 1, size: 1, part: 1, term: 1, length: 1, step: 1, k: 1, i: 1},
    derivation=(
        Step(
            "one more segment",
            Eq(
                Sum(step**i / factorial(i) * length ** (k - i) / factorial(k - i), (i, 0, k)),
                (length + step) ** k / factorial(k),
            ),
            Axiom("the sum of binom(k, i) m^i l^{k-i} is (l + m)^k", "binomial theorem"),
        ),
        Step(
            "degree k",
            Le(part, size * term),
            Axiom(
                "|sum_i M^i/i! v_{k-i}| <= sum_i |M|^i/i! |v_{k-i}|, segment by segment",
                "triangle inequality, and |AB| <= |A||B|",
            ),
            ("one more segment",),
        ),
        Step("all degrees", Le(parts, size * tail), Fold(((parts, part), (tail, term))), ("degree k",)),
        Step(
            "series",
            Le(rest, parts),
            Axiom("the sum of the parts above M converges to what is left", "absolute convergence of e^M"),
        ),
        Step("conclusion", claim, Z3(), ("all degrees", "series")),
    ),
    not_claimed=("That the remainder is small: the level has to pass l, which grows with the path.",),
    adversary=Adversary(
        ({"n": 1, "level": 1}, {"n": 2, "level": 2}),
        lambda sizes: {"Z": (sizes["n"],), "M": (sizes["n"],) * 2, "N": (sizes["n"],) * 2},
        bind,
    ),
)
