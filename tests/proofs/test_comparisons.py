"""Each coefficient of the tables of recurrent networks, attention and the diagonal layer: 3 % less is refuted."""

from __future__ import annotations

import mpmath
import pytest
from sympy import Le, Rational

from ssm_bounds.proofs import falsify
from ssm_bounds.proofs.adversary import Adversary
from ssm_bounds.proofs.ours.comparisons import attention, rnn, rnn_bounded
from ssm_bounds.proofs.ours.lti import diagonal
from ssm_bounds.proofs.systems import rnn as system

FREE = {block: formula.xreplace(rnn.in_sums) for block, formula in rnn.beta.items()}
CASES = [
    *((rnn, FREE, block, system.sizes((block, 3, 1))) for block in FREE),
    *((rnn_bounded, rnn.beta, block, system.sizes((block, 3, 1), J=2)) for block in rnn.beta),
    (rnn_bounded, rnn.beta, "U", system.sizes(("U", 3, 1), J=1)),
    *((attention, attention.beta, block, (attention.moving((block,), 2, 1),)) for block in attention.beta),
    *((diagonal, diagonal.beta, block, (diagonal.moving(block, 2, 1, 1),)) for block in diagonal.beta),
]


@pytest.mark.parametrize(("module", "beta", "block", "sizes"), CASES)
def test_mutation_each_coefficient_is_needed(module, beta, block, sizes):
    """With that block alone moving: the true coefficient holds, 0.97 of it does not."""
    given = module.STATEMENT.adversary
    adversary = Adversary(sizes, given.arrays, given.bind)
    true = Le(module.moved, beta[block] * module.radius[block])
    found = falsify.search(true, adversary).ratio
    assert 0.98 < found <= 1
    assert falsify.search(Le(true.lts, Rational(97, 100) * true.gts), adversary).ratio > 1


@pytest.mark.parametrize("a", ["0.01", "1", "20"])
def test_a_softmax_of_two_scores_attains_the_hyperbolic_tangent(a):
    """Scores +-a/2 against their negatives."""
    with mpmath.workdps(30):
        a = mpmath.mpf(a)
        up, down = mpmath.exp(a / 2), mpmath.exp(-a / 2)
        moved = 2 * abs(up - down) / (up + down)
        assert mpmath.almosteq(moved, 2 * mpmath.tanh(a / 2)) and moved <= a
