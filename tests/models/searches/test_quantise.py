"""The program that is certified, the search for rounded weights, and the certificate's failure rate."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest

from ssm_bounds.bounds.architectures.selective_ssm.layout import layout
from ssm_bounds.bounds.codes import fit
from ssm_bounds.bounds.codes.scheme import PLAIN, UNPOOLED
from ssm_bounds.bounds.codes.tensors import Code
from ssm_bounds.bounds.evaluate.balls import Enclosure
from ssm_bounds.bounds.ladder import occam
from ssm_bounds.bounds.values import DomainError
from ssm_bounds.models.files import checkpoint
from ssm_bounds.models.searches import integers, quantise, rounded
from ssm_bounds.models.selective_ssm import earlier, states
from ssm_bounds.models.selective_ssm.evaluate import logits
from ssm_bounds.models.selective_ssm.module import SelectiveSSM
from ssm_bounds.models.selective_ssm.weights import SHAPES, Weights
from ssm_bounds.models.tasks.files import read_task
from ssm_bounds.models.tasks.majority import majority
from ssm_bounds.models.tasks.task import Split

SIZES = {"d": 3, "N": 2, "k": 2, "V": 5}


def random_weights(seed: int, *, k: int = 2, embedding: bool = True, growth: float = 0.0) -> Weights:
    rng = np.random.default_rng(seed)
    sizes = SIZES | {"k": k}
    parts = {name: rng.normal(size=[sizes[axis] for axis in axes]) for name, axes in SHAPES.items()}
    parts["A"] = growth - np.abs(parts["A"])
    if not embedding:
        del parts["embedding"]
    return Weights(**(parts | {"p": float(parts["p"])}))


def random_data(seed: int, n: int = 37, T: int = 11, *, embedding: bool = True, k: int = 2) -> Split:
    rng = np.random.default_rng(seed)
    x = rng.integers(SIZES["V"], size=(n, T)).astype(np.int8) if embedding else rng.normal(size=(n, T, SIZES["d"]))
    return Split(x, rng.integers(max(k, 2), size=n))


def bits(z: np.ndarray) -> bytes:
    return z.tobytes()


@pytest.mark.parametrize("embedding", [True, False])
@pytest.mark.parametrize("convention", ["code", "paper"])
@pytest.mark.parametrize("gate", ["softplus", "none"])
@pytest.mark.parametrize("growth", [0.0, 1.0])
def test_program_is_the_model(embedding, convention, gate, growth):
    weights, data = random_weights(1, embedding=embedding, growth=growth), random_data(2, embedding=embedding)
    model = SelectiveSSM.from_weights(weights, gate=gate, convention=convention)
    z = earlier.run(weights, data, gate=gate, convention=convention).z
    expected = logits(model, data)
    assert np.abs(z - expected).max() <= 1e-11 * (1 + np.abs(expected).max())
    assert np.abs(z).max() > 0.1


def test_elementary_functions():
    x = np.linspace(-700, 700, 20001)
    np.testing.assert_allclose(earlier._exp(x), np.exp(x), rtol=4e-16)
    np.testing.assert_allclose(earlier.softplus(x), np.logaddexp(0, x), rtol=1e-15)


@pytest.mark.parametrize("embedding", [True, False])
def test_prediction_does_not_depend_on_the_batch(embedding):
    """Permuted, split, alone, repeated: the same bits."""
    weights, data = random_weights(3, embedding=embedding), random_data(4, embedding=embedding)
    z = earlier.run(weights, data).z
    order = np.random.default_rng(0).permutation(data.m)
    assert bits(earlier.run(weights, Split(data.x[order], data.y[order])).z) == bits(z[order])
    for size in (1, 2, 5, 16):
        pieces = [
            earlier.run(weights, Split(data.x[i : i + size], data.y[i : i + size])).z for i in range(0, data.m, size)
        ]
        assert bits(np.concatenate(pieces)) == bits(z)
    many = Split(np.repeat(data.x, 9, axis=0), np.repeat(data.y, 9))
    assert bits(earlier.run(weights, many).z) == bits(np.repeat(z, 9, axis=0))
    wide = Split(data.x.astype(np.int64), data.y) if embedding else Split(np.asfortranarray(data.x), data.y)
    assert bits(earlier.run(weights, wide).z) == bits(z)


def test_prediction_does_not_depend_on_the_pieces_it_is_computed_in(monkeypatch):
    weights, data = random_weights(3), random_data(4)
    z = earlier.run(weights, data).z
    monkeypatch.setattr(states, "AT_ONCE", 50)
    assert bits(earlier.run(weights, data).z) == bits(z)


def test_zeros_before_real_inputs_change_nothing():
    weights, data = random_weights(3, embedding=False), random_data(4, embedding=False)
    padded = np.concatenate([np.zeros((data.m, 7, 3)), data.x], axis=1)
    assert bits(earlier.run(weights, Split(padded, data.y)).z) == bits(earlier.run(weights, data).z)


def test_padding_with_a_token_of_zeros_changes_nothing():
    weights = random_weights(3)
    embedding = weights.embedding.copy()
    embedding[4] = 0
    weights = Weights(*(getattr(weights, name) for name in ("A", "W_B", "W_C", "q", "p", "W")), embedding)
    data = random_data(4)
    padded = np.concatenate([np.full((data.m, 6), 4), data.x], axis=1)
    assert bits(earlier.run(weights, Split(padded, data.y)).z) == bits(earlier.run(weights, data).z)


def with_change(weights: Weights, name: str, index: int, value: float) -> Weights:
    parts = {block: np.array(getattr(weights, block)) for block in SHAPES if getattr(weights, block) is not None}
    parts[name].flat[index] = value
    return Weights(**(parts | {"p": float(parts["p"])}))


@pytest.mark.parametrize("embedding", [True, False])
@pytest.mark.parametrize("convention", ["code", "paper"])
@pytest.mark.parametrize("name", [*SHAPES])
def test_incremental_run_is_the_full_run(name, embedding, convention):
    """After every change of one weight, bit for bit; zero among the values, so that columns die and revive."""
    if name == "embedding" and not embedding:
        pytest.skip("real-valued inputs have no embedding")
    weights, data = random_weights(5, embedding=embedding), random_data(6, embedding=embedding)
    rng = np.random.default_rng(7)
    run = earlier.run(weights, data, convention=convention)
    for _ in range(8):
        size = np.size(getattr(weights, name))
        weights = with_change(weights, name, int(rng.integers(size)), float(rng.choice([0.0, rng.normal()])))
        run = run.changed(weights)
        full = earlier.run(weights, data, convention=convention)
        assert bits(run.z) == bits(full.z) and bits(run.x) == bits(full.x)


def test_incremental_run_does_less(monkeypatch):
    """What each block repeats: readout and output matrix no recurrence, A one state, an embedding row its sequences."""
    weights, seen = random_weights(5), []
    states = earlier._states
    monkeypatch.setattr(earlier, "_states", lambda *a: seen.append((a[2].shape[1], a[3].size)) or states(*a))
    x = np.zeros((10, 6), dtype=np.int8)
    x[:3, 2] = 4
    run = earlier.run(weights, Split(x, np.zeros(10, dtype=int)))
    changes = {"W": [], "W_C": [], "A": [(10, 1)], "W_B": [(10, 3)], "q": [(10, 6)]}
    for name, expected in changes.items():
        seen.clear()
        run.changed(with_change(weights, name, 1, 0.25))
        assert seen == expected, name
    seen.clear()
    run.changed(with_change(weights, "embedding", 4 * 3, 0.25))  # a token of three sequences
    assert seen == [(3, 6)]
    seen.clear()
    run.changed(with_change(weights, "embedding", 3 * 3, 0.25))  # a token of none
    assert seen == []


def test_errors_count_ties_and_overflow():
    z = np.array([[1.0, 0.0], [0.0, 0.0], [np.inf, np.inf], [np.nan, -1.0], [np.inf, 0.0], [0.0, 1.0]])
    assert earlier.errors(z, np.zeros(6, dtype=int)) == 4
    one = np.array([[1.0], [0.0], [np.nan], [-1.0]])
    assert earlier.errors(one, np.ones(4, dtype=int)) == 3
    assert earlier.errors(one, np.zeros(4, dtype=int)) == 3


def test_run_refuses_inputs_of_another_model():
    with pytest.raises(ValueError, match="expected tokens"):
        earlier.run(random_weights(1), random_data(1, embedding=False))
    with pytest.raises(ValueError, match="tokens must lie in"):
        earlier.run(random_weights(1), Split(np.full((2, 3), 9), np.zeros(2, dtype=int)))


@pytest.mark.parametrize("embedding", [True, False])
def test_balancing_is_a_symmetry(embedding):
    weights, data = random_weights(8, embedding=embedding), random_data(9, embedding=embedding)
    even = rounded.balanced(weights)
    one, two = earlier.run(weights, data).z, earlier.run(even, data).z
    assert np.abs(one - two).max() <= 1e-10 * np.abs(one).max()
    below, above = np.linalg.norm(even.W_B, axis=1), np.linalg.norm(even.W_C, axis=1)
    assert np.allclose(below, above, rtol=0.05) and not np.allclose(
        np.linalg.norm(weights.W_B, axis=1), np.linalg.norm(weights.W_C, axis=1), rtol=0.05
    )


def test_zeros_of_a_narrow_model_change_nothing():
    """The search runs the small model, the checkpoint holds the wide one: the same logits."""
    weights, data = random_weights(8), random_data(9)
    code = Code(layout(7, 4, 2, 5), quantise.NARROW, (3, 2), (0,), (0,))
    integers = {
        name: np.rint(3 * part).astype(int) for name, part in rounded.blocks(weights, layout(3, 2, 2, 5)).items()
    }
    small, wide = (rounded.assembled(found(integers)) for found in (code.values, code.decoded))
    assert (small.d, wide.d, small.N, wide.N) == (3, 7, 2, 4) and small.A.any()
    assert np.array_equal(earlier.run(small, data).z, earlier.run(wide, data).z)


def quick(seed: int = 0, **more):
    task = majority(400, 20, seed=1)
    weights = random_weights(2, k=1)
    weights = replace(weights, embedding=weights.embedding[:2])
    options = {"rounds": 2, "proposals": 20, "updates": 3, "budget": 600.0} | more
    return quantise.search(weights, task.train, seed=seed, **options), weights, task.train


@pytest.fixture(scope="module")
def found():
    return quick()[0]


@pytest.fixture(scope="module")
def data() -> Split:
    return majority(400, 20, seed=1).train


def test_search_is_deterministic_and_its_certificate_is_recomputed(found):
    stages, two = [], found
    one, given, data = quick(progress=stages.append)
    assert one.stopped is None and all(a.risk >= b.risk - 1e-12 for a, b in pairwise(stages))
    assert (
        all(np.array_equal(getattr(one.weights, n), getattr(two.weights, n)) for n in SHAPES) and one.code == two.code
    )
    found = rounded.certified(one.weights, one.code, data, delta=Fraction(1, 20))
    assert found.errors == one.errors == earlier.errors(earlier.run(one.weights, data).z, data.y)
    assert found.risk.float_upper() < 0.4 and found.risk.float_upper() < quantise_plain(given, data)
    model = SelectiveSSM.from_weights(one.weights)
    assert abs(earlier.errors(logits(model, data), data.y) - one.errors) <= 1


def quantise_plain(weights, data) -> float:
    """What plain rounding at the step 1/4 certifies."""
    model = layout(3, 2, 1, 2)
    parts = {name: np.rint(block * 4) / 4 for name, block in rounded.blocks(weights, model).items()}
    code = fit.shortest(model, parts, (PLAIN,))
    code, integers = code.representative(code.integers(parts))
    short = rounded.assembled(code.decoded(integers))
    return rounded.certified(short, code, data, delta=0.05).risk.float_upper()


def test_rounded_checkpoint_gives_the_same_number(tmp_path, found, data):
    delta = Fraction(1, 20)
    before = rounded.certified(found.weights, found.code, data, delta=delta)
    metadata = checkpoint.Metadata(m=data.m, T=data.T, gate="softplus", occam=rounded.record(found, delta))
    checkpoint.write(tmp_path / "rounded.safetensors", found.weights, metadata)
    back = checkpoint.read(tmp_path / "rounded.safetensors")
    assert back.metadata == metadata
    code = rounded.recorded(back.weights, back.metadata.occam, back.metadata.gate)
    after = rounded.certified(back.weights, code, data, delta=delta)
    assert (code, after.errors) == (found.code, before.errors)
    assert back.metadata.occam["delta"] == "1/20"
    for end in ("lower", "upper"):
        assert getattr(after.risk, end) == getattr(before.risk, end)  # exact: they are arb numbers of no radius
    assert after.risk.float_upper() == before.risk.float_upper()


def test_checkpoint_values_are_float32_and_exact(found):
    for block in rounded.blocks(found.weights, found.code.layout).values():
        assert np.array_equal(block.astype(np.float32).astype(np.float64), block)
    integers = found.code.integers(rounded.blocks(found.weights, found.code.layout))
    for name, scale in found.code.scales().items():
        part = rounded.blocks(found.weights, found.code.layout)[name]
        part = part[tuple(map(slice, integers[name].shape))]
        assert np.array_equal(integers[name] * scale, part)


def test_a_changed_weight_is_not_in_the_code(found, data):
    broken = with_change(found.weights, "p", 0, 0.1)
    with pytest.raises(DomainError, match="not an integer times its step"):
        rounded.certified(broken, found.code, data, delta=0.05)


def test_only_the_representative_is_certified(found, data):
    """Flipping a state is a model of the same orbit and the same errors, but not the one that runs."""
    weights = replace(found.weights, W_B=-found.weights.W_B, W_C=-found.weights.W_C)
    with pytest.raises(DomainError, match="not in the order of the prior 'integers-2'"):
        rounded.certified(weights, found.code, data, delta=0.05)
    alone = replace(found.code, prior=UNPOOLED)
    old, new = (rounded.certified(found.weights, code, data, delta=0.05) for code in (alone, found.code))
    flipped = rounded.certified(weights, alone, data, delta=0.05)
    assert flipped.errors == old.errors == new.errors
    assert flipped.risk.float_upper() == old.risk.float_upper() > new.risk.float_upper()


def test_the_sign_of_a_zero_is_not_in_the_code(found, data):
    """What runs is what the word says."""
    weights = replace(found.weights, W_C=np.where(found.weights.W_C == 0, -0.0, found.weights.W_C))
    assert np.signbit(weights.W_C[weights.W_C == 0]).any()
    one, two = (rounded.certified(each, found.code, data, delta=0.05) for each in (weights, found.weights))
    assert (one.errors, one.nats.float_upper()) == (two.errors, two.nats.float_upper())


def test_interrupt_keeps_the_best_so_far():
    def stop(stage):
        if stage.name != "rounded":
            raise KeyboardInterrupt

    found, _, data = quick(progress=stop)
    assert found.stopped == "interrupted"
    assert rounded.certified(found.weights, found.code, data, delta=0.05).errors == found.errors


def test_interrupt_keeps_what_the_running_stage_found(monkeypatch):
    """Ctrl-C in the middle of annealing, after an improvement on plain rounding."""
    tasks, point = [], integers.Search.point

    def stop(self, code, integers, near=None):
        found = point(self, code, integers, near)
        if self.live and self.live[0].risk < 0.4:
            tasks.append(self.live[0])
            if len(tasks) == 1:
                raise KeyboardInterrupt
        return found

    monkeypatch.setattr(integers.Search, "point", stop)
    found, _, data = quick(proposals=400)
    assert found.stopped == "interrupted"
    assert rounded.certified(found.weights, found.code, data, delta=0.05).risk.float_upper() < 0.4


def test_the_budget_is_kept():
    start = time.monotonic()
    found, *_ = quick(budget=0.2, proposals=10**6)
    assert "budget" in found.stopped and time.monotonic() - start < 5


def test_search_with_many_outputs_and_real_inputs():
    data = random_data(3, n=200, T=5, embedding=False, k=3)
    weights = random_weights(1, k=3, embedding=False)
    found = quantise.search(weights, data, rounds=1, proposals=2, updates=2, budget=60)
    assert found.weights.k == 3 and found.weights.V is None
    rounded.certified(found.weights, found.code, data, delta=0.05)


def test_search_without_a_gate():
    weights, data = random_weights(1), random_data(2)
    weights = replace(weights, q=np.zeros(3), p=0.0)
    found = quantise.search(weights, data, gate="none", rounds=1, proposals=2, updates=2, budget=60)
    assert "q" not in found.code.coded() and not found.weights.q.any()
    with pytest.raises(DomainError, match="gate 'none'"):
        quantise.search(random_weights(1), data, gate="none", budget=1)


def test_a_token_that_never_occurs_is_zero():
    """It costs its code alone, and the descent makes it the cheapest one."""
    data = majority(400, 20, seed=1).train  # tokens 0 and 1 of five
    found = quantise.search(random_weights(2, k=1), data, rounds=2, proposals=20, updates=3, budget=60)
    assert found.weights.embedding[:2].any() and not found.weights.embedding[2:].any()


class Simulation:
    """Every binary sequence of five tokens, with a label that is a fair coin: true risks by enumeration.

    A pool of models with small integers stands for the search: the certificate is that of the pool's best model.
    """

    m, delta, pool = 60, 0.2, 1500

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.x = np.array(list(product((0, 1), repeat=5)))
        self.truth = np.full(len(self.x), 0.5)  # P(y = 1): nothing can be learned
        code = Code(layout(2, 1, 1, 2), quantise.NARROW, (2, 1), (0,), (0,))
        found: dict[bytes, tuple[float, np.ndarray]] = {}
        for _ in range(self.pool):
            integers = {name: np.asarray(rng.integers(-3, 4, size=size)) for name, size in code.coded().items()}
            _, integers = code.representative(integers)
            weights = rounded.assembled(code.decoded(integers))
            z = earlier.run(weights, Split(self.x, np.zeros(len(self.x), dtype=int))).z[:, 0]
            nats, wrong = code.about(integers), np.stack([~(z < 0), ~(z > 0)], axis=1)
            if wrong.tobytes() not in found or found[wrong.tobytes()][0] > nats:
                found[wrong.tobytes()] = (nats, wrong)
        self.nats = np.array([nats for nats, _ in found.values()])
        self.wrong = np.array([wrong for _, wrong in found.values()])  # (models, x, y)
        weight = np.stack([1 - self.truth, self.truth], axis=1) / len(self.x)
        self.risk = (self.wrong * weight).sum((1, 2))

    def failures(self, runs: int, price: float) -> int:
        """Data sets on which the best certificate, with the code length times ``price``, is below the true risk."""
        rng, failed = np.random.default_rng(1), 0
        for _ in range(runs):
            rows = rng.integers(len(self.x), size=self.m)
            labels = (rng.random(self.m) < self.truth[rows]).astype(int)
            errors = self.wrong[:, rows, labels].sum(1)
            guess = errors / self.m + np.sqrt(price * self.nats / (2 * self.m))
            best = int(guess.argmin())
            nats = Enclosure.point(float(price * self.nats[best]))
            failed += occam.certify(nats, int(errors[best]), self.m, self.delta).float_upper() < self.risk[best]
        return failed


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return Simulation()


def test_failure_rate_is_at_most_delta(simulation):
    assert len(simulation.nats) > 150  # enough different models to overfit
    assert simulation.failures(300, price=1.0) <= 300 * simulation.delta


def test_without_the_price_it_fails(simulation):
    assert simulation.failures(300, price=0.0) > 1.5 * 300 * simulation.delta


def test_majority_reference(shared):
    """A short search on the shared model: well below the 0.23 of the plain code (about 0.09 with a longer one)."""
    weights = checkpoint.read(shared / "checkpoints" / "majority_T200_m1000_seed1.pth").weights
    data = read_task(shared / "data" / "majority_T200_seed1.npz").train
    found = quantise.search(weights, data, rounds=1, proposals=40, updates=30, budget=40)
    risk = rounded.certified(found.weights, found.code, data, delta=Fraction(1, 20)).risk.float_upper()
    assert 0.04 < risk <= 0.23
