"""5.5, the published route repaired: general A with logarithmic norm at most s, a valid rho, both sums kept."""

from collections.abc import Mapping

import sympy
from sympy import Eq, Integer, Le, Sum

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.selective_ssm.perturbation import REPAIRED
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS, RHO, geometric, weighted_geometric
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom, Fold, Induction
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict
from ssm_bounds.proofs.systems.selective_ssm import System, class_constants, distances, pair, pair_arrays, pair_sizes

moved = sympy.Symbol("d_z", nonnegative=True)
radius = {block: sympy.Symbol(f"eps_{block}", nonnegative=True) for block in REPAIRED}
part = {block: sympy.Symbol(f"d_{block}", nonnegative=True) for block in ("x", "C", "w")}
factor, factors, product, power, term, terms, state, exponent = sympy.symbols(
    "f_j F D rho_t x_t X n_x d_cA", nonnegative=True
)
rho = sympy.Symbol("rho", positive=True)
count = sympy.Symbol("n", nonnegative=True)
t = sympy.Symbol("t", nonnegative=True, integer=True)
T = sympy.Symbol("T", positive=True, integer=True)

rate = sym.M * radius["A"] + sym.B_A * radius["g"]
written = sym.B_B * sym.B_u**2
closed_1, closed_2 = geometric(rho, T).args[-1].expr, weighted_geometric(rho, T).args[-1].expr
slope, offset = sympy.symbols("k_2 k_1", nonnegative=True)  # x_t <= t rho^t k_2 + rho^t k_1
claim = Le(moved, sympy.Add(*(REPAIRED[block] * size for block, size in radius.items())))


def output(numbers: Numbers, system: System) -> Array:
    """The recurrence with a full matrix A (dN, dN) on the states of all channels."""
    gates = numbers.softplus(system.logits())
    updates = [((c * u)[:, None] * (system.B @ u)[None, :]).reshape(-1) for c, u in zip(gates, system.U, strict=True)]
    x = updates.pop()
    for c, update in zip(reversed(list(gates)[:-1]), reversed(updates), strict=True):
        x = numbers.exponential(c * system.A) @ x + update
    d, N = system.U.shape[1], system.B.shape[0]
    return system.W @ (x.reshape(d, N) @ (system.C @ system.U[0]))


def bind(numbers: Numbers, arrays: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    both = first, second = pair(numbers, arrays, sizes)
    distance = distances(numbers, first, second)
    gates = [-numbers.largest(-numbers.softplus(s.logits())) for s in both]
    return class_constants(numbers, first, second) | {
        moved: numbers.norm(output(numbers, first) - output(numbers, second)),
        **{radius[block]: distance[block] for block in radius},
        radius["A"]: numbers.spectral(first.A - second.A),
        sym.B_A: numbers.maximum(*(numbers.spectral(s.A) for s in both)),
        sym.s_A: numbers.maximum(*(numbers.logarithmic_norm(s.A) for s in both)),
        sym.Delta_min: -numbers.maximum(-gates[0], -gates[1]),
        sym.rho: RHO["repaired"],
    }


def arrays(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    shapes = pair_arrays(sizes)
    states = sizes["d"] * sizes["N"]
    return shapes | {name: (states, states) for name in ("A", "dA") if name in shapes}


STATEMENT = Statement(
    label="5.5",
    title="Perturbation by the repaired published route",
    claim=claim,
    source="theory.md 5.5",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(
        Eq(sym.kappa, DEFINITIONS[sym.kappa]),
        Eq(slope, sym.M * written * rate),
        Eq(offset, written * radius["g"] + sym.M * sym.B_u**2 * radius["B"]),
    ),
    prose=(
        "two models of the class with one input, A and A^ full matrices; eps_A = |A - A^|_2, eps_B, eps_C, eps_w "
        "spectral, eps_g the largest move of a logit",
        "rho = e^{s Delta_min} for s < 0, e^{s M} for s >= 0, s at least both logarithmic norms; rho_t = rho^t; S_1, "
        "S_2 the sums of rho^t and t rho^t over t < T",
        "D: move of a product of t exponentials, F the sum of the moves f_j of its factors, x_t: move of one term of "
        "the state, X their sum; d_x, d_C, d_w: moves of the output by the state, W_C and W",
    ),
    witness=dict.fromkeys((*claim.free_symbols, sym.B_B, sym.kappa), 1) | {moved: 0, slope: 2, offset: 2},
    derivation=(
        Step(
            "exponent of a factor",
            Le(exponent, rate),
            Axiom("triangle inequality for c A - c^ A^; c <= M, |A| <= B_A, softplus 1-Lipschitz", "norm rules, C.4"),
        ),
        Step(
            "one factor",
            Le(factor, rho * exponent),
            Axiom("4.2 with mu(c A) <= s c, so that both exponentials are at most rho", "statements 4.1, 4.2"),
        ),
        Step(
            "all factors",
            Le(factors, count * rho * rate),
            Fold(((factors, factor), (count, Integer(1)))),
            ("one factor", "exponent of a factor"),
        ),
        Step(
            "telescoping",
            Le(product, power / rho * factors),
            Axiom("a product of t factors of norm at most rho, one replaced at a time", "norm rules"),
        ),
        Step("t factors", Le(product, count * power * rate), Z3(), ("telescoping", "all factors")),
        Step(
            "one term",
            Le(term, product * sym.M * written + power * (radius["g"] * written + sym.M * sym.B_u**2 * radius["B"])),
            Axiom("triangle inequality over product, gate and W_B; |u (x) W_B u| <= B_B B_u^2", "norm rules, C.1"),
        ),
        Step("its coefficients", Le(term, count * power * slope + power * offset), Z3(), ("one term", "t factors")),
        Step(
            "all terms",
            Le(terms, sym.S_2 * slope + sym.S_1 * offset),
            Fold(((terms, term), (sym.S_1, power), (sym.S_2, count * power))),
            ("its coefficients",),
        ),
        Step("S_1", Eq(Sum(rho**t, (t, 0, T - 1)), closed_1), Induction(T, 1)),
        Step("S_2", Eq(Sum(t * rho**t, (t, 0, T - 1)), closed_2), Induction(T, 1)),
        Step(
            "state in the output",
            Le(part["x"], sym.B_w * sym.B_C * sym.B_u * terms),
            Axiom("triangle inequality over t; submultiplicativity", "norm rules"),
        ),
        Step(
            "size of the state",
            Le(state, sym.M * written * sym.S_1),
            Axiom("triangle inequality over t; |u (x) W_B u| <= B_B B_u^2", "norm rules, statement paper:E.4"),
        ),
        Step("W_C", Le(part["C"], sym.B_w * radius["C"] * sym.B_u * state), Axiom("submultiplicativity", "norm rules")),
        Step("W", Le(part["w"], radius["w"] * sym.B_C * sym.B_u * state), Axiom("submultiplicativity", "norm rules")),
        Step(
            "three moves",
            Le(moved, part["x"] + part["C"] + part["w"]),
            Axiom("triangle inequality through the models that change part by part", "norm rules"),
        ),
        Step(
            "coefficients of A, g, B",
            Le(part["x"], sympy.Add(*(REPAIRED[block] * radius[block] for block in "AgB"))),
            Z3(),
            ("state in the output", "all terms"),
        ),
        Step("coefficient of C", Le(part["C"], REPAIRED["C"] * radius["C"]), Z3(), ("W_C", "size of the state")),
        Step("coefficient of w", Le(part["w"], REPAIRED["w"] * radius["w"]), Z3(), ("W", "size of the state")),
        Step(
            "conclusion",
            claim,
            Z3(),
            ("three moves", "coefficients of A, g, B", "coefficient of C", "coefficient of w"),
        ),
    ),
    not_claimed=("Attained where gates vary: it takes the largest in every update, the smallest in every decay.",),
    adversary=Adversary(
        pair_sizes(("A", 2, 1, 2, False), ("qp", 3, 1, 1, False), ("ABCqpW", 3, 2, 1, False)), arrays, bind
    ),
)
