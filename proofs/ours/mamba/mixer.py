"""M4.2: how far y of one channel of a Mamba mixer moves, one factor at a time in the unrolled form."""

from collections.abc import Mapping

import sympy
from sympy import Add, Le

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom, Sum
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict
from ssm_bounds.proofs.systems.mamba import MAMBA1, Range, arrays1, ball, output1, pair, sums, together
from ssm_bounds.proofs.systems.selective_ssm import larger

moved = sympy.Symbol("d_y", nonnegative=True)
U, B, C, D, R_1, R_g, R_A = sympy.symbols("U B C D R_1 R_g R_A", nonnegative=True)
S_1, S_g, S_A = sympy.symbols("Sigma_1 Sigma_g Sigma_A", nonnegative=True)
FACTORS = ("B", "C", "u", "l", "A", "D")
move = {name: sympy.Symbol(f"d_{name}", nonnegative=True) for name in FACTORS}
part = {name: sympy.Symbol(f"y_{name}", nonnegative=True) for name in FACTORS}


def coefficients(first: sympy.Expr, gate: sympy.Expr, rate: sympy.Expr) -> dict[str, sympy.Expr]:
    """How far y moves per unit of each factor, by the sums over tokens."""
    inputs = {"B": U * C * first, "C": U * B * first, "u": B * C * first + D}
    return inputs | {"l": B * C * U * gate, "A": B * C * U * rate, "D": U}


TERMS = {name: beta * move[name] for name, beta in coefficients(R_1, R_g, R_A).items()}
claim = Le(moved, Add(*TERMS.values()))
RULE = {
    "B": "product rule, Cauchy-Schwarz over n, the largest weight over n",
    "C": "product rule, Cauchy-Schwarz over n, the largest weight over n",
    "u": "product rule, Cauchy-Schwarz over n, the largest weight over n; the skip",
    "l": "|c'| <= c |l'| (4.3), Cauchy-Schwarz over n, the slopes of the gate",
    "A": "d e^{a tau}/d A_log = a tau e^{a tau}, Cauchy-Schwarz over n",
    "D": "the skip",
}


def derivation() -> tuple[Step, ...]:
    """From the parts of the derivative in the sums over tokens to the claim."""
    in_sums = {name: beta * move[name] for name, beta in coefficients(S_1, S_g, S_A).items()}
    return (
        *(
            Step(f"derivative through {name}", Le(part[name], in_sums[name]), Axiom(RULE[name], "norm rules"))
            for name in FACTORS
        ),
        *(
            Step(f"through {name}", Le(part[name], TERMS[name]), Z3(), (f"derivative through {name}",))
            for name in FACTORS
        ),
        Step(
            "along the path",
            Le(moved, Add(*part.values())),
            Axiom("mean value inequality on the straight path, product rule", "norm rules"),
        ),
        Step("conclusion", claim, Sum(), ("along the path", *(f"through {name}" for name in FACTORS))),
    )


def bind(numbers: Numbers, arrays: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    first, second = pair(arrays, numbers, MAMBA1)
    T, d, v = sizes["T"], sizes["d"], ball(numbers, arrays["v"])
    both = (first, second)
    ranges = [Range.of(numbers, first, second, j) for j in range(d)]
    size = [one.size(numbers) for one in ranges]
    du = [one.slope(numbers) * one.move for one in ranges]
    B_u, all_u = together(numbers, size), together(numbers, du)

    def most(name: str) -> Array:
        return larger(numbers, [numbers.spectral(one[name]) for one in both])

    gap = {name: numbers.spectral(first[name] - second[name]) for name in ("X_B", "X_C", "X_dt")}
    W, X = larger(numbers, [abs(one["W_dt"][0]) for one in both]), most("X_dt")
    logit = larger(numbers, [one["p"][0] for one in both]) - 4 + W * X * B_u
    slow = numbers.exp(-larger(numbers, [numbers.largest(-one["A_log"][0]) for one in both]))
    fast = numbers.exp(larger(numbers, [numbers.largest(one["A_log"][0]) for one in both]))
    sum_1, gate, several, _ = sums(numbers, slow, fast, numbers.softplus(logit), T)
    y, y_ = (output1(numbers, one, v)[0] for one in both)
    dl = abs(first["p"][0] - second["p"][0]) + W * X * all_u
    dl = dl + B_u * (X * abs(first["W_dt"][0] - second["W_dt"][0]) + W * gap["X_dt"])
    return {
        moved: abs(y - y_), U: size[0], B: most("X_B") * B_u, C: most("X_C") * B_u, R_1: sum_1, R_g: gate, R_A: several,
        D: larger(numbers, [abs(one["D"][0]) for one in both]), move["u"]: du[0], move["l"]: dl,
        move["B"]: B_u * gap["X_B"] + most("X_B") * all_u, move["C"]: B_u * gap["X_C"] + most("X_C") * all_u,
        move["A"]: numbers.largest(abs(first["A_log"][0] - second["A_log"][0])),
        move["D"]: abs(first["D"][0] - second["D"][0]),
    }  # fmt: skip


def sizes(moves: int, T: int, d: int = 1, N: int = 1) -> Sizes:
    return {"T": T, "d": d, "N": N, "moves": moves}


OF_SUMS = (Le(S_1, R_1), Le(S_g, R_g), Le(S_A, R_A))
WITNESS = dict.fromkeys((*move.values(), *part.values(), U, B, C, D, R_1, R_g, R_A, S_1, S_g, S_A, moved), 1)

STATEMENT = Statement(
    label="M4.2",
    title="Perturbation of a Mamba mixer, one channel before its gate",
    claim=claim,
    source="theory.md M4.2",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=OF_SUMS,
    prose=(
        "two mixers with one input; d_y: how far y_{t,j} moves, for any t <= T; y_X: the part of it through X alone",
        "U, B, C, D: suprema of |u_j|, |B_t|_2, |C_t|_2, |D_j| on the straight path between them",
        "d_B = B_u |dX_B|_2 + |X_B|_2 |du|_2, d_C so, d_u = L_j (|db_j| + chi_j |dK_j|_1 + kappa_j (rho |dr_j| + "
        "|dc_j|)), d_l = |dp_j| + B_u (|X_dt|_2 |dW_dt,j| + |W_dt,j| |dX_dt|_2) + |W_dt,j| |X_dt|_2 |du|_2, "
        "d_A = max_n |dA_log,jn|, d_D = |dD_j|",
        "Sigma_1 = sum_i c_i max_n e^{a_n tau_i}, at most R_1 (4.5); Sigma_g = sum_i max_n |c_i' + a_n tau_i' c_i| "
        "e^{a_n tau_i}/d_l, at most R_g (M4.0); Sigma_A = sum_i c_i max_n |a_n| tau_i e^{a_n tau_i}, at most R_A = R_a "
        "(M4.1)",
    ),
    witness=WITNESS,
    derivation=derivation(),
    not_claimed=(
        "Norms on dt, B and C (M4.5), two directions, biases of x_proj.",
        "Tight for many channels or states at once: each part is attained by one channel with one state.",
    ),
    adversary=Adversary((sizes(0, 2), sizes(1, 2, 2, 2)), arrays1, bind),
)
