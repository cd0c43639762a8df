"""M4.1 for clocks with several rates: the largest of them stands inside the sum."""

from collections.abc import Mapping

import sympy
from sympy import Eq, Ge, Implies, Integer, Integral, Le, Min, exp

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.lemma import Lemma
from ssm_bounds.proofs.ours.exponentials import riemann_step, sum_r2
from ssm_bounds.proofs.solvers import Z3, Axiom, Fold, Identity, Instance, Monotone
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict
from ssm_bounds.proofs.systems.gates import COUNT, GATES, M, T, branch, c, n, rate, second_sum, tau

Lambda, a = sympy.symbols("Lambda a", positive=True)
g = sympy.Symbol("g", positive=True)  # the largest a tau e^{-a tau} over the rates
area, piece, x = sympy.symbols("I J x", positive=True)
h, k, u = sympy.symbols("h k u", nonnegative=True)
moved, later = sympy.symbols("Sigma_a n_1", nonnegative=True)
R_2 = branch(sym.R_2, -1)
phi = rate * M / (1 - exp(-rate * M))
BOUNDS = (Lambda * R_2, (T - 1) * M * exp(-1), phi * area)
claim = Le(moved, Min(*BOUNDS))
value = a * tau * exp(-a * tau)


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """A rate between the ends for each gate. ``branch``: Lambda L <= 1, or lambda L <= 1 < Lambda L, or neither."""
    gates = numbers.exp(free["gates"] / 4)
    share = 1 / (1 + numbers.exp(-free["share"]))
    largest, before = numbers.largest(gates), numbers.prefix_sums(gates)
    length, e = largest * sizes["T"], numbers.exp(0 * share + 1)
    wide, slow_part = numbers.exp(free["wide"] - 4 * (sizes["branch"] == 0)), 1 / (1 + numbers.exp(-free["slow"]))
    fast_L = (1 - 1 / (1 + wide), 1 + wide, 1 + wide)[sizes["branch"]]
    slow_L = (slow_part * fast_L, slow_part, 1 + wide * slow_part)[sizes["branch"]]
    slow, fast = slow_L / length, fast_L / length

    def faded(y: Array) -> Array:
        return 1 - numbers.exp(-y) * (1 + y)

    whole = (
        faded(fast_L) / fast,
        (1 - 2 / e) / fast + (length - 1 / fast) / e,
        (1 - 2 / e) / fast + (1 / slow - 1 / fast) / e + (faded(slow_L) - 1 + 2 / e) / slow,
    )[sizes["branch"]]
    rates = slow + (fast - slow) / (1 + numbers.exp(-free["rates"]))
    terms = gates * rates * before * numbers.exp(-rates * before)
    return {moved: terms.sum(), M: largest, rate: slow, Lambda: fast, area: whole, T: sizes["T"]}


def sizes(branch: int, T: int) -> Sizes:
    return {"T": T, "branch": branch}


STATEMENT = Statement(
    label="M4.1",
    title="A moving A_log with several rates per clock: R_a",
    claim=claim,
    source="theory.md M4.1",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(*sum_r2.STATEMENT.hypotheses, Le(rate, a), Le(a, Lambda), Eq(later, T - 1), Eq(g, value)),
    prose=(
        *GATES,
        COUNT,
        "Sigma_a = sum_i c_i g(tau_i), g(tau) the largest a tau e^{-a tau} over lambda <= a <= Lambda, a its place",
        "I = int_0^{T M} g: a = Lambda up to tau = 1/Lambda, then a = 1/tau and g = 1/e up to tau = 1/lambda, then "
        "a = lambda; J: the integral from tau to tau + c",
        "n_1 counts the gates but the first, at which tau = 0 and g = 0",
    ),
    witness={moved: 0, second_sum: 0, M: 1, rate: 1, Lambda: 2, a: sympy.Rational(3, 2), tau: 1, T: 2, n: 2, c: 1}
    | {area: 1, piece: 1, later: 1, g: sympy.Rational(3, 2) * exp(-sympy.Rational(3, 2))},
    derivation=(
        Step("one rate", Le(g, Lambda * tau * exp(-rate * tau)), Z3()),
        Step(
            "all gates",
            Le(moved, Lambda * second_sum),
            Fold(((moved, c * g), (second_sum, c * tau * exp(-rate * tau)))),
            ("one rate",),
        ),
        Step("second sum", Le(second_sum, R_2), Lemma(sum_r2.STATEMENT)),
        Step("by R_2", Le(moved, BOUNDS[0]), Z3(), ("all gates", "second sum")),
        Step("x e^-x beyond 1", Ge(exp(-1) - (1 + h) * exp(-1 - h), 0), Monotone(h, Integer(0))),
        Step("x e^-x below 1", Ge(exp(-1) - (1 - k) * exp(-1 + k), 0), Monotone(k, Integer(0))),
        Step(
            "late",
            Implies(Ge(a * tau, 1), Ge(exp(-1) - value, 0)),
            Instance(((h, a * tau - 1),)),
            ("x e^-x beyond 1",),
        ),
        Step(
            "early",
            Implies(Le(a * tau, 1), Ge(exp(-1) - value, 0)),
            Instance(((k, 1 - a * tau),)),
            ("x e^-x below 1",),
        ),
        Step("at most 1/e", Le(g, exp(-1)), Z3(), ("late", "early")),
        Step(
            "but the first",
            Le(moved, later * M * exp(-1)),
            Fold(((moved, c * g), (later, Integer(1)))),
            ("at most 1/e",),
        ),
        Step("plateau", Le(moved, BOUNDS[1]), Z3(), ("but the first",)),
        # g e^{lambda tau} does not decrease: it is Lambda tau e^{-(Lambda - lambda) tau}, e^{lambda tau}/e, lambda tau
        Step(
            "rising at first",
            Implies(
                sympy.And(Le(Lambda * (tau + u), 1), Le(rate, Lambda)), Ge((tau + u) * exp(-(Lambda - rate) * u), tau)
            ),
            Z3(),
        ),
        Step(
            "one gate",
            Le(c * g, phi * piece),
            Lemma(
                riemann_step.STATEMENT,
                (
                    (riemann_step.c, c),
                    (riemann_step.M, M),
                    (riemann_step.rate, rate),
                    (riemann_step.g, g),
                    (riemann_step.area, piece),
                ),
            ),
            ("rising at first",),
        ),
        Step(
            "Riemann sum",
            Le(moved, phi * area),
            Axiom("the pieces of I are disjoint, g >= 0", "telescoping sum"),
            ("one gate",),
        ),
        Step(
            "its first part",
            Eq(Integral(Lambda * x * exp(-Lambda * x), (x, 0, 1 / Lambda)), (1 - 2 * exp(-1)) / Lambda),
            Identity(),
        ),
        Step(
            "its last part",
            Eq(
                Integral(rate * x * exp(-rate * x), (x, 1 / rate, T * M)),
                (2 * exp(-1) - exp(-rate * T * M) * (1 + rate * T * M)) / rate,
            ),
            Identity(),
        ),
        Step("conclusion", claim, Z3(), ("by R_2", "plateau", "Riemann sum")),
    ),
    not_claimed=(
        "R_a <= R_1: false in general for several rates (their ratio can reach 3/e), and for one rate it is R_s.",
    ),
    adversary=Adversary(
        (sizes(0, 2), sizes(2, 6)),
        lambda sizes: dict.fromkeys(("gates", "rates"), (sizes["T"],)) | dict.fromkeys(("share", "wide", "slow"), ()),
        bind,
    ),
)
