"""M6.4: how far the output of a last block moves beside a linear function of features, divided by their size."""

from collections.abc import Mapping

import sympy
from sympy import Le, Max

from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict

moved, size = sympy.symbols("m phi", nonnegative=True)
unit = sympy.Symbol("c", positive=True)
s, line, beta, turn, through = sympy.symbols("s l b e R", nonnegative=True)
d_line, d_beta = sympy.symbols("d_l d_b", nonnegative=True)
FAR = {"line": s * d_line, "turn": line * turn}
NEAR = {"beta": s * d_beta, "turn": beta * turn, "omega": through}


def stated(far: sympy.Expr, near: sympy.Expr) -> sympy.Basic:
    """The claim with these in the place of far and c near."""
    return Le(moved, Max(far, near / unit))


claim = stated(sympy.Add(*FAR.values()), sympy.Add(*NEAR.values()))
MOVES = (("line",), ("w",), ("beta",), ("omega",), ("w", "omega"))
"""What moves: line; w through the norm, far or near, and through omega; beta; omega."""


def arrays(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    full: dict[str, tuple[int, ...]] = {"line": (2,), "w": (2,), "beta": (), "omega": (2,)}
    moving = {f"d{name}": full[name] for name in MOVES[sizes["moves"]]}
    return full | moving | {"phi": (2,), "far": (), "unit": (), "eps": (), "scale": ()}


def sizes(moves: int) -> Sizes:
    """With a norm after the gate where that is more than without."""
    return {"moves": moves, "normed": int(moves in (1, 2, 3))}


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """Two points; with ``normed`` 0 there is no norm after the gate."""
    scale, at, to = numbers.exp(free["scale"] - 4), dict(free), dict(free)
    for name in MOVES[sizes["moves"]]:
        to[name] = free[name] + scale * free[f"d{name}"]
    both = (at, to)
    regular, c = numbers.exp(free["eps"] - 9), numbers.exp(free["unit"])
    phi = free["phi"] * numbers.exp(4 * free["far"])

    def divisor(w: Array) -> Array:
        square = numbers.norm(w) * numbers.norm(w) / 2 + regular
        return numbers.exp(numbers.log(square) / 2) if sizes["normed"] else 0 * c + 1

    def output(one: Mapping[str, Array]) -> Array:
        beside = (one["line"] * phi).sum() + one["beta"]
        return (divisor(one["w"]) * beside + (one["omega"] * one["w"]).sum()) / (c + numbers.norm(phi))

    def most(name: str, j: int) -> Array:
        return numbers.maximum(abs(at[name][j]), abs(to[name][j]))

    gap = {name: to[name] - at[name] for name in ("line", "w", "beta", "omega")}
    read = [most("omega", j) * abs(gap["w"][j]) + abs(gap["omega"][j]) * most("w", j) for j in range(2)]
    root = numbers.exp(numbers.log(0 * c + 2) / 2)
    return {
        moved: abs(output(to) - output(at)), unit: c, line: numbers.norm(at["line"]), beta: abs(at["beta"]),
        s: numbers.maximum(*(divisor(one["w"]) for one in both)), turn: numbers.norm(gap["w"]) / root * sizes["normed"],
        through: read[0] + read[1], d_line: numbers.norm(gap["line"]), d_beta: abs(gap["beta"]),
    }  # fmt: skip


numerator = Le(moved * (unit + size), size * sympy.Add(*FAR.values()) + sympy.Add(*NEAR.values()))
STATEMENT = Statement(
    label="M6.4",
    title="A last block on fixed features, and what reads it out",
    claim=claim,
    source="theory.md M6.4",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        "f = (s_w (line.phi + beta) + omega.w)/(c + |phi|_2); m: how far f moves between two parameter sets, phi the "
        "size of the same features in both; s_w = sqrt(mean w^2 + eps) with a norm after the gate, or 1",
        "s: the larger s_w; l = |line|_2 and b = |beta| of the first; d_l, d_b: norms of their moves",
        "e = |dw|_2/sqrt d, or 0 without that norm; R = sum_j (|omega_j| |dw_j| + |d omega_j| |w_j|), |omega_j| and "
        "|w_j| the larger of both; dw_j by M4.2, M4.4",
    ),
    witness=dict.fromkeys((moved, size, unit, s, line, beta, turn, through, d_line, d_beta), 1),
    derivation=(
        Step(
            "numerator",
            numerator,
            Axiom("triangle inequality, Cauchy-Schwarz, s_w is 1/sqrt d-Lipschitz in w", "norm rules"),
        ),
        Step("a mean of far and near", claim, Z3(), ("numerator",)),
    ),
    not_claimed=(
        "A bias beside a final norm, a mean over tokens, features that were trained on the same rows.",
        "Anything about the features themselves: they are what a program computes, and the same for every parameter.",
    ),
    adversary=Adversary(tuple(sizes(moves) for moves in (0, 1, 3)), arrays, bind),
)
