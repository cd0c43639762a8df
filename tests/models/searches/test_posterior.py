"""The fixed program and the posterior search of theory 8.2."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ssm_bounds.bounds.codes.gaussian import prior_center
from ssm_bounds.bounds.gaps.losses import margins
from ssm_bounds.bounds.gaps.maurer import expected_risk
from ssm_bounds.bounds.ladder.one_draw import Draw
from ssm_bounds.models.files import checkpoint
from ssm_bounds.models.files.checkpoint import Metadata
from ssm_bounds.models.searches.posterior import PosteriorError, Settings, balanced, flatten, search, sizes, unflatten
from ssm_bounds.models.selective_ssm.earlier import run
from ssm_bounds.models.selective_ssm.module import SelectiveSSM
from ssm_bounds.models.selective_ssm.weights import Weights
from ssm_bounds.models.tasks.files import read_task
from ssm_bounds.models.tasks.majority import majority
from ssm_bounds.models.tasks.task import Split


def random_weights(seed: int, *, d: int = 3, N: int = 2, k: int = 1, V: int | None = 4) -> Weights:
    rng = np.random.default_rng(seed)
    shapes = {"A": (d, N), "W_B": (N, d), "W_C": (N, d), "q": (d,), "W": (k, d)}
    arrays = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    arrays["A"] = -np.abs(arrays["A"])
    return Weights(**arrays, p=rng.normal(), embedding=None if V is None else rng.normal(size=(V, d)))


def random_inputs(seed: int, n: int, T: int, *, d: int = 3, V: int | None = 4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, T, d)) if V is None else rng.integers(V, size=(n, T))


def outputs(weights: Weights, x: np.ndarray, *, gate: str = "softplus", convention: str = "code") -> np.ndarray:
    return run(weights, Split(x, np.zeros(len(x), dtype=np.int64)), gate=gate, convention=convention).z


CASES = list(itertools.product(["softplus", "none"], ["code", "paper"], [1, 3], [None, 4]))


@pytest.mark.parametrize(("gate", "convention", "k", "V"), CASES)
def test_the_program_is_the_model(gate, convention, k, V):
    """Against the unrolled form of selective_ssm.scan, which sums in another order."""
    weights, x = random_weights(0, k=k, V=V), random_inputs(1, 7, 12, V=V)
    model = SelectiveSSM.from_weights(weights, gate=gate, convention=convention)
    with torch.inference_mode():
        expected = model(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(outputs(weights, x, gate=gate, convention=convention), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("V", [None, 4])
@given(st.integers(0, 1000), st.lists(st.integers(0, 22), min_size=1, max_size=9))
def test_logits_do_not_depend_on_the_batch(V, seed, rows):
    """Bit for bit: any selection, order and repetition of examples."""
    weights, x = random_weights(seed, V=V), random_inputs(seed, 23, 9, V=V)
    whole = outputs(weights, x, gate="softplus")
    assert np.array_equal(outputs(weights, x[rows], gate="softplus"), whole[rows])


def test_the_program_on_overflow_and_bad_tokens():
    weights = random_weights(0)
    wild = unflatten(np.where(np.arange(len(flatten(weights))) < 6, 900.0, flatten(weights)), weights)
    z = outputs(wild, random_inputs(0, 5, 30), gate="softplus")
    assert not np.isfinite(z).all()
    with pytest.raises(ValueError, match="tokens must lie in"):
        outputs(weights, np.array([[4]]), gate="softplus")


@pytest.mark.parametrize("V", [None, 4])
def test_flatten_and_back(V):
    weights = random_weights(3, k=2, V=V)
    again = unflatten(flatten(weights), weights)
    assert len(flatten(weights)) == sum(sizes(weights).values())
    for name in sizes(weights):
        assert np.array_equal(getattr(again, name), getattr(weights, name))
    assert next(iter(sizes(weights))) == "A"


@pytest.mark.parametrize("V", [None, 4])
@given(st.integers(0, 1000))
def test_balancing_keeps_the_function_and_shrinks_it(V, seed):
    weights, x = random_weights(seed, k=2, V=V), random_inputs(seed, 6, 8, V=V)
    equal = balanced(weights)
    np.testing.assert_allclose(outputs(equal, x, gate="softplus"), outputs(weights, x, gate="softplus"), rtol=1e-9)
    assert (flatten(equal) ** 2).sum() <= (1 + 1e-12) * (flatten(weights) ** 2).sum()


def test_balancing_leaves_a_zero_block_alone():
    weights = random_weights(0)
    zero = Weights(**{name: getattr(weights, name) for name in sizes(weights)} | {"W": np.zeros((1, 3))})
    assert np.array_equal(flatten(balanced(zero)), flatten(zero))


def small_search(**changes):
    task = majority(200, 12, seed=0)
    rng = np.random.default_rng(0)
    start = random_weights(0, d=2, N=1, V=2)
    start = unflatten(flatten(start) + 0.1 * rng.normal(size=len(flatten(start))), start)
    progress = changes.pop("progress", lambda step: None)
    settings = Settings(**({"steps": 150, "draws": 8, "rows": 128, "lr": 0.03} | changes))
    center = prior_center(sizes(start))
    found = search(
        start,
        task.train,
        center=center,
        bound=lambda error, divergence: expected_risk(error, divergence, task.train.m, 0.05),
        gate="softplus",
        settings=settings,
        progress=progress,
    )
    return task, start, center, found


def test_the_search_lowers_the_bound_and_the_saved_model_is_the_drawn_one(tmp_path):
    steps = []
    task, start, center, found = small_search(steps=250, progress=steps.append)
    assert found.stopped is None and found.best in steps and len(steps) == 250
    assert steps[-1].bound < 0.8 * steps[20].bound
    draw = Draw.once(center=center, mean=found.mean, factor=found.factor, seed=0)
    drawn = unflatten(draw.parameters, start)
    errors = int((~(margins(outputs(drawn, task.train.x, gate="softplus"), task.train.y) > 0)).sum())
    risk = draw.risk(errors, task.train.m, Fraction(1, 20)).float_upper()
    fresh = (~(margins(outputs(drawn, task.test.x, gate="softplus"), task.test.y) > 0)).mean()
    assert fresh <= risk < 0.5
    path = tmp_path / "drawn.safetensors"
    checkpoint.write(path, drawn, Metadata(m=200, T=12, gate="softplus", one_draw=draw.record()))
    saved = checkpoint.read(path)
    again = Draw.replay(saved.metadata.one_draw, center=center)
    assert np.array_equal(flatten(saved.weights), again.parameters)
    assert again.risk(errors, task.train.m, Fraction(1, 20)).float_upper() == risk


def test_equal_seeds_give_equal_posteriors():
    first, second, other = (small_search(steps=20, seed=seed)[3] for seed in (1, 1, 2))
    assert np.array_equal(first.mean, second.mean) and np.array_equal(first.factor, second.factor)
    assert not np.array_equal(first.mean, other.mean)


def test_the_search_does_not_touch_global_randomness():
    before = torch.get_rng_state()
    small_search(steps=3)
    assert torch.equal(before, torch.get_rng_state())


def test_interrupt_and_budget_keep_what_was_found():
    def interrupt(step):
        if step.number == 5:
            raise KeyboardInterrupt

    found = small_search(progress=interrupt)[3]
    assert found.stopped == "interrupted after 5 steps" and np.isfinite(found.factor).all()
    found = small_search(steps=10**6, budget=0.3)[3]
    assert "the budget of 0.3 s" in found.stopped


@pytest.mark.parametrize(
    ("change", "what"),
    [({"steps": 0}, "steps"), ({"rows": 3}, "rows"), ({"lr": 0.0}, "lr"), ({"budget": 0.0}, "budget")],
)
def test_settings_that_make_no_sense(change, what):
    with pytest.raises(PosteriorError, match=what):
        Settings(**change)


def test_many_outputs_and_real_inputs():
    weights = random_weights(0, k=3, V=None)
    x = random_inputs(0, 40, 6, V=None)
    train = Split(x, outputs(weights, x, gate="none").argmax(axis=1))
    found = search(
        weights,
        train,
        center=prior_center(sizes(weights)),
        bound=lambda error, divergence: expected_risk(error, divergence, 40, 0.05),
        gate="none",
        settings=Settings(steps=5, draws=2, rows=20),
    )
    assert found.factor.shape == (len(found.mean),) * 2 and found.best.number == 5


def test_reference_model_program_reproduces_its_errors(shared):
    """The authors' Majority model makes 29 errors on its 1000 training rows."""
    weights = checkpoint.read(shared / "checkpoints" / "majority_T200_m1000_seed1.pth").weights
    train = read_task(shared / "data" / "majority_T200_seed1.npz", None).train
    assert int((~(margins(outputs(weights, train.x, gate="softplus"), train.y) > 0)).sum()) == 29
