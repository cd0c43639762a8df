"""The sums and beta coefficients of ``bounds.perturbation`` as float64 logarithms, over arrays. Not certified.

A class is a mapping from the names of ``ClassConstants`` to arrays that broadcast against each other; a name that is
missing is not constrained: "M" (no cap on the gates), "V" (no embedding in the class), "B_q" (gate none: Delta = 1).
Every function returns natural logarithms, accurate as ``logspace`` says. Source: theory.md 2, 4.5, 5.1, 5.4, 5.5.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from bounds.scaling.logspace import (
    Floats,
    log,
    log_geometric,
    log_R_1,
    log_R_2,
    log_softplus,
    log_weighted_geometric,
    softplus,
)

Class = Mapping[str, Floats]


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


def _norms(of: Class) -> tuple[Floats, Floats, Floats, Floats]:
    """``ln`` of B_w, B_B, B_C, B_u."""
    return log(of["B_w"]), log(of["B_B"]), log(of["B_C"]), log(of["B_u"])


def sharp_sums(of: Class, T: Floats) -> dict[str, Floats]:
    """``ln`` of M, R_1, R_2."""
    M, log_M = _largest_gate(of)
    return {"M": log_M, "R_1": log_R_1(of["s_A"], M, log_M, T), "R_2": log_R_2(of["s_A"], M, log_M, T)}


def sharp(of: Class, T: Floats) -> dict[str, Floats]:
    """``ln`` of M, R_1, R_2 and of each coefficient of 5.1: A, B, C, w, g (with a gate), e (5.4, with V).

    Shapes: those the arrays broadcast to.
    """
    found = sharp_sums(of, T)
    w, B, C, u = _norms(of)
    R_1, R_2 = found["R_1"], found["R_2"]
    gate = np.logaddexp(R_1, log(np.abs(of["s_A"])) + R_2)
    kappa = w + B + C + 3 * u
    found |= {
        "A": kappa + R_2,
        "B": w + C + 3 * u + R_1,
        "C": w + B + 3 * u + R_1,
        "w": B + C + 3 * u + R_1,
    }
    if "B_q" in of:
        found["g"] = kappa + gate
    if "V" in of:
        moved = math.log(3) + R_1
        if "B_q" in of:
            moved = np.logaddexp(moved, u + log(of["B_q"]) + gate)
        found["e"] = w + B + C + 2 * u + moved
    return found


def _power_sums(log_rho: Floats, T: Floats) -> dict[str, Floats]:
    return {"S_1": log_geometric(log_rho, T), "S_2": log_weighted_geometric(log_rho, T)}


def _chained(of: Class, sums: dict[str, Floats], log_M: Floats) -> tuple[Floats, Floats]:
    """``ln`` of ``M^2 S_2`` and of ``S_1 + M B_A S_2``, which both older chains multiply by kappa."""
    return 2 * log_M + sums["S_2"], np.logaddexp(sums["S_1"], log_M + log(of["B_A"]) + sums["S_2"])


def repaired(of: Class, T: Floats) -> dict[str, Floats]:
    """``ln`` of M, S_1, S_2 and of each coefficient of 5.5 (e as in 5.4)."""
    M, log_M = _largest_gate(of)
    s_A = of["s_A"]
    sums = _power_sums(s_A * np.where(s_A < 0, _least_gate(of), M), T)
    w, B, C, u = _norms(of)
    kappa, once = w + B + C + 3 * u, 3 * u + log_M + sums["S_1"]
    decays, gate = _chained(of, sums, log_M)
    found = {"M": log_M} | sums | {"A": kappa + decays, "B": w + C + once, "C": w + B + once, "w": B + C + once}
    if "B_q" in of:
        found["g"] = kappa + gate
    if "V" in of:
        found["e"] = sharp(of, T)["e"]
    return found


def published(of: Class, T: Floats) -> dict[str, Floats]:
    """``ln`` of M, S_1, S_2, of each coefficient of the published chain (q for the gate), and of C_F by C.9.

    Needs M_A, M_B, M_C, M_w and, with a gate, M_q. The gates are those of ``p_lo``, ``p_hi``: both are p there.
    """
    _, log_M = _largest_gate(of)
    sums = _power_sums(of["s_A"] * _least_gate(of), T)
    w, B, C, u = _norms(of)
    state = log_M + B + 2 * u + sums["S_1"]
    kappa, size, readout = w + B + C + 3 * u, of["N"] * of["d"], of["k"] * of["d"]
    decays, gate = _chained(of, sums, log_M)
    beta = {"A": kappa + decays, "B": w + C + 2 * u + log_M + sums["S_1"], "C": w, "w": np.zeros(())}
    twice = {name: 2 * log(of[f"M_{name}"]) for name in beta}
    alpha = {
        "A": twice["A"] + log(size) + log(math.log(2) + 2 * np.log(size)),
        "B": 2 * u + twice["B"] + log(np.log(2 * size + 1)),
        "C": 2 * u + twice["C"] + 2 * state + log(np.log(2 * size + 1)),
        "w": 2 * (C + u + state) + twice["w"] + log(np.log(2 * readout + 1)),
    }
    if "B_q" in of:
        beta["q"] = kappa + gate
        alpha["q"] = 2 * u + 2 * log(of["M_q"]) + log(np.log(2 * of["d"] + 1))
    terms = [(alpha[name] + 2 * beta[name]) / 3 for name in beta]
    gamma = terms[0]
    for term in terms[1:]:
        gamma = np.logaddexp(gamma, term)
    return {"M": log_M} | sums | beta | {"C_F": 1.5 * gamma}
