"""The tables of ``compare`` at radii that all differ, written a second time: of equal ones a swap is unseen."""

from __future__ import annotations

from fractions import Fraction

import pytest

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.attention import LINEAR, SOFTMAX
from ssm_bounds.bounds.architectures.lti.real import DIAGONAL
from ssm_bounds.bounds.architectures.rnn import RNN
from ssm_bounds.bounds.architectures.selective_ssm.table import SELECTIVE_SSM
from ssm_bounds.bounds.evaluate.balls import rational

NAMES = ("B_A", "B_B", "B_C", "B_w", "B_q", "B_u", "B_c", "B_v", "B_qk", "B_U", "B_V", "B_W", "B_h", "L_sigma", "rho_h",
         "R_1", "R_2", "R_g", "S_1", "S_2", "G_h", "T")  # fmt: skip
PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79)
AT = {name: Fraction(prime, 4) for name, prime in zip(NAMES, PRIMES, strict=True)} | {
    "d": 6, "N": 4, "k": 3, "V": 9, "s_A": Fraction(-1, 8), "p_lo": Fraction(-2), "p_hi": Fraction(5),
}  # fmt: skip


def told(d, N, k, V, s_A, p_lo, p_hi, B_A, B_B, B_C, B_w, B_q, B_u, B_c, B_v, B_qk, B_U, B_V, B_W, B_h, L_sigma, rho_h,
         R_1, R_2, R_g, S_1, S_2, G_h, T):  # fmt: skip
    """By table and block: entries, radius, and how far the output moves (theory 5.1, 5.4, 14.6, 10.1 to 10.3)."""
    chain, half = B_w * B_C * B_B * B_u**3, (B_A + s_A) / 2
    selective = {
        "A": (d * N, half, chain * R_2),
        "W_B": (d * N, B_B, B_w * B_C * B_u**3 * R_1),
        "W_C": (d * N, B_C, B_w * B_B * B_u**3 * R_1),
        "W": (k * d, B_w, B_B * B_C * B_u**3 * R_1),
        "p": (1, (p_hi - p_lo) / 2, chain * R_g),
        "q": (d, B_q, chain * R_g),
        "embedding": (V * d, B_u, B_w * B_C * B_B * B_u**2 * (3 * R_1 + B_u * B_q * R_g)),
    }
    yield SELECTIVE_SSM, selective
    yield (
        DIAGONAL,
        {
            "A": (d * N, half, B_u * B_w * S_2),
            "B": (d * N, 1, B_u * B_w * S_1),
            "C": (d * N, 1, B_u * B_w * S_1),
            "W": (d, B_w, B_u * S_1),
        },
    )
    yield LINEAR, {name: (*selective[name][:2], selective[name][2] / R_1 * T) for name in ("W_B", "W_C", "W")}
    yield (
        SOFTMAX,
        {
            "w": (k * d, B_w, B_c * L_sigma * B_v * B_u),
            "W_c": (d * d, B_c, B_w * L_sigma * B_v * B_u),
            "W_v": (d * d, B_v, B_w * B_c * L_sigma * B_u),
            "W_qk": (d * d, B_qk, B_w * B_c * L_sigma * B_v * B_u**3),
        },
    )
    yield (
        RNN,
        {
            "V": (k * d, B_V, B_h),
            "U": (d * d, B_U, rho_h * B_V * G_h),
            "W": (d * d, B_W, rho_h * B_V * B_u * S_1),
        },
    )


@pytest.mark.parametrize(("table", "blocks"), [*told(**AT)], ids=lambda value: getattr(value, "name", ""))
def test_every_radius_and_coefficient_is_its_own(table, blocks):
    values = {getattr(sym, name): value for name, value in AT.items()}
    values[sym.kappa] = AT["B_w"] * AT["B_C"] * AT["B_B"] * AT["B_u"] ** 3
    found = {
        block.name: tuple(
            rational(each, values)
            for each in (block.entries, block.radius, block.beta.get("sharp", block.beta.get("embedding")))
        )
        for block in table.blocks
        if block.part != "joint gate"
    }
    assert found == blocks
    assert len({(radius, beta) for _, radius, beta in found.values()}) == len(found) - (table is DIAGONAL)
