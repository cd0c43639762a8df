"""The search for a head: it finds what is there, pays for nothing that is not, and ends as it is told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ssm_bounds.bounds.codes.moves import STEPS
from ssm_bounds.bounds.gaps.inversion import kl_about
from ssm_bounds.models.program.blocks import affine
from ssm_bounds.models.program.evaluate import errors
from ssm_bounds.models.program.run import Pooled, headed
from ssm_bounds.models.searches import head


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(head, "_KICKS", 1)
    monkeypatch.setattr(head, "_ROWS", 1)


def rows(m=400, D=6, k=3, seed=0, noise=0.3) -> tuple[Pooled, np.ndarray]:
    rng = np.random.default_rng(seed)
    y, centres = rng.integers(0, k, m), rng.normal(size=(k, D))
    return Pooled((centres[y] + noise * rng.normal(size=(m, D)) + 1).T.copy(), np.ones(m, dtype=bool)), y


def weights(found: head.Head, k: int, D: int) -> tuple[np.ndarray, np.ndarray]:
    def of(coded, shape):
        return np.zeros(shape) if coded is None else coded.z * float(STEPS[coded.step])

    return of(found.weight, (k, D)), of(found.bias, (k,))


def counted(found: head.Head, before: Pooled, y: np.ndarray, k: int) -> int:
    W, b = weights(found, k, len(before.h))
    if k == 1:
        W, b = np.vstack([np.zeros_like(W), W]), np.append(0.0, b)
    return errors(headed(affine(W, b), before), y)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_what_can_be_told_apart_is(k):
    before, y = rows(k=max(k, 2))
    stages = []
    found = head.search(before, y, k, fixed=5.0, budget=60, progress=stages.append)
    assert found.stopped is None and found.weight.z.shape == (k, 6)
    assert [stage.risk for stage in stages] == sorted((stage.risk for stage in stages), reverse=True)
    last = stages[-1]
    assert counted(found, before, y, k) == last.errors < 0.1 * len(y)
    paid = sum(
        each.symbols.about(each.z.ravel()) + math.log(len(STEPS)) + math.log(21)
        for each in (found.weight, found.bias)
        if each is not None
    )
    assert last.nats == pytest.approx(paid)
    assert last.risk == pytest.approx(kl_about(last.errors / 400, 1 - last.errors / 400, (paid + 5) / 400))
    assert last.risk < 0.35  # a ceiling: chance is 1/2 or more


def test_no_entry_by_itself_helps_any_more():
    """Where descent ends, no z +- 1 and no 0 lowers what it minimises: nats and errors, at what an error is worth."""
    before, y = rows(noise=0.8)
    problem = head._Problem(before, y, 3, 5.0)
    start = next(problem.starts())
    end = start.descended(np.random.default_rng(0), 200, lambda: False)
    assert end.risk < start.risk
    moved, _ = end._sweep(np.random.default_rng(1), lambda: False)
    after = end.descended(np.random.default_rng(2), 200, lambda: False)
    assert not moved or after.risk > 0.97 * end.risk


def test_random_labels_are_left_alone():
    before, _ = rows(m=600)
    y = np.random.default_rng(9).integers(0, 3, 600)
    stages = []
    head.search(before, y, 3, fixed=5.0, budget=60, progress=stages.append)
    assert stages[-1].risk > 2 / 3 - 0.02


def test_the_same_seed_gives_the_same_head():
    before, y = rows(noise=0.8)
    one, two = (head.search(before, y, 3, fixed=5.0, budget=60, seed=3) for _ in range(2))
    assert (one.weight.z == two.weight.z).all() and (one.bias.z == two.bias.z).all()
    assert (one.weight.step, one.weight.code, one.bias.step, one.bias.code) == (
        two.weight.step, two.weight.code, two.bias.step, two.bias.code,
    )  # fmt: skip


def test_rows_without_logits_are_errors():
    before, y = rows()
    lost = Pooled(before.h.copy(), np.arange(400) >= 50)
    lost.h[:, :25] = np.nan
    stages = []
    found = head.search(lost, y, 3, fixed=5.0, budget=60, progress=stages.append)
    assert stages[-1].errors >= 50 and counted(found, lost, y, 3) == stages[-1].errors


def test_it_ends_with_its_budget_and_on_demand():
    before, y = rows()
    assert "budget" in head.search(before, y, 3, fixed=5.0, budget=1e-9).stopped

    seen = []

    def interrupt(stage):
        seen.append(stage)
        raise KeyboardInterrupt

    found = head.search(before, y, 3, fixed=5.0, budget=60, progress=interrupt)
    assert "interrupted" in found.stopped and counted(found, before, y, 3) == seen[0].errors


def test_what_an_error_is_worth():
    """Along the level set of ``kl(e/m || x) = nats/m`` to first order, from differences of the inversion itself."""
    m, e, b = 1000.0, 100.0, 0.05
    x = kl_about(e / m, 1 - e / m, b)
    by_errors = kl_about((e + 1) / m, 1 - (e + 1) / m, b) - x
    by_nats = kl_about(e / m, 1 - e / m, b + 1 / m) - x
    assert head._worth(e / m, x) == pytest.approx(by_errors / by_nats, rel=0.02)


def test_one_row_of_logits_decides_as_all_do():
    """Also where a row is right only because another output is not the largest, and where it cannot be right."""
    rng = np.random.default_rng(0)
    for k in (2, 4):
        Z, y = rng.integers(-3, 4, (k, 500)).astype(float), rng.integers(0, k, 500)
        own = Z[y, np.arange(500)]
        right = np.array([own[i] > max(np.delete(Z[:, i], y[i])) for i in range(500)])
        for row in range(k):
            sign, limit = head._limits(Z, y, row)
            assert (((sign * Z[row]) > limit) == right).all()
