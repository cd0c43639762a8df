"""The quantisation-aware search: the word it leaves is the model it counted, and its price the one it paid."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ssm_bounds.bounds.codes.decode import decode
from ssm_bounds.bounds.codes.moves import STEPS
from ssm_bounds.bounds.codes.symbols import WORD_ALPHABET
from ssm_bounds.bounds.codes.word import Coded, Word
from ssm_bounds.models.mamba.design import Design
from ssm_bounds.models.mamba.start import narrowed, start
from ssm_bounds.models.searches import qat
from ssm_bounds.models.searches.classify import Errors
from ssm_bounds.models.searches.latents import Latents, laplace_nats
from ssm_bounds.models.searches.words import counted, ordered, parts, scratch
from ssm_bounds.models.tasks.task import Split

DESIGN = Design(V=3, outputs=3, D=16, N=8, k=2, expand=1, final_norm=True)
WIDE = replace(DESIGN, D=96)
BASE, START = narrowed(start(DESIGN, 0)), scratch(DESIGN, 0)
X = np.random.default_rng(0).integers(0, 3, (300, 8))
ROWS = Split(X, X[:, -1])
QUICK = {"start": START, "updates": 40}


def around(family, base=BASE, size=None, start=None, bases=1):
    return qat.Around(family, parts(DESIGN), ordered(DESIGN, base), size, start, bases)


def searched(design, base, split, *, family, size=None, start=None, bases=1, **how):
    objective = Errors(design, base, split, of_head=family == "head")
    return qat.searched(around(family, base, size, start, bases), objective, **how)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def moved(scale, seed=0):
    """Latents of the whole model, moved at random, every other tensor from zero."""
    rng = np.random.default_rng(seed)
    weights = {
        name: value * (i % 2) + scale * rng.laplace(size=value.shape) for i, (name, value) in enumerate(BASE.items())
    }
    shapes = {name: part.shape for name, part in parts(DESIGN).items()}
    return Latents.around(BASE, weights, shapes, may_leave=True)


def integers(word):
    return {name: each and (each.z.tolist(), each.step, each.centre) for name, each in word.tensors.items()}


class TestLatents:
    def test_the_word_decodes_to_the_weights_of_the_training(self):
        latents = moved(0.3)
        assert set(latents.from_zero) == {True, False}
        found = decode(Word("full", latents.tensors(), start=START), parts(DESIGN), BASE)
        for name, weights in latents.weights().items():
            assert np.abs(weights.detach().numpy() - found[name]).max() < 1e-6, name
        free = (latents.centre + latents.move).detach().numpy()
        decoded = np.concatenate([found[name].ravel() for name in latents.shapes])
        assert np.abs(free - decoded).max() > 0.1  # without the rounding

    def test_steps_are_on_the_grid(self):
        latents = moved(0.3)
        with torch.no_grad():
            latents.j.copy_(torch.linspace(-3, 40, len(latents.j)))
        assert latents.step().tolist() == [float(STEPS[j]) for j in latents.index().tolist()]
        assert (min(latents.index()), max(latents.index())) == (0, len(STEPS) - 1)

    def test_steps_stay_on_the_grid_however_long_they_are_trained(self):
        """A step that would be coarser than the grid's largest: j stays, and float32 keeps the step."""
        latents = moved(3.0)
        optimizer = torch.optim.Adam([latents.j], lr=5.0)
        for _ in range(60):
            latents.rate(torch.Generator().manual_seed(0)).backward()
            optimizer.step()
            optimizer.zero_grad()
            latents.keep_steps()
        assert latents.j.min() >= 0 and latents.j.max() <= len(STEPS) - 1
        assert latents.step().tolist() == [float(STEPS[j]) for j in latents.index().tolist()]

    def test_gradients_pass_the_rounding(self):
        latents = moved(0.3)
        sum(weights.sum() for weights in latents.weights().values()).backward()
        assert (latents.move.grad - 1).abs().max() < 1e-6
        assert latents.j.grad.abs().min() > 0  # of what rounding left over

    @pytest.mark.parametrize("scale", [0.02, 0.3])
    def test_the_rate_is_about_the_price(self, scale):
        """Of the integers themselves, once the laws fit; neither is far below the other."""
        latents = moved(scale)
        optimizer = torch.optim.Adam([latents.scale], lr=0.05)
        with torch.no_grad():
            z = (latents.move / latents.step()[latents.owner]).round()
        for _ in range(200):
            scales = latents.scale.exp()[latents.owner]
            rate = laplace_nats(z, scales).sum()
            optimizer.zero_grad()
            rate.backward()
            optimizer.step()
        price = sum(each.symbols.about(each.z.ravel()) for each in latents.tensors().values())
        assert 0.85 < rate.item() / price < 1.1
        noisy = torch.stack([latents.rate(torch.Generator().manual_seed(i)).detach() for i in range(20)]).mean()
        assert 0.9 < noisy.item() / price < 1.35
        assert laplace_nats(latents.move / latents.step()[latents.owner], scales).sum() < 0.999 * noisy

    def test_each_code_is_the_shortest(self):
        for tensor in moved(0.3).tensors().values():
            prices = [code.about(tensor.z.ravel()) for code in WORD_ALPHABET]
            assert prices[tensor.code] == min(prices) < 0.9 * np.median(prices)


@pytest.mark.parametrize("scale", [0.05, 0.5, 3.0, 40.0])
def test_laplace_masses(scale):
    z = np.arange(-4, 5) + 0.3

    def below(x):
        return 0.5 * math.exp(x / scale) if x < 0 else 1 - 0.5 * math.exp(-x / scale)

    expected = np.array([-math.log(max(below(-abs(x) + 0.5) - below(-abs(x) - 0.5), 1e-300)) for x in z])
    found = laplace_nats(torch.from_numpy(z), torch.tensor(scale, dtype=torch.float64)).numpy()
    assert found == pytest.approx(expected, rel=1e-9)
    assert (found > 0).all()


@pytest.mark.parametrize(
    ("family", "size"), [("head", None), ("bitfit", None), ("full", None), ("lora", 2), ("subspace", 64)]
)
def test_a_search(family, size):
    """It learns the task for few nats, and the exact program agrees with what it counted."""
    stages = []
    found = searched(DESIGN, BASE, ROWS, family=family, size=size, progress=stages.append, **QUICK)
    exact = counted(found.word, DESIGN, BASE, ROWS, 0.05)
    assert (exact.errors, found.stopped) == (found.stage.seen, None)
    assert float(exact.nats.upper) == pytest.approx(found.stage.nats, rel=1e-9)
    assert exact.risk.float_upper() == pytest.approx(found.stage.bound, rel=1e-9)
    assert exact.risk.float_upper() < 0.4
    risks = [stage.bound for stage in stages]
    assert risks == sorted(risks, reverse=True) and risks[-2] == risks[-1] == found.stage.bound


@pytest.mark.parametrize("seed", [0, 7])
def test_the_plane_is_what_decode_makes(seed):
    """Every weight, for numbers on a grid that float32 holds; and its gradient is the transposed matrix."""
    begun = replace(START, seed=seed)
    space = around("subspace", size=32, start=begun)
    z = np.random.default_rng(0).integers(-3, 4, 32)
    word = Word("subspace", dict.fromkeys(("score.weight", "score.bias")) | {"subspace": Coded(z, 4, 0)}, 32, begun)
    found, expected = space.moved({"subspace": torch.tensor(z / 4.0)[:].float()}), decode(word, parts(DESIGN), BASE)
    assert found.keys() == expected.keys() - {"score.weight", "score.bias"}
    for name, value in found.items():
        assert np.abs(value.numpy() - expected[name]).max() < 1e-6 < np.abs(value.numpy() - BASE[name]).max(), name
    numbers = torch.zeros(32, requires_grad=True)
    sum(value.sum() for value in space.moved({"subspace": numbers}).values()).backward()
    assert torch.allclose(numbers.grad, space.plane.matrix.sum(0), atol=1e-4)


def test_the_seed_decides():
    found, again, other = (
        integers(searched(DESIGN, BASE, ROWS, family="bitfit", start=START, updates=15, seed=seed).word)
        for seed in (0, 0, 1)
    )
    assert found == again != other


def test_a_stage_goes_on_from_the_best_at_a_smaller_kappa_until_three_fail(monkeypatch):
    kappas, begun, ended, stages, real = [], [], [], [], qat._Search.train

    def train(search, latents, kappa, weight, updates):
        kappas.append(kappa)
        begun.append(latents.move.detach().clone())
        real(search, latents, kappa, weight, updates)
        ended.append(latents.move.detach().clone())

    monkeypatch.setattr(qat._Search, "train", train)
    searched(DESIGN, BASE, ROWS, family="head", start=START, kappa=20.0, updates=100, progress=stages.append)
    best, good, failures = None, 0, 0
    for number, stage in enumerate(stages):
        factor = (0.7, 1.0, 0.5)[failures] if number else 1
        assert kappas[number] == (kappas[good] * factor if number else 20.0)
        assert number == 0 or (begun[number] == ended[good]).all()
        improved = best is None or stage.bound < best
        best, good, failures = stage.bound, number if improved else good, 0 if improved else failures + 1
    assert failures == 3 and len(stages) > 4


def test_around_a_base_no_tensor_is_centred_at_zero_and_the_list_is_paid():
    found = searched(DESIGN, BASE, ROWS, family="full", bases=8, updates=20, budget=5)
    assert found.word.start is None and found.word.bases == 8
    assert {each.centre for each in found.word.tensors.values() if each is not None} == {"base"}


@pytest.mark.parametrize(("family", "size"), [("full", None), ("lora", 2), ("subspace", 64)])
def test_a_search_goes_on_from_a_word(family, size):
    """At its integers, steps and centres; and what it finds is no worse."""
    quick = QUICK | {"updates": 10}
    first = searched(DESIGN, BASE, ROWS, family=family, size=size, **quick)
    space = around(family, size=size, start=START)
    search = qat._Search(space, Errors(DESIGN, BASE, ROWS), 100, 0)
    assert integers(space.word(search.at(first.word))) == integers(first.word)
    again = searched(DESIGN, BASE, ROWS, family=family, size=size, begun=first.word, **quick)
    assert again.stage.bound <= first.stage.bound


def test_random_labels_are_not_learnt():
    y = np.random.default_rng(1).integers(0, 3, len(X))
    found = searched(DESIGN, BASE, Split(X, y), family="full", **QUICK)
    assert found.stage.bound > 2 / 3


def test_weights_to_begin_with_save_the_training(monkeypatch):
    search = qat._Search(around("full", start=START), Errors(DESIGN, BASE, ROWS), 100, 0)
    trained = search.trained(ordered(DESIGN, BASE), 40)
    monkeypatch.setattr(qat._Search, "trained", None)
    found = searched(DESIGN, BASE, ROWS, family="full", trained=trained, **QUICK)
    assert found.stage.bound < 0.4


def test_an_interrupt_keeps_the_best(monkeypatch):
    stages, real = [], Errors.loss

    def progress(stage):
        stages.append(stage)
        if len(stages) == 2:
            raise KeyboardInterrupt

    found = searched(DESIGN, BASE, ROWS, family="head", progress=progress, **QUICK)
    assert found.stopped == "interrupted" and found.stage.bound <= stages[-1].bound
    assert counted(found.word, DESIGN, BASE, ROWS, 0.05).errors == found.stage.seen
    calls = iter(range(10**6))

    def late(*arguments):
        if next(calls) == 70:  # in the first stage
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(Errors, "loss", late)
    found = searched(DESIGN, BASE, ROWS, family="head", **QUICK)
    assert (found.stopped, found.stage.name) == ("interrupted", "interrupted") and found.stage.bound < 0.9


def test_the_budget_ends_it_and_the_rate_falls_to_zero_by_then():
    found = searched(DESIGN, BASE, ROWS, family="head", start=START, updates=10**6, budget=0.6)
    assert found.stopped == "the budget of 0.6 seconds ended the search"
    assert 0.6 <= found.stage.seconds < 5 and found.stage.bound < 0.5


def test_a_loss_that_is_not_finite_is_not_followed(monkeypatch):
    calls, real = iter(range(10**6)), Errors.loss
    monkeypatch.setattr(Errors, "loss", lambda *given: real(*given) * (math.nan if next(calls) > 70 else 1.0))
    found = searched(DESIGN, BASE, ROWS, family="head", **QUICK)
    assert found.stopped is None and found.stage.bound < 0.9
    assert counted(found.word, DESIGN, BASE, ROWS, 0.05).errors == found.stage.seen


def test_weights_that_no_integers_reach_are_a_bad_word_and_no_error():
    broken = dict(BASE) | {"score.weight": np.full((3, 16), 1e30)}
    found = searched(DESIGN, BASE, ROWS, family="head", trained=broken, **QUICK)
    assert found.stage.seen == counted(found.word, DESIGN, BASE, ROWS, 0.05).errors


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"family": "subspace"}, "subspace: expected a size"),
        ({"family": "subspace", "size": 8192, "design": WIDE, "base": start(WIDE, 0)}, "moves at most 16384 weights"),
        ({"kappa": 0}, "above 0"),
        ({"budget": 0}, "above 0"),
        ({"base": dict(BASE) | {"score.bias": np.full(3, np.nan)}}, "NaN or infinite"),
        ({"split": Split(X, X[:, 0] + 1)}, "labels have to lie in 0..2"),
    ],
)
def test_bad_input(given, message):
    arguments = {"design": DESIGN, "base": BASE, "split": ROWS, "family": "head"} | given
    with pytest.raises(ValueError, match=message):
        searched(**arguments)
