"""A recurrent network, ``h_t = sigma(U h_{t-1} + W x_t)``, ``z = V h_T``, h_0 = 0, as a table of blocks (theory 10.1).

The activation sigma is rho_h-Lipschitz and 0 at 0; the tokens x_t have l2 norm at most B_u. With beta = rho_h B_U, of
which the sums over time are those of chapter 2, a state is at most ``H_j = rho_h B_W B_u (1 + beta + .. + beta^{j-1})``
after j tokens, and at most ``b_h sqrt d`` where no entry exceeds b_h.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from sympy import Expr, Min, Symbol, sqrt

from ssm_bounds.bounds.architectures.block import Architecture, Block
from ssm_bounds.bounds.architectures.selective_ssm.sums import geometric, weighted_geometric
from ssm_bounds.bounds.covers.lemmas import Volume
from ssm_bounds.bounds.evaluate.balls import enclose
from ssm_bounds.bounds.notation import B_U, B_V, B_W, S_1, S_2, B_h, B_u, G_h, J, T, b_h, d, k, rho, rho_h
from ssm_bounds.bounds.values import Scalar, require, require_finite

RNN = Architecture(
    "recurrent network",
    (
        Block("V", "V", "V", k * d, B_V, "spectral", Volume, None, {"sharp": B_h}, words="the readout V"),
        Block("U", "U", "U", d * d, B_U, "spectral", Volume, None, {"sharp": rho_h * B_V * G_h}),
        Block("W", "W", "W", d * d, B_W, "spectral", Volume, None, {"sharp": rho_h * B_V * B_u * S_1}),
    ),
    items={},
    sources={"sharp": "theory.md 10.1"},
    coefficients=("V", "U", "W"),
    derived=frozenset({B_h, G_h, S_1, S_2, rho}),
)

_drive: Expr = rho_h * B_W * B_u  # what one token adds to a state, at most
_cap: Expr = b_h * sqrt(d)
_sums: dict[Symbol, Expr] = {S_1: geometric(rho, T), S_2: weighted_geometric(rho, T)}

FREE: dict[Symbol, Expr] = {**_sums, B_h: _drive * S_1, G_h: _drive * S_2 / rho}
"""What the derived symbols stand for where the activation may grow: S_2/beta is ``sum_{j<T} j beta^{j-1}``. The values
of a class have beta as rho (:func:`of_beta`)."""

BOUNDED: dict[Symbol, Expr] = {
    **_sums,
    B_h: Min(_cap, _drive * S_1),
    G_h: rho ** (T - 1 - J) * _drive * weighted_geometric(rho, J + 1) / rho + _cap * geometric(rho, T - 1 - J),
}
"""The same where no entry of a state exceeds b_h: H_j is the first bound for j <= J, ``b_h sqrt d`` beyond. Any J from
0 to T - 1 gives a bound; :func:`switch` chooses it."""


def switch(values: Mapping[Symbol, Any], T: int) -> int:
    """The largest J < T at which the first bound of a state is not above ``b_h sqrt d``, for the least G_h.

    Where a comparison is too close to be seen, both choices are as good. Source: theory 10.1.
    """

    def below(j: int) -> bool:
        first, cap = (enclose(each, {**_sums, **values, J: j}) for each in (_drive * geometric(rho, J), _cap))
        return bool(first.upper <= cap.upper)

    low, high = 0, T - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if below(middle) else (low, middle - 1)
    return low


def of_beta(beta: Scalar, slope: Scalar = 1) -> dict[Symbol, Fraction]:
    """rho = beta, rho_h and ``B_U = beta/rho_h`` of a class, all exact: as a product beta could not be known to be 1.

    Raises: DomainError unless both are above 0.
    """
    for name, value in (("beta", beta), ("rho_h", slope)):
        require_finite("recurrent network", name, value)
        require(value > 0, f"a recurrent network has {name} > 0, got {value!r}")
    return {rho: Fraction(beta), rho_h: Fraction(slope), B_U: Fraction(beta) / Fraction(slope)}
