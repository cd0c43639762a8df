"""16.4: the Rademacher average of one output over taps of bounded moduli and a bounded mean."""

import itertools
from collections.abc import Mapping

import sympy
from sympy import Le, Rational, log, sqrt

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.lti.tau import AVERAGE
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

average, form = sympy.symbols("R X", nonnegative=True)
massart = sqrt(2 * log(2 * sym.T * sym.d) * sym.q_x / sym.m)
claim = Le(average, AVERAGE)
_MEAN_MODULUS = {1: 1.0, 2: 0.5, 3: 0.5, 4: 0.375}  # E|S_m|/m, dyadic


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """One channel; for each pattern of signs any member of the class, so that R is at least what is bound to it."""
    x, mean, root, taps, m, T = free["x"], free["mean"], free["root"], free["taps"], sizes["m"], sizes["T"]
    deviation = root * root + 2**-6
    psi_1, psi_2 = free["psi"][0] * free["psi"][0], free["psi"][1] * free["psi"][1]
    units = (x - mean) / deviation
    values = []
    for g, signs in zip(taps, itertools.product((1, -1), repeat=m), strict=True):
        moduli = [numbers.maximum(g[s], -g[s]) * deviation[s] for s in range(T)]
        spread, centre = sum(moduli[1:], moduli[0]), (g * mean).sum()
        # how many times psi_1 and psi_2 this g is, at the most
        excess = numbers.maximum(spread / psi_1, numbers.maximum(centre, -centre) / psi_2)
        y = x @ g
        values.append(sum((sign * y[i] for i, sign in enumerate(signs)), y[0] * 0) / excess / m)
    squares = (units * units).sum(0) / m
    return {
        average: sum(values[1:], values[0]) / len(values),
        sym.psi_1: psi_1,
        sym.psi_2: psi_2,
        sym.q_x: numbers.largest(squares),
        sym.e_m: squares[0] * 0 + _MEAN_MODULUS[m],
        sym.m: m,
        sym.T: T,
        sym.d: 1,
    }


def arrays(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    T = sizes["T"]
    return {"x": (sizes["m"], T), "mean": (T,), "root": (T,), "taps": (2 ** sizes["m"], T), "psi": (2,)}


STATEMENT = Statement(
    label="16.4",
    title="The average of one output over the class behind tau",
    claim=claim,
    source="theory.md 16.4",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "R = E sup (1/m) sum_i sigma_i y_i without an absolute value, y = sum_sj g_sj x_sj, over all g with "
        "sum |g_sj| sigma0_sj <= psi_1 and |sum g_sj mu0_sj| <= psi_2; mu0 and sigma0 > 0 fixed before the data",
        "q_x: largest (1/m) sum_i xhat_isj^2 of xhat = (x - mu0)/sigma0; e_m = E|S_m|/m, S_m the sum of m signs",
        "X = E max_sj |(1/m) sum_i sigma_i xhat_isj|",
        "attained where x = mu0, so that q_x = 0",
    ),
    witness={average: 0, form: 0, sym.psi_1: 1, sym.psi_2: 1, sym.q_x: 1, sym.m: 1, sym.T: 1, sym.d: 1}
    | {sym.e_m: Rational(1, 2)},
    derivation=(
        Step(
            "Hoelder",
            Le(average, sym.psi_1 * form + sym.psi_2 * sym.e_m),
            Axiom(
                "(1/m) sum_i sigma_i y_i = sum g sigma0 (1/m) sum_i sigma_i xhat_i + (sum g mu0) S_m/m, each product "
                "by Hoelder's inequality",
                "Hoelder 1889",
            ),
        ),
        Step("Massart", Le(form, massart), Axiom("largest of 2 T d forms", "Massart 2000, lemma 5.2")),
        Step("sum", claim, Z3(), ("Hoelder", "Massart")),
    ),
    not_claimed=("Several outputs.", "Units mu0, sigma0 that were chosen with the sample."),
    adversary=Adversary(tuple({"m": m, "T": T} for m, T in ((1, 1), (2, 1), (2, 2), (3, 2))), arrays, bind),
)
