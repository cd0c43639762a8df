"""4.4, the Riemann lemma, one step: ``c g(tau) <= phi int_tau^{tau+c} g`` for 0 < c <= M."""

from collections.abc import Mapping

import sympy
from sympy import Eq, Ge, Integer, Integral, Le, Lt, exp

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.lemma import Lemma
from ssm_bounds.proofs.ours.exponentials import riemann_factor as factor
from ssm_bounds.proofs.solvers import Z3, Axiom, Chain, Identity, Instance, Integrated, Monotone
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

c, M, rate, g, area = sympy.symbols("c M lambda g I", positive=True)  # g = g(tau), I = int_tau^{tau + c} g
x = sympy.Symbol("x", positive=True)
tau, u = sympy.symbols("tau u", nonnegative=True)
value = sympy.Function("g", nonnegative=True)
phi = rate * M / (1 - exp(-rate * M))
loss = g * (1 - exp(-rate * c)) / rate
whole = Integral(value(tau + u), (u, 0, c))
claim = Le(c * g, phi * area)


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """g(x) = (a + b x) e^{-lambda x} with a, b >= 0, whose integral has a closed form."""
    gate, rest, decay, start, a, b = (numbers.exp(free[name]) for name in ("c", "rest", "rate", "tau", "a", "b"))
    end, level = start + gate, numbers.exp(-decay * start)
    after = numbers.exp(-decay * end)
    integral = a * (level - after) / decay + b * (level * (decay * start + 1) - after * (decay * end + 1)) / decay**2
    return {c: gate, M: gate + rest, rate: decay, g: (a + b * start) * level, area: integral}


STATEMENT = Statement(
    label="4.4",
    title="Riemann lemma, one step",
    claim=claim,
    source="theory.md 4.4",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(c, M),),
    prose=("g >= 0 and g(x) e^{lambda x} nondecreasing; I = int_tau^{tau + c} g(x) dx, g = g(tau)",),
    witness={c: 1, M: 2, rate: 1, g: 1, area: 1},
    derivation=(
        Step(
            "factor",
            Le(c * (1 - exp(-rate * M)), M * (1 - exp(-rate * c))),
            Lemma(factor.STATEMENT, ((factor.c, c), (factor.rest, M - c), (factor.rate, rate))),
        ),
        Step("below 1", Lt(exp(-x), 1), Monotone(x, Integer(0))),
        Step("denominator", Lt(exp(-rate * M), 1), Instance(((x, rate * M),)), ("below 1",)),
        Step("step", Le(c * g, phi * loss), Z3(), ("factor", "denominator")),
        # the functions of 4.5 satisfy the hypothesis: g(tau + u) - g(tau) e^{-lambda u} >= 0
        Step(
            "g = e^{-lambda x}", Ge(exp(-rate * (tau + u)) - exp(-rate * tau) * exp(-rate * u), 0, evaluate=False), Z3()
        ),
        Step(
            "g = x e^{-lambda x}",
            Ge((tau + u) * exp(-rate * (tau + u)) - tau * exp(-rate * tau) * exp(-rate * u), 0),
            Z3(),
        ),
        Step(
            "decay",
            Ge(value(tau + u), g * exp(-rate * u)),
            Axiom("g(tau + u) e^{lambda (tau + u)} >= g(tau) e^{lambda tau}", "the hypothesis on g"),
        ),
        Step("integrated", Le(Integral(g * exp(-rate * u), (u, 0, c)), whole), Integrated(u), ("decay",)),
        Step("pointwise loss", Eq(Integral(g * exp(-rate * u), (u, 0, c)), loss), Identity()),
        Step("area", Eq(area, whole), Axiom("I is that integral", "definition")),
        Step(
            "scale",
            Le(phi * loss, phi * area),
            Z3(),
            ("integrated", "pointwise loss", "area", "denominator"),
        ),
        Step("conclusion", claim, Chain(), ("step", "scale")),
    ),
    not_claimed=("The sum over steps, and the two closed forms: see 4.5.",),
    adversary=Adversary(({},), lambda sizes: dict.fromkeys(("c", "rest", "rate", "tau", "a", "b"), ()), bind),
    theorems=(Theorem("riemann.step", Reading.FORMULA),),
)
