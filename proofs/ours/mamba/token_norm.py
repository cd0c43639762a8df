"""M1.3: the l2 norm of u, through all taps at once."""

from collections.abc import Mapping

import sympy
from sympy import Abs, Le, sqrt

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.ours.mamba.after_silu import silu
from ssm_bounds.proofs.solvers import Z3, Axiom, Chain, Fold, Sum
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict
from ssm_bounds.proofs.systems import mamba as system

x = sympy.Symbol("x", real=True)
size, before, bias, shift, windows, side, stacked, v = sympy.symbols("u a b s w G V v", nonnegative=True)
radius, weight, squares, inverses = sympy.symbols("rho theta Sigma_v Sigma_theta", positive=True)
reach = radius * side * sqrt(inverses)
claim = Le(size, bias + shift + reach)


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """D = 1: G_i is a column, v_i = rho tanh; the taps on [G_0 | G_1] scaled by theta^(1/2)."""
    K, row, c, b = free["K"], free["r"], free["c"], free["b"]
    theta, rho = numbers.exp(free["theta"]), numbers.exp(free["rho"])
    v = rho * system.ball(numbers, free["v"])
    columns = K * row[:, None]  # (d,k)
    a = b + (K * c[:, None]).sum(1) + (columns * v[None]).sum(1)
    kappa = abs(K).sum(1)
    return {
        size: numbers.norm(system.silu(numbers, a)), bias: numbers.norm(b), shift: numbers.norm(kappa * c),
        side: numbers.spectral(columns * numbers.exp(free["theta"] / 2)[None]), radius: rho,
        inverses: (1 / theta).sum(),
    }  # fmt: skip


STATEMENT = Statement(
    label="M1.3",
    title="The l2 norm of what the convolution puts out",
    claim=claim,
    source="theory.md M1.3",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    hypotheses=(Le(v, radius),),
    prose=(
        "u = |u_t|_2, a the norm before SiLU, b = |b|_2, s = |kappa o c|_2, w = |sum_i G_i v_i|_2, G_i = diag(K_i) R_x",
        "G = |[theta_i^{1/2} G_i]_i|_2, V = |(theta_i^{-1/2} v_i)_i|_2, Sigma_theta = sum_i 1/theta_i, "
        "Sigma_v = sum_i |v_i|^2/theta_i, for any theta_i > 0; v = |v_i|_2 of one token, theta its weight",
        "padding and masks leave taps out, which lowers s and w",
    ),
    witness=dict.fromkeys((size, before, bias, shift, windows, side, stacked, v, radius, weight, squares, inverses), 1),
    derivation=(
        Step("SiLU", Le(Abs(silu(x)), Abs(x)), Z3()),
        Step("through SiLU", Le(size, before), Axiom("entry by entry", "norm rules"), ("SiLU",)),
        Step("in three", Le(before, bias + shift + windows), Axiom("triangle inequality", "norm rules")),
        Step("one matrix", Le(windows, side * stacked), Axiom("|M x| <= |M|_2 |x|", "norm rules")),
        Step("all tokens", Le(squares, radius**2 * inverses), Fold(((squares, v**2 / weight), (inverses, 1 / weight)))),
        Step("stacked tokens", Le(stacked, sqrt(squares)), Axiom("V^2 = Sigma_v", "definition")),
        Step("norm of the tokens", Le(stacked, radius * sqrt(inverses)), Z3(), ("all tokens", "stacked tokens")),
        Step("taps", Le(side * stacked, reach), Z3(), ("norm of the tokens",)),
        Step("windows", Le(windows, reach), Chain(), ("one matrix", "taps")),
        Step("together", Le(before, bias + shift + reach), Sum(), ("in three", "windows")),
        Step("conclusion", claim, Chain(), ("through SiLU", "together")),
    ),
    not_claimed=("Tight with biases of the convolution or of in_proj, which it adds as if all were aligned.",),
    adversary=Adversary(
        ({"d": 1, "k": 2},),
        lambda sizes: (
            {"K": (sizes["d"], sizes["k"]), "r": (sizes["d"],), "c": (sizes["d"],), "b": (sizes["d"],)}
            | {"theta": (sizes["k"],), "v": (sizes["k"],), "rho": ()}
        ),
        bind,
    ),
)
