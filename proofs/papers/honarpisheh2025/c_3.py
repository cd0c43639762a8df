"""Claim: exponentials are Lipschitz with the larger of their norms. False for non-normal matrices."""

from collections.abc import Mapping

import sympy
from flint import arb, arb_mat

from ssm_bounds.bounds.evaluate.balls import START_BITS, bits
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.statement import Counterexample, Kind, Statement, Verdict

difference = sympy.Symbol("n_exp", nonnegative=True)  # |e^X - e^Y|_2
distance = sympy.Symbol("n_dist", nonnegative=True)  # |X - Y|_2
rho = sympy.Symbol("rho", positive=True)


def spectral(matrix: arb_mat) -> arb:
    """Spectral norm of a 2 x 2 matrix: sigma^2 is the larger root of x^2 - tr(M^T M) x + det(M)^2."""
    trace = (matrix.transpose() * matrix).trace()
    determinant = matrix.det()
    return ((trace + (trace**2 - 4 * determinant**2).nonnegative_part().sqrt()) / 2).sqrt()


def turning() -> tuple[arb_mat, arb_mat, arb]:
    """``e^X - e^Y``, ``X - Y`` and ``rho = |e^Y|`` ; ``e^X = I``, so every power of either is below rho^t.

    At the precision of the caller.
    """
    X = arb_mat([[0, -20 * arb.pi()], [arb.pi() / 5, 0]])
    step = arb_mat([[0, 0], [arb(1) / 1000, 0]])
    second = (X + step).exp()
    return X.exp() - second, step, spectral(second)


def point() -> dict[sympy.Symbol, arb]:
    with bits(START_BITS):
        between, step, larger = turning()
        return {difference: spectral(between), distance: spectral(step), rho: larger}


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    X, Y = free["X"], free["X"] + free["dX"]
    first, second = numbers.exponential(X), numbers.exponential(Y)
    return {
        difference: numbers.spectral(first - second),
        distance: numbers.spectral(X - Y),
        rho: numbers.maximum(numbers.spectral(first), numbers.spectral(second)),
    }


STATEMENT = Statement(
    label="paper:C.3",
    title="Lipschitz constant of the matrix exponential",
    claim=sympy.Le(difference, rho * distance),
    source="theory.md 2, C.3 (arXiv:2502.01473v3, Lemma C.3)",
    kind=Kind.UPPER,
    recorded=Verdict.REPAIRED,
    prose=("|e^X|_2 <= rho and |e^Y|_2 <= rho; n_exp = |e^X - e^Y|_2, n_dist = |X - Y|_2",),
    witness={difference: 0, distance: 0, rho: 1},
    counterexample=Counterexample(
        "X = [[0, -20 pi], [pi/5, 0]], Y = X + 10^-3 [[0, 0], [1, 0]]: e^X = I, and e^Y has turned far from it", point
    ),
    repaired_by="4.2",
    not_claimed=("Nothing against normal matrices, for which the statement is true.",),
    adversary=Adversary(({},), lambda sizes: {"X": (2, 2), "dX": (2, 2)}, bind),
)
