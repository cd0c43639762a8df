"""10.1: how far the output of a recurrent network moves with its three matrices, whatever its activation."""

from collections.abc import Mapping

import sympy
from sympy import Eq, Le

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.rnn import FREE, RNN
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.solvers import Z3, Axiom, Identity
from ssm_bounds.proofs.statement import Kind, Statement, Step, Verdict
from ssm_bounds.proofs.systems import rnn as system
from ssm_bounds.proofs.systems.rnn import BLOCKS, moved, radius

beta = RNN.beta("sharp")
block_move = {block: sympy.Symbol(f"d_{block}", nonnegative=True) for block in BLOCKS}
in_sums = {symbol: FREE[symbol] for symbol in (sym.B_h, sym.G_h)}
claim = Le(moved, sympy.Add(*(beta[block].xreplace(in_sums) * radius[block] for block in BLOCKS)))

x = sympy.Symbol("x", positive=True)  # beta, other than 1
T = sympy.Symbol("T", positive=True, integer=True)


def first(terms: sympy.Expr) -> sympy.Expr:
    """``1 + x + .. + x^{terms-1}``."""
    return (1 - x**terms) / (1 - x)


def second(terms: sympy.Expr) -> sympy.Expr:
    """``sum_{j < terms} j x^{j-1}``."""
    return (1 - x**terms) / (1 - x) ** 2 - terms * x ** (terms - 1) / (1 - x)


RECURSION = Axiom(
    "|h_t - h'_t| <= rho_h (B_U |h_{t-1} - h'_{t-1}| + eps_U |h'_{t-1}| + eps_W B_u) and |h_t| <= rho_h (B_U |h_{t-1}| "
    "+ B_W B_u), unrolled from h_0 = 0",
    "triangle inequality, submultiplicativity",
)
SPLIT = Axiom("|V h - V' h'| <= |V - V'| |h| + |V'| |h - h'|", "triangle inequality, submultiplicativity")
PROSE = (
    "d_z = |z - z'|_2 of two networks h_t = sigma(U h_{t-1} + W x_t), z = V h_T, h_0 = 0, on one input, |x_t|_2 <= B_u",
    "eps_V, eps_U, eps_W: spectral norms of the differences; B_V, B_U, B_W at least those of both",
    "sigma acts entry by entry, is rho_h-Lipschitz and 0 at 0; rho = rho_h B_U, S_1 = sum_{t<T} rho^t, "
    "S_2 = sum_{t<T} t rho^t",
)


def derivation(of: Mapping[sympy.Symbol, sympy.Expr], conclusion: sympy.Basic) -> tuple[Step, ...]:
    """Block by block, from bounds of the states in the sums of ``of``."""
    why = {"V": SPLIT, "U": RECURSION, "W": RECURSION}
    steps = (
        Step(block, Le(block_move[block], beta[block].xreplace(of) * radius[block]), why[block]) for block in BLOCKS
    )
    return (
        *steps,
        Step("all of them", Le(moved, sympy.Add(*block_move.values())), SPLIT),
        Step("conclusion", conclusion, Z3(), (*BLOCKS, "all of them")),
    )


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    return system.bind(numbers, free, sizes, lambda state: state)


STATEMENT = Statement(
    label="10.1",
    title="Perturbation of a recurrent network",
    claim=claim,
    source="theory.md 10.1",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=PROSE,
    witness={moved: 0, sym.S_1: 1, sym.S_2: 0, sym.rho: 1, sym.rho_h: 1}
    | dict.fromkeys((sym.B_V, sym.B_W, sym.B_u), 1)
    | dict.fromkeys((*radius.values(), *block_move.values()), 0),
    derivation=(
        Step("states add up", Eq(first(T + 1), x * first(T) + 1, evaluate=False), Identity()),
        Step("moves add up", Eq(second(T + 1), x * second(T) + first(T), evaluate=False), Identity()),
        *derivation(in_sums, claim),
    ),
    not_claimed=("Attained for the identity; of an activation with bounded entries see 10.1-bounded.",),
    adversary=Adversary(
        system.sizes(("V", 3, 1), ("U", 2, 1), ("U", 5, 2), ("W", 4, 1), ("VUW", 3, 2)), system.arrays, bind
    ),
)
