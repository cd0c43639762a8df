"""10.1-bounded: the same where the activation bounds every entry of a state, as tanh does."""

from collections.abc import Mapping

import sympy
from sympy import Le

from ssm_bounds.bounds import notation as sym
from ssm_bounds.bounds.architectures.rnn import BOUNDED
from ssm_bounds.proofs.adversary import Adversary, Array, Numbers, Sizes
from ssm_bounds.proofs.ours.comparisons.rnn import PROSE, beta, block_move, derivation
from ssm_bounds.proofs.statement import Kind, Statement, Verdict
from ssm_bounds.proofs.systems import rnn as system
from ssm_bounds.proofs.systems.rnn import BLOCKS, moved, radius

claim = Le(moved, sympy.Add(*(beta[block] * radius[block] for block in BLOCKS)))


def bind(numbers: Numbers, free: Mapping[str, Array], sizes: Sizes) -> dict[sympy.Symbol, Array]:
    """tanh, so b_h = 1; the sums with the bounds of the states as they are."""
    found = system.bind(numbers, free, sizes, lambda state: 1 - 2 / (numbers.exp(2 * state) + 1))
    return found | {sym.b_h: 1, sym.J: sizes["J"], sym.B_h: BOUNDED[sym.B_h], sym.G_h: BOUNDED[sym.G_h]}


STATEMENT = Statement(
    label="10.1-bounded",
    title="Perturbation of a recurrent network with a bounded activation",
    claim=claim,
    source="theory.md 10.1",
    kind=Kind.TIGHT,
    recorded=Verdict.PROVED_FROM_AXIOMS,
    prose=(
        *PROSE,
        "no entry of a state exceeds b_h: |h_t|_2 <= b_h sqrt d",
        "B_h = H_T and G_h = sum_{i<T} beta^i H_{T-1-i}, beta = rho_h B_U, with any H_j that bound the states after j "
        "tokens: the first bound of 10.1 for j <= J, b_h sqrt d beyond, whatever J is",
    ),
    witness={moved: 0, sym.S_1: 1, sym.rho_h: 1, sym.B_h: 1, sym.G_h: 1}
    | dict.fromkeys((sym.B_V, sym.B_u), 1)
    | dict.fromkeys((*radius.values(), *block_move.values()), 0),
    derivation=derivation({}, claim),
    adversary=Adversary(
        (
            *system.sizes(("V", 2, 1), ("U", 2, 1), ("W", 3, 1), J=1),
            *system.sizes(("U", 4, 1), ("VUW", 3, 2), J=2),
            *system.sizes(("V", 3, 2), ("U", 3, 1), J=0),
        ),
        system.arrays,
        bind,
    ),
)
