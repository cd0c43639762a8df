"""6.4, softmax cross-entropy clipped at c: its gradient has l2 norm at most sqrt 2 (1 - e^{-c}) below the clip."""

import sympy
from sympy import Eq, Le, exp, log, sqrt

from ssm_bounds.proofs.solvers import Z3, Fold, Identity
from ssm_bounds.proofs.statement import Kind, Reading, Statement, Step, Theorem, Verdict

z_y, z_i = sympy.symbols("z_y z_i", real=True)
rest, c = sympy.symbols("r c", positive=True)  # r: sum of e^{z_j} over the other classes
H, p_i, wrong, squares, gradient = sympy.symbols("H p_i P Q n_grad", nonnegative=True)
total = exp(z_y) + exp(z_i) + rest
entropy = log(total) - z_y
claim = Le(gradient, sqrt(2) * (1 - exp(-c)))

STATEMENT = Statement(
    label="6.4-softmax",
    title="Lipschitz constant of the clipped cross-entropy, k > 1 outputs",
    claim=claim,
    source="theory.md 6.4",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED,
    hypotheses=(Le(H, c), Eq(gradient**2, (1 - exp(-H)) ** 2 + squares), Eq(wrong, 1 - exp(-H))),
    prose=(
        "H = -ln p_y <= c: cross-entropy at the right class y; p_i: probability of a wrong class",
        "P, Q: sums of p_i and of p_i^2 over the wrong classes; n_grad: l2 norm of softmax - e_y, the gradient of H",
    ),
    witness={H: 1, c: 1, wrong: 1 - exp(-1), squares: (1 - exp(-1)) ** 2, gradient: sqrt(2) * (1 - exp(-1))},
    derivation=(
        Step("gradient, wrong class", Eq(sympy.Derivative(entropy, z_i), exp(z_i) / total), Identity()),
        Step("gradient, right class", Eq(sympy.Derivative(entropy, z_y), exp(z_y) / total - 1), Identity()),
        Step("right class", Eq(exp(-entropy), exp(z_y) / total, evaluate=False), Identity()),
        Step("squares", Le(squares, wrong**2), Fold(((wrong, p_i), (squares, p_i**2)))),
        Step("norm", Le(gradient, sqrt(2) * (1 - exp(-H))), Z3(), ("squares",)),
        Step("below the clip", claim, Z3(), ("norm",)),
    ),
    not_claimed=("Attained with one competitor only.",),
    theorems=(Theorem("losses.softmax", Reading.FORMULA),),
)
