"""10.2-softmax: weights of two softmaxes differ by at most 2 tanh(a/2) in l1 where no score differs by more than a."""

from collections.abc import Mapping

import sympy
from sympy import Ge, Le, exp

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

weights, a, p, q = sympy.symbols("d_p a P Q", nonnegative=True)
odds = sympy.Symbol("o", positive=True)
half = (1 - exp(-a)) / (1 + exp(-a))  # tanh(a/2)
claim = Le(weights, 2 * half)


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    def softmax(scores: Array) -> Array:
        found = numbers.exp(scores)
        return found / found.sum()

    first, second = free["u"], free["v"]
    return {weights: abs(softmax(first) - softmax(second)).sum(), a: numbers.largest(abs(first - second))}


STATEMENT = Statement(
    label="10.2-softmax",
    title="How far the weights of a softmax move with its scores",
    claim=claim,
    source="theory.md 10.2",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "d_p = |softmax(u) - softmax(v)|_1, a >= |u - v|_inf",
        "P, Q: weights under u and under v of the set of tokens whose weight is larger under u; o = Q/(1 - Q)",
    ),
    witness={weights: 0, a: 1, p: 0, q: 0, odds: 1},
    derivation=(
        Step(
            "the odds of a set",
            Le(p, odds / (odds + exp(-2 * a))),
            Axiom(
                "P/(1 - P) is a sum of e^{u_t} over one of the others: numerator and denominator change by factors "
                "from e^{-a} to e^a",
                "quotient of sums",
            ),
        ),
        Step("its weight before", Ge(q, odds / (1 + odds)), Axiom("o = Q/(1 - Q)", "definition of the odds")),
        Step("gain", Le(p - q, half), Z3(), ("the odds of a set", "its weight before")),  # largest at o = e^-a
        Step(
            "half the l1 norm",
            Le(weights, 2 * (p - q)),
            Axiom("|p - q|_1 = 2 sum of (p_t - q_t) over p_t > q_t for weights of sum 1", "total variation"),
        ),
        Step("conclusion", claim, Z3(), ("gain", "half the l1 norm")),
    ),
    adversary=Adversary(
        tuple({"n": n} for n in (2, 3, 5)), lambda sizes: dict.fromkeys(("u", "v"), (sizes["n"],)), bind
    ),
)
