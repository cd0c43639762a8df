"""The sums and beta coefficients of ``bounds.architectures`` as float64 logarithms, over arrays. Not certified.

A class is a mapping from the names of ``ClassConstants`` to arrays that broadcast against each other; a name that is
missing is not constrained: "M" (no cap on the gates), "V" (no embedding in the class), "B_q" (gate none: Delta = 1).
Every function returns natural logarithms, accurate as ``logspace`` says. Source: theory.md 2, 4.5, 5.1, 5.4, 5.5.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.block import Block, Theorem
from ssm_bounds.bounds.architectures.selective_ssm.sums import DEFINITIONS
from ssm_bounds.bounds.architectures.selective_ssm.table import PUBLISHED_STATE, SELECTIVE_SSM
from ssm_bounds.bounds.sweeps.logspace import (
    Floats,
    log,
    log_geometric,
    log_R_1,
    log_R_2,
    log_softplus,
    log_weighted_geometric,
    softplus,
)
from ssm_bounds.bounds.sweeps.readings import Logarithm, logarithms, symbols

Class = Mapping[str, Floats]
_ZERO = np.zeros(())


def _largest_gate(of: Class) -> tuple[Floats, Floats]:
    """M and its logarithm."""
    if "M" in of:
        return of["M"], log(of["M"])
    if "B_q" not in of:
        return np.ones(()), np.zeros(())
    logit = of["p_hi"] + of["B_q"] * of["B_u"]
    return softplus(logit), log_softplus(logit)


def _least_gate(of: Class) -> Floats:
    return softplus(of["p_lo"] - of["B_q"] * of["B_u"]) if "B_q" in of else np.ones(())


def blocks_of(of: Class, *, joint: bool) -> tuple[Block, ...]:
    """The blocks of a class, the gate as one or in parts."""
    return SELECTIVE_SSM.of(gate="B_q" in of, joint=joint, embedding="V" in of)


def _read(of: Class, theorem: Theorem, sums: dict[str, Floats]) -> dict[str, Floats]:
    """``ln`` of the sums and of the coefficients that this class has, from the table."""
    table = SELECTIVE_SSM.beta(theorem) | SELECTIVE_SSM.beta("embedding")
    names = [block.coefficient for block in blocks_of(of, joint=True)]
    return sums | logarithms({name: table[name] for name in names}, _values(of, sums))


def _values(of: Class, sums: Mapping[str, Floats]) -> dict[sympy.Symbol, Any]:
    """Values of the symbols of a coefficient; without a gate q is 0."""
    if "R_1" in sums:
        sums = {**sums, "R_g": _slopes(of, sums)}
    known = {sym.NOTATION[name].symbol: Logarithm(value) for name, value in sums.items()}
    return {sym.B_q: _ZERO, sym.kappa: DEFINITIONS[sym.kappa]} | symbols(of) | known


def sharp_sums(of: Class, T: Floats) -> dict[str, Floats]:
    """``ln`` of M, R_1, R_2."""
    M, log_M = _largest_gate(of)
    return {"M": log_M, "R_1": log_R_1(of["s_A"], M, log_M, T), "R_2": log_R_2(of["s_A"], M, log_M, T)}


def sharp(of: Class, T: Floats) -> dict[str, Floats]:
    """``ln`` of M, R_1, R_2 and of each coefficient of 5.1: A, B, C, w, g (with a gate), e (5.4, with V).

    Shapes: those the arrays broadcast to.
    """
    return _read(of, "sharp", sharp_sums(of, T))


def _slopes(of: Class, sums: Mapping[str, Floats]) -> Floats:
    """``ln`` of R_g."""
    second = sums["R_2"]
    lesser = np.minimum(second, sums["M"] + sums["R_1"] - math.log(2))
    return np.logaddexp(sums["R_1"], log(np.abs(of["s_A"])) + np.where(of["s_A"] <= 0, lesser, second))


def _power_sums(log_rho: Floats, T: Floats) -> dict[str, Floats]:
    return {"S_1": log_geometric(log_rho, T), "S_2": log_weighted_geometric(log_rho, T)}


def repaired(of: Class, T: Floats) -> dict[str, Floats]:
    """``ln`` of M, S_1, S_2 and of each coefficient of 5.5 (e as in 5.4)."""
    M, log_M = _largest_gate(of)
    s_A = of["s_A"]
    sums = {"M": log_M} | _power_sums(s_A * np.where(s_A < 0, _least_gate(of), M), T)
    if "V" not in of:
        return _read(of, "repaired", sums)
    found = _read(of, "repaired", sharp_sums(of, T) | sums)
    return {name: value for name, value in found.items() if name not in ("R_1", "R_2")}


def published(of: Class, T: Floats) -> dict[str, Floats]:
    """``ln`` of M, S_1, S_2, of each coefficient of the published chain (q for the gate), and of C_F by C.9.

    Needs M_A, M_B, M_C, M_w and, with a gate, M_q. The gates are those of ``p_lo``, ``p_hi``: both are p there.
    """
    _, log_M = _largest_gate(of)
    sums = {"M": log_M} | _power_sums(of["s_A"] * _least_gate(of), T)
    blocks = SELECTIVE_SSM.of(gate="B_q" in of)
    values = _values(of, sums) | {sym.B_x: PUBLISHED_STATE}
    alpha = logarithms({block.key: block.alpha for block in blocks if block.alpha is not None}, values)
    beta = logarithms({block.key: block.beta["published"] for block in blocks if block.key in alpha}, values)
    gamma = functools.reduce(np.logaddexp, [(alpha[name] + 2 * beta[name]) / 3 for name in beta])
    return sums | beta | {"C_F": 1.5 * gamma}
