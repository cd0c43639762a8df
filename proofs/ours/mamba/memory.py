"""M2.2: what a token adds to a state is kept by a factor between two exponentials, whatever the input."""

from collections.abc import Mapping

import sympy
from sympy import And, Eq, Integer, Le, exp

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Fold
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict
from ssm_bounds.proofs.systems.gates import COUNT, n

c, m, M, rate = sympy.symbols("c m M a", positive=True)
tau = sympy.Symbol("tau", nonnegative=True)
T = sympy.Symbol("T", positive=True, integer=True)
kept = exp(-rate * tau)
claim = Le(kept, exp(-rate * m * T))


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    least, decay = numbers.exp(free["m"]), numbers.exp(free["a"])
    steps = least + numbers.exp(free["c"] - 6)
    return {
        tau: steps.sum(),
        m: least,
        rate: decay,
        T: sizes["T"],
        n: sizes["T"],
        c: steps[0],
        M: numbers.largest(steps),
    }


STATEMENT = Statement(
    label="M2.2",
    title="A state forgets at least so much",
    claim=claim,
    source="theory.md M2.2",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Le(m, c), Le(c, M), Eq(n, T)),
    prose=(
        "tau = c_1 + ... + c_T, the gated time over the T tokens after the one that wrote; m <= c_i <= M; a = |a_jn|",
        COUNT,
    ),
    witness={c: 1, m: 1, M: 2, rate: 1, tau: 2, T: 2, n: 2},
    derivation=(
        Step("gated time", And(Le(m * n, tau), Le(tau, M * n)), Fold(((tau, c), (n, Integer(1))))),
        Step("kept at most", Le(-rate * tau, -rate * m * T), Z3(), ("gated time",)),
        Step("kept at least", Le(exp(-rate * M * T), kept), Z3(), ("gated time",)),
        Step("conclusion", claim, Z3(), ("kept at most",)),
    ),
    not_claimed=("That an input between the two exponentials exists: the ends of the step are those of an enclosure.",),
    adversary=Adversary(({"T": 3},), lambda sizes: {"c": (sizes["T"],), "m": (), "a": ()}, bind),
    theorems=(Theorem("mamba.memory", Reading.FORMULA),),
)
