"""How errors are counted: what the program answers, what is proven, and where the radius decides."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds.codes import fit
from ssm_bounds.bounds.codes.scheme import PLAIN
from ssm_bounds.bounds.gaps.losses import ClippedCrossEntropy, Ramp
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.files import checkpoint
from ssm_bounds.models.searches import quantise, rounded
from ssm_bounds.models.searches.integers import Search
from ssm_bounds.models.selective_ssm import earlier, evaluate, tally
from ssm_bounds.models.selective_ssm.module import SelectiveSSM
from ssm_bounds.models.selective_ssm.programs import EXACT
from ssm_bounds.models.selective_ssm.tally import Answers, answers
from ssm_bounds.models.tasks.files import read_task
from ssm_bounds.models.tasks.task import Split
from tests.models.selective_ssm.test_radius import ordinary, rotation


def given_margins(values: list[float], radius: list[float]) -> Answers:
    """One output and the label 1: the margin is the logit."""
    z = np.array(values)[:, None]
    return Answers(z, np.ones(len(values), dtype=int), z[:, 0], np.array(radius))


def test_each_count_by_hand():
    """Wrong, tied, right within its radius, just outside it, at g within its radius, above g."""
    found = given_margins([-1.0, 0.0, 1e-13, 1e-12, 0.5, 0.5 + 1e-11], [1e-12 - 1e-25] * 6).tally(Ramp(1), 0.5)
    assert (found.n, found.program_errors, found.errors, found.margin_errors) == (6, 2, 3, 5)
    assert found.inside == 3  # the tie, the third, and the one at g
    assert found.radius == 1e-12 - 1e-25


def test_a_row_that_is_not_finite_is_an_error_of_the_largest_loss():
    with np.errstate(all="raise"):
        found = given_margins([math.inf, math.nan, 3.0], [math.inf, math.inf, 1e-15]).tally(Ramp(1), 1)
    assert (found.errors, found.program_errors, found.margin_errors, found.inside) == (2, 1, 2, 2)
    assert found.radius == math.inf and found.loss == 2 / 3


@given(st.floats(-2, 2), st.fractions(0, 2), st.floats(0, 1e-3))
def test_a_margin_above_g_is_proven_exactly(margin, g, radius):
    """Rounding ``margin - g`` decides nothing: counted as above only where it is, in exact arithmetic."""
    found = given_margins([margin], [radius]).tally(Ramp(1), g)
    above = Fraction(margin) - g > Fraction(radius)
    assert found.margin_errors == 1 or above
    if Fraction(float(g)) == g and (Fraction(margin) - g) > Fraction(radius) * (1 + Fraction(1, 10**15)):
        assert found.margin_errors == 0


def test_a_margin_that_no_float64_holds_is_rounded_up():
    third = Fraction(1, 3)
    below = float(third)
    assert Fraction(below) < third
    assert given_margins([math.nextafter(below, 1)], [0.0]).tally(Ramp(1), third).margin_errors == 1
    assert given_margins([below + 1e-15], [0.0]).tally(Ramp(1), third).margin_errors == 0
    assert given_margins([1e308], [0.0]).tally(Ramp(1), Fraction(10**400)).margin_errors == 1


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize(
    "loss", [Ramp(Fraction(1, 2)), ClippedCrossEntropy(Fraction(5, 2))], ids=lambda loss: loss.name
)
def test_loss_is_that_of_the_library(k, loss):
    weights, data = ordinary(1, k=k, n=60)
    found = answers(weights, data)
    expected = loss.values(found.z, data.y)
    assert 0.05 < expected.mean() < float(loss.range)
    assert found.tally(loss, 1).loss == pytest.approx(expected.mean(), rel=1e-13)
    far = Answers(800 * found.z, data.y, 800 * found.margin, found.radius).tally(loss, 1)
    assert far.loss == pytest.approx(loss.values(800 * found.z, data.y).mean(), rel=1e-13)


@pytest.mark.parametrize("tokens", [True, False])
def test_answers_do_not_depend_on_the_batch(tokens, monkeypatch):
    weights, data = ordinary(2, tokens=tokens)
    whole = answers(weights, data)
    monkeypatch.setattr(tally, "_NUMBERS", 3 * (data.T + 16 * weights.d * weights.N))
    parts = answers(weights, data)
    for name in ("z", "margin", "radius"):
        assert getattr(whole, name).tobytes() == getattr(parts, name).tobytes()
    assert whole.tally(Ramp(1), 1) == parts.tally(Ramp(1), 1)


def test_a_label_without_an_output_is_refused():
    weights, data = ordinary(2, k=3)
    with pytest.raises(DomainError, match="labels lie in"):
        answers(weights, Split(data.x, data.y + 3))


def test_ties_are_errors_of_every_claim():
    """Margins that are 0 in real arithmetic, and to the program a little above or below."""
    weights, data = rotation(1)
    found = answers(weights, data).tally(Ramp(1), 1e-6)
    assert found.program_errors < found.errors == found.inside == data.m


def test_the_search_gains_nothing_from_ties():
    weights, data = rotation(2, T=100)
    layout = rounded.layout_of(weights, "softplus")
    parts = rounded.blocks(weights, layout) | {"p": np.array(0.375)}
    parts["embedding"] = np.rint(parts["embedding"] * 16) / 16
    code = fit.shortest(layout, parts, (PLAIN,))
    search = Search(data, data.m, layout, "code", 0.05, math.inf)
    point = search.point(code, code.integers(parts))
    assert earlier.errors(point.run.z, data.y) < point.errors == data.m
    moved = dict(point.integers) | {"p": point.integers["p"] + 1}
    assert search.point(code, moved, point.run).errors == data.m
    found = quantise.search(weights, data, rounds=1, proposals=20, updates=2, budget=60)
    assert found.errors == EXACT.run(found.weights, data, "softplus", "code").errors


def test_a_recorded_count_is_read_and_not_believed():
    weights, data = rotation(3)
    found = quantise.search(weights, data, rounds=1, proposals=5, updates=1, budget=60)
    entry = rounded.record(found, Fraction(1, 20))
    assert rounded.recorded_errors(entry) == found.errors
    assert rounded.recorded_errors(entry | {"errors": 3}) == 3
    for broken in (-1, True, 2.0, "3", None):
        assert rounded.recorded_errors(entry | {"errors": broken}) is None
    code = rounded.recorded(found.weights, entry | {"errors": 3}, "softplus")
    assert rounded.certified(found.weights, code, data, delta=Fraction(1, 20)).errors == found.errors


def test_majority_reference(shared):
    """29 errors of 1000, by the program, by proof, and by torch."""
    weights = checkpoint.read(shared / "checkpoints" / "majority_T200_m1000_seed1.pth").weights
    data = read_task(shared / "data" / "majority_T200_seed1.npz").train
    found = answers(weights, data).tally(Ramp(1), 1)
    assert (found.n, found.errors, found.program_errors, found.inside) == (1000, 29, 29, 0)
    assert 1e-13 < found.radius < 1e-11
    scores = evaluate.score(SelectiveSSM.from_weights(weights), data)
    assert scores.error == 0.029 and scores.ramp == pytest.approx(found.loss, rel=1e-12)
    assert scores.low_margins == found.margin_errors / 1000
