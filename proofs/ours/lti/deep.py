"""14.7: the average of a linear system, a block ``alpha z + W sigma(Sigma z)`` behind it, and a readout."""

import itertools
from collections.abc import Mapping

import sympy
from sympy import Le

from ssm_bounds.bounds import notation as sym
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict
from ssm_bounds.proofs.systems.selective_ssm import larger

average, alpha, K_W, w_1, inputs = sympy.symbols("R alpha K_W w_1 K_u", nonnegative=True)
start, through, slope, mixed, block = sympy.symbols("R_0 R_1 R_2 R_3 R_4", nonnegative=True)
claim = Le(average, w_1 * (alpha + 2 * K_W * sym.L_sigma * sym.K_1) * sym.K_2 * inputs / sympy.sqrt(sym.m))


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """Finitely many members, T = 1, one channel, a rectifier; alpha = 1 and gains of at most 1. All signs of m rows."""
    first, system, matrix, readout = (free[name] for name in ("h", "Sigma", "W", "w"))
    system, matrix = (each / numbers.largest(abs(each)) for each in (system, matrix))
    m = sizes["m"]
    rows = []
    for i in range(m):
        z = first * free["u"][i]
        y = system * z
        rows.append(readout * (z + matrix * (y + abs(y)) / 2))
    signs = list(itertools.product((1, -1), repeat=m))
    suprema = []
    for each in signs:
        total = each[0] * rows[0]
        for i in range(1, m):
            total = total + each[i] * rows[i]
        suprema.append(numbers.largest(total) / m)
    return {
        average: sum(suprema[1:], suprema[0]) / len(signs),
        w_1: numbers.largest(abs(readout)),
        sym.K_2: numbers.largest(abs(first)),
        inputs: larger(numbers, [abs(free["u"][i]) for i in range(m)]),
        alpha: 1,
        K_W: 1,
        sym.K_1: 1,
        sym.L_sigma: 1,
        sym.m: m,
    }


def arrays(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("h", "Sigma", "W", "w"), (sizes["members"],))
    return shapes | {"u": (sizes["m"],)}


STATEMENT = Statement(
    label="14.7",
    title="The average of two linear systems with a nonlinear block",
    claim=claim,
    source="theory.md 14.7",
    kind=Kind.UPPER,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "R = E sup (1/m) sum_i sigma_i w . f(g(u_i)) at a fixed time; g of h2 norm at most K_2, inputs of l2 norm at "
        "most K_u over all times, w of l1 norm at most w_1",
        "f(z) = alpha z + W sigma(Sigma z): Sigma of l1 norm at most K_1, rows of W of l1 norm at most K_W, sigma "
        "L_sigma-Lipschitz and 0 at 0, entry by entry",
        "R_0 to R_4: E sup |(1/m) sum_i sigma_i z_i|_inf of g(u), Sigma z, sigma of it, W of that, f(z)",
    ),
    witness=dict.fromkeys((average, start, through, slope, mixed, block), 0)
    | dict.fromkeys((alpha, K_W, w_1, inputs, sym.L_sigma, sym.K_1, sym.K_2, sym.m), 1),
    derivation=(
        Step(
            "first system",
            Le(start, sym.K_2 * inputs / sympy.sqrt(sym.m)),
            Axiom("Cauchy-Schwarz over lags and channels, and Jensen's inequality", "14.3"),
        ),
        Step(
            "second system", Le(through, sym.K_1 * start), Axiom("the gain in the largest entry is the l1 norm", "14.2")
        ),
        Step(
            "activation",
            Le(slope, 2 * sym.L_sigma * through),
            Axiom("contraction, with a modulus: twice the slope", "Ledoux and Talagrand 1991, 4.12"),
        ),
        Step("matrix", Le(mixed, K_W * slope), Axiom("Hoelder's inequality, row by row", "norm rules")),
        Step("residual", Le(block, alpha * start + mixed), Axiom("triangle inequality", "norm rules")),
        Step("readout", Le(average, w_1 * block), Axiom("Hoelder's inequality", "norm rules")),
        Step(
            "conclusion",
            claim,
            Z3(),
            ("first system", "second system", "activation", "matrix", "residual", "readout"),
        ),
    ),
    not_claimed=(
        "The adversary has alpha = K_W = K_1 = 1, where 2/3 is the most that one row reaches; with K_W = 0 the bound "
        "is attained.",
        "Nothing for norms, gates, GLU; nothing free of T for inputs that are bounded at each time.",
    ),
    adversary=Adversary(({"m": 1, "members": 8}, {"m": 2, "members": 8}), arrays, bind),
)
