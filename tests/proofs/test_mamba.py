"""The statements about Mamba's layers: each term of the perturbation theorems and of R_a is needed in full."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
import torch
from sympy import Le, Min, Rational

from ssm_bounds.models.mamba.forward import mixer as run
from ssm_bounds.models.mamba.weights import Mamba1, Mamba2
from ssm_bounds.proofs import falsify
from ssm_bounds.proofs.adversary import Adversary
from ssm_bounds.proofs.ours.mamba import last_block, mixer, mixer2, rates, real_inputs
from ssm_bounds.proofs.systems import mamba as system

LOWERED = Rational(97, 100)
ALONE = {"u": (0, 2), "B": (1, 2), "C": (2, 2), "l": (3, 1), "A": (4, 2), "D": (5, 1)}
"""For each factor the blocks that move and a length at which its sum is attained."""


def without(factor: str) -> sympy.Basic:
    """The claim with one term lowered by three percent."""
    terms = {name: LOWERED * term if name == factor else term for name, term in mixer.TERMS.items()}
    return Le(mixer.moved, sympy.Add(*terms.values()))


@pytest.mark.parametrize("factor", mixer.FACTORS)
def test_mutation_each_term_of_the_mamba_mixer(factor):
    given, (moves, T) = mixer.STATEMENT.adversary, ALONE[factor]
    adversary = Adversary((mixer.sizes(moves, T),), given.arrays, given.bind)
    assert falsify.search(without(factor), adversary).ratio > 1


def only(channel: int) -> Adversary:
    """Of [x | B | C] one channel moves."""
    given = mixer2.STATEMENT.adversary

    def bind(numbers, free, sizes):
        mask = np.arange(3) == channel
        kept = torch.from_numpy(mask) if numbers is falsify.TENSORS else mask.astype(int)
        return given.bind(numbers, free | {f"d{name}": free[f"d{name}"] * kept for name in system.MOVES[0]}, sizes)

    return Adversary(({"moves": 0, "T": 2},), given.arrays, bind)


@pytest.mark.parametrize("factor", mixer.FACTORS)
def test_mutation_each_term_of_the_mamba_2_mixer(factor):
    given = mixer2.STATEMENT.adversary
    if factor in "uBC":
        adversary = only("uBC".index(factor))
    else:
        sizes = {"moves": {"l": 1, "A": 2, "D": 3}[factor], "T": ALONE[factor][1]}
        adversary = Adversary((sizes,), given.arrays, given.bind)
    assert falsify.search(without(factor), adversary).ratio > 1


@pytest.mark.parametrize(
    ("side", "term", "moves"), [(0, "line", 0), (0, "turn", 1), (1, "turn", 1), (1, "beta", 2), (1, "omega", 4)]
)
def test_mutation_each_term_of_the_last_block(side, term, moves):
    sides = [dict(last_block.FAR), dict(last_block.NEAR)]
    sides[side][term] *= LOWERED
    given = last_block.STATEMENT.adversary
    adversary = Adversary((last_block.sizes(moves),), given.arrays, given.bind)
    lowered = last_block.stated(*(sympy.Add(*each.values()) for each in sides))
    assert falsify.search(lowered, adversary).ratio > 1


def test_mutation_of_the_map_of_real_inputs():
    lowered = Le(real_inputs.moved * (1 - real_inputs.delta), LOWERED * real_inputs.rho * real_inputs.delta)
    given = real_inputs.STATEMENT.adversary
    assert falsify.search(lowered, Adversary(given.sizes[:1], given.arrays, given.bind)).ratio > 1


@pytest.mark.parametrize(("lowered", "branch", "T"), [(0, 0, 2), (1, 1, 2), (2, 2, 40)])
def test_mutation_each_bound_of_the_moving_rates(lowered, branch, T):
    given = rates.STATEMENT.adversary
    share = Rational(94, 100) if lowered == 2 else LOWERED  # it is attained in the limit of many small steps
    bounds = [share * bound if i == lowered else bound for i, bound in enumerate(rates.BOUNDS)]
    adversary = Adversary((rates.sizes(branch, T),), given.arrays, given.bind)
    assert falsify.search(Le(rates.moved, Min(*bounds)), adversary).ratio > 1


def test_the_small_mixers_are_those_of_the_theory():
    """Against models/mamba/forward.py, where the last token comes last."""
    rng, T, d, N, z = np.random.default_rng(0), 4, 2, 3, 0.7
    gate = float(z / (1 + np.exp(-z)))
    sizes = {"T": T, "d": d, "N": N, "moves": 0}
    w = {name: rng.normal(size=shape) for name, shape in system.arrays1(sizes).items()}
    v, zero = np.tanh(w["v"]), np.zeros((1,))
    model = Mamba1(
        R_x=w["r"][:, None], R_z=np.zeros((d, 1)), c=w["c"], c_z=np.full(d, z), K=w["K"][:, None], b=w["b"],
        X_dt=w["X_dt"], X_B=w["X_B"], X_C=w["X_C"], c_dt=zero, c_B=np.zeros(N), c_C=np.zeros(N),
        W_dt=w["W_dt"][:, None], p=w["p"] - 4, A_log=w["A_log"], D=w["D"], W_o=np.eye(2)[:1], b_o=zero,
    )  # fmt: skip
    tensors = {name: torch.from_numpy(np.asarray(array)) for name, array in w.items()}
    y, _ = system.output1(falsify.TENSORS, tensors, torch.from_numpy(v))
    assert float(y) == pytest.approx(run(model, v[::-1, None])[-1, 0] / gate, rel=1e-12)

    w = {name: rng.normal(size=shape) for name, shape in system.arrays2({"T": T, "moves": 0}).items()}
    row = {name: array[:, None] for name, array in zip("xBC", np.split(w["r"], 3), strict=True)}
    shift = dict(zip("xBC", np.split(w["c"], 3), strict=True))
    model = Mamba2(
        R_z=np.zeros((1, 1)), R_x=row["x"], R_B=row["B"], R_C=row["C"], R_dt=w["r_dt"][:, None], c_z=np.full(1, z),
        c=shift["x"], c_B=shift["B"], c_C=shift["C"], K=w["K"][:, None], b=w["b"], p=w["p"] - 4, A_log=w["A_log"],
        D=w["D"], W_o=np.ones((1, 1)), b_o=zero, groups=1, norm=None,
    )  # fmt: skip
    tensors = {name: torch.from_numpy(np.asarray(array)) for name, array in w.items()}
    y = system.output2(falsify.TENSORS, tensors, torch.from_numpy(v))
    assert float(y) == pytest.approx(run(model, v[::-1, None])[-1, 0] / gate, rel=1e-12)
